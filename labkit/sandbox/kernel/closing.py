"""A process of the kit's own among others that are not: what it shows of itself.

What belongs here: closing a process to those beside it, of the same user. What does not: who is kept apart by
namespaces, users or Landlock. Linux only.
"""

import ctypes

from labkit.sandbox.kernel import syscalls

_PR_SET_NAME = 15
_FIRST_ARGUMENT = 48  # proc(5), /proc/pid/stat: arg_start, arg_end; counted from 1


def close(title: str) -> None:
    """Nobody of this user's may read or write this process's memory, environment or descriptors from now on, or trace it.

    Its command line, which stays readable, becomes `title`: it named files of this machine.
    """
    _rename(title.encode())
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def _rename(title: bytes) -> None:
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return  # a hidden /proc shows nobody anything
    first, last = (int(fields[_FIRST_ARGUMENT - 3 + number]) for number in (0, 1))
    room = last - first
    ctypes.memmove(first, title[: room - 1].ljust(room, b"\0"), room)
    name = ctypes.create_string_buffer(title.rpartition(b"/")[2][:15])
    syscalls.prctl(_PR_SET_NAME, ctypes.addressof(name))
