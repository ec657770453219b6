"""The rehearsal of AWS: one's own files through the steps that deploy, look, send, measure and destroy, as on AWS.

What belongs here: where its copy of the files lies, and the order of the steps. What does not: the stage on which it is played
(labkit.cloud.client.rehearsal), the steps.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.base import state
from labkit.base.errors import LabError
from labkit.base.events import Event
from labkit.course.workspace import Workspace, Workspaces
from labkit.deploy.terraform_command import Setup
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places

#: steps, in their order, each with its options; the last one is run whatever became of the others
STORY: Mapping[str, Mapping[str, float]] = {
    "plan": {},
    "deploy": {},
    "wire": {},
    "process": {},
    "measure": {"seconds": 5.0, "rate": 2.0},
    "destroy": {},
}
#: what a kind of account is called as a target
TARGETS = {"full": "aws", "learner-lab": "learner-lab"}


@dataclass(frozen=True)
class Stage:
    """Where a rehearsal is played: `places` for its copy of the files, `folder` for its network and cloud."""

    places: Places
    folder: Path


def prepare(places: Places, workspace: Workspace, workspaces: Workspaces, engine: str) -> Stage:
    """A fresh copy of the workspace's files, which is not what stands anywhere. What a former rehearsal left is gone."""
    own = Places(places.root, places.state / "rehearsal" / "base")
    if own.work.exists():
        shutil.rmtree(own.work)
    made = workspaces.at(own.base).generate(workspace.variant.student, solution=workspace.solution).workspace
    for name, data in workspace.files().items():
        state.write_bytes(made.path / name, data)
    made.save_record(engine=engine)
    return Stage(own, places.state / "rehearsal" / "stage")


def variables(given: Mapping[str, str], places: Places, stage: Stage) -> dict[str, str]:
    """The environment of the play: its own base, and the providers that this lab has fetched, since there is no way out."""
    plugins = Setup(places.state / "terraform").plugins
    mirror = {"LAB_TF_MIRROR": str(plugins)} if plugins.is_dir() and not given.get("LAB_TF_MIRROR") else {}
    return {**given, **mirror, "LAB_BASE": str(stage.places.base)}


@dataclass(frozen=True)
class Played:
    """One step of it: whether it ended well, and in how many seconds."""

    step: str
    passed: bool
    seconds: float


def play(context: Context, account: str) -> Iterator[Played]:
    """Run the steps as on AWS, each to its end; after one that stops, only the last one, which leaves nothing."""
    stopped = False
    for name, extra in STORY.items():
        if stopped and name != "destroy":
            continue
        began = time.monotonic()
        options = replace(context.options, target=TARGETS[account], yes=True, extra=extra)
        passed = _run(_again(context, options), name)
        stopped = stopped or not passed
        yield Played(name, passed, time.monotonic() - began)


def _again(context: Context, options: Options) -> Context:
    """A context of its own for each step, as for each command that a student types."""
    return replace(context, options=options)


def _run(context: Context, name: str) -> bool:
    try:
        result = run_step(context, name)
    except LabError as error:
        context.emit(Event("check", f"{name}: {error.message}", {"passed": False}))
        context.note(error.hint)
        return False
    for check in (check for check in result.checks if not check.passed):
        context.note(check.hint)
    return result.passed
