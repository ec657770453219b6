"""A class at a glance: who needs somebody, how the marks lie, which lines fail and why.

What belongs here: counting. What does not: the marks (marks), drawing (overview_page), printing.
"""

import functools
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labkit.classroom.handins import HandIn
from labkit.classroom.marks import Rules
from labkit.classroom.standing import Standing
from labkit.grading.model import LineResult, Result, worst_first

_BINS = 10
_REASONS = 3
#: what differs between two students with one mistake: names, numbers, ids
_OWN = re.compile(r"\b[0-9a-f]{8,}\b|\b\d[\d.:/]*\b|\b[a-z0-9]{6}(?=-)|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class Reason:
    """Why a line fails, as the machine says it, without what differs between students; how many; one who has it."""

    text: str
    count: int
    example: str


@dataclass(frozen=True)
class LineFigures:
    """One line of the rubric over the class. `rate`: the share of those judged who have it in full."""

    id: str
    title: str
    points: float
    gap: str
    judged: int
    rate: float
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class GapFigures:
    """One gap: the share of its lines' points that the class has, and of those who lose in it the middle number of hints."""

    name: str
    rate: float
    losing: int
    hints_losing: float
    hints_others: float


@dataclass(frozen=True)
class Loss:
    """What somebody lost in a line, and why."""

    line: str
    points: float
    reason: str


@dataclass(frozen=True)
class Row:
    """One person."""

    id: str
    name: str
    group: str
    state: str
    final: float | None
    raw: float | None
    penalty: float
    late_days: int
    hints: int
    stuck: str
    at: str
    why: str
    outlier: bool = False
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Overview:
    """The class. `bins`: how many marks lie in each tenth of the whole, the last one with what is full and above."""

    total: float
    rubric: str
    states: Mapping[str, int]
    needs: tuple[tuple[str, str], ...]
    bins: tuple[int, ...]
    quartiles: tuple[float, float, float] | None
    lines: tuple[LineFigures, ...]
    gaps: tuple[GapFigures, ...]
    stuck: Mapping[str, int]
    rows: tuple[Row, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def of_class(standings: Sequence[Standing], found: Iterable[HandIn], rules: Rules) -> Overview:
    """Count everything once."""
    reports = [(each, each.counted) for each in standings]
    marks = [each.mark.final for each in standings if each.mark.final is not None]
    total = rules.scale + rules.prose
    quartiles = _quartiles(marks)
    return Overview(
        total, rules.name, dict(Counter(each.mark.state for each in standings)),
        tuple((each.label, each.trouble) for each in found if each.trouble), _bins(marks, total), quartiles,
        _lines(reports), _gaps(reports),
        dict(sorted(Counter(stuck for each in standings if (stuck := str(each.notes.get("stuck", "")))).items())),
        tuple(_row(each, report, quartiles) for each, report in reports),
    )  # fmt: skip


def _bins(marks: Sequence[float], total: float) -> tuple[int, ...]:
    found = Counter(min(_BINS - 1, int(_BINS * mark / total)) if total else 0 for mark in marks)
    return tuple(found[n] for n in range(_BINS))


def _quartiles(marks: Sequence[float]) -> tuple[float, float, float] | None:
    if len(marks) < 2:
        return None
    low, middle, high = statistics.quantiles(marks, n=4, method="inclusive")
    return round(low, 2), round(middle, 2), round(high, 2)


def _lines(reports: Sequence[tuple[Standing, Result | None]]) -> tuple[LineFigures, ...]:
    found: dict[str, list[tuple[Standing, LineResult]]] = defaultdict(list)
    for each, report in reports:
        for line in report.lines if report else ():
            found[line.id].append((each, line))
    return tuple(_line(lines) for lines in found.values())


def _line(lines: Sequence[tuple[Standing, LineResult]]) -> LineFigures:
    first = lines[0][1]
    judged = [
        (each, line) for each, line in lines if line.verdict.outcome != "not judged" or line.given is not None
    ]
    short = [(each, line) for each, line in judged if line.earned < line.points]
    full = len(judged) - len(short)
    why: dict[str, list[str]] = defaultdict(list)
    for each, line in short:
        if line.lost and line.verdict.reason:
            why[common(line.verdict.reason)].append(each.person.id)
    most = sorted(why.items(), key=lambda item: -len(item[1]))[:_REASONS]
    reasons = tuple(Reason(text, len(who), who[0]) for text, who in most)
    return LineFigures(
        first.id,
        first.title,
        first.points,
        first.gap,
        len(judged),
        full / len(judged) if judged else 0.0,
        reasons,
    )


@functools.lru_cache(1 << 14)
def common(reason: str) -> str:
    """A reason without what differs between two students who have it."""
    return _OWN.sub("…", reason)


def _gaps(reports: Sequence[tuple[Standing, Result | None]]) -> tuple[GapFigures, ...]:
    found: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for each, report in reports:
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for line in report.lines if report else ():
            if line.gap and line.verdict.outcome != "not judged":
                sums[line.gap][0] += line.earned
                sums[line.gap][1] += line.points
        for name, (earned, points) in sums.items():
            found[name].append((earned, points, each.mark.hints))
    return tuple(_gap(name, each) for name, each in found.items())


def _gap(name: str, sums: Sequence[tuple[float, float, int]]) -> GapFigures:
    losing = [hints for earned, points, hints in sums if earned < points]
    others = [hints for earned, points, hints in sums if earned >= points]
    there = sum(points for _, points, _ in sums)
    return GapFigures(
        name,
        sum(earned for earned, *_ in sums) / there if there else 0.0,
        len(losing),
        _middle(losing),
        _middle(others),
    )


def _middle(values: Sequence[int]) -> float:
    return float(statistics.median(values)) if values else 0.0


def _row(each: Standing, report: Result | None, quartiles: tuple[float, float, float] | None) -> Row:
    mark, person = each.mark, each.person
    losses = worst_first(report.lines) if report else []
    return Row(
        person.id, person.name, person.group, mark.state, mark.final, mark.raw, mark.penalty, mark.late_days, mark.hints,
        str(each.notes.get("stuck", "")), each.handin.at if each.handin else "", "; ".join(filter(None, (mark.why, *mark.pending))),
        _is_outlier(mark.final, quartiles), tuple(Loss(line.id, line.lost, line.verdict.reason or line.said) for line in losses),
    )  # fmt: skip


def _is_outlier(mark: float | None, quartiles: tuple[float, float, float] | None) -> bool:
    """Further from the middle half than one and a half times its width (Tukey)."""
    if mark is None or quartiles is None:
        return False
    low, _, high = quartiles
    return not low - 1.5 * (high - low) <= mark <= high + 1.5 * (high - low)
