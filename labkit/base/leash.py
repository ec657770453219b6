"""Ending with whoever holds the other end of a pipe, whatever this process is busy with.

What belongs here: the process that watches. What does not: an orderly end (each process's own matter, within the grace).

A thread that waits for the end of the pipe needs the interpreter's lock, and a signal's handler does too: a call into C
that keeps the lock keeps both away for as long as it likes. So a child watches, which needs nothing of its parent.
"""

import contextlib
import os
import select
import signal
from typing import NoReturn

#: seconds for an orderly end
GRACE = 10.0
_MOST_DESCRIPTORS = 65536


def guard(leash: int, grace: float = GRACE) -> None:
    """From now on this process ends at the latest `grace` seconds after the other end of `leash` was closed.

    Where it leads a group of processes, what is left of the group ends with it, however it ends. For good, also when it
    becomes another program. Call it while this process has one thread.
    """
    process, leads = os.getpid(), os.getpgrp() == os.getpid()
    alive, held = os.pipe()
    os.set_inheritable(held, True)  # it stays open until our end: nobody closes it
    if os.fork() == 0:
        try:
            _close_all_but(leash, alive)
            _watch(leash, alive, process, grace, leads=leads)
        finally:
            os._exit(0)
    os.close(alive)


def _close_all_but(*kept: int) -> None:
    last = -1
    for descriptor in (*sorted(kept), _MOST_DESCRIPTORS):
        if descriptor > last + 1:  # an empty range that ends at 0 is all of them to some Pythons
            os.closerange(last + 1, descriptor)
        last = descriptor


def _watch(leash: int, alive: int, process: int, grace: float, *, leads: bool) -> NoReturn:
    """Until the process has ended; ends what is left of it. Its pipes are looked at, never read."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not _closed(alive, leash) and not _closed(alive, seconds=grace):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    if leads:
        os.killpg(process, signal.SIGKILL)  # we are one of the group: its number is still its own
    os._exit(0)


def _closed(wanted: int, other: int = -1, *, seconds: float | None = None) -> bool:
    """Wait until the other end of either is closed, or so long; whether `wanted` is."""
    poll = select.poll()
    for descriptor in (wanted, other):
        if descriptor >= 0:
            poll.register(descriptor, 0)  # that it was closed is always told
    found = poll.poll(None if seconds is None else seconds * 1000)
    return any(descriptor == wanted for descriptor, _ in found)
