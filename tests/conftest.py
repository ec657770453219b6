"""Fixtures that every kind of test shares."""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

# What is started in the background ignores Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))


def pytest_report_header() -> str:
    """Say which seed the run uses, so that it can be repeated."""
    return f"seed: {SEED} (LAB_TEST_SEED sets another)"


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
