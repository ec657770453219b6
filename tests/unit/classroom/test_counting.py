"""One result as the course counts it: every report tells the course's mark, and which rubric it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.base.errors import UsageError
from labkit.classroom import counting
from labkit.course import course
from labkit.course.manifest import load
from labkit.grading.model import Result, Verdict, to_json
from labkit.grading.reports import gradescope, html, junit, markdown, terminal
from tests.unit.classroom.rosters import ROOT, result

SESSION = '[lab]\npreset = "session"\n[points]\nscale_to = 50\n'
ALL: dict[str, Callable[[Result], str]] = {
    "terminal": lambda r: "\n".join(text for text, _ in terminal.render(r)), "html": html.render, "junit": junit.render,
    "markdown": lambda r: markdown.render(r).replace("\\", ""), "gradescope": lambda r: json.dumps(gradescope.render(r)),
}  # fmt: skip


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """An instructor's kit as far as marks need it."""
    shutil.copy(ROOT / "lab.toml", tmp_path)
    (tmp_path / "solution").mkdir()
    return tmp_path


def write(kit: Path, text: str) -> Path:
    (kit / "course.toml").write_text(text)
    return kit


@pytest.mark.parametrize("name", [name for name in ALL if name != "junit"])
def test_every_report_says_the_courses_mark(kit: Path, name: str) -> None:
    counted = counting.by_course(result(lost={"bad-download": 0, "door-open": 0}), write(kit, SESSION))
    text = ALL[name](counted)
    assert "of 50 points (course rubric" in text
    assert "84 of 100" not in text
    assert "bad-download:" not in text  # its gap is given: it is folded away, not shown as a loss
    assert "bad-download" in text


def test_junit_has_the_lines_that_count_and_no_others(kit: Path) -> None:
    text = junit.render(counting.by_course(result(lost={"bad-download": 0}), write(kit, SESSION)))
    assert "bad-download" not in text
    assert 'failures="0"' in text


@pytest.mark.parametrize("scale", [50, 100, 7])
def test_gradescopes_sum_is_what_marks_are_out_of(kit: Path, scale: int) -> None:
    text = f'[lab]\npreset = "session"\n[points]\nscale_to = {scale}\n'
    document = gradescope.render(counting.by_course(result(), write(kit, text)))
    scored = [test for test in document["tests"] if "max_score" in test]
    assert sum(round(100 * test["max_score"]) for test in scored) == 100 * scale
    assert document["score"] == scale


def test_without_a_course_a_mark_is_out_of_a_hundred(kit: Path) -> None:
    counted = counting.by_course(result(lost={"door-open": 0}), kit)
    assert "97 of 100 points, and a bonus of 7" in ALL["terminal"](counted)


def test_hints_are_taken_off_and_told(kit: Path) -> None:
    counted = counting.by_course(result(), write(kit, "[hints]\ncost = 0.5\n"), hints=4)
    assert "98 of 100" in ALL["terminal"](counted)
    assert "4 hints, 0.5 each: − 2" in ALL["terminal"](counted).replace("\n  ", " ")


def test_a_class_is_counted_anew_and_what_is_no_mark_is_left_out(kit: Path, tmp_path: Path) -> None:
    """A grading that was killed, and one of some lines, are no marks of 0."""
    lab, folder = load(kit), tmp_path / "class"
    folder.mkdir()
    chosen = course.load(load(write(kit, "[points]\ndoor-narrow = 13\nscale_to = 100\n")))
    with pytest.raises(UsageError, match="no results"):
        counting.moved(lab, chosen, folder)
    results = {
        "ada": result(), "bob": result(lost={"door-narrow": 0}), "cy": result(lost={"door-open": 0}),
        "killed": result().with_line("door-open", Verdict()), "part": result(only=["door-open"]),
    }  # fmt: skip
    for name, each in results.items():
        (folder / f"{name}.json").write_text(json.dumps(to_json(each)))
    (folder / "other.json").write_text("[]")
    said = counting.moved(lab, chosen, folder)
    assert said.startswith("2 of 3 marks would move, the largest by 8.8")
    assert "2 results are no marks" in said
    assert counting.given(lab, chosen, folder)[0]["ada.json"].final == 100
