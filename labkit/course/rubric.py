"""The rubric: the [[line]] and [[bonus]] tables of lab.toml as frozen records, refused when they don't fit together.

What belongs here: lines, their points, and what each is judged on. What does not: the checks (grader/checks).
"""

import graphlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.errors import ManifestError
from labkit.course.manifest import NAME

#: what a grade's denominator is
TOTAL = 100
#: the text of a submission outside all gaps, as a unit of `alone`
GIVEN = "given"


def given_of(file: str) -> str:
    """The unit of one file's text outside its gaps."""
    return f"{GIVEN}:{file}"


def is_given(unit: str) -> bool:
    """Whether a unit is text outside all gaps, of one file or of all."""
    return unit.partition(":")[0] == GIVEN


_PROOFS = ("S", "E", "L")
_KEYS = {
    "id", "title", "points", "step", "gap", "proof", "whole", "alone", "needs", "hidden", "disturbs", "abroad",
    "ends",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the rubric.

    `proof`: S static, E emulated, L live. `whole`: judged only as submitted, and says so. `alone`: units of the
    student's text (gap names, file names, "given", "given:FILE") that are put into the reference system when the
    attempt as submitted fails. `needs`: lines without which that attempt is useless. `hidden`: inputs are not told.
    `disturbs`: its check stops or kills something, and may leave a wrong system without its service, so it comes after the
    others. `ends`: it deletes what it is judged on, so it comes last. `abroad`: it is about another region than the student's own.
    """

    id: str
    title: str
    points: int
    step: str
    gap: str = ""
    proof: tuple[str, ...] = ("E",)
    whole: bool = False
    alone: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    hidden: bool = False
    disturbs: bool = False
    abroad: bool = False
    ends: bool = False

    @property
    def comes_after_hidden(self) -> bool:
        """Whether it is judged on a system of which hidden lines have asked already, so that little is told of it."""
        return (self.disturbs or self.ends) and not self.hidden

    @property
    def module(self) -> str:
        """The file of its check."""
        return f"check_{self.id.replace('-', '_')}.py"


@dataclass(frozen=True)
class Rubric:
    """All lines, in the order in which people read them. `bonus` lines are apart from the denominator."""

    lines: tuple[Line, ...]
    bonus: tuple[Line, ...] = ()

    @property
    def all(self) -> tuple[Line, ...]:
        """Everything that has a check."""
        return (*self.lines, *self.bonus)

    @property
    def total(self) -> int:
        """The denominator: the sum of all points."""
        return sum(line.points for line in self.lines)

    def line(self, name: str) -> Line:
        """The line of this id; raises KeyError for another."""
        return {line.id: line for line in self.all}[name]

    @property
    def foundations(self) -> tuple[Line, ...]:
        """What the other lines' attempts as submitted stand on, in the order in which it is judged.

        That is what they need, and what can bring the submission home to its own region; judged before any of them,
        also where nobody asked for it, so that a verdict does not hang on which lines came before.
        """
        needed = {need for line in self.all for need in line.needs}
        return tuple(
            line for line in self.in_order() if line.id in needed or (line.whole and not line.abroad)
        )

    def in_order(self) -> list[Line]:
        """The lines in the order in which they are judged: each after those that it needs."""
        return _order(self.all)


def load(root: Path) -> Rubric:
    """The rubric in `root`/lab.toml. Raises ManifestError naming the line and the key that are wrong."""
    try:
        data = tomllib.loads((root / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(f"can't be read: {error}") from error
    return parse(data.get("line", []), _units(data), bonus=data.get("bonus", []))


def parse(
    tables: Sequence[Mapping[str, Any]], units: Iterable[str], total: int = TOTAL, *,
    bonus: Sequence[Mapping[str, Any]] = (),
) -> Rubric:  # fmt: skip
    """The rubric in these tables; `units` are what `alone` and `gap` may name. Raises ManifestError."""
    known = set(units)
    rubric = Rubric(
        *(tuple(_line(n, table, known) for n, table in enumerate(each, 1)) for each in (tables, bonus))
    )
    _refuse_unfit(rubric.all)
    if rubric.total != total:
        raise _broken(f"has lines for {rubric.total} points, not {total}")
    return rubric


def _units(data: Mapping[str, Any]) -> set[str]:
    gaps = {str(gap.get("name")) for gap in data.get("gap", []) if isinstance(gap, Mapping)}
    files = {str(name) for name in data.get("files", {}).values()}
    return gaps | files | {GIVEN} | {given_of(name) for name in files}


def _line(number: int, table: Mapping[str, Any], units: set[str]) -> Line:
    name = str(table.get("id", f"number {number}"))
    unknown = set(table) - _KEYS
    if unknown:
        raise _wrong(name, sorted(unknown)[0], "is not known")
    for key, kind in (("id", str), ("title", str), ("points", int), ("step", str)):
        if not isinstance(table.get(key), kind) or isinstance(table.get(key), bool):
            raise _wrong(name, key, "is missing or of the wrong type")
    lists = {key: _texts(name, key, table.get(key, [])) for key in ("proof", "alone", "needs")}
    line = Line(
        id=name, title=table["title"], points=table["points"], step=table["step"], gap=str(table.get("gap", "")),
        whole=table.get("whole") is True, hidden=table.get("hidden") is True,
        disturbs=table.get("disturbs") is True, abroad=table.get("abroad") is True, ends=table.get("ends") is True,
        proof=lists["proof"] or ("E",), alone=lists["alone"], needs=lists["needs"],
    )  # fmt: skip
    _refuse_values(line, units)
    return line


def _texts(name: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(name, key, "must be a list of texts")
    return tuple(value)


def _refuse_values(line: Line, units: set[str]) -> None:
    if line.points < 1:
        raise _wrong(line.id, "points", "must be 1 or more")
    for key, values, known in (
        ("proof", line.proof, set(_PROOFS)),
        ("alone", line.alone, units),
        ("gap", (line.gap,) if line.gap else (), units),
    ):
        for value in values:
            if value not in known:
                raise _wrong(line.id, key, f"names {value!r}, which is none of {', '.join(sorted(known))}")
    if line.whole and line.alone:
        raise _wrong(line.id, "alone", "can't stand beside whole = true")


def _refuse_unfit(lines: Sequence[Line]) -> None:
    names = [line.id for line in lines]
    for line in lines:
        if names.count(line.id) > 1:
            raise _wrong(line.id, "id", "stands twice")
        for need in line.needs:
            if need not in names:
                raise _wrong(line.id, "needs", f"names {need!r}, which is no line")
    try:
        _order(lines)
    except graphlib.CycleError as error:
        raise _wrong(str(error.args[1][0]), "needs", "leads back to itself") from error


def _order(lines: Sequence[Line]) -> list[Line]:
    """Each line after its needs, then what disturbs, then what ends, else as they stand. Raises CycleError."""
    by_name = {line.id: line for line in lines}
    names = graphlib.TopologicalSorter({line.id: line.needs for line in lines}).static_order()
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = 1 + max((depth[need] for need in by_name[name].needs), default=-1)
    return sorted(lines, key=lambda line: (line.ends, line.disturbs, depth[line.id]))


def _wrong(line: str, key: str, what: str) -> ManifestError:
    return _broken(f"[[line]] {line}, key {key!r} {what}")


def _broken(what: str) -> ManifestError:
    return ManifestError(f"{NAME} {what}.", hint=f"Restore {NAME}: it belongs to the kit, get a fresh copy.")
