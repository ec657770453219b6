"""When people handed in, as a platform's own file tells it.

What belongs here: finding the column and reading its times. What does not: what lateness costs (marks).
"""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from labkit.base.errors import UsageError
from labkit.classroom import roster, tables
from labkit.classroom.handins import Times
from labkit.classroom.places import utc
from labkit.classroom.roster import Roster

#: Moodle's worksheet, GitHub Classroom's and Classroom 50's tables, a plain one; Gradescope names the assignment in front
_COLUMNS = (
    "last modified (submission)",
    "submission_timestamp",
    "datetime",
    "submitted_at",
    "submission time",
    "handed in",
    "at",
)
_GRADESCOPE = re.compile(r".* - submission time", re.IGNORECASE)
_FORMS = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%d %B %Y, %I:%M %p", "%d.%m.%Y %H:%M")
_NONE = ("", "-")


def read(path: Path, people: Roster, zone: Callable[[datetime], datetime], column: str = "") -> Times:
    """The times in the file by person. `zone` completes those without one. `column`: which one, where it can't be told.

    Raises UsageError where there is no such column, and for a cell that is no time. Rows about nobody of the roster are
    passed over.
    """
    table = tables.read(path)
    number = _column(table, column)
    cells, persons = table.cells(number), roster.matched(table, people)
    at = {
        person.id: utc(zone(_moment(cell, f"{table.name}, row {row}")))
        for row, (person, cell) in enumerate(zip(persons, cells, strict=True), 2)
        if person and cell not in _NONE
    }
    if not at:
        raise UsageError(
            f"{table.name} tells no time of anybody in the roster.",
            hint="Enter the roster first:  ./lab class roster FILE",
        )
    return Times(at, f"{table.name}, {table.header[number]}")


def _column(table: tables.Table, wanted: str) -> int:
    named = [n for n, head in enumerate(table.header) if _GRADESCOPE.fullmatch(head.strip())]
    found = table.column(wanted) if wanted else table.column(*_COLUMNS)
    if found < 0 and not wanted and len(named) == 1:
        return named[0]
    if found < 0:
        raise UsageError(
            f"{table.name} has {'several columns' if len(named) > 1 else 'no column'} of times that {'could be' if len(named) > 1 else 'is'} meant.",
            hint=f"Name one:  --times-column NAME   It has: {', '.join(table.header)}",
        )
    return found


def _moment(text: str, where: str) -> datetime:
    """A time as platforms write it. Raises UsageError."""
    joined = re.sub(
        r" (?=[+-]\d\d:?\d\d$)", "", text.removesuffix(" UTC") + ("+00:00" if text.endswith(" UTC") else "")
    )
    try:
        return datetime.fromisoformat(joined)
    except ValueError:
        for form in _FORMS:
            try:
                return datetime.strptime(text, form)
            except ValueError:
                continue
    raise UsageError(
        f"{where}: {text!r} is no time that is known here.", hint="Write it like 2027-02-02T23:59"
    )
