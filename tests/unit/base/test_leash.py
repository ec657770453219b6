"""A process on a leash ends with whoever holds it, also when nothing of its own can run any more."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit

ROOT = Path(labkit.__file__).parents[1]
BEGIN = """
import ctypes, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from labkit.base.leash import guard
guard(0, grace=float(sys.argv[2]))
other = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
print("begun", flush=True)
"""
#: a call into C that keeps the interpreter's lock
STUCK = "ctypes.PyDLL(None).sleep(600)"
#: ends as soon as it is told to
ORDERLY = "sys.stdin.read(); print('orderly', flush=True); os._exit(3)"
#: the same process becomes another program
ANOTHER = "os.execv(sys.executable, [sys.executable, '-c', 'import ctypes; ctypes.PyDLL(None).sleep(600)'])"


class OnLeash:
    """One such process. Its output ends when it, and what it has started, are gone."""

    def __init__(self, then: str, grace: float) -> None:
        command = [sys.executable, "-c", BEGIN + then, str(ROOT), str(grace)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "begun\n"

    def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None  # nobody closes it again

    def rest(self) -> str:
        """What it still said, once everything has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


@pytest.fixture
def started() -> Iterator[list[OnLeash]]:
    made: list[OnLeash] = []
    yield made
    for each in made:
        each.process.kill()
        each.process.communicate()


@pytest.mark.processes
@pytest.mark.parametrize("then", [STUCK, ANOTHER])
def test_it_ends_with_all_it_started_though_it_is_stuck(started: list[OnLeash], then: str) -> None:
    started.append(OnLeash(then, grace=0.2))
    started[0].let_go()
    assert started[0].rest() == ""
    assert started[0].process.wait() == -signal.SIGKILL


@pytest.mark.processes
def test_it_has_time_for_an_orderly_end(started: list[OnLeash]) -> None:
    started.append(OnLeash(ORDERLY, grace=600))
    started[0].let_go()
    assert started[0].rest() == "orderly\n"
    assert started[0].process.wait() == 3


@pytest.mark.processes
def test_what_it_started_ends_when_it_is_killed(started: list[OnLeash]) -> None:
    started.append(OnLeash(STUCK, grace=600))
    started[0].process.kill()
    assert started[0].rest() == ""


@pytest.mark.processes
def test_signals_to_the_group_do_not_end_the_watch(started: list[OnLeash]) -> None:
    started.append(
        OnLeash("import signal; signal.signal(15, signal.SIG_IGN); print('on', flush=True); " + STUCK, 0.2)
    )
    assert started[0].process.stdout is not None
    assert started[0].process.stdout.readline() == "on\n"
    os.killpg(started[0].process.pid, signal.SIGTERM)
    started[0].let_go()
    assert started[0].rest() == ""
