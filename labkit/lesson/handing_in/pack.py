"""The submission: a zip that is the same for the same content, with a manifest of hashes.

What belongs here: what goes in, and how it is written and read. What does not: whether it is enough.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import labkit
from labkit.base import state
from labkit.base.errors import UsageError
from labkit.course import answers
from labkit.course.workspace import Workspace
from labkit.deploy import aws_evidence
from labkit.lesson.compare import comparison

MANIFEST = "manifest.json"
#: a measurement or an answer larger than this is none
MAX_BYTES = 20 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
#: what the kit knows that belongs to the submission, by its name in the pack
_RECORDS = {
    "record/workspace.json": "workspace.json",
    "record/trouble.json": "trouble.json",
    "record/break.json": "break.json",
    "record/prediction.json": "prediction.json",
    "record/destroyed.json": "destroyed.json",
    "record/skipped.json": "skipped.json",
}


def judged_records(workspace: Workspace) -> dict[str, Path]:
    """Of the kit's records those that lines of the rubric read, by their names in the pack."""
    name = "record/break.json"
    return {name: workspace.path / ".lab" / _RECORDS[name]}


def path_of(workspace: Workspace) -> Path:
    """Where the pack of a workspace is written."""
    safe = workspace.path.name.replace("@", "-at-")
    return workspace.path.parent / f"submission-{safe}.zip"


def content(workspace: Workspace) -> dict[str, bytes]:
    """Everything that is handed in, by its name in the pack. Never keys, builds or Terraform's state."""
    found = dict(workspace.files())
    texts = [
        workspace.path / name for name in (answers.FILE, comparison.TABLE, comparison.DATA, aws_evidence.FILE)
    ]
    extra = [*texts, *sorted((workspace.path / "measurements").glob("*"))]
    for path in extra:
        if path.is_file() and not path.is_symlink():
            found[str(path.relative_to(workspace.path))] = _read(path)
    for name, record in _RECORDS.items():
        path = workspace.path / ".lab" / record
        if path.is_file():
            found[name] = _read(path)
    return found


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise UsageError(
            f"{path} is larger than {MAX_BYTES >> 20} MB.", hint="Make it smaller, or move it away."
        )
    return path.read_bytes()


def write(path: Path, files: Mapping[str, bytes], workspace: Workspace, *, mode: int = 0o644) -> None:
    """Write the pack in one step."""
    state.write_bytes(path, archive({**files, MANIFEST: _manifest(files, workspace)}), mode=mode)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip that is the same for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _manifest(files: Mapping[str, bytes], workspace: Workspace) -> bytes:
    record = workspace.record
    value = {
        "format": 1,
        "kit": labkit.__version__,
        "student": record.student,
        "code": record.code,
        "engine": record.engine,
        "fingerprint": workspace.fingerprint(),
        "steps": record.steps,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def names(path: Path) -> list[str]:
    """What the pack holds, apart from its manifest. Raises UsageError for what is no zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(name for name in archive.namelist() if name != MANIFEST)
    except zipfile.BadZipFile as error:
        raise UsageError(f"{path} is no zip.", hint="Make it anew:  ./lab submit") from error
