"""Gaps in a student's files: found, reset, carried into newer templates, without losing a line."""

from pathlib import Path

import pytest

import labkit
from labkit.base.errors import UsageError, WorkspaceError
from labkit.course import gaps
from labkit.course.manifest import load

ROOT = Path(labkit.__file__).parent.parent
MANIFEST = load(ROOT)
TEXT = "one\n# >>> gap unit\nmine\nmore\n# <<< gap unit\ntwo\n  # >>> gap store\n  # <<< gap store\n"


def test_regions_have_line_and_body() -> None:
    found = gaps.regions(TEXT)
    assert (found["unit"].line, gaps.body_of(TEXT, "unit")) == (2, "mine\nmore\n")
    assert gaps.body_of(TEXT, "store") == ""
    assert gaps.body_of(TEXT, "record") is None


def test_another_body_changes_nothing_else() -> None:
    assert gaps.with_body(TEXT, "store", "  new\n") == TEXT.replace(
        "gap store\n  # <<<", "gap store\n  new\n  # <<<"
    )


@pytest.mark.parametrize(
    "text",
    [
        "# >>> gap unit\n",
        "# <<< gap unit\n",
        "# >>> gap unit\n# <<< gap store\n",
        "# >>> gap unit\n# >>> gap store\n# <<< gap unit\n",
        "# >>> gap unit\n# <<< gap unit\n# >>> gap unit\n# <<< gap unit\n",
    ],
)
def test_broken_markers_are_named_with_their_line(text: str) -> None:
    with pytest.raises(WorkspaceError, match=r"Line \d+"):
        gaps.regions(text)


def test_a_gap_whose_markers_are_gone() -> None:
    with pytest.raises(WorkspaceError, match="unit"):
        gaps.with_body("nothing\n", "unit", "")


def test_a_gap_by_name_and_by_number() -> None:
    assert gaps.find(MANIFEST, "3").name == "server-door"
    with pytest.raises(UsageError) as error:
        gaps.find(MANIFEST, "nosuch")
    assert "server-door" in error.value.hint


def test_reset_touches_its_gap_in_every_file_that_has_it() -> None:
    gap = gaps.find(MANIFEST, "server-door")
    starter = dict.fromkeys(gap.files.values(), b"a\n# >>> gap server-door\nstart\n# <<< gap server-door\n")
    mine = dict.fromkeys(gap.files.values(), b"changed\n# >>> gap server-door\nmine\n# <<< gap server-door\n")
    wanted = b"changed\n# >>> gap server-door\nstart\n# <<< gap server-door\n"
    assert gaps.reset(gap, mine, starter) == dict.fromkeys(gap.files.values(), wanted)
    assert gaps.reset(gap, dict.fromkeys(gap.files.values(), wanted), starter) == {}


def test_an_update_keeps_gaps_and_renews_the_rest() -> None:
    mine = {"f": b"old\n# >>> gap unit\nmine\n# <<< gap unit\n"}
    new = {
        "f": b"new\n# >>> gap unit\nstart\n# <<< gap unit\n# >>> gap store\nx\n# <<< gap store\n",
        "g": b"added\n",
    }
    carried = gaps.carry(mine, new)
    assert carried["f"] == b"new\n# >>> gap unit\nmine\n# <<< gap unit\n# >>> gap store\nx\n# <<< gap store\n"
    assert carried["g"] == b"added\n"


def test_the_diff_names_both_sides() -> None:
    lines = list(gaps.differences({"f": b"a\n"}, {"f": b"b\n"}))
    assert lines[:2] == ["--- starter/f", "+++ yours/f"]
    assert {"-a", "+b"} <= set(lines)
    assert list(gaps.differences({"f": b"a\n"}, {"f": b"a\n"})) == []
