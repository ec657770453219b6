"""Verdicts and the result of one grading: plain frozen records, and their one JSON form.

What belongs here: what a verdict is, how points follow from it, how a result reads and writes itself. What does
not: coming to a verdict (session), showing it (reports).
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from labkit.course.rubric import Line, Rubric
from labkit.deploy.targets import ON_AWS
from labkit.grading.mark import Mark

FORMAT = "hybrid-lab/result/v1"

Outcome = Literal["passed", "failed", "not judged"]
#: how a verdict came about: as submitted, with the student's text alone in the reference system, or on AWS
Way = Literal["", "as submitted", "alone", "live"]
#: by reading what stands on AWS
LIVE: Way = "live"
#: where a verdict was come to
Proof = Literal["live", "local", "none"]


@dataclass(frozen=True)
class Verdict:
    """What one check said. `fraction` of the points is earned: 1 when passed, 0 to below 1 when failed.

    `way` says which attempt proved it; `evidence` are lines that show it (hops, a policy statement, a log).
    `lacking`: what AWS has and the local cloud does not, for which alone the line was not judged. `notes`: what was
    seen besides and costs nothing.
    """

    outcome: Outcome = "not judged"
    fraction: float = 0.0
    reason: str = ""
    hint: str = ""
    expected: str = ""
    found: str = ""
    evidence: tuple[str, ...] = ()
    way: Way = ""
    lacking: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the line holds in full."""
        return self.outcome == "passed"


#: the reason of lines that a run was not to judge
NOT_ASKED = "not asked for"
#: the reason of a line whose check this copy does not have
NO_CHECK = "there is no check for this line"
#: how the reason begins where only a local grading can judge the line
NOT_HERE = "not judged on AWS"
NOT_YET = Verdict(reason="the grading has not come to this line")


@dataclass(frozen=True)
class LineResult:
    """A rubric line and its verdict; `why` is the check's docstring; `seconds` what it took.

    given: points that a person gave in the verdict's place, and `said` who and why; None where nobody did.
    """

    id: str
    title: str
    points: int
    step: str
    gap: str
    hidden: bool
    verdict: Verdict
    why: str = ""
    seconds: float = 0.0
    given: float | None = None
    said: str = ""

    @property
    def proof(self) -> Proof:
        """Where it was judged: on AWS, on a local cloud, or nowhere."""
        if self.verdict.outcome == "not judged":
            return "none"
        return "live" if self.verdict.way == LIVE else "local"

    @functools.cached_property
    def earned(self) -> float:
        """Points earned, to two decimals."""
        if self.given is not None:
            return self.given
        if self.verdict.fraction in (0, 1):  # of a class's lines nearly all: exact without Decimal
            return float(self.points * self.verdict.fraction)
        exact = Decimal(str(self.verdict.fraction)) * self.points
        return float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))

    @functools.cached_property
    def lost(self) -> float:
        """Points lost by a failure, or a person's word; what was not judged is not lost."""
        is_lost = self.verdict.outcome == "failed" or self.given is not None
        return round(self.points - self.earned, 2) if is_lost else 0.0


@dataclass(frozen=True)
class Result:
    """The result of one grading. `about`: student, submission hash, engine, kit … ; `trouble`: ours, for staff.

    `when`: graded, handed_in (the file's own time), packed (the last step in it), each ISO 8601 in UTC.

    `bonus` lines are apart from the points: they keep no mark from being final. `mark`: what a course makes of it all.
    """

    about: Mapping[str, Any]
    lines: tuple[LineResult, ...]
    complete: bool = False
    trouble: tuple[str, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)
    bonus: tuple[LineResult, ...] = ()
    when: Mapping[str, str] = field(default_factory=dict)
    mark: Mark | None = None

    @property
    def all(self) -> tuple[LineResult, ...]:
        """The lines and those of the bonus."""
        return (*self.lines, *self.bonus)

    @property
    def bonus_score(self) -> float:
        """Bonus points earned."""
        return round(sum(line.earned for line in self.bonus), 2)

    @property
    def bonus_total(self) -> int:
        """All bonus points that there are."""
        return sum(line.points for line in self.bonus)

    @property
    def score(self) -> float:
        """Points earned."""
        return round(sum(line.earned for line in self.lines), 2)

    @property
    def total(self) -> int:
        """The denominator: all points of the rubric, judged or not."""
        return sum(line.points for line in self.lines)

    @property
    def not_judged(self) -> tuple[LineResult, ...]:
        """The lines that our trouble, or what the local cloud lacks, kept from being judged."""
        return tuple(line for line in self.lines if line.verdict.outcome == "not judged")

    @property
    def not_emulated(self) -> tuple[LineResult, ...]:
        """Of those the ones for which only a person can say more: the same grading again says the same."""
        return tuple(line for line in self.not_judged if line.verdict.lacking)

    @property
    def is_live(self) -> bool:
        """Whether it was judged where a lab stands on AWS: then it is no mark."""
        return self.about.get("target") in ON_AWS

    @property
    def is_final(self) -> bool:
        """Whether every line was judged and the run came to its end: only then it is a mark."""
        return self.complete and not self.not_judged and not self.is_live

    def with_line(self, name: str, verdict: Verdict, *, why: str = "", seconds: float = 0.0) -> "Result":
        """The same result with this line's verdict."""

        def changed(line: LineResult) -> LineResult:
            if line.id != name:
                return line
            return replace(
                line, verdict=verdict, why=why or line.why, seconds=round(line.seconds + seconds, 3)
            )

        return replace(self, lines=tuple(map(changed, self.lines)), bonus=tuple(map(changed, self.bonus)))

    def line(self, name: str) -> LineResult:
        """The line of this id; raises KeyError for another."""
        return {line.id: line for line in self.all}[name]


