"""What every export is given, and what it gives back.

What belongs here: the records, a mark as a cell. What does not: any one form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from labkit.base.errors import UsageError
from labkit.base.text import printable
from labkit.classroom import roster
from labkit.classroom.marks import Rules
from labkit.classroom.roster import Person, Roster
from labkit.classroom.standing import Standing
from labkit.classroom.tables import Table


@dataclass(frozen=True)
class Given:
    """The class, and what was asked for.

    file: the platform's own export, to be filled in. column: which of its columns. assignment: what it is called there.
    comma: decimals with a comma. pending: also marks that may still move. hidden: tell what hidden lines saw.
    """

    standings: Sequence[Standing]
    rules: Rules
    file: Table | None = None
    column: str = ""
    assignment: str = "Lab"
    comma: bool = False
    pending: bool = False
    hidden: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def marked(self) -> list[Standing]:
        """Those who have a mark to be exported."""
        return [each for each in self.standings if self.mark_of(each) is not None]

    def mark_of(self, standing: Standing) -> float | None:
        """The mark to be exported; None where there is none: missing, not judged, or still moving."""
        mark = standing.mark
        return None if mark.pending and not self.pending else mark.final

    def cell(self, standing: Standing) -> str:
        """The mark as a cell, "" for none."""
        mark = self.mark_of(standing)
        return "" if mark is None else self.number(mark)

    def number(self, value: float) -> str:
        """A number as a cell: at most two decimals, the comma where it was asked for."""
        plain = f"{value:.2f}".rstrip("0").rstrip(".")
        return plain.replace(".", ",") if self.comma else plain

    @property
    def total(self) -> float:
        """What marks are out of, a person's part included."""
        return self.rules.scale + self.rules.prose

    @property
    def due(self) -> datetime | None:
        """The course's deadline."""
        return self.rules.due


def rows_of(given: Given, table: Table) -> list[Standing | None]:
    """Whom of the class each row of the platform's table is about.

    Raises UsageError for somebody with a mark whom the table lacks, or has twice: importers leave them out without a word, or stop.
    """
    people = Roster(tuple(each.person for each in given.standings))
    by_id = {each.person.id: each for each in given.standings}
    found = [by_id[person.id] if person else None for person in roster.matched(table, people)]
    there = [each.person.id for each in found if each]
    _refuse(
        [each.person for each in given.marked if each.person.id not in there], f"{table.name} has no row for"
    )
    _refuse(
        [each.person for each in given.marked if there.count(each.person.id) > 1],
        f"{table.name} has several rows for",
    )
    return found


def _refuse(people: Sequence[Person], what: str) -> None:
    if people:
        names = ", ".join(printable(person.id) for person in people[:10])
        more = f" and {len(people) - 10} more" if len(people) > 10 else ""
        raise UsageError(
            f"{what} {names}{more}. Nothing was written.",
            hint="Export it anew from the platform, or mend the roster's ids.",
        )


def wanted_file(given: Given, what: str) -> Table:
    """The platform's own file. Raises UsageError where none was named."""
    if given.file is None:
        raise UsageError(
            f"This export is filled into {what}.", hint="Download it there, and name it:  --into FILE.csv"
        )
    return given.file


def filled(table: Table, cells: Mapping[tuple[int, int], str]) -> Table:
    """The table with these cells (row, column) replaced; all others, their order and form stay."""
    rows = tuple(
        tuple(cells.get((number, column), cell) for column, cell in enumerate(row))
        for number, row in enumerate(table.rows)
    )
    return Table(table.header, rows, table.delimiter, table.encoding, table.newline, table.name)


def refuse_total(there: str, given: Given, where: str) -> None:
    """Raise UsageError where the platform is set to other points than marks are out of."""
    try:
        points = float(there.replace(",", "."))
    except ValueError:
        return  # nothing is said there
    if points != given.total:
        raise UsageError(
            f"{where} is out of {there}, and marks here are out of {given.total:g}. Nothing was written.",
            hint=f"Set it to {given.total:g} there, or say in course.toml:  [points] scale_to = {points - given.rules.prose:g}",
        )
