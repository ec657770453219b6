"""A warm parent that outlives the command that started it, for the next judging of a gap.

What belongs here: how it is found, started and ended. What does not: its own life (warm), asking it (starting), what
else is kept (kept).

It listens in the folder of what is kept. Who can call it can run code as its user, so it stands only where sandboxes
have namespaces of their own: elsewhere Unix sockets are within their reach, and /proc/net/unix names them all.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from labkit.grading.process.starting import Warm, environment

_PREFIX = "warm-"
_WAITING = 16
_PATIENCE = 30.0


@contextlib.contextmanager
def warm(folder: Path) -> Iterator[Warm | None]:
    """The warm parent that stands in `folder`; None where none does."""
    connection = _called(folder)
    if connection is None:
        yield None
        return
    with Warm(connection) as parent:
        yield parent


def begin(folder: Path) -> None:
    """Let one stand in `folder`, if none does; it imports while we go on."""
    connection = _called(folder) or _started(folder)
    if connection is not None:
        connection.close()


def end(folder: Path) -> None:
    """End the warm parent that stands in `folder`, if one does."""
    connection = _called(folder)
    if connection is not None:
        with Warm(connection) as parent:
            standing = parent.standing()
            standing.kill()
            standing.wait(_PATIENCE)


def _called(folder: Path) -> socket.socket | None:
    """A connection to who stands in `folder`; what a killed one left there is removed."""
    for path in folder.glob(f"{_PREFIX}*"):
        connection = _socket()
        try:
            with _address(path) as address:
                connection.connect(address)
            return connection
        except OSError:
            connection.close()
            path.unlink(missing_ok=True)
    return None


def _started(folder: Path) -> socket.socket | None:
    """A connection to a new one, which answers once it has imported all that it keeps warm."""
    if sys.platform != "linux":  # forking a loaded Python is not safe elsewhere
        return None
    path = folder / f"{_PREFIX}{secrets.token_hex(16)}"
    with _socket() as listener:
        try:
            with _address(path) as address:
                listener.bind(address)
        except OSError:  # a disk without sockets, a hidden /proc: it goes without
            return None
        listener.listen(_WAITING)
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "labkit.grading.process.warm", str(listener.fileno()), str(path)],
            pass_fds=[listener.fileno()],
            env=environment(),
            cwd="/",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        process.returncode = 0  # it outlives us: nobody waits for it
        return _called(folder)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The socket's path, short enough for the kernel however deep the folder lies."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
