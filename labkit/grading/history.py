"""Results that were there before: kept beside the new one, never overwritten.

What belongs here: setting an earlier result aside, and which must not be replaced. What does not: writing results (runner).
"""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import StateError

FOLDER = "history"


def is_keyed(path: Path) -> bool:
    """Whether a mark stands there that was made with the grader key."""
    return _read(path).get("about", {}).get("self_check") is False


def set_aside(path: Path) -> None:
    """Keep the result at `path` under the time at which it was graded; it stays there too. Raises StateError."""
    value = _read(path)
    if not value:
        return
    graded = value.get("when", {}).get("graded") or _written(path)
    name = "".join(each if each.isalnum() else "-" for each in str(graded))[:40]
    folder = path.parent / FOLDER
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):  # the same result was kept before
            os.link(path, folder / f"{path.stem}-{name}.json")
    except OSError as error:
        raise StateError(
            f"The earlier result {path} can't be kept: {error.strerror}.",
            hint="Move it away, or free some disk space; then run the command again.",
        ) from error


def _read(path: Path) -> dict[str, Any]:
    """The result there; {} for anything else."""
    with contextlib.suppress(StateError):
        value = state.read_json(path)
        if isinstance(value, dict) and isinstance(value.get("about"), dict):
            return {**value, "when": value["when"] if isinstance(value.get("when"), dict) else {}}
    return {}


def _written(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
