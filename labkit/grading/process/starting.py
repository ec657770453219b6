"""How the processes of a grading come to be: forked from a warm parent, or started as programs of their own.

What belongs here: the asking side of both. What does not: the warm parent (warm), what the processes do (judge,
labkit.cloud.server.server).
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol

from labkit.base.errors import CloudError
from labkit.cloud.client.launching import Order, Server
from labkit.sandbox.forkserver import wire

_PATIENCE = 60.0


class Started(Protocol):
    """A process that was started."""

    def wait(self, timeout: float | None = None) -> object:
        """Until it has ended. Raises subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """Kill -9."""


#: starts a judging process: its task, where it reports, its standard input (whose end is its end), its log
Start = Callable[[Path, int, int, int], Started]


def execute(task: Path, reports: int, stdin: int, log: int) -> Started:
    """The judging process as a program of its own."""
    command = [sys.executable, "-I", "-m", "labkit.grading.process.judge", str(task), str(reports)]
    return subprocess.Popen(
        command, stdin=stdin, stdout=log, stderr=log, pass_fds=[reports], cwd=task.parent, env=environment(),
        start_new_session=True,
    )  # fmt: skip


class Forked:
    """A process that the warm parent has forked. Its end shows on `pidfd`, also to who is not its parent."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd

    def wait(self, timeout: float | None = None) -> object:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        if not select.select([self._pidfd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return None

    def let_go(self) -> None:
        """It goes on by itself."""

    def kill(self) -> None:
        """Kill -9; gone already is no error."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._pidfd)


class Warm:
    """The asking side of a warm parent (labkit.grading.process.warm). For any thread. Also a context manager."""

    def __init__(self, connection: socket.socket, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self._connection, self._process = connection, process

    @classmethod
    def open(cls) -> "Warm":
        """A new one; it imports while we go on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "labkit.grading.process.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return cls(ours, process)

    @classmethod
    def inherited(cls, descriptor: int) -> "Warm":
        """The one that a process of a grading got from its starter."""
        return cls(socket.socket(fileno=descriptor))

    def standing(self) -> Forked:
        """The process that has answered our call (labkit.grading.process.standing). Raises CloudError."""
        return self._process_for("standing", {}, {})

    def start(self, program: str, arguments: Mapping[str, object], descriptors: Mapping[str, int]) -> Forked:
        """Fork `program` with these descriptors ("stdin", "stdout", "stderr" and its own). Raises CloudError."""
        return self._process_for(program, arguments, descriptors)

    def _process_for(
        self, operation: str, arguments: Mapping[str, object], descriptors: Mapping[str, int]
    ) -> Forked:
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with reply, theirs:
            reply.settimeout(_PATIENCE)
            request = wire.Request(operation, arguments, {"reply": theirs.fileno(), **descriptors})
            try:
                wire.send_request(self._connection, request)
                theirs.close()
                answer = wire.receive_answer(reply)
            except OSError as error:
                raise _gone() from error
        if answer is None:
            raise _gone()
        return Forked(answer.descriptors[0])

    def judge(self, task: Path, reports: int, stdin: int, log: int) -> Started:
        """A judging process; it may start clouds."""
        asked = {"task": str(task), "environment": environment(), "cwd": str(task.parent)}
        given = {
            "stdin": stdin,
            "stdout": log,
            "stderr": log,
            "reports": reports,
            "warm": self._connection.fileno(),
        }
        return self.start("judge", asked, given)

    def cloud(self, order: Order) -> Server:
        """A local cloud's process, as labkit.cloud.client.lifecycle wants it started."""
        asked = {
            "folder": str(order.folder),
            "account": order.account,
            "environment": environment(),
            "cwd": "/",
        }
        leash = {"leash": order.leash} if order.leash >= 0 else {}
        with open(os.devnull, "rb") as nothing:
            given = {
                "stdin": nothing.fileno(),
                "stdout": order.log,
                "stderr": order.log,
                "ready": order.ready,
            }
            return self.start("cloud", asked, {**given, **leash})

    @property
    def pid(self) -> int:
        """The warm parent's process; 0 where somebody else started it."""
        return self._process.pid if self._process else 0

    def close(self) -> None:
        """End the warm parent; what it has started goes on."""
        self._connection.close()
        if self._process is not None:
            self._process.wait(_PATIENCE)

    def __enter__(self) -> "Warm":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def warm_parent() -> Iterator[Warm | None]:
    """A warm parent for the body; None where forking a loaded Python is not safe (macOS)."""
    if sys.platform != "linux":
        yield None
        return
    with Warm.open() as warm:
        yield warm


def environment() -> dict[str, str]:
    """What processes of a grading get of ours: nothing of AWS's, Python's or pytest's."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LAB_TIER", "LAB_REQUIRE_TIER", "LAB_TF_MIRROR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _gone() -> CloudError:
    return CloudError("The warm parent of the grading has ended.", hint="Run the same command again.")
