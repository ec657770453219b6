"""Starting a local cloud's process, and hearing from it.

What belongs here: what it is started with, and the line that it says when it is ready. What does not: when (lifecycle).
"""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class Order:
    """What a server's process is started with: its folder and kind of account, and three descriptors.

    kept: the folder of what lasts, "" for a cloud in memory; pace: see labkit.cloud.pace.parse; ready: where it says that it serves; leash: see LocalCloud; log: its standard output and error.
    """

    folder: Path
    account: str
    kept: str
    ready: int
    leash: int
    log: int
    pace: str = ""


class Server(Protocol):
    """A server's process that was started."""

    def wait(self) -> object:
        """Until it has ended."""

    def kill(self) -> None:
        """Kill -9."""

    def let_go(self) -> None:
        """It outlives us: nobody waits for it."""


Launch = Callable[[Order], Server]


class _Program(subprocess.Popen[bytes]):
    def let_go(self) -> None:
        self.returncode = 0


def execute(order: Order) -> Server:
    """The server as a program of its own."""
    leash = [order.leash] if order.leash >= 0 else []
    command = [
        sys.executable, "-I", "-m", "labkit.cloud.server.server", str(order.folder), str(order.ready), order.account,
        order.kept, order.pace, *map(str, leash),
    ]  # fmt: skip
    return _Program(
        command, stdin=subprocess.DEVNULL, stdout=order.log, stderr=order.log, pass_fds=[order.ready, *leash],
        start_new_session=True, cwd="/", env=_clean_environment(),
    )  # fmt: skip


def _clean_environment() -> dict[str, str]:
    """What the server gets of our environment: nothing that belongs to AWS or to Python."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LAB_TIER", "LAB_REQUIRE_TIER")
    return {name: os.environ[name] for name in kept if name in os.environ}


@contextlib.contextmanager
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The ends of a pipe as files, which may be closed twice; a number closed twice may be another's by then."""
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as reading, open(writer, "wb", buffering=0) as writing:
        yield reading, writing


def read_line(descriptor: int, seconds: float) -> bytes:
    """One line from a pipe; what came so far when it ends or the time is over."""
    data, deadline = b"", time.monotonic() + seconds
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return b""
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return b""
        data += chunk
    return data
