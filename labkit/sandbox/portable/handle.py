"""The caller's handle on a running portable sandbox.

What belongs here: waiting, killing and asking one process. What does not: starting it (host.py).
"""

import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from labkit.sandbox.portable.processes import resident_bytes

EndedBy = Literal["", "exit", "memory", "killed"]


class PortableProcess:
    """A running process and all that it starts. Its end is known by a pipe that the keeper writes to.

    `listeners` are sockets that listen for it, in the order of the spec's `listen`; they are the caller's.
    """

    def __init__(
        self,
        pid: int,
        status_pipe: int,
        listeners: Sequence[socket.socket],
        memory_limit: int,
        kill: Callable[[int], None],
        dropped: Callable[[], None],
    ) -> None:
        """Takes over the pipe. `memory_limit` in bytes; `dropped` is called once it has ended."""
        self.pid, self.listeners, self.memory_limit = pid, listeners, memory_limit
        self._status_pipe, self._kill, self._dropped = status_pipe, kill, dropped
        self._lock = threading.RLock()
        self._code: int | None = None
        self._asked: EndedBy = ""

    def __del__(self) -> None:
        os.close(self._status_pipe)

    @property
    def ended_by(self) -> EndedBy:
        """Why it ended: of itself, over its memory limit, by kill(); "" while it runs."""
        return self._asked or "exit" if self._has_ended(0) else ""

    def fileno(self) -> int:
        """A descriptor that is readable when it has ended. Open as long as this object lives."""
        return self._status_pipe

    def kill(self) -> None:
        """End it and everything below it; no error when it has ended already."""
        self._end("killed")

    def end_for_memory(self) -> None:
        """End it for using more memory than its limit."""
        self._end("memory")

    def _end(self, reason: EndedBy) -> None:
        with self._lock:
            if self._has_ended(0):
                return
            self._asked = self._asked or reason
        self._kill(self.pid)

    def _has_ended(self, timeout: float | None) -> bool:
        if self._code is not None:
            return True
        poll = select.poll()
        poll.register(self._status_pipe, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (negative: the signal), or None when `timeout` seconds were not enough."""
        if not self._has_ended(timeout):
            return None
        self.settle()
        return self._code

    def settle(self) -> None:
        """Fetch the exit code of the ended process; a dead keeper took it along: -9."""
        with self._lock:
            if self._code is not None:
                return
            # What is read is gone: others who wait see the end by the closed pipe.
            report = os.read(self._status_pipe, 4)
            self._code = os.waitstatus_to_exitcode(*struct.unpack("i", report)) if report else -signal.SIGKILL
            self._dropped()

    def memory_bytes(self) -> int:
        """Resident memory of everything in it; 0 after its end."""
        return resident_bytes(self.pid) if not self._has_ended(0) else 0
