"""Gap texts found, replaced and mixed."""

import pytest

from labkit.course.markers import bodies, with_bodies
from labkit.grading.systems.gaps import NoSuchText, mixed

GAPS = """  # >>> gap store
  {store}
  # <<< gap store
middle
# >>> gap record
{record}
# <<< gap record
"""
STUDENT = {
    "app.txt": "mine\n" + GAPS.format(store="bad()", record="row()"),
    "other.txt": "all mine\n",
}
REFERENCE = {
    "app.txt": "given\n" + GAPS.format(store="good()", record="right()"),
    "other.txt": "reference\n",
}


def test_bodies_by_name() -> None:
    assert bodies(STUDENT["app.txt"]) == {"store": "  bad()\n", "record": "row()\n"}


def test_only_the_named_gap_is_replaced() -> None:
    text = with_bodies(REFERENCE["app.txt"], {"store": "  x()\n"})
    assert bodies(text) == {"store": "  x()\n", "record": "right()\n"}


def test_a_gap_alone() -> None:
    files = mixed(STUDENT, REFERENCE, ["store"])
    assert bodies(files["app.txt"]) == {"store": "  bad()\n", "record": "right()\n"}
    assert files["app.txt"].startswith("given\n")
    assert files["other.txt"] == "reference\n"


def test_what_was_given_with_the_references_gaps() -> None:
    files = mixed(STUDENT, REFERENCE, ["given"])
    assert bodies(files["app.txt"]) == bodies(REFERENCE["app.txt"])
    assert files["app.txt"].startswith("mine\n")
    assert files["other.txt"] == "all mine\n"


def test_given_and_a_gap() -> None:
    files = mixed(STUDENT, REFERENCE, ["given", "record"])
    assert bodies(files["app.txt"]) == {"store": "  good()\n", "record": "row()\n"}


def test_given_text_of_one_file_and_a_gap() -> None:
    files = mixed(STUDENT, REFERENCE, ["given:app.txt", "record"])
    assert bodies(files["app.txt"]) == {"store": "  good()\n", "record": "row()\n"}
    assert files["app.txt"].startswith("mine\n")
    assert files["other.txt"] == "reference\n"


def test_a_whole_file_stays_as_it_is() -> None:
    student = {**STUDENT, "app.txt": STUDENT["app.txt"].replace("\n", "\r\n")}
    assert mixed(student, REFERENCE, ["app.txt"])["app.txt"] == student["app.txt"]


def test_line_ends_of_windows_do_not_count_in_gaps() -> None:
    student = {**STUDENT, "app.txt": STUDENT["app.txt"].replace("\n", "\r\n")}
    assert mixed(student, REFERENCE, ["store"]) == mixed(STUDENT, REFERENCE, ["store"])


@pytest.mark.parametrize("units", [["store"], ["given"]])
def test_markers_that_are_gone_are_named(units: list[str]) -> None:
    student = {**STUDENT, "app.txt": STUDENT["app.txt"].replace("# <<< gap store", "")}
    with pytest.raises(NoSuchText, match=r"app\.txt.*gap store"):
        mixed(student, REFERENCE, units)


@pytest.mark.parametrize("unit", ["app.txt", "given", "record"])
def test_a_file_that_is_missing_is_named(unit: str) -> None:
    with pytest.raises(NoSuchText, match=r"app\.txt was not handed in"):
        mixed({"other.txt": ""}, REFERENCE, [unit])


def test_markers_inside_markers_are_refused() -> None:
    student = {"app.txt": STUDENT["app.txt"].replace("bad()", "# >>> gap record\n  evil()"), "other.txt": ""}
    with pytest.raises(NoSuchText, match=r"app\.txt the gaps can't be told apart"):
        mixed(student, REFERENCE, ["record"])
