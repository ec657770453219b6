"""Every screen says where it looks: the local cloud, or AWS. Walks all commands, so a new one is met here."""

import argparse
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.cli.main import _parser
from labkit.course.manifest import load

STEPS = [s.name for s in load(Path(labkit.__file__).parent.parent).steps if s.name not in ("doctor", "grade")]
SOLUTION = ("--student", "ada@uni.edu", "--solution")
pytestmark = pytest.mark.slow
LOCAL, AWS = "· local cloud", "· AWS, ap-south-1"

#: command → a line of it, and the words with which its first line ends
BANNERS = {
    "step": ("step 03 --check", LOCAL),
    **{name: (f"{name} --check", LOCAL) for name in STEPS},
    "hint": ("hint unit", LOCAL),
    "gap": ("gap server-door", LOCAL),
    "what": ("what security-group", LOCAL),
    "card": ("card iam-policy", LOCAL),
    "diff": ("diff unit", LOCAL),
    "reset": ("reset unit", LOCAL),
    "logs": ("logs boot", LOCAL),
    "update": ("update", LOCAL),
    "cloud": ("cloud mend", LOCAL),
    "sweep": ("sweep", f"{LOCAL}, ap-south-1"),
    "evidence": ("evidence", AWS),
}
#: command → a line of it whose text says where, without a banner
SAYS = {
    "cloud start": "The local cloud answers at",
    "cloud status": "The local cloud answers at",
    "": "target: local cloud, running",
}
#: commands that take long, or wait for Ctrl-C: tested below and elsewhere
LONG = {"grade", "demo", "parity", "open", "shell", "rehearse", "forward"}
#: what is about the kit's files alone
NOWHERE = {"help", "handout", "course", "class", "dev", "ta", "help-me", "watch", "skip", "unlock"}


def commands() -> set[str]:
    """Every command of the command line."""
    (found,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return set(found.choices)


@pytest.fixture(scope="module")
def lab(new_lab: Any) -> Iterator[Any]:
    """A lab with the reference's files and a cloud, in which nothing is deployed; no credentials for AWS."""
    made = new_lab().with_variables(AWS_EC2_METADATA_DISABLED="true")
    assert made.run("generate", *SOLUTION).status == 0
    assert made.run("cloud", "start").status == 0
    yield made
    made.stop()


def test_every_command_is_walked() -> None:
    assert commands() == set(BANNERS) | LONG | NOWHERE


@pytest.mark.parametrize("name", BANNERS)
def test_the_first_line_says_where(lab: Any, name: str) -> None:
    line, ending = BANNERS[name]
    told = lab.run(*line.split(), "--plain")
    assert "inside the kit" not in told.output, told
    assert told.output.strip().splitlines()[0].endswith(ending), told


@pytest.mark.parametrize("name", ["gap", "logs", "evidence", "sweep", "cloud", "deploy"])
def test_programs_get_it_as_a_field(lab: Any, name: str) -> None:
    line, ending = BANNERS[name]
    begun = lab.run(*line.split(), "--json").events[0]
    assert begun["target"] == ending.removeprefix("· ")


@pytest.mark.parametrize("line", SAYS)
def test_or_its_text_does(lab: Any, line: str) -> None:
    assert SAYS[line] in lab.run(*line.split()).output


def test_in_json_the_overview_has_the_field(lab: Any) -> None:
    assert lab.run("--json").result["target"] == "local cloud"


def test_asking_aws_is_told_before_it_is_asked(lab: Any) -> None:
    for words in (["sweep", "--target", "aws"], ["cloud", "trace", "a", "b", "1", "--aws", "ap-south-1"]):
        assert lab.run(*words, "--plain").output.strip().splitlines()[0].endswith(AWS)


def test_a_learner_lab_is_told_by_name(new_lab: Any) -> None:
    made = new_lab()
    try:
        assert made.run("cloud", "start", "--account", "learner-lab").status == 0
        assert "What vpc · local cloud, learner-lab account" in made.run("what", "vpc").output
    finally:
        made.stop()


def test_the_page_and_the_shell_say_it_as_well(lab: Any) -> None:
    opened = lab.start("open", "--no-browser")
    try:
        assert opened.stdout is not None
        assert (opened.stdout.readline(), opened.stdout.readline()) == ("\n", f"Open {LOCAL}\n")
    finally:
        opened.send_signal(signal.SIGTERM)
        opened.communicate(timeout=20)
    assert "mean the local cloud" in lab.with_variables(SHELL="/bin/true").run("shell").output


def test_where_there_is_no_hint_the_step_is_named(lab: Any) -> None:
    assert lab.run("submit").status == 1
    said = lab.run("hint", "--plain")
    assert said.status == 2
    assert "There is no hint for this: there is none." in said.output
    assert "./lab submit" in said.output
