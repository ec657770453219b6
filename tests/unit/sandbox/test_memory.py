"""Measuring trees of processes, and the watcher with figures of the test's own."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from labkit.sandbox import memory

MB = 1 << 20
Until = Callable[..., None]


class FakeSandbox:
    """Has a pipe for a pidfd: closing the other end is the end of the process."""

    def __init__(self, pid: int, limit: int) -> None:
        self.pid, self.memory_limit = pid, limit
        self._reader, self._writer = os.pipe()
        self.seen: list[str] = []

    def fileno(self) -> int:
        return self._reader

    def end(self) -> None:
        os.close(self._writer)

    def end_for_memory(self) -> None:
        self.seen.append("ended")
        self.end()

    def settle(self) -> None:
        self.seen.append("settled")
        os.close(self._reader)


def test_the_one_over_its_limit_is_ended(until: Until) -> None:
    used = {1: 10 * MB, 2: 10 * MB}
    with closing(memory.Watcher(bound=used.__getitem__, measure=used.__getitem__)) as watcher:
        small, large = FakeSandbox(1, 50 * MB), FakeSandbox(2, 50 * MB)
        watcher.add(small)
        watcher.add(large)
        used[2] = 51 * MB
        until(lambda: large.seen == ["ended", "settled"])
        assert small.seen == []
        small.end()
        until(lambda: small.seen == ["settled"])


def test_a_high_bound_alone_ends_nobody(until: Until) -> None:
    measured: list[int] = []

    def measure(pid: int) -> int:
        measured.append(pid)
        return 10 * MB

    with closing(memory.Watcher(bound=lambda _: 99 * MB, measure=measure)) as watcher:
        sandbox = FakeSandbox(7, 50 * MB)
        watcher.add(sandbox)
        until(lambda: len(measured) > 1)
        assert sandbox.seen == []
        sandbox.end()
        until(lambda: sandbox.seen == ["settled"])


def test_it_looks_seldom_while_the_limit_is_far(until: Until) -> None:
    looks: list[int] = []

    def bound(pid: int) -> int:
        looks.append(pid)
        return 0

    with closing(memory.Watcher(bound=bound)) as watcher:
        far, near = FakeSandbox(1, 3000 * MB), FakeSandbox(2, MB)
        watcher.add(far)
        watcher.add(near)
        until(lambda: looks.count(2) >= 10)
        assert looks.count(1) <= 2
        for sandbox in (far, near):
            sandbox.end()
        until(lambda: far.seen == near.seen == ["settled"])


def test_closing_twice_and_without_a_thread() -> None:
    watcher = memory.Watcher()
    watcher.close()
    watcher.close()


@pytest.mark.processes
def test_private_and_shared_memory_of_a_tree_count(until: Until) -> None:
    """A child of the measured process holds 30 MB of its own, and both share 20 MB."""
    program = (
        "import mmap, os, time\n"
        "shared = mmap.mmap(-1, 20 << 20); shared.write(b'x' * (20 << 20))\n"
        "if os.fork() == 0:\n"
        "    own = b'x' * (30 << 20); shared[:]\n"
        "    print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            assert len(list(memory.processes_below(process.pid))) == 2
            exact, bound = memory.exact(process.pid), memory.upper_bound(process.pid)
            assert 50 * MB < exact < 90 * MB
            assert bound > exact
        finally:
            for pid in reversed(list(memory.processes_below(process.pid))):
                os.kill(pid, 9)


@pytest.mark.processes
def test_an_ended_process_holds_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert memory.upper_bound(process.pid) == memory.exact(process.pid) == 0
