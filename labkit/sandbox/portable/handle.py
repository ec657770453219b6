"""The caller's handle on a running portable sandbox.

What belongs here: what its keeper and the table of processes give. What does not: what all handles do
(labkit.sandbox.handle), starting one (host.py).
"""

import socket
from collections.abc import Callable, Sequence

from labkit.sandbox.handle import Handle
from labkit.sandbox.portable.processes import resident_bytes


class PortableProcess(Handle):
    """A running process and all that it starts. Its end is known by a pipe that the keeper writes to."""

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
        super().__init__(status_pipe, listeners, memory_limit)
        self.pid, self._kill, self._dropped = pid, kill, dropped

    def fileno(self) -> int:
        """A descriptor that is readable when it has ended. Open as long as this object lives."""
        return self._status_pipe

    def _send_kill(self) -> None:
        self._kill(self.pid)

    def _settled(self) -> None:
        self._dropped()

    def memory_bytes(self) -> int:
        """Resident memory of everything in it; 0 after its end."""
        return resident_bytes(self.pid) if not self._has_ended(0) else 0
