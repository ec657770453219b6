"""One result as the course counts it, for whoever shows one result.

What belongs here: putting rules and result together. What does not: the sum (marks), a class (standing).
"""

import json
import statistics
from dataclasses import replace
from pathlib import Path

from labkit.base.errors import UsageError
from labkit.classroom import marks, rules
from labkit.classroom.marks import Facts
from labkit.course.course import Course
from labkit.course.course import load as load_course
from labkit.course.manifest import Manifest
from labkit.course.manifest import load as load_lab
from labkit.grading.mark import Mark
from labkit.grading.model import Result, from_json


def by_course(result: Result, root: Path, hints: int = 0) -> Result:
    """The result with the lines and points that the course in `root` counts, and the mark.

    Lateness is a class's matter: when one file was handed in, nobody says. Raises ManifestError for a wrong course.toml.
    """
    lab = load_lab(root)
    counting = replace(rules.of_course(load_course(lab), lab), due=None)
    mark = marks.give(result, counting, Facts(hints=hints))
    return replace(marks.counted(result, counting), mark=mark)


def scale(root: Path) -> float:
    """What a mark is out of in this course."""
    lab = load_lab(root)
    return rules.of_course(load_course(lab), lab).scale


def given(lab: Manifest, course: Course, results: Path) -> tuple[dict[str, Mark], int]:
    """The mark of every result.json below `results` by its path, as the course counts; and how many files are no marks:
    not judged to the end, or some lines only. Raises UsageError where there is none."""
    found = {
        str(path.relative_to(results)): result
        for path in sorted(results.rglob("*.json"))
        if (result := _read(path))
    }
    whole = {
        name: result
        for name, result in found.items()
        if not (result.about.get("only") or result.about.get("gap"))
    }
    counting = replace(rules.of_course(course, lab), due=None)
    counted = {name: marks.give(result, counting) for name, result in whole.items()}
    kept = {name: mark for name, mark in counted.items() if mark.final is not None}
    if not found:
        raise UsageError(
            f"There are no results in {results}.", hint="Name the folder with the result.json of a class."
        )
    return kept, len(found) - len(kept)


def moved(lab: Manifest, course: Course, results: Path) -> str:
    """Which marks of an earlier grading the course's choices move, from its result.json files. Raises UsageError for none."""
    (before, _), (after, without) = (given(lab, each, results) for each in (Course(), course))
    moving = [
        shift
        for name, mark in after.items()
        if (shift := abs((mark.final or 0) - (before[name].final or 0))) >= 0.005
    ]
    left_out = (
        f" {without} results are no marks (not judged to the end, or some lines only) and are left out."
        if without
        else ""
    )
    if not moving:
        return f"None of {len(after)} marks would move.{left_out}"
    return (
        f"{len(moving)} of {len(after)} marks would move, the largest by {max(moving):.1f}, "
        f"the middle one by {statistics.median(moving):.1f}.{left_out}"
    )


def _read(path: Path) -> Result | None:
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # some other file of that folder
