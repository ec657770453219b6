"""Small state files: JSON written atomically and read with a clear error, and locks between processes.

What belongs here: how a file reaches the disk. What does not: what the files mean.
"""

import contextlib
import fcntl
import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.base.errors import BusyError, StateError

WRITABLE = "Free some disk space or fix the folder's permissions, then run the command again."


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `data` in one step: a reader, or a kill at any moment, sees old or new.

    Raises StateError when the disk is full or the folder can't be written; the old file stays.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise StateError(
            f"{path} could not be written: {error.strerror or error}. The old file is unchanged.",
            hint=WRITABLE,
        ) from error


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """As write_bytes, for text in UTF-8 with Unix line ends."""
    write_bytes(path, text.encode(), mode=mode)


def write_json(path: Path, value: object, *, mode: int = 0o644) -> None:
    """As write_bytes, for a plain JSON value."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n", mode=mode)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`, or None where there is no such file.

    Raises StateError when the file can't be read or holds no JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateError(
            f"{path} can't be read: {error}.",
            hint=f"Move it aside, then run the command again:\n  {move_aside(path)}",
        ) from error
    if not isinstance(value, dict):
        raise StateError(
            f"{path} holds no JSON object.",
            hint=f"Move it aside, then run the command again:\n  {move_aside(path)}",
        )
    return value


def move_aside(path: Path) -> str:
    """The command that moves a broken file out of the way, safe to paste."""
    return f"mv {shlex.quote(str(path))} {shlex.quote(f'{path}.broken')}"


@contextlib.contextmanager
def exclusive(path: Path, *, busy: str) -> Iterator[None]:
    """Hold the lock file `path` while the body runs; released by the kernel when we die.

    Raises BusyError with the message `busy` when another process holds it, StateError when the file can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "ab")  # noqa: SIM115 (closed by the next statement)
    except OSError as error:
        raise StateError(f"{path} can't be made: {error.strerror or error}.", hint=WRITABLE) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(busy, hint=_waiting_for(path)) from error
        os.truncate(file.fileno(), 0)
        os.write(file.fileno(), f"{os.getpid()}\n".encode())
        yield


def _waiting_for(path: Path) -> str:
    """What to do about whoever holds the lock file: one that was put aside with Ctrl-Z never ends by itself."""
    with contextlib.suppress(OSError, ValueError):
        holder = int(path.read_text())
        state = Path(f"/proc/{holder}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return f"It was put aside with Ctrl-Z (process {holder}). In its terminal:\n  fg"
    return "Wait until it has finished, then run this again."
