"""Canvas: the gradebook's CSV with one column filled in.

By the importer's rules: the assignment's column is "Title (number)", an unknown title would make a new assignment, the row
"Points Possible" tells what it is out of, "(read only)" marks columns that are not taken.
"""

import re

from labkit.base.errors import UsageError
from labkit.classroom import tables
from labkit.classroom.exports.model import Given, filled, refuse_total, rows_of, wanted_file
from labkit.classroom.tables import Table

_TITLE = re.compile(r"(.*)\s\((\d+)\)")


def write(given: Given) -> dict[str, bytes]:
    """The gradebook, filled in. Raises UsageError for a file that is none, a column that can't be told, other points, and
    somebody whom it lacks."""
    table = wanted_file(given, "the gradebook that Canvas exports")
    if table.column("student") != 0 or table.column("id") != 1 or table.column("section") < 0:
        raise UsageError(
            f"{table.name} is no gradebook of Canvas: it begins with Student, ID, and has Section.",
            hint="Export it:  Grades, Export, Export Entire Gradebook",
        )
    column = _column(table, given.column)
    for row in table.rows:
        if row[0].strip().casefold().startswith("points possible"):
            if "read only" in row[column]:
                raise UsageError(
                    f"Canvas takes nothing into {table.header[column]}: it is read only.",
                    hint="Name the assignment's own column.",
                )
            refuse_total(row[column], given, f"{table.header[column]} in Canvas")
    found = rows_of(given, table)
    cells = {(n, column): given.cell(each) for n, each in enumerate(found) if each and given.cell(each)}
    return {"canvas.csv": tables.write(filled(table, cells))}


def _column(table: Table, wanted: str) -> int:
    """The assignment's column: the one that was named, by title or whole header; the only one where none was."""
    titles = {
        n: found[1].strip()
        for n, head in enumerate(table.header)
        if (found := _TITLE.fullmatch(head.strip()))
    }
    fits = [
        n
        for n, title in titles.items()
        if not wanted or wanted.casefold() in (title.casefold(), table.header[n].strip().casefold())
    ]
    if len(fits) != 1:
        raise UsageError(
            f"{table.name} has {len(fits) or 'no'} assignments{f' called {wanted}' if wanted else ''}; Canvas would make a new one of another name.",
            hint=f"Name one:  --column TITLE   or [lms] canvas_column. It has: {', '.join(titles.values())}",
        )
    return fits[0]
