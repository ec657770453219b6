"""How much memory a sandbox uses, and ending the ones that use too much.

What belongs here: measuring a tree of processes, and the one thread that watches all sandboxes. What
does not: limits that the kernel enforces by itself (limits.py).
"""

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

#: a process can hardly fill memory faster than this (bytes per second)
_FASTEST = 4 << 30
#: more than any of the files that are read has
_MOST = 1 << 16
_UNSHARED = ("RssAnon", "RssShmem")
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


def _readable(path: str) -> str:
    """The file's text, or "" when the process has ended meanwhile."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        descriptor = os.open(
            path, os.O_RDONLY
        )  # these are read many times a second: a third of open()'s cost
        try:
            return os.read(descriptor, _MOST).decode()
        finally:
            os.close(descriptor)
    return ""


def processes_below(pid: int) -> Iterator[int]:
    """`pid` and all its descendants; inside a process namespace nobody escapes from below pid 1."""
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        yield current
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{current}/task"):
                children = _readable(f"/proc/{current}/task/{thread}/children")
                waiting.extend(map(int, children.split()))


def _kilobytes(text: str, names: Iterable[str]) -> int:
    """The sum of these lines' values; a line that is not there (of a process that has ended) counts nothing."""
    # found, not split into lines: this is done some hundred times a second, and a status has sixty of them
    values = (text.partition(f"\n{name}:")[2].split(None, 1) for name in names)
    return sum(int(value[0]) for value in values if value)


def upper_bound(pid: int) -> int:
    """Bytes that the tree holds at most: pages shared since a fork count for each process. Cheap."""
    return sum(
        _kilobytes(_readable(f"/proc/{each}/status"), _UNSHARED) << 10 for each in processes_below(pid)
    )


def exact(pid: int) -> int:
    """Bytes that the tree holds: a shared page is divided among those who share it."""
    return sum(_held(each) for each in processes_below(pid))


def _held(process: int) -> int:
    """Bytes; one that is closed to us (a program that may be run and not read makes itself so) counts as if alone."""
    try:
        text, names = _readable(f"/proc/{process}/smaps_rollup"), ("Pss_Anon", "Pss_Shmem")
    except PermissionError:
        text, names = _readable(f"/proc/{process}/status"), _UNSHARED
    return _kilobytes(text, names) << 10


class Watched(Protocol):
    """What the watcher needs of a sandbox."""

    @property
    def pid(self) -> int:
        """Its first process."""
        ...

    @property
    def memory_limit(self) -> int:
        """Bytes that it may hold."""
        ...

    def fileno(self) -> int:
        """A descriptor that is readable when it has ended."""
        ...

    def end_for_memory(self) -> None:
        """End it for holding more."""
        ...

    def settle(self) -> None:
        """Collect what is left of it when it has ended."""
        ...


class Watcher:
    """One thread that ends sandboxes over their limit and settles those that have ended.

    It sleeps until a process ends, or until the one nearest to its limit could reach it.
    """

    def __init__(
        self, *, bound: Callable[[int], int] = upper_bound, measure: Callable[[int], int] = exact
    ) -> None:
        self._bound, self._measure = bound, measure
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._watched: dict[int, tuple[Watched, float]] = {}  # descriptor → (sandbox, when to look)
        self._thread: threading.Thread | None = None
        self._closing = False

    def add(self, sandbox: Watched) -> None:
        """Watch `sandbox` until its end."""
        with self._lock:
            self._watched[sandbox.fileno()] = (sandbox, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sandbox-memory", daemon=True)
                self._thread.start()
        self._wake.send(b"x")

    def close(self) -> None:
        """Stop watching. Twice is no error."""
        if self._closing:
            return
        self._closing = True
        self._wake.send(b"x")
        if self._thread is not None:
            self._thread.join()
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        while not self._closing:
            for descriptor in self._wait():
                if descriptor == self._woken.fileno():
                    self._woken.recv(4096)
                else:
                    self._forget(descriptor)
            self._look(time.monotonic())

    def _wait(self) -> list[int]:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        with self._lock:
            for descriptor in self._watched:
                poll.register(descriptor, select.POLLIN)
            due = min((when for _, when in self._watched.values()), default=None)
        pause = None if due is None else max(0.0, due - time.monotonic()) * 1000
        return [descriptor for descriptor, _ in poll.poll(pause)]

    def _forget(self, descriptor: int) -> None:
        with self._lock:
            sandbox, _ = self._watched.pop(descriptor)
        sandbox.settle()

    def _look(self, now: float) -> None:
        with self._lock:
            due = [(each, sandbox) for each, (sandbox, when) in self._watched.items() if when <= now]
        for descriptor, sandbox in due:
            pause = self._judge(sandbox)
            with self._lock:
                self._watched[descriptor] = (sandbox, time.monotonic() + pause)

    def _judge(self, sandbox: Watched) -> float:
        """End `sandbox` when it is over its limit; the seconds until it must be looked at again."""
        used = self._bound(sandbox.pid)
        if used > sandbox.memory_limit:
            used = self._measure(sandbox.pid)
            if used > sandbox.memory_limit:
                sandbox.end_for_memory()
                return _LONGEST_PAUSE
        return min(max((sandbox.memory_limit - used) / _FASTEST, _SHORTEST_PAUSE), _LONGEST_PAUSE)
