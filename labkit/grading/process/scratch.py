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

from labkit.base.errors import StateError

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
            with _alone(place) as nobody_else:
                if nobody_else:
                    _clear(place)
                made = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place)))
                lock = ending.enter_context(open(made / _LOCK, "wb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            inner = made / "own"
            inner.mkdir()
        except OSError as error:
            raise unwritten(error, place) from error
        yield inner


def unwritten(error: OSError, place: Path) -> StateError:
    """The disk does not take what a grading needs."""
    return StateError(
        f"{error.filename or place} can't be written: {error.strerror or error}.",
        hint="Free some disk space, then run the command again.",
    )


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[bool]:
    """During the body nobody else makes or clears folders in `place`. False where others may: nothing is cleared there."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = os.fstat(descriptor)
        ours = found.st_uid == os.geteuid() and not found.st_mode & 0o022
        if ours:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield ours
    finally:
        os.close(descriptor)


def _clear(place: Path) -> None:
    """Remove our folders whose gradings have ended."""
    for left in place.glob(f"{_PREFIX}*"):
        if _ended(left):
            shutil.rmtree(left, ignore_errors=True)


def _ended(left: Path) -> bool:
    """Whether nobody holds its lock; one without a lock was killed before it had one."""
    try:
        with open(left / _LOCK, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
