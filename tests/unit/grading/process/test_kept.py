"""What is kept between judgings of a gap is used again only by the same, and only after a good end."""

from pathlib import Path

import pytest

from labkit.base.errors import StateError
from labkit.grading.process import kept

ADA = {"student": "ada@uni.edu", "engine": "cloudformation"}


def trace(folder: Path, whose: dict[str, str], *, good: bool) -> bool:
    """Whether a file that an earlier use has left is found by this use, which leaves one."""
    with kept.use(folder, whose) as place:
        mine = place.system / "main.tf"
        found = mine.exists()
        place.system.mkdir(exist_ok=True)
        mine.touch()
        if good:
            place.is_good()
    return found


def test_the_same_finds_what_it_left_after_a_good_end(tmp_path: Path) -> None:
    assert [trace(tmp_path / "k", ADA, good=good) for good in (True, True, False, True)] == [
        False,
        True,
        True,
        False,
    ]


def test_another_finds_nothing(tmp_path: Path) -> None:
    assert not trace(tmp_path / "k", ADA, good=True)
    assert not trace(tmp_path / "k", {**ADA, "engine": "terraform"}, good=True)


def test_what_fails_in_the_body_is_no_trouble_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError), kept.use(tmp_path / "kept", ADA):
        raise ConnectionRefusedError


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="can't be written"), kept.use(tmp_path / "file" / "kept", ADA):
        pass
