"""The rules by which a course counts, from lab.toml's rubric and course.toml.

What belongs here: turning choices into the record that marks are given by, its name, reading extensions. What does not:
reading course.toml (labkit.course.course), giving marks (marks).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError, UsageError
from labkit.classroom import tables
from labkit.classroom.marks import Late, Rules
from labkit.classroom.roster import Roster
from labkit.course import answers
from labkit.course.course import Course, leaving
from labkit.course.course import rubric as course_lines
from labkit.course.course_file import GRACE, LATE
from labkit.course.manifest import Manifest

_GRACE = {"m": "minutes", "h": "hours", "d": "days"}


def of_course(course: Course, lab: Manifest) -> Rules:
    """The rules of this course; without course.toml, as lab.toml has it."""
    lines = course_lines(lab)
    gone = leaving(lines, course)
    dates: Mapping[str, Any] = course.data.get("dates", {})
    prose = float(course.data.get("questions", {}).get("points", 0))
    rules = Rules(
        points={line.id: course.points.get(line.id, line.points) for line in lines if line not in gone},
        scale=float(course.scale_to or 100),
        left=tuple(line.id for line in gone),
        bonus=course.data.get("points", {}).get("bonus", "apart"),
        hint_cost=course.hint_cost,
        due=aware(course.moment(course.due)) if course.due else None,
        grace=_grace(dates.get("grace")),
        late=_late(dates.get("late")),
        prose=prose,
        prose_questions=prose_questions(course) if prose else (),
    )
    return _named(rules, course, lab)


def verdict_hash(course: Course) -> str:
    """A hash over what of course.toml verdicts hang on: which faults step 06 puts into a lab."""
    return hashlib.sha256(repr((course.pool, course.how_many)).encode()).hexdigest()[:12]


def prose_questions(course: Course) -> tuple[str, ...]:
    """The questions that a person marks: those without a number, of the required ones where some are named."""
    asked = answers.questions(course.questions)
    return tuple(q.id for q in asked if not q.number and (not course.required or q.id in course.required))


def aware(moment: datetime) -> datetime:
    """A moment with a zone: where none is said, this machine's."""
    return moment if moment.tzinfo else moment.astimezone()


def _named(rules: Rules, course: Course, lab: Manifest) -> Rules:
    if course.path is None:
        return rules
    digest = hashlib.sha256(repr(rules).encode()).hexdigest()[:4]
    written = len(lab.gaps) - len(course.given)
    return replace(rules, name=f"course rubric {digest}, {written} gaps")


def _grace(text: str | None) -> timedelta:
    found = GRACE.fullmatch(text or "")
    return timedelta(**{_GRACE[found[2][0]]: int(found[1])}) if found else timedelta()


def _late(text: str | None) -> Late | None:
    found = LATE.fullmatch(text or "")
    return Late(float(found[1]), int(found[2])) if found else None


# ---- Extensions -------------------------------------------------------------------------------------


def extensions(path: Path, rules: Rules, course: Course, roster: Roster) -> dict[str, datetime]:
    """Own deadlines by person, from a CSV with the columns id, until, why.

    Raises UsageError, naming the row, for somebody who is not in the roster, who stands there twice, a time that is
    none or no later than the course's, and a row without a reason.
    """
    table, found = tables.read(path), {}
    columns = [table.column(name) for name in ("id", "until", "why")]
    if min(columns) < 0:
        raise UsageError(
            f"{path.name} needs the columns id, until, why; it has {', '.join(table.header)}.",
            hint="For example:  ada@uni.edu,2027-02-02T23:59,illness",
        )
    for number, cells in enumerate(zip(*map(table.cells, columns), strict=True), 2):
        person, until = _extension(f"{path.name}, row {number}", cells, rules, course, roster)
        if person in found:
            raise UsageError(
                f"{path.name}, row {number}: {person} stands there twice.", hint="One row for each person."
            )
        found[person] = until
    return found


def _extension(
    where: str, cells: tuple[str, ...], rules: Rules, course: Course, roster: Roster
) -> tuple[str, datetime]:
    who, until, why = cells
    person = roster.find(who) if roster.people else None
    if roster.people and person is None:
        near = roster.near(who)
        raise UsageError(
            f"{where}: {who!r} is not in the roster.", hint=f"Perhaps {near}?" if near else "Mend the id."
        )
    if not why:
        raise UsageError(f"{where}: there is no reason.", hint="Write one into the column why.")
    try:
        moment = aware(course.moment(datetime.fromisoformat(until)))
    except (ValueError, LabError):
        raise UsageError(f"{where}: {until!r} is no time.", hint="Write it like 2027-02-02T23:59") from None
    if rules.due and moment <= rules.due:
        raise UsageError(
            f"{where}: {until} is no later than the deadline, {rules.due:%Y-%m-%d %H:%M}.",
            hint="Mend the time.",
        )
    return (person.id if person else who.lower()), moment