def empty(rubric: Rubric, about: Mapping[str, Any]) -> Result:
    """A result in which nothing has been judged: what stands in the file from the first moment."""
    lines, bonus = (tuple(map(_unjudged, each)) for each in (rubric.lines, rubric.bonus))
    return Result(dict(about), lines, bonus=bonus)


def _unjudged(line: Line) -> LineResult:
    return LineResult(line.id, line.title, line.points, line.step, line.gap, line.hidden, NOT_YET)


# ---- JSON -------------------------------------------------------------------------------------------


def to_json(result: Result) -> dict[str, Any]:
    """The result as plain JSON values (schema: result.schema.json)."""
    return {
        "format": FORMAT,
        "about": dict(result.about),
        "score": result.score,
        "total": result.total,
        "final": result.is_final,
        "complete": result.complete,
        "not_judged": [line.id for line in result.not_judged],
        "not_emulated": [line.id for line in result.not_emulated],
        "trouble": list(result.trouble),
        "timing": dict(result.timing),
        "when": dict(result.when),
        "lines": [_line_json(line) for line in result.lines],
        "bonus": {
            "score": result.bonus_score,
            "total": result.bonus_total,
            "lines": [_line_json(line) for line in result.bonus],
        },
        **({"mark": result.mark.to_json()} if result.mark else {}),
    }


def _line_json(line: LineResult) -> dict[str, Any]:
    value = asdict(line)
    value["verdict"].update(evidence=list(line.verdict.evidence), notes=list(line.verdict.notes))
    if line.given is None:
        del value["given"], value["said"]
    return {**value, "earned": line.earned, "proof": line.proof}


def from_json(value: Mapping[str, Any]) -> Result:
    """The result that `to_json` made. Raises ValueError for anything else; scores are computed anew."""
    if value.get("format") != FORMAT:
        raise ValueError(f"no result of format {FORMAT}")
    try:
        lines = tuple(_line_of(line) for line in value["lines"])
        return Result(
            dict(value["about"]),
            lines,
            bool(value["complete"]),
            tuple(value["trouble"]),
            dict(value["timing"]),
            tuple(_line_of(line) for line in value["bonus"]["lines"]),
            dict(value.get("when", {})),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"a result without {error}") from error


def _line_of(value: Mapping[str, Any]) -> LineResult:
    fields = {key: each for key, each in value.items() if key not in ("earned", "proof", "verdict")}
    return LineResult(**fields, verdict=verdict_of(value["verdict"]))


def verdict_of(value: Mapping[str, Any]) -> Verdict:
    """The verdict in plain JSON values. Raises ValueError for an outcome or fraction that can't be."""
    lists = {name: tuple(value.get(name, ())) for name in ("evidence", "notes")}
    return _shared(tuple({**value, **lists}.items()))


@functools.lru_cache(1 << 14)
def _shared(fields: tuple[tuple[str, Any], ...]) -> Verdict:
    """One record for all that say the same: of a class's 40,000 verdicts nearly all do."""
    verdict = Verdict(**dict(fields))
    if verdict.outcome not in ("passed", "failed", "not judged") or not 0 <= verdict.fraction <= 1:
        raise ValueError(f"no verdict: {verdict.outcome} {verdict.fraction}")
    return verdict


def best(verdicts: Sequence[Verdict]) -> Verdict:
    """Of several attempts the one that earns most; the later one where they earn the same.

    The later one is that of the text alone: nothing else can be to blame for what it saw. An attempt that was not
    judged never wins against one that was, unless that one failed: then the line is not judged, because the
    attempt might have proved it.
    """
    judged = [verdict for verdict in verdicts if verdict.outcome != "not judged"]
    winner = max(reversed(judged), key=lambda verdict: verdict.fraction, default=None)
    if winner is not None and (winner.passed or len(judged) == len(verdicts)):
        return winner
    return next(verdict for verdict in verdicts if verdict.outcome == "not judged")


def worst_first(lines: Iterable[LineResult]) -> list[LineResult]:
    """Lines that lost points, the costliest first, in the rubric's order where equal."""
    return sorted((line for line in lines if line.lost), key=lambda line: -line.lost)
