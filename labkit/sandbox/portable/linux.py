"""What Linux adds to plain processes: orphans that stay ours, Landlock, a filter of system calls.

What belongs here: Linux's own calls, for child.py and keeper.py. What does not: anything that other
systems have too.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import replace

from labkit.sandbox.kernel import closing, limits, seccomp, syscalls
from labkit.sandbox.portable import landlock, spawning
from labkit.sandbox.spec import SandboxSpec

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """What a process below us leaves behind becomes our child, and not the system's."""
    syscalls.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """End when the parent does. A change of user forgets it: call it again then."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def never_gain() -> None:
    """No program gives more rights than its starter has: set-user-id bits mean nothing."""
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def lock(read: Sequence[str], write: Sequence[str], connect: Sequence[int], spec: SandboxSpec) -> None:
    """Landlock and the filter. Raises OSError when the kernel refuses.

    A process of the kit's own sees the table of processes, which names this machine's ports too; what it starts by
    os.posix_spawn does not.
    """
    allowed = landlock.Allowed(read, write, connect)
    if spec.title:
        spawning.lock_before(landlock.prepare(allowed))
        allowed = replace(allowed, read=(*read, "/proc"))
    landlock.restrict(allowed)
    if os.geteuid() == 0:
        limits.give_up_privileges()
    if spec.title:
        closing.close(spec.title)
    syscalls.install_filter(seccomp.program(pretend_root=spec.pretend_root, datagrams=False))
