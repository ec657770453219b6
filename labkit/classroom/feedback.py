"""A report for each student, from the ledger, without judging again.

What belongs here: how much of hidden lines is told when, and one file for each. What does not: the page (grading.reports).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from labkit.classroom.exports.documents import folder_of
from labkit.classroom.marks import Rules
from labkit.classroom.standing import Standing
from labkit.grading.model import Result
from labkit.grading.reports import html, words

#: of a hidden line that failed: its outcome alone, its reason too, or all that it saw
Level = Literal["name", "reason", "all"]


@dataclass(frozen=True)
class Telling:
    """What students are told of hidden lines, before and after their deadline."""

    before: Level = "name"
    after: Level = "name"

    @classmethod
    def everything(cls) -> "Telling":
        """For staff."""
        return cls("all", "all")

    def level(self, due: datetime | None, now: datetime) -> Level:
        """Which it is now; without a deadline it never passes."""
        return self.after if due and now > due else self.before


def files(standings: Sequence[Standing], rules: Rules, telling: Telling, now: datetime) -> dict[str, bytes]:
    """One HTML file for everybody who has been judged.

    What may be told hangs on the latest of all deadlines: a report after one's own is not shown to those who may still hand in.
    """
    dues = [each for each in (rules.due, *(standing.facts.due for standing in standings)) if each]
    level = telling.level(max(dues, default=None), now)
    found = {}
    for each in standings:
        report = each.report()
        if report is not None:
            found[f"{folder_of(each)}.html"] = html.render(
                as_told(report, level), hidden=level != "name"
            ).encode()
    return found


def as_told(report: Result, level: Level) -> Result:
    """The report at this level; "reason" tells of hidden lines why they failed, and not with which inputs."""
    if level == "all":
        return report
    if level == "name":
        return words.without_hidden(report)
    for line in report.all:
        if line.hidden:
            report = report.with_line(
                line.id, replace(line.verdict, expected="", found="", evidence=()), seconds=-line.seconds
            )
    return report
