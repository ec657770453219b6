"""Hints: chosen by the failing check, one tier after the other, counted, the example not at once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import labkit
from labkit.course.manifest import load
from labkit.course.workspace import Workspaces
from labkit.lesson.help.texts import Hint
from labkit.lesson.help.trouble import Trouble
from labkit.lesson.model import CheckResult

ROOT = Path(labkit.__file__).parent.parent
HINT = Hint("unit", "", ("a question", "the idea", "an example"))
FAILED = CheckResult("x", False, "why", gap="unit")


class Clock:
    """A clock that stands until somebody moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trouble(tmp_path: Path, clock: Clock) -> Trouble:
    return Trouble(Workspaces(tmp_path, load(ROOT), clock=clock).generate("ada@uni.edu").workspace)


def test_the_failing_check_is_remembered_until_its_step_passes(trouble: Trouble) -> None:
    assert trouble.stuck() is None
    trouble.note("05", FAILED)
    trouble.note("05", FAILED)
    stuck = trouble.stuck()
    assert stuck is not None
    assert (stuck.gap, stuck.tries) == ("unit", 2)
    trouble.note("04", None)
    assert trouble.stuck() is not None, "another step's success says nothing about this one"
    trouble.note("05", None)
    assert trouble.stuck() is None


def test_tiers_come_one_after_the_other_and_are_counted(trouble: Trouble) -> None:
    trouble.note("05", FAILED)
    given = [trouble.give(HINT, trouble.stuck()) for _ in range(3)]
    assert [g.tier for g in given] == [1, 2, 2]
    assert "2 more tries" in given[2].waiting
    assert trouble.given() == 2


def test_the_example_comes_after_three_tries(trouble: Trouble) -> None:
    for _ in range(3):
        trouble.note("05", FAILED)
    assert [trouble.give(HINT, trouble.stuck()).tier for _ in range(4)] == [1, 2, 3, 3]
    assert trouble.given() == 3


def test_or_after_ten_minutes(trouble: Trouble, clock: Clock) -> None:
    trouble.note("05", FAILED)
    for _ in range(2):
        trouble.give(HINT, trouble.stuck())
    clock.now += timedelta(minutes=11)
    assert trouble.give(HINT, trouble.stuck()).tier == 3


def test_another_mistake_begins_anew(trouble: Trouble) -> None:
    trouble.note("05", FAILED)
    trouble.note("05", CheckResult("x", False, gap="unit", symptom="boot"))
    stuck = trouble.stuck()
    assert stuck is not None
    assert (stuck.symptom, stuck.tries) == ("boot", 1)
