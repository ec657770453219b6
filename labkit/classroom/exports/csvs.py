"""Plain tables: a CSV for whoever wants one, and nbgrader's columns.

In both, what is missing or not judged has an empty cell and says so; it is no 0.
"""

from labkit.classroom import tables
from labkit.classroom.exports.model import Given
from labkit.classroom.standing import Standing

_PLAIN = ("id", "name", "email", "login", "sis", "group", "state", "raw", "penalty", "bonus", "prose", "final", "out_of",
          "days_late", "handed_in", "hints", "why", "counted_by")  # fmt: skip
_NBGRADER = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
             "late_submission_penalty", "score", "max_score")  # fmt: skip


def write(given: Given) -> dict[str, bytes]:
    """One row for everybody of the class."""
    rows = [[tables.plain(cell) for cell in _row(given, each)] for each in given.standings]
    return {"marks.csv": tables.write(tables.table_of(_PLAIN, rows, "marks.csv"))}


def _row(given: Given, each: Standing) -> list[str]:
    mark, ids = each.mark, each.person.ids
    numbers = {
        name: "" if value is None else given.number(value)
        for name, value in (("raw", mark.raw), ("prose", mark.prose))
    }
    return [
        each.person.id, each.person.name, ids.get("email", ""), ids.get("login", ""), ids.get("sis", ""), each.person.group,
        mark.state, numbers["raw"], given.number(mark.penalty), given.number(mark.bonus), numbers["prose"], given.cell(each),
        given.number(mark.total), str(mark.late_days), each.handin.at if each.handin else "", str(mark.hints),
        "; ".join(filter(None, (mark.why, *mark.pending))), mark.rubric,
    ]  # fmt: skip


def nbgrader(given: Given) -> dict[str, bytes]:
    """Nbgrader's columns; who handed nothing in has no score, where nbgrader itself writes 0.0."""
    rows = []
    for each in given.standings:
        last, _, first = (
            each.person.name.partition(", ") if ", " in each.person.name else _split(each.person.name)
        )
        mark = each.mark
        rows.append([tables.plain(cell) for cell in (
            given.assignment, f"{given.due:%Y-%m-%d %H:%M:%S}" if given.due else "", each.handin.at if each.handin else "",
            each.person.id, last, first, each.person.ids.get("email", ""), "" if mark.raw is None else given.number(mark.raw),
            given.number(mark.penalty), given.cell(each), given.number(mark.total),
        )])  # fmt: skip
    return {"nbgrader.csv": tables.write(tables.table_of(_NBGRADER, rows, "nbgrader.csv"))}


def _split(name: str) -> tuple[str, str, str]:
    first, _, last = name.rpartition(" ")
    return last, ", ", first
