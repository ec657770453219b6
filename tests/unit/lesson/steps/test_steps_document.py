"""STEPS.md, lab.toml, the launchers and the command line agree."""

import re
from pathlib import Path
from typing import get_args

import pytest

import labkit
from labkit.cli import step_options
from labkit.course.manifest import load
from labkit.lesson.engine import module_of
from labkit.lesson.model import Judged

ROOT = Path(labkit.__file__).parent.parent
TEXT = (ROOT / "STEPS.md").read_text()
MANIFEST = load(ROOT)
SECTIONS = dict(re.findall(r"(?ms)^## Step (\d\d): [^\n]*\n(.*?)(?=^## |\Z)", TEXT))


def test_every_step_has_its_section_in_order() -> None:
    assert list(SECTIONS) == [step.number for step in MANIFEST.steps]


@pytest.mark.parametrize("step", MANIFEST.steps, ids=lambda s: s.number)
def test_a_section_has_its_command_and_the_step_its_launcher(step) -> None:
    assert f"./lab {step.name}" in SECTIONS[step.number]
    launcher = (ROOT / "steps" / f"{step.number}_{step.name}.py").read_text()
    assert step.number in launcher


@pytest.mark.parametrize("part", ["Goal", "Picture", "Time", "By hand", "Checked", "Look at"])
@pytest.mark.parametrize("number", SECTIONS)
def test_a_section_has_each_of_its_parts(number: str, part: str) -> None:
    assert f"**{part}" in SECTIONS[number]
    if part == "Picture":
        assert re.search(r"\*\*Picture\.\*\*[^\n]*\n\n```\n[^`]*──", SECTIONS[number])


@pytest.mark.parametrize("step", MANIFEST.steps, ids=lambda s: s.name)
def test_a_step_declares_its_options_and_whether_it_judges_what_is_deployed(step) -> None:
    module = module_of(step.name)
    assert set(module.OPTIONS) <= step_options.OPTIONS.keys()
    assert module.JUDGES in get_args(Judged)


def test_every_option_is_some_steps() -> None:
    assert {
        name for step in MANIFEST.steps for name in module_of(step.name).OPTIONS
    } == step_options.OPTIONS.keys()


def test_no_line_of_an_example_screen_or_a_picture_is_wider_than_80_columns() -> None:
    """But for a journal's, which are shown as the server's programs wrote them."""
    for block in re.findall(r"(?s)```\n(.*?)```", TEXT):
        for line in block.splitlines():
            assert len(line) <= 80 or re.match(r"[A-Z][a-z]{2} \d\d \d\d:", line), line


def test_the_boxes_of_pictures_are_closed() -> None:
    """The right corners of a box stand in one column."""
    for block in re.findall(r"(?s)```\n(.*?)```", TEXT):
        lines = block.splitlines()
        tops = [
            (n, line.index("┌"), line.rindex("┐")) for n, line in enumerate(lines) if re.search("┌.*┐", line)
        ]
        for n, left, right in tops:
            bottom = next(line for line in lines[n + 1 :] if line[left : left + 1] == "└")
            assert bottom.index("┘") == right, block


def test_the_hand_outs_readme_names_what_there_is() -> None:
    text = (ROOT / "texts" / "README.handout.md").read_text()
    assert "STEPS.md" in text
    assert "solution" not in text.lower()
