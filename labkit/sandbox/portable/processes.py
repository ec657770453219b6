"""Which processes there are, and ending a process with all that it started.

What belongs here: reading /proc, or asking ps or the kernel where there is none. What does not: whose processes they
are (keeper.py). Standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ROUNDS = 20
_MOST_PIDS = 1 << 22


@dataclass(frozen=True)
class Process:
    """One process as the system shows it. `resident` in bytes; `tasks` counts its threads."""

    pid: int
    parent: int
    uid: int
    resident: int
    tasks: int
    ended: bool


def table() -> Mapping[int, Process]:
    """All processes that can be seen, by id."""
    found = _from_proc() if os.path.isdir("/proc/self") else _from_ps()
    return {process.pid: process for process in found}


def _from_proc() -> Iterator[Process]:
    page = os.sysconf("SC_PAGESIZE")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            uid = os.stat(f"/proc/{name}").st_uid  # its files are root's where it is closed to others
            ended = fields[0] in (b"Z", b"X")
            yield Process(int(name), int(fields[1]), uid, int(fields[21]) * page, int(fields[17]), ended)


def _from_ps() -> Iterator[Process]:
    """POSIX's ps, as macOS and the BSDs have it; nothing where there is none."""
    command = ["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "uid=", "-o", "rss=", "-o", "stat="]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return
    for line in done.stdout.splitlines():
        pid, parent, uid, kilobytes, state = line.split()[:5]
        yield Process(int(pid), int(parent), int(uid), int(kilobytes) << 10, 1, state.startswith("Z"))


def children() -> list[int]:
    """This process's own, with what was handed to it as their orphan (Linux; elsewhere nothing is handed over)."""
    own = os.getpid()
    if os.path.isdir("/proc/self"):
        with contextlib.suppress(OSError), open(f"/proc/{own}/task/{own}/children") as file:
            return [int(each) for each in file.read().split()]
        return []
    return [pid for pid in _possible() if _is_ours(pid)] if sys.platform == "linux" else []


def _possible() -> range:
    """The ids that a process may have: they are given in ascending order, and begin anew at their end."""
    newest = os.fork()
    if newest == 0:
        os._exit(0)
    os.waitpid(newest, 0)
    return range(2, newest if newest > os.getpid() else _MOST_PIDS)


def _is_ours(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def below(pid: int, processes: Mapping[int, Process]) -> set[int]:
    """`pid`, everything below it, and what has left it but not its session."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = set[int](), [pid, *(each for each in processes if _session(each) == pid)]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += children.get(current, [])
    return found


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def end_tree(pid: int) -> None:
    """End `pid` and everything below it. All are stopped first, so that none can start another meanwhile."""
    seen: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = below(pid, table()) - seen
        if not fresh:
            break
        seen |= fresh
        for each in fresh:
            _send(each, signal.SIGSTOP)
    for each in seen:
        _send(each, signal.SIGKILL)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def end_user(uid: int) -> None:
    """End every process of the user `uid`, who is nobody but one sandbox. Needs root."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def tasks_of(uid: int) -> int:
    """How many tasks the user `uid` has, as the limit on processes counts them."""
    return sum(process.tasks for process in table().values() if process.uid == uid)


def resident_bytes(pid: int) -> int:
    """The memory of `pid` and everything below it; shared pages count for each."""
    processes = table()
    return sum(processes[each].resident for each in below(pid, processes) if each in processes)
