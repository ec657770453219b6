"""What comes next, from the records alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import labkit
from labkit.course.manifest import Manifest, load
from labkit.course.workspace import Workspace, Workspaces
from labkit.lesson import progress
from labkit.lesson.context import Context
from labkit.lesson.help.trouble import Trouble
from labkit.lesson.model import CheckResult, Options, Places

MANIFEST: Manifest = load(Path(labkit.__file__).parent.parent)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Of a lab whose cloud does not run."""
    workspace = Workspaces(tmp_path, MANIFEST).generate("ada@uni.edu").workspace
    made = SimpleNamespace(
        manifest=MANIFEST, workspace=workspace, options=Options(), places=Places(tmp_path, tmp_path),
        cloud=SimpleNamespace(running=lambda: None), on_aws=False,
    )  # fmt: skip
    return cast(Context, made)


def do(workspace: Workspace, *numbers: str) -> None:
    for number in numbers:
        workspace.record_step(number)
    if "03" in numbers and "10" not in numbers:
        workspace.save_deployed(engine="cloudformation", target="local", outputs={"VpcId": "vpc-1"})


@pytest.mark.parametrize(
    ("done", "after", "names"),
    [
        ("01", "generate", ["plan"]),
        ("01 03", "deploy", ["wire"]),
        ("00 01 02 03 04 05 06 07", "deploy", ["grade", "compare"]),
        ("01 03 04 05 06 07 08 09", "deploy", ["destroy"]),
        ("01 03 04 05 07", "measure", ["break", ]),
        ("01 03 04 05 06 07 09 10 11", "submit", []),
    ],
)  # fmt: skip
def test_the_next_step_is_the_first_that_is_left(
    context: Context, done: str, after: str, names: list[str]
) -> None:
    do(context.workspace, *done.split())
    found = progress.following(context, MANIFEST.step(after))
    assert [step.name for step in found] == names


def test_after_a_destroy_what_needs_a_lab_begins_with_making_one(context: Context) -> None:
    do(context.workspace, "01", "03", "04", "10")
    assert [step.name for step in progress.following(context, MANIFEST.step("destroy"))] == ["deploy"]


def test_the_step_that_stopped_comes_before_what_was_never_done(context: Context) -> None:
    do(context.workspace, "01", "03", "04")
    Trouble(context.workspace).note("05", CheckResult("x", False, gap="unit"))
    assert [step.name for step in progress.following(context, MANIFEST.step("deploy"))] == ["process"]


@pytest.mark.parametrize("name", ["deploy", "destroy"])
def test_a_step_that_was_interrupted_is_next_until_it_comes_to_its_end(context: Context, name: str) -> None:
    do(context.workspace, "01", "03", "04")
    with pytest.raises(KeyboardInterrupt), progress.under_way(context, MANIFEST.step(name)):
        raise KeyboardInterrupt
    assert progress.interrupted(context) == name
    following = progress.next_step(context)
    assert following is not None
    assert following.name == name
    with progress.under_way(context, MANIFEST.step(name)):
        assert progress.interrupted(context) == name
    assert progress.interrupted(context) == ""


def test_what_was_saved_since_is_deployed_before_it_is_judged(context: Context) -> None:
    do(context.workspace, "01", "03")
    with (context.workspace.path / "flask_app.py").open("a") as file:
        file.write("# changed\n")
    assert [step.name for step in progress.following(context, MANIFEST.step("plan"))] == ["deploy"]
