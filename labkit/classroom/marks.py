"""The mark. One pure function from verdicts, the course's rules and what else is known of a person.

What belongs here: the sum, in exact fractions, rounded once at each step that people see. What does not: where the rules
come from (rules), finding out facts (standing), showing it (grading.reports, exports, overview).

The order: each line's points (a person's word in place of the verdict's), their sum, scaled; the bonus where the course
adds it; lateness in per cent of that; hints; the prose part; at last a person's word about the whole.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

from labkit.grading.mark import Mark, State, Step
from labkit.grading.model import NOT_YET, LineResult, Result

#: the name under which a person's word about the whole mark is kept
WHOLE = "mark"
_MOST_PROSE = 2


@dataclass(frozen=True)
class Late:
    """What a late hand-in loses: per cent of its mark for each day that has begun, and for how many days one is taken."""

    percent: float
    days: int


@dataclass(frozen=True)
class Rules:
    """How a course counts. points: of the lines that count, by id. left: the others. scale: what all of them are worth.

    bonus: "apart" (shown beside the mark), "added" (it may pass the scale), "capped" (added up to the scale).
    prose: points of a person's part (0: none), prose_questions: what is asked in it. name: which rules these are.
    """

    points: Mapping[str, int]
    scale: float = 100
    left: tuple[str, ...] = ()
    bonus: Literal["apart", "added", "capped"] = "apart"
    hint_cost: float = 0.0
    due: datetime | None = None
    grace: timedelta = timedelta()
    late: Late | None = None
    prose: float = 0.0
    prose_questions: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Word:
    """Points that a person gave in a verdict's place, and who and why."""

    points: float
    why: str


@dataclass(frozen=True)
class Facts:
    """What is known of a person besides the verdicts. at: when it was handed in. due: an own deadline (None: the course's)."""

    at: datetime | None = None
    due: datetime | None = None
    hints: int = 0
    words: Mapping[str, Word] = field(default_factory=dict)
    prose: Mapping[str, int] = field(default_factory=dict)


def counted(result: Result, rules: Rules, words: Mapping[str, Word] | None = None) -> Result:
    """The result with the lines, and the points for each, that the course counts; what left the rubric is left out.

    A line of the rules that the result does not have is one that nobody has judged.
    """
    known = {line.id: line for line in result.lines}
    lines = tuple(
        _counted(known.get(name) or _unjudged(name), points, (words or {}).get(name))
        for name, points in rules.points.items()
    )
    return replace(result, lines=lines)


def give(result: Result | None, rules: Rules, facts: Facts | None = None) -> Mark:
    """The mark of one person, with the sum that leads to it. `result` None: nothing was handed in."""
    facts = facts or Facts()
    return give_counted(counted(result, rules, facts.words) if result else None, rules, facts)


def give_counted(own: Result | None, rules: Rules, facts: Facts) -> Mark:
    """As give, of a result that `counted` made by the same rules and words."""
    whole = facts.words.get(WHOLE)
    if own is None:
        mark = _none("missing", rules, "nothing was handed in")
    else:
        missing = [
            line.id for line in own.lines if line.verdict.outcome == "not judged" and line.given is None
        ]
        if not own.complete or missing:
            what = f"{len(missing)} of {len(own.lines)} lines" if missing else "it"
            mark = _none("not judged", rules, f"{what} could not be judged")
        else:
            mark = _sum(own, rules, facts)
    return _by_word(mark, whole) if whole else mark


def days_late(at: datetime, due: datetime, grace: timedelta) -> int:
    """How many days have begun since the deadline; 0 in time, and within the grace."""
    return 0 if at <= due + grace else math.ceil((at - due) / timedelta(days=1))


def _unjudged(name: str) -> LineResult:
    return LineResult(name, name, 0, "", "", False, NOT_YET)


def _counted(line: LineResult, points: int, word: Word | None) -> LineResult:
    if word:
        return replace(line, points=points, given=word.points, said=word.why)
    return (
        line if line.points == points else replace(line, points=points)
    )  # of a class's nearly all: as they are


def _none(state: State, rules: Rules, why: str) -> Mark:
    return Mark(
        state, None, 0.0, 0.0, None, None, rules.scale, rules.prose, why, left=rules.left, rubric=rules.name
    )


def _by_word(mark: Mark, word: Word) -> Mark:
    step = Step(f"a person's word: {word.why}", f"= {_shown(word.points)}", word.points)
    return replace(mark, state="graded", final=word.points, pending=(), steps=(*mark.steps, step))


