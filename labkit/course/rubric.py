"""The rubric: the [[line]] and [[bonus]] tables of lab.toml as frozen records, refused when they don't fit together.

What belongs here: lines, their points, and what each is judged on. What does not: the checks (grader/checks).
"""

import dataclasses
import graphlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.course import manifest
from labkit.course.toml_file import Table

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
    return parse(manifest.read(root))


def parse(top: Table) -> Rubric:
    """The rubric in these tables of lab.toml. Raises ManifestError."""
    tables, bonus = top.tables("line"), top.tables("bonus", optional=True)
    known = _units(top)
    rubric = Rubric(*(tuple(_line(table, known) for table in each) for each in (tables, bonus)))
    _refuse_unfit([*tables, *bonus], rubric.all)
    if rubric.total != TOTAL:
        raise tables[0].wrong("points", f": the lines have {rubric.total} points together, not {TOTAL}")
    return rubric


def _units(top: Table) -> set[str]:
    """What `gap` and `alone` may name."""
    files = set(top.mapping("files").values())
    return {gap.text("name") for gap in top.tables("gap")} | files | {GIVEN} | set(map(given_of, files))


def _line(table: Table, units: set[str]) -> Line:
    table.refuse_others([each.name for each in dataclasses.fields(Line)])
    line = Line(
        id=table.text("id"),
        title=table.text("title"),
        points=table.number("points", least=1),
        step=table.text("step"),
        gap=table.optional_text("gap"),
        proof=table.texts("proof", optional=True) or ("E",),
        alone=table.texts("alone", optional=True),
        needs=table.texts("needs", optional=True),
        **{flag: table.flag(flag) for flag in ("whole", "hidden", "disturbs", "abroad", "ends")},
    )
    _refuse_values(table, line, units)
    return line


def _refuse_values(table: Table, line: Line, units: set[str]) -> None:
    for key, values, known in (
        ("proof", line.proof, set(_PROOFS)),
        ("alone", line.alone, units),
        ("gap", (line.gap,) if line.gap else (), units),
    ):
        for value in values:
            if value not in known:
                raise table.wrong(key, f"names {value!r}, which is none of {', '.join(sorted(known))}")
    if line.whole and line.alone:
        raise table.wrong("alone", "can't stand beside whole = true")


def _refuse_unfit(tables: Sequence[Table], lines: Sequence[Line]) -> None:
    manifest.refuse_twice(tables, "id")
    names = [line.id for line in lines]
    for table, line in zip(tables, lines, strict=True):
        for need in line.needs:
            if need not in names:
                raise table.wrong("needs", f"names {need!r}, which is no line")
    try:
        _order(lines)
    except graphlib.CycleError as error:
        raise tables[names.index(error.args[1][0])].wrong("needs", "leads back to itself") from error


def _order(lines: Sequence[Line]) -> list[Line]:
    """Each line after its needs, then what disturbs, then what ends, else as they stand. Raises CycleError."""
    by_name = {line.id: line for line in lines}
    names = graphlib.TopologicalSorter({line.id: line.needs for line in lines}).static_order()
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = 1 + max((depth[need] for need in by_name[name].needs), default=-1)
    return sorted(lines, key=lambda line: (line.ends, line.disturbs, depth[line.id]))
