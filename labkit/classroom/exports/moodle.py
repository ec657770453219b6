"""Moodle: the gradebook's import, and the worksheet of an assignment for offline grading.

By the importer's rules: one unknown user, or a grade above the maximum, stops the whole import; a feedback column without a
grade column can wipe grades; a worksheet keeps its header (in the teacher's language), order and times.
"""

import re

from labkit.base.errors import UsageError
from labkit.classroom import tables
from labkit.classroom.exports import words
from labkit.classroom.exports.model import Given, filled, refuse_total, rows_of, wanted_file
from labkit.classroom.tables import Table

_PARTICIPANT = re.compile(r"\D*\d+")
_NO = ("no", "nein", "nee", "non")


def write(given: Given) -> dict[str, bytes]:
    """The gradebook's import: of everybody with a mark, with the ids that the roster has, grade and feedback."""
    kinds = [
        (kind, head)
        for kind, head in (("login", "username"), ("email", "email"), ("sis", "idnumber"))
        if any(kind in each.person.ids for each in given.marked)
    ]
    if not kinds:
        raise UsageError(
            "The roster has no username, e-mail or ID number, by which Moodle knows people.",
            hint="Take in the roster that Moodle exports.",
        )
    header = [*(head for _, head in kinds), given.assignment, f"{given.assignment} feedback"]
    rows = [
        [
            *(tables.plain(each.person.ids.get(kind, "")) for kind, _ in kinds),
            given.cell(each),
            tables.plain(words.feedback(given, each)),
        ]
        for each in given.marked
    ]
    return {"moodle.csv": tables.write(tables.table_of(header, rows, "moodle.csv"))}


def worksheet(given: Given) -> dict[str, bytes]:
    """The worksheet that the teacher downloaded, with grades and feedback filled in."""
    table = wanted_file(
        given,
        "the worksheet that Moodle lets you download (View all submissions, Download grading worksheet)",
    )
    grade = _named(table, given.column or "Grade")
    comment = table.column(given.options.get("feedback_column", "feedback comments"))
    if not all(_PARTICIPANT.fullmatch(cell) for cell in table.cells(0)):
        raise UsageError(
            f"{table.name} is no worksheet: its first column has no participants.",
            hint="Download the grading worksheet of the assignment.",
        )
    found = rows_of(given, table)
    cells = {}
    maximum, changeable = (
        table.cells(table.column("maximum grade")),
        table.cells(table.column("grade can be changed")),
    )
    for number, each in enumerate(found):
        if each is None or not given.cell(each):
            continue
        if changeable[number].casefold() in _NO:
            raise UsageError(
                f"Moodle lets nobody change the grade of {each.person.id}. Nothing was written.",
                hint="Unlock it there, and download the worksheet again.",
            )
        refuse_total(maximum[number], given, "The assignment in Moodle")
        cells[number, grade] = given.cell(each)
        if comment >= 0:
            cells[number, comment] = tables.plain(words.feedback(given, each))
    return {"worksheet.csv": tables.write(filled(table, cells))}


def _named(table: Table, name: str) -> int:
    column = table.column(name)
    if column < 0:
        raise UsageError(
            f"{table.name} has no column {name}; it has {', '.join(table.header)}.",
            hint="Name the one for grades in your language:  --column NAME",
        )
    return column
