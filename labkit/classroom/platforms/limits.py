"""A process tree with a platform's memory and processors, where this machine lets one set them.

What belongs here: control groups of both versions (kernel documentation: cgroup-v1, cgroup-v2). What does not: what runs in them.
"""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


@dataclass
class Group:
    """What was set. `folders`: of the groups; `cores`: where there are none, the ones that it may use; `kept`: what holds, in words; `not_kept`: what does not."""

    folders: list[Path] = field(default_factory=list)
    cores: frozenset[int] = frozenset()
    kept: list[str] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)

    def enter(self) -> None:
        """Called in the process that is to be limited, before it becomes what it will run."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def peak_mb(self) -> int | None:
        """The most memory that there was; None where nobody counted."""
        for folder in self.folders:
            for name in ("memory.peak", "memory.max_usage_in_bytes"):
                with contextlib.suppress(OSError, ValueError):
                    return int((folder / name).read_text()) >> 20
        return None


@contextlib.contextmanager
def group(memory_mb: int, cores: float) -> Iterator[Group]:
    """Groups with these limits; where the machine lets nobody make them, whole processors are all that holds, and that is said."""
    name = f"lab-rehearsal-{os.getpid()}"
    made = Group()
    quota = int(_PERIOD * cores)
    if (_ROOT / "cgroup.controllers").exists():
        wanted = {"": {"memory.max": f"{memory_mb << 20}", "cpu.max": f"{quota} {_PERIOD}"}}
    else:
        wanted = {
            "memory": {"memory.limit_in_bytes": f"{memory_mb << 20}"},
            "cpu": {"cpu.cfs_period_us": f"{_PERIOD}", "cpu.cfs_quota_us": f"{quota}"},
        }
    try:
        why = [_make(_ROOT / place / name, values, made) for place, values in wanted.items()]
        limited = f"{memory_mb} MB, {cores:g} processors"
        if any(why):
            made.not_kept.append(f"{limited} (control groups: {next(filter(None, why))})")
            if hasattr(os, "sched_getaffinity"):  # Linux
                made.cores = frozenset(sorted(os.sched_getaffinity(0))[: math.ceil(cores)])
                made.kept.append(f"{len(made.cores)} of this machine's processors")
        else:
            made.kept.append(limited)
        yield made
    finally:
        for folder in made.folders:
            _remove(folder)


def _make(folder: Path, values: dict[str, str], made: Group) -> str:
    """Why the machine refuses it; "" when it is made."""
    try:
        folder.mkdir()
        made.folders.append(folder)
        for name, value in values.items():
            (folder / name).write_text(value)
    except OSError as error:
        return str(error.strerror)
    return ""


def _remove(folder: Path) -> None:
    """Away with it, once the last process of it is gone."""
    for _ in range(50):
        try:
            folder.rmdir()
        except OSError:  # a process is still ending
            time.sleep(0.1)
        else:
            return
