"""A warm parent stands for the next command, until it is ended, killed, or cannot be found any more."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.grading.process import standing
from labkit.grading.process.starting import Forked

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="forking a loaded Python is safe on Linux only"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder deeper than a socket's address may be long."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "cloud").mkdir()
    yield deep
    standing.end(deep)


def called(folder: Path) -> Forked:
    """The process that answers a command."""
    standing.begin(folder)
    with standing.warm(folder) as parent:
        assert parent is not None
        return parent.standing()


def sockets(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("warm-*")]


@pytest.mark.processes
def test_the_next_command_finds_the_same_and_an_end_is_at_once(folder: Path) -> None:
    first = called(folder)
    (name,) = sockets(folder)
    again = called(folder)
    assert sockets(folder) == [name]
    standing.end(folder)
    first.wait(0)
    again.wait(0)


@pytest.mark.processes
def test_one_that_was_killed_is_replaced(folder: Path) -> None:
    killed = called(folder)
    killed.kill()
    killed.wait(10)
    before = sockets(folder)
    assert called(folder)
    assert sockets(folder) != before


@pytest.mark.processes
def test_it_ends_when_its_folder_is_gone(folder: Path) -> None:
    process = called(folder)
    shutil.rmtree(folder)
    process.wait(10)


@pytest.mark.processes
def test_its_parents_death_names_nobody_else(folder: Path) -> None:
    """Who answers a call is a fork; it must not take for its parent whoever adopts it."""
    standing.begin(folder)
    with standing.warm(folder) as parent:
        assert parent is not None
        first = parent.standing()
        first.kill()
        first.wait(10)
        parent.standing().wait(0)


def test_nobody_there_is_nothing_to_end(folder: Path) -> None:
    standing.end(folder)
    assert sockets(folder) == []
