"""Where a grading works: an empty folder of its own, removed at its end; what killed ones left, at the next one's.

What belongs here: such folders' life. What does not: what lies in them. A folder's lock is held by the kernel for as
long as its grading lives, so nobody removes what is in use.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit.errors import StateError

_PREFIX, _LOCK = "lab-grade-", "lock"


@contextlib.contextmanager
def folder(place: Path | None) -> Iterator[Path]:
    """An empty folder for the body, in `place` (None: where the system keeps temporary files).

    Raises StateError when the disk does not take it.
    """
    place = place or Path(tempfile.gettempdir())
    with contextlib.ExitStack() as ending:
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            _clear(place)
            made = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place)))
            lock = ending.enter_context(open(made / _LOCK, "wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            inner = made / "own"
            inner.mkdir()
        except OSError as error:
            raise StateError(
                f"{error.filename or place} can't be written: {error.strerror or error}.",
                hint="Free some disk space, then run the command again.",
            ) from error
        yield inner


def _clear(place: Path) -> None:
    """Remove our folders whose gradings have ended."""
    for left in place.glob(f"{_PREFIX}*"):
        if _ours(left) and _ended(left):
            shutil.rmtree(left, ignore_errors=True)


def _ours(left: Path) -> bool:
    with contextlib.suppress(OSError):
        return left.lstat().st_uid == os.geteuid()
    return False


def _ended(left: Path) -> bool:
    """Whether nobody holds its lock; one without a lock is being made, or being removed."""
    try:
        with open(left / _LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
