"""What every handle on a running sandboxed process does: wait, tell why it ended, end it.

What belongs here: what does not depend on how a process is known and ended. What does: process.py (a pidfd),
portable/handle.py (a keeper).
"""

import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Literal

EndedBy = Literal["", "exit", "memory", "killed"]


class Handle:
    """A running process and all below it; its end shows by one descriptor, its exit status comes by a pipe.

    `listeners` are sockets that listen for it, in the order of the spec's `listen`; they are the caller's.
    """

    pid: int

    def __init__(self, status_pipe: int, listeners: Sequence[socket.socket], memory_limit: int) -> None:
        """Takes over the pipe. `memory_limit` in bytes."""
        self.listeners, self.memory_limit = listeners, memory_limit
        self._status_pipe = status_pipe
        self._lock = threading.RLock()
        self._code: int | None = None
        self._asked: EndedBy = ""

    def __del__(self) -> None:
        if self._status_pipe >= 0:
            os.close(self._status_pipe)

    @property
    def ended_by(self) -> EndedBy:
        """Why it ended: of itself, over its memory limit, by kill(); "" while it runs."""
        return self._asked or "exit" if self._has_ended(0) else ""

    def fileno(self) -> int:
        """A descriptor that is readable when it has ended. Open as long as this object lives."""
        raise NotImplementedError

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
        self._send_kill()

    def _send_kill(self) -> None:
        raise NotImplementedError

    def _has_ended(self, timeout: float | None) -> bool:
        if self._code is not None:
            return True
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (negative: the signal), or None when `timeout` seconds were not enough."""
        if not self._has_ended(timeout):
            return None
        self.settle()
        return self._code

    def settle(self) -> None:
        """Fetch the exit code of the ended process; a parent that died took it along: -9."""
        with self._lock:
            if self._code is not None:
                return
            # What is read is gone: others who wait see the end by the closed pipe.
            report = os.read(self._status_pipe, 4)
            self._code = os.waitstatus_to_exitcode(*struct.unpack("i", report)) if report else -signal.SIGKILL
            self._settled()

    def _settled(self) -> None:
        """Called once, when the exit code is known."""
