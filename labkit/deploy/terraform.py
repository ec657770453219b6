"""The Terraform engine: the real program with the real provider, in the student's own folder.

What belongs here: which command is run when, and what its end means. What does not: arguments and environment
(labkit.deploy.terraform_command), reading its stream (terraform_stream), advice (terraform_errors).

State, lock file and .terraform/ lie in the student's folder where Terraform itself puts them, so that plain
`terraform plan` or `terraform destroy` there, by hand, goes on with what the kit began, and the other way.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import DeployError
from labkit.base.events import Emit, Event, ignore
from labkit.base.processes import Completed
from labkit.deploy import credentials, terraform_state, terraform_stream
from labkit.deploy.model import Deployment, Finding, Plan, Source
from labkit.deploy.targets import Clients
from labkit.deploy.terraform_command import OWN, Commands, Setup, own_folder
from labkit.deploy.terraform_errors import failed
from labkit.deploy.terraform_stream import Stream

NAME = "terraform"
_TAKEN_BACK = f"the one before it is taken ({terraform_state.BACKUP})."
_NOT_INITIALISED = re.compile(r"\b(terraform|tofu) init\b|required plugins|no package for")


@dataclass(frozen=True)
class Terraform:
    """One student's files at one target."""

    clients: Clients
    source: Source
    emit: Emit
    setup: Setup

    @property
    def engine(self) -> str:
        """The engine's name."""
        return NAME

    def validate(self) -> tuple[Finding, ...]:
        """What is wrong in the .tf files; the provider is fetched when it is not there."""
        self._start("validate")
        stream = self._init_when_needed()
        if stream.errors:
            return tuple(error.finding() for error in stream.errors)
        done = self._quiet(self._commands.validate())
        return tuple(error.finding() for error in terraform_stream.validated(done.output))

    def init(self) -> None:
        """Fetch the provider into the student's folder. Raises DeployError."""
        self._start("validate")
        stream = self._init()
        if stream.errors:
            raise failed("init", stream.errors, stream.other, str(self._log("init")))

    def plan(self) -> Plan:
        """What apply would do now. Raises DeployError when Terraform can't tell."""
        return Plan(NAME, terraform_stream.changes(self.planned()))

    def planned(self) -> Mapping[str, Any]:
        """The same as Terraform's own JSON. Raises DeployError."""
        self._start("plan")
        with own_folder(self.source.folder, "plan-") as folder:
            out = f"{folder}/plan"
            self._streamed("plan", functools.partial(self._commands.plan, out), ignore)
            shown = self._quiet(self._commands.show(out))
        return terraform_stream.read_object(shown.output)

    def tested(self, tests: Path) -> list[Mapping[str, Any]]:
        """What Terraform says when it runs the test files in the folder `tests`, which lies in the source's."""
        self._start("plan")
        with self._commands.test(tests.relative_to(self.source.folder)) as command:
            done = self._quiet(command)
        lines = [line for line in done.output.splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def apply(self) -> Deployment:
        """Make what stands agree with the files; nothing to change is success.

        Emits a "resource" event for each resource begun and ended. Raises DeployError with the first failure.
        """
        self._start("apply")
        try:
            stream = self._streamed("apply", self._commands.apply, self.emit)
        except DeployError as error:
            self._remember_failure(error.message)
            raise
        self._failure.unlink(missing_ok=True)
        return Deployment(NAME, self.source.name, "complete", stream.outputs, changed=stream.changed)

    def current(self) -> Deployment:
        """What stands now: the state's outputs, if the network that they name exists at this target."""
        outputs = self.outputs()
        reason = self._failure_reason()
        if reason:
            return Deployment(NAME, self.source.name, "failed", outputs, changed=False, reason=reason)
        stands = bool(outputs) and self._exists(outputs.get("VpcId", ""))
        return Deployment(
            NAME,
            self.source.name,
            "complete" if stands else "absent",
            outputs if stands else {},
            changed=False,
        )

    def outputs(self) -> dict[str, str]:
        """The outputs in the state, by name; none without a state.

        While the files are broken Terraform does not say them; then the state file itself does.
        """
        if not self._state.is_file():
            return {}
        done = self._quiet(self._commands.output())
        if done.status == 0:
            return terraform_stream.outputs(done.output)
        return terraform_stream.outputs_of_state(self._state)

    def destroy(self) -> None:
        """Destroy everything in the state; no state, or one of things that are gone, is success."""
        if terraform_state.set_aside(self._state):
            self.emit(Event("warning", f"{terraform_state.NAME} can't be read any more; it is moved aside."))
        if self._state.is_file():
            self._start("destroy")
            self._streamed("destroy", self._commands.destroy, self.emit)
        self._failure.unlink(missing_ok=True)

    def buckets(self) -> tuple[str, ...]:
        """The buckets in the state; none without one."""
        known = state.read_json(self._state) if self._state.is_file() else None
        made = [each for each in (known or {}).get("resources", ()) if each.get("mode") == "managed"]
        found = (
            each
            for resource in made
            if resource.get("type") == "aws_s3_bucket"
            for each in resource["instances"]
        )
        return tuple(str(each["attributes"]["bucket"]) for each in found)

    # -- running -------------------------------------------------------------------------------------

    @property
    def _state(self) -> Path:
        return terraform_state.path_of(self.source.folder, self.clients.target)

    @functools.cached_property
    def _commands(self) -> Commands:
        values = {"region": self.clients.target.region, **self.source.choices}
        files = self.source.folder
        return Commands(self.setup.program(), self.setup.folder, files, values, self.setup.lock_seconds)

    @functools.cached_property
    def _environment(self) -> dict[str, str]:
        return self.setup.variables(self.clients.target, self.clients.keys)

    def _start(self, what: str) -> None:
        """Refuse to begin what can't end well."""
        self.setup.folder.mkdir(parents=True, exist_ok=True)
        self.setup.check()
        credentials.require(self.clients, what, self.emit)
        if terraform_state.take_back(self._state):
            self.emit(Event("warning", f"Terraform was stopped while it wrote its state; {_TAKEN_BACK}"))

    def _quiet(self, command: list[str]) -> Completed:
        return self.setup.programs.run(command, self.source.folder, self._environment)

    def _followed(self, what: str, command: list[str], emit: Emit) -> tuple[int, Stream]:
        stream = Stream(emit)
        done = self.setup.programs.follow(
            command, stream.line, self.source.folder, self._environment, self._log(what)
        )
        return done.status, stream

    def _log(self, what: str) -> Path:
        """Where a run's own words go: for each folder and command, the last run."""
        code = hashlib.sha256(str(self.source.folder).encode()).hexdigest()[:8]
        return self.setup.folder / "logs" / f"{self.source.name}-{code}-{what}.jsonl"

    def _streamed(
        self, what: str, command: Callable[[], AbstractContextManager[list[str]]], emit: Emit
    ) -> Stream:
        """Run a command to its end; fetches the provider before it, or again when Terraform asks for it."""
        first = self._init_when_needed()
        if first.errors:
            raise failed("init", first.errors, first.other, str(self._log("init")))
        if terraform_state.is_locked(self._state):  # Terraform waits without a word
            self.emit(Event("note", "Another Terraform is at work on these files; waiting for its end …"))
        with command() as arguments:
            status, stream = self._followed(what, arguments, emit)
            if status and any(_NOT_INITIALISED.search(error.text) for error in stream.errors):
                self._init()
                status, stream = self._followed(what, arguments, emit)
        if status:
            raise failed(what, stream.errors, stream.other, str(self._log(what)))
        return stream

    def _init_when_needed(self) -> Stream:
        return Stream(ignore) if self.setup.programs.is_initialised(self.source.folder) else self._init()

    def _init(self) -> Stream:
        self.emit(Event("note", "Terraform gets its provider ready …"))
        status, stream = self._followed("init", self._commands.init(), ignore)
        if status and not stream.errors:
            raise failed("init", (), stream.other, str(self._log("init")))
        return stream

    # -- what a failed apply leaves ----------------------------------------------------------------------

    @property
    def _failure(self) -> Path:
        target = self.clients.target
        return (
            self.source.folder / OWN / f"terraform-failure{'' if target.is_local else f'-{target.name}'}.json"
        )

    def _remember_failure(self, reason: str) -> None:
        if self._state.is_file():
            state.write_json(
                self._failure, {"reason": reason, "state": terraform_state.fingerprint(self._state)}
            )

    def _failure_reason(self) -> str:
        """Why the last apply failed; "" when it did not, or something was done by hand since."""
        found = state.read_json(self._failure)
        fits = (
            found is not None
            and self._state.is_file()
            and found.get("state") == terraform_state.fingerprint(self._state)
        )
        return str(found["reason"]) if found is not None and fits else ""

    def _exists(self, vpc: str) -> bool:
        """Whether the network is there: a state outlives a local cloud that was stopped."""
        wanted = [{"Name": "vpc-id", "Values": [vpc]}]
        return bool(self.clients.client("ec2").describe_vpcs(Filters=wanted)["Vpcs"])
