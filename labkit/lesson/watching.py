"""Waiting for a student to save a file, also where the system gives no events (WSL, network disks).

What belongs here: noticing. What does not: what follows.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

#: how often the files are looked at; a look costs a few system calls
SECONDS = 0.2


class Files(Protocol):
    """What is watched."""

    def hashes(self) -> dict[str, str]:
        """SHA-256 by name."""
        ...


def saves(
    files: Files, *, pause: float = SECONDS, wait: Callable[[float], None] = time.sleep
) -> Iterator[list[str]]:
    """First an empty list, then the names of files whose text changed, each time some did.

    `wait` lets the time pass between two looks. A change counts once two looks saw the same: an editor may write a file in several parts.
    """
    before = files.hashes()
    yield []
    seen = before
    while True:
        wait(pause)  # polling is the point: events do not come on every file system
        now = files.hashes()
        if now != before and now == seen:
            yield sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
            before = now
        seen = now
