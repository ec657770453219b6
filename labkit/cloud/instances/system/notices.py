"""The socket on which units' processes say that they are ready: sd_notify(3).

What belongs here: receiving, and from which process. What does not: what a notice means (services). Runs inside
the instance: standard library only.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Callable

from labkit.cloud.instances.system.environment import NOTIFY_SOCKET
from labkit.cloud.instances.system.loop import Loop

_LONGEST = 4096
#: struct ucred of unix(7): process, user, group
_CREDENTIALS = struct.Struct("3i")
#: macOS has none of this: nobody knows there whom a notice came from
_KNOWS = hasattr(socket, "SO_PASSCRED") and hasattr(socket, "SCM_CREDENTIALS")


class Notices:
    """Tells `notified` each notice with the process that it came from, as the kernel knows it; 0 where it does not."""

    def __init__(self, loop: Loop, notified: Callable[[int, str], None]) -> None:
        self._notified = notified
        os.makedirs(os.path.dirname(NOTIFY_SOCKET), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NOTIFY_SOCKET)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if _KNOWS:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(NOTIFY_SOCKET)
        os.chmod(NOTIFY_SOCKET, 0o777)
        loop.read(self._socket.fileno(), self._ready)

    def _ready(self) -> None:
        with contextlib.suppress(OSError):
            data, ancillary, _, _ = self._socket.recvmsg(_LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size))
            senders = [
                _CREDENTIALS.unpack(value)[0] for _, kind, value in ancillary if kind == socket.SCM_CREDENTIALS
            ] if _KNOWS else [0]  # fmt: skip
            for pid in senders:
                self._notified(pid, data.decode(errors="replace"))
