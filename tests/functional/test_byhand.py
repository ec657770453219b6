"""Every command that the kit prints works when it is pasted into ./lab shell, after the kit has done the same."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.course.manifest import load
from labkit.lesson.help.texts import Texts, fill

ROOT = Path(labkit.__file__).parent.parent
SOLUTION = ("--student", "ada@uni.edu", "--solution")
_AWS = re.compile(r"aws [a-z0-9]+ [a-z-]+(?: --[a-z-]+ [^ ,;.]+)*")
pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.timeout(600)]


def whole(lines: list[str]) -> Iterator[str]:
    """Commands, each on one line: what ends in a backslash goes on."""
    yield from (command.strip() for command in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines())


def paste(lab: Any, commands: list[str]) -> dict[str, str]:
    """Run each in a shell of ./lab shell; gives what those that failed said."""
    failed = {}
    for command in commands:
        shell = lab.base / "paste"
        shell.write_text(f"#!/bin/sh\n{command}\n")
        shell.chmod(0o755)
        run = lab.with_variables(SHELL=str(shell)).run("shell", timeout=200)
        if run.status:
            failed[command] = run.output + run.errors
    return failed


def printed(lab: Any, *arguments: str) -> list[str]:
    """The commands that a step prints."""
    run = lab.run(*arguments, *SOLUTION, "--json", timeout=200)
    found = list(whole(run.result["commands"]))
    assert found, (arguments, run)
    return found


def in_texts(outputs: dict[str, str]) -> set[str]:
    """The complete AWS CLI lines that hints, cards and the glossary name, with the student's values.

    The last hint shows a form on another thing, to be filled in: it names nothing that is there.
    """
    texts = Texts(load(ROOT))
    values = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in outputs.items()}
    said = [tier for hint in texts.hints for tier in hint.tiers[:2]]
    said += [text for card in texts.cards for text in (card.says, *card.arguments.values())]
    said += [f"{term.says} {term.own} {term.unlike}" for term in texts.terms]
    lines = (re.sub(r"\\\n\s*", "", fill(text, values)) for text in said)
    return {found for line in lines for found in _AWS.findall(line)}


@pytest.mark.parametrize("engine", ["cloudformation", "terraform"])
def test_what_the_steps_print_works_when_pasted(lab: Any, engine: str) -> None:
    if engine == "terraform" and not shutil.which("terraform"):
        pytest.skip("no Terraform here")
    assert lab.run("generate", *SOLUTION).status == 0
    assert paste(lab, printed(lab, "plan", "--engine", engine)) == {}
    deploy = printed(lab, "deploy")
    assert paste(lab, deploy) == {}
    again = lab.run("deploy", *SOLUTION, "--json")
    assert not [e for e in again.events if e["kind"] == "resource"], "by hand and by kit are the same"
    for step in ("wire", "process"):
        assert paste(lab, printed(lab, step)) == {}
    assert paste(lab, sorted(in_texts(again.result["facts"]))) == {}
    assert paste(lab, printed(lab, "break", "--fault", "route-gone")) == {}
    while lab.run("break", *SOLUTION, "--undo").status:
        pass
    inside = lab.run("shell", "server").output
    health = re.search(r"curl \S+", inside)
    assert health is not None
    asked = lab.run("shell", "server", "--", "sh", "-c", f"{health[0]} && systemctl status flask-app")
    assert asked.status == 0, asked
    assert "healthy" in asked.output
    lab.run("destroy", *SOLUTION)
    assert lab.run("deploy", *SOLUTION).status == 0
    assert paste(lab, printed(lab, "destroy", "--check")) == {}


def test_creating_by_hand_as_the_document_says(lab: Any) -> None:
    """The indented AWS lines of STEPS.md, in their order, instead of ./lab deploy."""
    assert lab.run("generate", "--student", "ada@uni.edu").status == 0
    lab.run("plan")
    blocks = re.findall(r"(?m)(?:^    aws .*\n(?:^      .*\n)*)+", (ROOT / "STEPS.md").read_text())
    commands = [line for block in blocks for line in whole(block.splitlines())]
    assert len(commands) >= 2
    assert paste(lab, commands) == {}


def test_a_command_that_does_not_work_is_seen(lab: Any) -> None:
    assert lab.run("generate", *SOLUTION).status == 0
    (failed,) = paste(lab, ["aws s3 ls", "aws s3 ls s3://no-such-bucket-here"])
    assert failed.endswith("no-such-bucket-here")
