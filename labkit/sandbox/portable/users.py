"""Users that nobody is, one for each sandbox, where we are root.

Several labs may run at once, and a user's processes are ended by the user: so each lab claims a block of numbers
for itself, by a lock that the kernel drops when the last of its processes is gone.

What belongs here: the numbers. What does not: becoming such a user (child.py).
"""

import fcntl
import os
import threading

from labkit.base.errors import SandboxError, SandboxUnavailable

#: below 65536, which is all that many containers have
_FIRST, _BLOCK, _BLOCKS = 61_200, 200, 20
FOLDER = "/var/tmp/lab-users"


class Users:
    """One block. `descriptor` holds its lock: whoever ends these users' processes keeps a copy of it."""

    def __init__(self, descriptor: int, first: int) -> None:
        """Use claim()."""
        self.descriptor = descriptor
        self._free = list(range(first + _BLOCK - 1, first - 1, -1))
        self._lock = threading.Lock()

    @classmethod
    def claim(cls, folder: str = FOLDER) -> "Users":
        """A block that nobody has. Raises SandboxUnavailable when all are taken, OSError without the folder."""
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.stat(folder, follow_symlinks=False).st_uid != os.geteuid():
            raise SandboxUnavailable(f"{folder} is not ours.", hint=f"Remove it: rm -r {folder}")
        for number in range(_BLOCKS):
            descriptor = os.open(f"{folder}/{number}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return cls(descriptor, _FIRST + number * _BLOCK)
        raise SandboxUnavailable(
            f"{_BLOCKS} labs run on this machine as root already.", hint="Stop one of them: ./lab cloud stop"
        )

    def take(self) -> int:
        """A user who is nobody now. Raises SandboxError when there is none left."""
        with self._lock:
            if not self._free:
                raise SandboxError(
                    f"{_BLOCK} sandboxes run already, which is all that this tier has users for."
                )
            return self._free.pop()

    def give(self, uid: int) -> None:
        """It goes to the end of the queue: what it may have left elsewhere is nobody's for long."""
        with self._lock:
            self._free.insert(0, uid)

    def close(self) -> None:
        """Let go of the block; the keeper lets go when everything has ended."""
        os.close(self.descriptor)
