"""What a step works with: the workspace, the place where it goes, the clients, all made at first use.

What belongs here: putting collaborators together for one run of one step. What does not: what a step does.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.base import state
from labkit.base.errors import StepOrderError, UsageError, WorkspaceError
from labkit.base.events import Emit, Event
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course import course
from labkit.course.manifest import Manifest
from labkit.course.workspace import Workspace, Workspaces
from labkit.deploy.engines import choose, make_engine, refuse_switch
from labkit.deploy.model import Deployment, Engine, Source
from labkit.deploy.targets import ON_AWS, Clients
from labkit.deploy.terraform_command import Setup
from labkit.lesson import aws, roles
from labkit.lesson.model import Options, Places
from labkit.lesson.place import Local, OnAws, Place

_CURRENT = "place.json"


def _nobody(lines: Sequence[str]) -> str:
    raise UsageError("Nobody is here to type the word AWS.", hint="In a script:  ./lab deploy --yes")


@dataclass(frozen=True)
class Context:
    """One run of one step. `ask` shows lines to a person and returns what was typed; it raises where nobody is there."""

    places: Places
    manifest: Manifest
    options: Options
    emit: Emit
    cloud: LocalCloud
    ask: Callable[[Sequence[str]], str] = _nobody

    @functools.cached_property
    def workspaces(self) -> Workspaces:
        """All workspaces below work/."""
        return Workspaces(self.places.base, self.manifest)

    @functools.cached_property
    def workspace(self) -> Workspace:
        """The workspace that the options name, or the current one, as it is at the target.

        Raises WorkspaceError when there is none, or it is broken.
        """
        found = self._any_workspace
        return dataclasses.replace(found, place=self.target) if self.target in ON_AWS else found

    @functools.cached_property
    def _any_workspace(self) -> Workspace:
        return self.workspaces.open(self.options.student, solution=self.options.solution)

    @functools.cached_property
    def target(self) -> str:
        """Where this goes, one of labkit.deploy.targets.NAMES: as asked for, else where this workspace deployed last."""
        return self._remembered() if self.options.target is None else self.options.target

    def _remembered(self) -> str:
        try:
            found: dict[str, str] = state.read_json(self._any_workspace.path / ".lab" / _CURRENT) or {}
        except WorkspaceError:
            return "local"  # nothing is remembered before there are files
        return found.get("target", "local")

    def go_on_at(self, target: str) -> None:
        """From now on this workspace's steps go there, where they are not told otherwise."""
        state.write_json(self._any_workspace.path / ".lab" / _CURRENT, {"target": target})

    def leave(self) -> None:
        """Nothing stands at this target any more: steps go back to the local cloud, if they would have come here."""
        if self._remembered() == self.target:
            self.go_on_at("local")

    @property
    def on_aws(self) -> bool:
        """Whether this goes to AWS itself."""
        return self.target in ON_AWS

    @functools.cached_property
    def arrival(self) -> aws.Arrival:
        """AWS, asked who we are. Raises as aws.arrive does."""
        return aws.arrive(self.target, self.region, self.workspace, self.emit)

    @functools.cached_property
    def clients(self) -> Clients:
        """Clients of the target; the local cloud is started when it is not running. On AWS raises as aws.arrive does."""
        if self.on_aws:
            return self.arrival.clients
        endpoint = self.cloud.ensure(self.emit)
        return Clients(endpoint.target(self.region))

    @functools.cached_property
    def place(self) -> Place:
        """What a step asks of the place besides AWS's API."""
        return OnAws(self.clients, self.emit) if self.on_aws else Local(self.cloud)

    @functools.cached_property
    def region(self) -> str:
        """Where to deploy: as asked for on AWS; the lab's region, or the account's usual one where that is not open to it."""
        usual = self.manifest.region
        if self.on_aws:
            return aws.region(self.target, self.options.region, self.workspace, usual)
        return self.cloud.account.region(usual)

    @property
    def target_words(self) -> str:
        """Where this deploys to, as every screen says it; nothing is asked for that."""
        if self.on_aws:
            return aws.words(self.target, self.region, self.workspace.standing.digits)
        account = self.cloud.account
        return f"local cloud, {account.name} account" if account.role else "local cloud"

    @functools.cached_property
    def own_role(self) -> str:
        """The role that the account lets a lab use instead of its own; "" where it may make roles."""
        if self.on_aws:
            return roles.LAB_ROLE if self.arrival.holder.in_learner_lab else ""
        return self.cloud.account.role

    @functools.cached_property
    def source(self) -> Source:
        """What is deployed: the workspace's files and its choices.

        A choice made once (--lab-role) holds for this workspace and target until another is made, as long as the account
        has that role; an account that lets nobody make roles chooses its own. Raises DeployError as roles.choose does.
        """
        workspace = self.workspace
        choices = roles.choose(self)
        values = {**workspace.variant.parameters(), **choices}
        return Source(workspace.variant.name, workspace.path, values, workspace.variant.tags())

    @functools.cached_property
    def engine_name(self) -> str:
        """The engine that deploys this workspace: the one asked for (and from now on remembered), else the last.

        Raises UsageError for one that the course does not use, OtherEngineStands when another one is asked for while
        something stands.
        """
        name = self.wanted_engine
        if name != self.workspace.standing.engine:
            self.refuse_other_engine()
            self.workspace.save_standing(engine=name)
        return name

    @property
    def wanted_engine(self) -> str:
        """The engine asked for, else the one of before; nothing is remembered. Raises UsageError as engine_name does."""
        return choose(self.options.engine, self.workspace.standing.engine, course.load(self.manifest).engines)

    def refuse_other_engine(self) -> None:
        """Raise OtherEngineStands when what stands was made with another engine than the one wanted."""
        if self.on_aws or self.cloud.running() or self.cloud.kept_since:  # without a cloud nothing stands
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
                "Nothing is deployed yet."
                if deployment.status == "absent"
                else f"Your deployment is not complete: {deployment.reason or 'it failed'}.",
                hint="Do step 03 first:  ./lab deploy",
            )
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
