"""What a platform's cell can hold of a report: a few sentences of plain text.

What belongs here: sentences for cells. What does not: whole reports (labkit.grading.reports).
"""

from labkit.base.text import printable, shortened
from labkit.classroom.exports.model import Given
from labkit.classroom.standing import Standing
from labkit.grading.model import worst_first
from labkit.grading.reports import words as reports

_MOST = 5


def feedback(given: Given, standing: Standing) -> str:
    """The mark in words, and the costliest losses."""
    report = standing.report()
    if report is None:
        return f"{standing.mark.why}."
    told = reports.told(report, hidden=given.hidden)
    lost = [
        f"{line.id} -{reports.points(line.lost)}: {line.verdict.reason or line.said}"
        for line in worst_first(told.lines)
    ]
    more = [f"and {len(lost) - _MOST} more"] if len(lost) > _MOST else []
    return printable(
        shortened(
            " | ".join([reports.headline(told), *reports.circumstances(told)[:2], *lost[:_MOST], *more]), 1500
        )
    )
