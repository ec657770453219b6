"""The caller's handle on a running sandboxed process.

What belongs here: waiting, killing and asking one process. What does not: starting it (host.py).
"""

import contextlib
import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Literal

from labkit.sandbox import memory

EndedBy = Literal["", "exit", "memory", "killed"]


class SandboxProcess:
    """A running sandboxed process: pid 1 of its own world, so its end is the end of all in it.

    `listeners` are sockets that listen inside its network namespace, in the order of the spec's
    `listen`; they are the caller's to accept on and to close.
    """

    def __init__(
        self, pidfd: int, status_pipe: int, listeners: Sequence[socket.socket], memory_limit: int
    ) -> None:
        """Takes over the descriptors. `memory_limit` in bytes."""
        self._pidfd, self._status_pipe = pidfd, status_pipe
        self._lock = threading.Lock()
        self._code: int | None = None
        self._asked: EndedBy = ""
        self.listeners = listeners
        self.memory_limit = memory_limit
        self.pid = _pid_of(pidfd)

    def __del__(self) -> None:
        for descriptor in (self._pidfd, self._status_pipe):
            if descriptor >= 0:
                os.close(descriptor)

    @property
    def ended_by(self) -> EndedBy:
        """Why it ended: of itself, over its memory limit, by kill(); "" while it runs."""
        return self._asked or "exit" if self._has_ended(0) else ""

    def fileno(self) -> int:
        """A pidfd: readable when the process has ended. Open as long as this object lives."""
        return self._pidfd

    def kill(self) -> None:
        """End it and everything in it; no error when it has ended already."""
        self._end("killed")

    def end_for_memory(self) -> None:
        """End it for using more memory than its limit."""
        self._end("memory")

    def _end(self, reason: EndedBy) -> None:
        with self._lock:
            if self._has_ended(0):
                return
            self._asked = self._asked or reason
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _has_ended(self, timeout: float | None) -> bool:
        return _readable(self._pidfd, timeout)

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (negative: the signal), or None when `timeout` seconds were not enough."""
        if not self._has_ended(timeout):
            return None
        self.settle()
        return self._code

    def settle(self) -> None:
        """Fetch the exit code of the ended process; a dead warm parent took it along: -9."""
        with self._lock:
            if self._status_pipe < 0:
                return
            report = os.read(self._status_pipe, 4)
            os.close(self._status_pipe)
            self._status_pipe = -1
            self._code = os.waitstatus_to_exitcode(*struct.unpack("i", report)) if report else -signal.SIGKILL

    def memory_bytes(self) -> int:
        """Resident private and shared memory of everything in it; 0 after its end.

        Pages that a fork left in common count for each process that has them, as tools show it.
        """
        return memory.upper_bound(self.pid) if not self._has_ended(0) else 0


def _readable(descriptor: int, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _pid_of(pidfd: int) -> int:
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pid:"))
