"""What the kit remembers of a workspace, on disk: its record, and what stands at each place.

What belongs here: the two records, reading and writing them. What does not: the student's files (workspace).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import StateError, WorkspaceError

_FORMAT = 1
STANDING = "standing.json"


@dataclass(frozen=True)
class Record:
    """What the kit remembers of a workspace; times are ISO 8601 in UTC.

    `rendered`: SHA-256 of each file as the kit wrote it. `deployed`: engine, target, outputs, time and
    fingerprint of the last deployment, and "of" which folder where it was the twin's; empty when there is none. `steps`: time and fingerprint by number.
    """

    student: str
    code: str
    solution: bool
    kit: str
    engine: str = "cloudformation"
    rendered: Mapping[str, str] = field(default_factory=dict)
    deployed: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """What the kit remembers of one place: as in Record, and of AWS the region, the last four digits of the account
    with what stands for its whole number, and whether somebody agreed to what that costs.
    """

    engine: str
    deployed: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    region: str = ""
    digits: str = ""
    account: str = ""
    agreed: bool = False


def record_path(path: Path) -> Path:
    """The file of the record of the workspace at `path`."""
    return path / ".lab" / "workspace.json"


def write_record(path: Path, record: Record) -> None:
    """Keep it in the workspace at `path`. Raises StateError."""
    state.write_json(record_path(path), {"format": _FORMAT, **dataclasses.asdict(record)})


def read_record(path: Path, generate_command: str) -> Record:
    """That of the workspace at `path`; raises WorkspaceError, which names `generate_command`, for none or a broken one."""
    try:
        data = state.read_json(record_path(path))
    except StateError as error:
        hint = "Move it aside and make it again; your files stay as they are:"
        raise WorkspaceError(error.message, hint=f"{hint}\n{_aside(path)}\n  {generate_command}") from error
    if data is None:
        raise WorkspaceError(
            f"{path} is no folder of this lab: it has no .lab/workspace.json.",
            hint=f"Make it one; your files stay as they are:\n  {generate_command}",
        )
    known = {f.name: f for f in dataclasses.fields(Record)}
    fitting = data.pop("format", None) == _FORMAT and set(data) == set(known) and _types_fit(data)
    if not fitting:
        raise WorkspaceError(
            f"{record_path(path)} was written by another version of the kit, or by hand.",
            hint="Move it aside and make it again; your files stay as they are:"
            f"\n{_aside(path)}\n  {generate_command}",
        )
    return Record(**data)


def write_standing(kept: Path, standing: Standing) -> None:
    """Keep it in the place's folder. Raises StateError."""
    state.write_json(kept / STANDING, {"format": _FORMAT, **dataclasses.asdict(standing)})


def read_standing(kept: Path, engine: str) -> Standing:
    """What was remembered; nothing yet where there is no file. Raises WorkspaceError for a broken one."""
    path = kept / STANDING
    try:
        data = state.read_json(path)
        if data is None:
            return Standing(engine)
        if data.pop("format", None) != _FORMAT:
            raise TypeError("another format")
        return Standing(**data)
    except (StateError, TypeError) as error:
        raise WorkspaceError(
            f"{path} is damaged, or was written by another version of the kit.",
            hint=f"Move it aside; what stands there is found again by name and tag:\n  {state.move_aside(path)}",
        ) from error


def _aside(path: Path) -> str:
    return "  " + state.move_aside(record_path(path))


def _types_fit(data: Mapping[str, Any]) -> bool:
    texts = all(isinstance(data[name], str) for name in ("student", "code", "kit", "engine"))
    tables = all(isinstance(data[name], dict) for name in ("rendered", "deployed", "steps"))
    return texts and tables and isinstance(data["solution"], bool)
