"""What one sandboxed process may use and may do, as the kernel enforces it on each process.

What belongs here: resource limits and capabilities. What does not: the memory of the whole sandbox,
which its starter watches (memory.py), and system calls (seccomp.py).
"""

import errno
import resource
from collections.abc import Mapping

from labkit.sandbox.kernel import syscalls
from labkit.sandbox.spec import Limits

_MB = 1 << 20
_LAST_CAPABILITY = 63


def table(limits: Limits) -> Mapping[int, tuple[int, int]]:
    """The resource limits (soft, hard) that `limits` stands for.

    Private memory gets room above `memory_mb`: the watcher ends the sandbox at the limit, as AWS
    ends a function; this one stops what grows faster than the watcher looks.
    """
    room = 2 * limits.memory_mb * _MB + 256 * _MB
    return {
        resource.RLIMIT_DATA: (room, room),
        resource.RLIMIT_NPROC: (limits.processes, limits.processes),
        resource.RLIMIT_CPU: (limits.cpu_seconds, limits.cpu_seconds + 1),
        resource.RLIMIT_FSIZE: (limits.file_mb * _MB, limits.file_mb * _MB),
        resource.RLIMIT_NOFILE: (limits.open_files, limits.open_files),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_MEMLOCK: (65536, 65536),
        resource.RLIMIT_MSGQUEUE: (65536, 65536),
        resource.RLIMIT_SIGPENDING: (256, 256),
    }


def apply(limits: Limits) -> None:
    """Put the limits on this process and on all it will start.

    A hard limit that is lower already stays.
    """
    for kind, (soft, hard) in table(limits).items():
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))


def give_up_privileges() -> None:
    """Drop every capability, for good, and forbid gaining any by running a program."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            break  # this kernel knows no more of them
    syscalls.drop_capability_sets()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
