"""What a step works with: the workspace, the cloud, the clients, all made at first use.

What belongs here: putting collaborators together for one run of one step. What does not: what a step does.
"""

import functools
from dataclasses import dataclass

from labkit.base import state
from labkit.base.errors import StepOrderError
from labkit.base.events import Emit, Event
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course import course
from labkit.course.manifest import Manifest
from labkit.course.workspace import Workspace, Workspaces
from labkit.deploy.engines import choose, make_engine, refuse_switch
from labkit.deploy.model import Deployment, Engine, Source
from labkit.deploy.targets import Clients
from labkit.deploy.terraform_command import Setup
from labkit.lesson.model import Options, Places


@dataclass(frozen=True)
class Context:
    """One run of one step."""

    places: Places
    manifest: Manifest
    options: Options
    emit: Emit
    cloud: LocalCloud

    @functools.cached_property
    def workspaces(self) -> Workspaces:
        """All workspaces below work/."""
        return Workspaces(self.places.base, self.manifest)

    @functools.cached_property
    def workspace(self) -> Workspace:
        """The workspace that the options name, or the current one.

        Raises WorkspaceError when there is none, or it is broken.
        """
        return self.workspaces.open(self.options.student, solution=self.options.solution)

    @functools.cached_property
    def clients(self) -> Clients:
        """Clients of the target; the local cloud is started when it is not running."""
        endpoint = self.cloud.ensure(self.emit)
        return Clients(endpoint.target(self.region))

    @property
    def region(self) -> str:
        """Where to deploy: the lab's region, or the account's usual one where that is not open to it."""
        return self.cloud.account.region(self.manifest.region)

    @property
    def target_words(self) -> str:
        """Where this deploys to, as every screen says it; the cloud need not run for that."""
        account = self.cloud.account
        return f"local cloud, {account.name} account" if account.role else "local cloud"

    @functools.cached_property
    def source(self) -> Source:
        """What is deployed: the workspace's files and its choices.

        A choice made once (--lab-role) holds for this workspace until another is made; an account that lets
        nobody make roles chooses its own.
        """
        workspace = self.workspace
        path = workspace.path / ".lab" / "choices.json"
        choices: dict[str, str] = state.read_json(path) or {}
        if self.options.lab_role is not None:
            choices["lab_role"] = self.options.lab_role
            state.write_json(path, choices)
        if role := self.cloud.account.role:
            choices.setdefault("lab_role", role)  # an account that makes none brings one along
        values = {**workspace.variant.parameters(), **choices}
        return Source(workspace.variant.name, workspace.path, values, workspace.variant.tags())

    @functools.cached_property
    def engine_name(self) -> str:
        """The engine that deploys this workspace: the one asked for (and from now on remembered), else the last.

        Raises UsageError for one that the course does not use, OtherEngineStands when another one is asked for while
        something stands.
        """
        name = self.wanted_engine
        if name != self.workspace.record.engine:
            self.refuse_other_engine()
            self.workspace.save_record(engine=name)
        return name

    @property
    def wanted_engine(self) -> str:
        """The engine asked for, else the one of before; nothing is remembered. Raises UsageError as engine_name does."""
        return choose(self.options.engine, self.workspace.record.engine, course.load(self.manifest).engines)

    def refuse_other_engine(self) -> None:
        """Raise OtherEngineStands when what stands was made with another engine than the one wanted."""
        if self.cloud.running() or self.cloud.kept_since:  # without a cloud nothing stands
            refuse_switch(self.wanted_engine, self.clients, self.source)

    def make_engine(self, name: str) -> Engine:
        """The engine of this name, for this workspace and target; nothing is remembered."""
        return make_engine(name, self.clients, self.source, self.emit, self.terraform)

    @functools.cached_property
    def engine(self) -> Engine:
        """The engine of that name, for this workspace and target. Raises as engine_name does."""
        return self.make_engine(self.engine_name)

    @property
    def terraform(self) -> Setup:
        """Terraform on this machine, with one cache of plug-ins for all workspaces."""
        return Setup(self.places.state / "terraform")

    def deployed(self) -> Deployment:
        """What stands. Raises StepOrderError when nothing does."""
        deployment = self.engine.current()
        if deployment.status != "complete":
            raise StepOrderError(
                "Nothing is deployed yet." if deployment.status == "absent"
                else f"Your deployment is not complete: {deployment.reason or 'it failed'}.",
                hint="Do step 03 first:  ./lab deploy",
            )  # fmt: skip
        return deployment

    def has_done(self, step: str) -> bool:
        """Whether the step of this name is recorded as done in the workspace."""
        return self.manifest.step(step).number in self.workspace.steps_done()

    def note(self, text: str) -> None:
        """Report something worth knowing."""
        self.emit(Event("note", text))

    def progress(self, text: str, done: int, total: int) -> None:
        """Report how far a longer piece of work has come."""
        self.emit(Event("progress", text, {"done": done, "total": total}))
