"""Whose submission it is, made with which engine, and when: what the pack says, beside what was typed.

What belongs here: reading a pack's own claims, and settling them with the command's. What does not: taking the
files in (intake), who may hand in what (the course).

A pack is believed where nothing else is said. Where it says otherwise than what was typed, nobody is graded: another
student's values would cost points that the student did not lose.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from labkit.base.errors import LabError, UsageError
from labkit.course.manifest import Manifest
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant, student_id
from labkit.deploy.engines import NAMES, TITLES
from labkit.grading.intake import intake

#: where a pack, and a folder that a student works in, say it
_SAYS = ("manifest.json", "record/workspace.json", ".lab/workspace.json")
#: the file that tells which engine was worked with
_FILES = {"cloudformation": "cloudformation-template.yaml", "terraform": "main.tf"}
ANYWAY = "--anyway"

How = Literal["typed", "pack", "files", "usual"]


@dataclass(frozen=True)
class Claims:
    """What the pack says of itself; "" where it does not. `packed`: ISO 8601, when the last step was done."""

    student: str = ""
    engine: str = ""
    packed: str = ""


@dataclass(frozen=True)
class Settled:
    """Whose it is, by which engine it is graded, and what says so; "usual": nothing does."""

    student: str
    engine: str
    how: How


def claims(source: Path) -> Claims:
    """The claims of a zip or folder; none where it has no manifest that can be read."""
    for name in _SAYS:
        told = _object(intake.said(source, name))
        if isinstance(told.get("student"), str):
            engine = told.get("engine")
            return Claims(_id(told["student"]), engine if engine in NAMES else "", _newest(told.get("steps")))
    return Claims()


def settle(
    source: Path, student: str | None, engine: str | None, lab: Manifest, *, anyway: bool = False
) -> Settled:
    """Whose submission it is and its engine, from what was typed (None: nothing) and what the pack says.

    Raises UsageError, as a question, where the two differ (unless `anyway`), or where neither says it.
    """
    said = claims(source)
    whose = _student(source, student, said, anyway)
    if engine and said.engine and engine != said.engine and not anyway:
        raise UsageError(
            f"{source.name} was made with {TITLES[said.engine]}, as it says itself; you said {TITLES[engine]}. Which is it?",
            hint=f"Leave out --engine. To grade the other engine's files all the same, add:  {ANYWAY}",
        )
    if engine:
        return Settled(whose, engine, "typed")
    if said.engine:
        return Settled(whose, said.engine, "pack")
    return Settled(whose, *_by_files(source, lab, whose))


def engine_said(engine: str, how: How) -> str:
    """What says which engine a submission was made with, in one sentence; "" where it was typed."""
    said = {
        "pack": f"Graded by {TITLES[engine]}, as the pack says.",
        "files": f"Graded by {TITLES[engine]}, whose file alone was written.",
        "usual": f"Nothing says which engine it was made with: graded by {TITLES[engine]}. Another one:  --engine …",
    }
    return said.get(how, "")


def _student(source: Path, typed: str | None, said: Claims, anyway: bool) -> str:
    if typed is None and not said.student:
        raise UsageError("Whose submission is it?", hint="Add:  --student ada@uni.edu")
    if typed is None:
        return said.student
    if said.student and student_id(typed) != said.student and not anyway:
        raise UsageError(
            f"{source.name} is {said.student}'s, as it says itself; you said {student_id(typed)}. Whose is it?",
            hint=f"Leave out --student. To grade it as somebody else's all the same, add:  {ANYWAY}",
        )
    return student_id(typed)


def _by_files(source: Path, lab: Manifest, student: str) -> tuple[str, How]:
    """The engine whose file differs from what every student begins with.

    Raises UsageError for a zip with both written; a folder, which may be anybody's collection, has the usual one.
    """
    values = make_variant(lab.salt, student).values()
    fresh = Renderer(lab.root, lab.files).render(values)
    found = {
        engine: intake.said(source, name, intake.IntakeLimits().file_bytes) for engine, name in _FILES.items()
    }
    written = [
        engine
        for engine, data in found.items()
        if data is not None and _words(data) != _words(fresh[_FILES[engine]].encode())
    ]
    if len(written) == 1:
        return written[0], "files"
    if written and source.is_file():
        raise UsageError(
            f"{source.name} has no manifest, and both engines' files in it are written. Which was it made with?",
            hint="Add:  --engine cloudformation  or:  --engine terraform",
        )
    return "cloudformation", "usual"


def _words(data: bytes) -> list[bytes]:
    return data.split()


def _object(data: bytes | None) -> Mapping[str, Any]:
    try:
        value = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _id(text: str) -> str:
    """The id as the lab writes it; "" for what can't be one."""
    try:
        return student_id(text)
    except LabError:
        return ""


def _newest(steps: object) -> str:
    """The time of the step that was done last, as the manifest tells it."""
    values = steps.values() if isinstance(steps, Mapping) else ()
    times = [str(each["at"]) for each in values if isinstance(each, Mapping) and "at" in each]
    return max((text for time in times if (text := _utc(time))), default="")


def _utc(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return ""


def times(source: Path) -> dict[str, str]:
    """When it was handed in, as far as it can be told: "packed" by the manifest, "handed_in" by the file itself."""
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    newest = max((path.stat().st_mtime for path in files), default=0.0)
    handed_in = datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds") if newest else ""
    found = {"packed": claims(source).packed, "handed_in": handed_in}
    return {name: text for name, text in found.items() if text}
