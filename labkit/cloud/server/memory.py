"""How much memory this process and everything below it uses.

What belongs here: reading /proc. What does not: limits (labkit.sandbox).
"""

import os
from collections.abc import Iterator
from pathlib import Path


def usage() -> tuple[int, int]:
    """(bytes, processes): private and tmpfs memory of this process and its descendants.

    Linux only; (0, 0) elsewhere. Shared pages (code, what a fork has not written to) count nowhere.
    """
    pids = list(_family(os.getpid()))
    return sum(_private_bytes(pid) for pid in pids), len(pids)


def _family(pid: int) -> Iterator[int]:
    if not Path(f"/proc/{pid}").exists():
        return
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread ended between the two looks
            continue
        for child in children:
            yield from _family(int(child))


def _private_bytes(pid: int) -> int:
    """Private pages, and the shared memory that tmpfs files and mappings hold."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it ended, or it is not ours to look at
        return 0
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return 1024 * (
        kilobytes.get("Private_Dirty", 0) + kilobytes.get("Private_Clean", 0) + kilobytes.get("Pss_Shmem", 0)
    )
