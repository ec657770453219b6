"""The stages on the way into a sandbox, so that a refusal says which one failed.

What belongs here: the stages' names and the error that carries one. What does not: what to do about
a refusal (probe.py).
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

OWNER: Final = "user namespace"
PROCESSES: Final = "process namespace"
MOUNTS: Final = "mount namespace"
NETWORK: Final = "network namespace"
FILES: Final = "file tree"
LIMITS: Final = "limits"
FILTER: Final = "system call filter"
COMMAND: Final = "command"
ROUTER: Final = "private network"

#: in the order in which a sandbox passes them
ALL: Final = (OWNER, PROCESSES, MOUNTS, NETWORK, FILES, LIMITS, FILTER, COMMAND, ROUTER)


@dataclass(eq=False)
class Refused(Exception):
    """The machine, or a mistake in the request, stopped a sandbox at `stage`."""

    stage: str
    reason: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"

    @property
    def by_machine(self) -> bool:
        """Whether the kernel's answer speaks of permission or ability, not of a wrong request."""
        return self.number in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOSPC, errno.EINVAL)


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Turn an OSError of the body into Refused with this stage's name."""
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        if isinstance(error.filename, str | bytes):
            text = f"{os.fsdecode(error.filename)}: {text}"
        raise Refused(name, text, error.errno or 0) from error
