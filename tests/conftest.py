"""Fixtures that every kind of test shares."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

# What is started in the background ignores Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))


def pytest_report_header() -> str:
    """Say which seed the run uses, so that it can be repeated."""
    return f"seed: {SEED} (LAB_TEST_SEED sets another)"


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones begin first; a file's tests stay together and share its fixtures, but for those marked apart."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # stable: files keep their order
    for item in items:
        if not item.get_closest_marker("apart"):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))


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
