"""A grading's folder: its own, gone at its end; those of killed ones go with the next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.base.errors import StateError
from labkit.grading.process import scratch

_KILLED = """
import os, signal, sys
from pathlib import Path
from labkit.grading.process import scratch
with scratch.folder(Path(sys.argv[1])) as own:
    (own / "submission").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.processes
def test_what_a_killed_grading_left_goes_with_the_next_and_what_is_in_use_stays(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with scratch.folder(tmp_path) as first:
        assert not left.exists()
        with scratch.folder(tmp_path) as second:
            assert first.exists()
            assert second != first
        assert first.exists()
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_killed_before_it_had_a_lock_goes_too(tmp_path: Path) -> None:
    (tmp_path / "lab-grade-x").mkdir()
    with scratch.folder(tmp_path):
        assert not (tmp_path / "lab-grade-x").exists()


def test_in_a_folder_that_others_write_to_nothing_is_cleared(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "lab-grade-x").mkdir()
    with scratch.folder(tmp_path):
        assert (tmp_path / "lab-grade-x").exists()


@pytest.mark.parametrize("place", ["", "a/b"])
def test_a_folder_is_empty_and_in_its_place(tmp_path: Path, place: str) -> None:
    with scratch.folder(tmp_path / place if place else None) as own:
        assert list(own.iterdir()) == []
        assert own.is_relative_to(tmp_path) == bool(place)


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="can't be written"), scratch.folder(tmp_path / "file" / "grading"):
        os.abort()
