"""Fixtures that every kind of test shares."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# What is started in the background ignores Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes says more of who else is busy here than of what is tested.
settings.register_profile("kit", deadline=None)
settings.load_profile("kit")

#: long files whose tests share nothing
APART = {"tests/functional/test_killed.py"}
SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))


def pytest_report_header() -> str:
    """Say which seed the run uses, so that it can be repeated."""
    return f"seed: {SEED} (LAB_TEST_SEED sets another)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones begin first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # stable: files keep their order


class _FileByFile(LoadFileScheduling):
    """A worker takes a whole file, whose tests share fixtures; of the files APART it takes test by test."""

    def _split_scope(self, nodeid: str) -> str:
        scope = str(super()._split_scope(nodeid))
        return nodeid if scope in APART else scope


@pytest.hookimpl(optionalhook=True)  # not there with `-p no:xdist`
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _FileByFile:
    """How tests are dealt out to workers."""
    return _FileByFile(config, log)


#: what the interpreter calls the beginnings of a process (sys.addaudithook)
_BEGINNINGS = frozenset(
    {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}
)
_begun: list[str] = []


def _note_beginning(event: str, _: object) -> None:
    if event in _BEGINNINGS:
        _begun.append(event)


sys.addaudithook(_note_beginning)


@pytest.fixture(autouse=True)
def _no_process_unasked(request: pytest.FixtureRequest) -> Iterator[None]:
    """A unit test that starts a process says so by its mark, so that `make quick` is what its name says."""
    _begun.clear()
    yield
    unit = "tests/unit/" in request.node.nodeid
    if unit and _begun and not any(map(request.node.get_closest_marker, ("processes", "slow", "verify"))):
        pytest.fail(f"{_begun[0]}: mark the test with @pytest.mark.processes")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(SEED)


def wait_until(condition: Callable[[], object], *, seconds: float = 20, what: str = "the state") -> None:
    """Return as soon as `condition()` is true; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} was not reached within {seconds} s")
        time.sleep(0.005)


@pytest.fixture
def until() -> Callable[..., None]:
    """The function wait_until, for tests that wait for a state."""
    return wait_until
