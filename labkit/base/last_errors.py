"""The errors that were told last, kept for whoever is asked for help.

What belongs here: this list beside the lab's state. What does not: telling errors (labkit.cli.main).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from labkit.base import state
from labkit.base.errors import LabError, StateError

_NAME, _MOST, _LONGEST = "errors.json", 20, 2000


@dataclass(frozen=True)
class Told:
    """One error as it was told. `at`: ISO 8601 in UTC."""

    at: str
    command: str
    message: str
    hint: str = ""


def note(folder: Path, command: Sequence[str], error: LabError) -> None:
    """Remember it, where this lab has a folder for its state. What can't be kept is no second error beside the first."""
    if not folder.is_dir():
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = Told(now, " ".join(command)[:200], error.message[:_LONGEST], error.hint[:_LONGEST])
    with contextlib.suppress(StateError):
        state.write_json(
            folder / _NAME, {"errors": [asdict(each) for each in [*read(folder), told][-_MOST:]]}, mode=0o600
        )


def read(folder: Path) -> list[Told]:
    """The last ones, oldest first; none where the list is not there or is none."""
    try:
        kept = (state.read_json(folder / _NAME) or {}).get("errors", [])
        return [
            Told(**{name: str(each[name]) for name in ("at", "command", "message", "hint")}) for each in kept
        ]
    except (StateError, TypeError, KeyError, AttributeError):
        return []
