"""The caller's handle on a process in its own namespaces.

What belongs here: what a pidfd gives. What does not: what all handles do (handle.py), starting one (host.py).
"""

import contextlib
import os
import signal
import socket
from collections.abc import Sequence

from labkit.sandbox import memory
from labkit.sandbox.handle import Handle


class SandboxProcess(Handle):
    """A running sandboxed process: pid 1 of its own world, so its end is the end of all in it."""

    def __init__(
        self, pidfd: int, status_pipe: int, listeners: Sequence[socket.socket], memory_limit: int
    ) -> None:
        """Takes over the descriptors. `memory_limit` in bytes."""
        self._pidfd = pidfd
        super().__init__(status_pipe, listeners, memory_limit)
        self.pid = _pid_of(pidfd)

    def __del__(self) -> None:
        super().__del__()
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def fileno(self) -> int:
        """A pidfd: readable when the process has ended. Open as long as this object lives."""
        return self._pidfd

    def _send_kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _settled(self) -> None:
        os.close(self._status_pipe)
        self._status_pipe = -1

    def memory_bytes(self) -> int:
        """Resident private and shared memory of everything in it; 0 after its end.

        Pages that a fork left in common count for each process that has them, as tools show it.
        """
        return memory.upper_bound(self.pid) if not self._has_ended(0) else 0


def _pid_of(pidfd: int) -> int:
    with open(f"/proc/self/fdinfo/{pidfd}") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pid:"))
