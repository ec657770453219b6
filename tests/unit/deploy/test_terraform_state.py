"""What a kill in the middle of Terraform's writing leaves is taken back; everything else is left alone."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.deploy import terraform_state

WHOLE, BEFORE = '{"version": 4, "serial": 7}', '{"version": 4, "serial": 3}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / terraform_state.BACKUP).write_text(BEFORE)
    return tmp_path / terraform_state.NAME


@pytest.mark.parametrize("written", ["", WHOLE[:9], WHOLE[:-1]])
def test_a_state_written_in_part_is_the_backup_again(path: Path, written: str) -> None:
    path.write_text(written)
    assert terraform_state.take_back(path)
    assert path.read_text() == BEFORE
    assert not terraform_state.take_back(path)


def test_a_whole_state_is_left_alone(path: Path) -> None:
    path.write_text(WHOLE)
    assert not terraform_state.take_back(path)
    assert path.read_text() == WHOLE


def test_no_state_stays_none(path: Path) -> None:
    assert not terraform_state.take_back(path)
    assert not path.exists()


@pytest.mark.parametrize("backup", [None, "", BEFORE[:5]])
def test_without_a_whole_backup_nothing_is_changed(path: Path, backup: str | None) -> None:
    path.write_text("")
    path.with_name(terraform_state.BACKUP).unlink()
    if backup is not None:
        path.with_name(terraform_state.BACKUP).write_text(backup)
    assert not terraform_state.take_back(path)
    assert path.read_text() == ""


@pytest.mark.processes
def test_one_that_another_writes_is_left_to_it(path: Path) -> None:
    path.write_text("")
    code = (
        "import sys; from labkit.deploy import terraform_state as t; print(t.take_back(t.Path(sys.argv[1])))"
    )
    with path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
    assert done.stdout == "False\n"
    assert path.read_text() == ""


def test_a_state_nested_without_end_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfstate").write_text("[" * 100_000)
    (tmp_path / "terraform.tfstate.backup").write_text("{}")
    assert terraform_state.take_back(tmp_path / "terraform.tfstate")
    assert (tmp_path / "terraform.tfstate").read_text() == "{}"


def test_a_state_that_nobody_can_read_is_moved_aside_and_a_readable_one_never(path: Path) -> None:
    path.write_text(WHOLE[:9])
    assert not terraform_state.set_aside(path), "the backup can be read: it is taken back instead"
    path.with_name(terraform_state.BACKUP).unlink()
    assert terraform_state.set_aside(path)
    assert (path.exists(), path.with_name("terraform.tfstate.broken").read_text()) == (False, WHOLE[:9])
    path.write_text(WHOLE)
    assert not terraform_state.set_aside(path)
