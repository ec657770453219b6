"""Gaps that were skipped: the reference stands in for them, and the lines about them earn nothing.

What belongs here: reading the record in a hand-in or a workspace, and what it does to a result. What does not: skipping
(labkit.lesson.skipping).
"""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

from labkit.grading.intake import intake
from labkit.grading.model import LineResult, Result

FILE = "skipped.json"
_PLACES = (f"record/{FILE}", f".lab/{FILE}")
SAID = "the gap was skipped: the reference stands in for it"


def gaps(source: Path) -> frozenset[str]:
    """Names of the gaps that whoever handed this in has skipped; none where it does not say."""
    told = next((data for name in _PLACES if (data := intake.said(source, name))), b"{}")
    with contextlib.suppress(ValueError, RecursionError, AttributeError, TypeError):
        return frozenset(map(str, json.loads(told).get("gaps", ())))
    return frozenset()


def without_points(result: Result, source: Path) -> Result:
    """The result with nothing earned on the lines about gaps that were skipped."""
    names = gaps(source)

    def counted(line: LineResult) -> LineResult:
        return replace(line, given=0.0, said=SAID) if line.gap and line.gap in names else line

    return replace(result, lines=tuple(map(counted, result.lines))) if names else result