def _sum(own: Result, rules: Rules, facts: Facts) -> Mark:
    """All lines are judged: the sum, step by step."""
    steps: list[Step] = []
    score = own.score
    earned, there = _exact(score), sum(rules.points.values())
    value = earned * _exact(rules.scale) / there if there else Fraction(0)
    raw = _rounded(value)
    steps.append(Step(f"{len(own.lines)} lines, {there} points", f"{_shown(score)}", score))
    if there != rules.scale:
        steps.append(
            Step(f"scaled from {there} to {_shown(rules.scale)}", f"× {rules.scale / there:.4g}", raw)
        )
    after, bonus = _with_bonus(_exact(raw), own, rules)
    if own.bonus_score:
        said = f"+ {_shown(_rounded(after - _exact(raw)))}" if rules.bonus != "apart" else "beside the mark"
        steps.append(Step(f"bonus of {_shown(own.bonus_score)}", said, _rounded(after)))
    lateness = _lateness(rules, facts)
    lost = after * _exact(lateness.percent) / 100
    if lateness.what:
        steps.append(Step(lateness.what, f"− {_shown(_rounded(lost))}", _rounded(after - lost)))
    hints = min(_exact(rules.hint_cost) * facts.hints, after - lost)
    if hints:
        steps.append(
            Step(
                f"{facts.hints} hints, {_shown(rules.hint_cost)} each",
                f"− {_shown(_rounded(hints))}",
                _rounded(after - lost - hints),
            )
        )
    machine = _rounded(after - lost - hints)
    prose, pending = _prose(rules, facts) if not lateness.refused else (None, ())
    if rules.prose:
        steps.append(
            Step(
                f"written answers, of {_shown(rules.prose)}",
                f"+ {_shown(prose or 0)}",
                _rounded(_exact(machine) + _exact(prose or 0)),
            )
        )
    return Mark(
        "too late" if lateness.refused else "graded", raw, _rounded(lost + hints), bonus, prose,
        _rounded(_exact(machine) + _exact(prose or 0)), rules.scale, rules.prose, lateness.what, (*pending, *lateness.pending),
        rules.left, tuple(steps), lateness.days, facts.hints, rules.name,
        rules.bonus == "apart",
    )  # fmt: skip


def line_steps(own: Result) -> Iterator[Step]:
    """What each line of a counted result earns, and the sum so far: what comes before a mark's own steps."""
    total = Fraction(0)
    for line in own.lines:
        total += _exact(line.earned)
        said = f"{line.id}: {line.said}" if line.given is not None else line.id
        yield Step(said, f"{_shown(line.earned)} of {line.points}", _rounded(total))


def _with_bonus(value: Fraction, own: Result, rules: Rules) -> tuple[Fraction, float]:
    if rules.bonus == "apart":
        return value, own.bonus_score
    more = value + _exact(own.bonus_score)
    return (min(more, _exact(rules.scale)) if rules.bonus == "capped" else more), own.bonus_score


@dataclass(frozen=True)
class _Lateness:
    what: str = ""
    percent: float = 0.0
    days: int = 0
    refused: bool = False
    pending: tuple[str, ...] = ()


def _lateness(rules: Rules, facts: Facts) -> _Lateness:
    due = facts.due or rules.due
    if due is None:
        return _Lateness()
    if facts.at is None:
        return _Lateness(pending=("nobody knows when it was handed in",))
    days = days_late(facts.at, due, rules.grace)
    if not days:
        return _Lateness()
    told = f"{days} {'day' if days == 1 else 'days'} late"
    if rules.late is None:
        return _Lateness(f"{told}; the course has no late rule", 0.0, days)
    if days > rules.late.days:
        return _Lateness(f"{told}; taken for {rules.late.days}", 100.0, days, refused=True)
    percent = min(100.0, rules.late.percent * days)
    return _Lateness(f"{told}, {_shown(rules.late.percent)} % a day", percent, days)


def _prose(rules: Rules, facts: Facts) -> tuple[float | None, tuple[str, ...]]:
    """A person's part, and what of it is still to do."""
    if not rules.prose or not rules.prose_questions:
        return None, ()
    marked = [facts.prose[name] for name in rules.prose_questions if name in facts.prose]
    missing = len(rules.prose_questions) - len(marked)
    pending = (
        (f"{missing} of {len(rules.prose_questions)} written answers are not marked",) if missing else ()
    )
    best = _MOST_PROSE * len(rules.prose_questions)
    return (_rounded(_exact(rules.prose) * sum(marked) / best) if marked else None), pending


@functools.lru_cache(1 << 12)
def _exact(value: float) -> Fraction:
    return Fraction(str(value))


@functools.lru_cache(1 << 12)
def _rounded(value: Fraction) -> float:
    """To two decimals, a half upwards."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _shown(value: float) -> str:
    return f"{value:g}"
