"""What a pack tells besides its files: hints given, where the student stopped, the written answers.

What belongs here: reading these, from packs that nobody has to trust. What does not: whose they are, what they are worth.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.course import answers
from labkit.grading.intake import intake

#: where a pack, and a folder that a student works in, keep it
_TROUBLE = ("record/trouble.json", ".lab/trouble.json")
#: a written answer longer than this is cut
_LONGEST = 20_000
_MOST_HINTS = 1000


def read(source: Path, questions: Path | None = None) -> dict[str, Any]:
    """`hints` (how many were given), `stuck` (the step at which the student stopped, "" for none), `answers` by question."""
    stuck = _trouble(source).get("stuck")
    return {
        "hints": hints(source),
        "stuck": str(stuck.get("step", "")) if isinstance(stuck, Mapping) else "",
        "answers": _answers(intake.said(source, answers.FILE), questions),
    }


def hints(source: Path) -> int:
    """How many hints were given to whoever handed this in; 0 where it does not say."""
    given = _trouble(source).get("given")
    return (
        given if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _MOST_HINTS else 0
    )


def _trouble(source: Path) -> Mapping[str, Any]:
    found = (intake.said(source, name) for name in _TROUBLE)
    return _object(next((data for data in found if data), None))


def _answers(data: bytes | None, file: Path | None) -> dict[str, str]:
    """What stands below "Answer:" of each question that is not a number."""
    asked = [q for q in answers.questions(file) if not q.number]
    below = answers.sections((data or b"").decode("utf-8", "replace"), asked)
    return {
        name: text
        for name, whole in below.items()
        if (text := whole.partition("Answer:")[2].strip()[:_LONGEST])
    }


def _object(data: bytes | None) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(data or b"{}")
        if isinstance(value, Mapping):
            return value
    return {}
