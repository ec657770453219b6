"""One deployment that is judged: files, built and deployed by an engine into a local cloud.

What belongs here: bringing files to life and back. What does not: which files (deployments), which cloud (clouds),
what is looked at (probes).
"""

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.base.errors import CloudError, DeployError, EngineError, TemplateError
from labkit.base.events import Event, ignore
from labkit.cloud.client.control_client import Endpoint
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.build import FOLDER, build, write_build
from labkit.course.variant import Variant
from labkit.deploy import inventory
from labkit.deploy.engines import make_engine
from labkit.deploy.model import Deployment, Engine, Finding, Plan, Source
from labkit.deploy.removing import cleanup, survivors
from labkit.deploy.targets import ANONYMOUS, Clients, Keys, Target
from labkit.deploy.terraform_command import Setup
from labkit.grading.intake import refusal
from labkit.grading.judging import blame, lacking
from labkit.grading.judging.failure import Failed
from labkit.grading.probes.server import Server
from labkit.grading.process.scratch import unwritten

TEMPLATE = "cloudformation-template.yaml"


def words_of(faults: Counter[str]) -> str:
    """Faults in words."""
    return ", ".join(sorted(faults))


#: seconds that a boot script has; the lab's takes one or two, and waits for its server for one minute at most, on the
#: slowest machine. A line may wait for it in two regions, and a line is given up after LINE_SECONDS (runner)
BOOT_PATIENCE = 80.0
#: a script that waits for a unit to start is looked at so many times more, with so much time between
_START_LOOKS, _LOOK_SECONDS = 3, 2.0


@dataclass(eq=False)
class System:
    """Files of one student in one region of one cloud; each is itself alone, whatever stands in it.

    `submitted` are the student's own files as text, whatever is deployed; `folder` is where files and build lie;
    `setup`: Terraform, as far as files of others may use it.
    """

    cloud: LocalCloud
    endpoint: Endpoint
    region: str
    variant: Variant
    submitted: Mapping[str, str]
    folder: Path
    setup: Setup
    engine_name: str = "cloudformation"
    deployment: Deployment = field(init=False)
    _booted: bool = False

    def __post_init__(self) -> None:
        self.deployment = Deployment(self.engine_name, self.variant.name, "absent", reason="not deployed")

    # -- deploying --------------------------------------------------------------------------------------

    def deploy(self, files: Mapping[str, bytes]) -> Deployment:
        """Build and deploy these files; the server may still be booting when this returns (see `await_boot`).

        A refusal (of the build, of the engine) is the deployment's status "failed" with its reason, not an error.
        Raises CloudError, DeployError when the trouble is ours: the cloud's, or an engine that is not here.
        """
        faults = self.new_faults()
        try:
            self._write(files)
            write_build(self.folder / FOLDER, build(files, self.variant))
            self._booted = False
            self.deployment = self._engine.apply()
        except EngineError:
            raise
        except (TemplateError, DeployError) as error:
            self.deployment = self._undeployed(error.message)
        except OSError as error:
            failed = blame.failure(error)
            if failed is None:
                raise unwritten(error, self.folder) from error
            self.deployment = self._undeployed(failed.reason)
        if self.deployment.status != "complete" and (new := faults()):
            raise CloudError(f"The local cloud failed while the files were deployed: {words_of(new)}.")
        return self.deployment

    def _undeployed(self, reason: str) -> Deployment:
        return Deployment(self.engine_name, self.variant.name, "failed", outputs={}, reason=reason)

    def new_faults(self) -> Callable[[], Counter[str]]:
        """What the cloud itself fails in from now on, and how often; a cloud that has ended can't tell."""
        before = Counter(self.cloud.ask("GET", "faults"))

        def since() -> Counter[str]:
            with contextlib.suppress(CloudError):
                return Counter(self.cloud.ask("GET", "faults")) - before
            return Counter({"the cloud has ended": 1})

        return since

    def files(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those of the files that were there to be deployed."""
        return {name: (self.folder / name).read_bytes() for name in names if (self.folder / name).is_file()}

    def adopt(self, files: Mapping[str, bytes], outputs: Mapping[str, str]) -> Deployment:
        """Take what stands already of these files, changing nothing; `outputs` where its engine's state is not here.

        Raises Failed for files that the engine is not given.
        """
        self._write(files)
        with contextlib.suppress(TemplateError):  # what stands is judged, whatever became of the files since
            write_build(self.folder / FOLDER, build(files, self.variant))
        with _failing():
            known = Deployment(self.engine_name, self.variant.name, "complete", outputs, changed=False)
            self.deployment = known if self.engine_name == "terraform" and outputs else self._engine.current()
        return self.deployment

    def redeploy(self) -> bool:
        """Deploy the same files again; whether anything had to change. Raises Failed when that fails."""
        with _failing():
            return self._engine.apply().changed

    def destroy(self, *, stop_after: int = 0) -> None:
        """Delete everything, as the kit's step 10 does; after `stop_after` events (if not 0) walk away.

        Of a deployment that did not come to its end, what the engine does not know is deleted by name and tag. Raises
        Failed when the engine can't delete it.
        """
        engine = self._engine_telling(_Leaving(stop_after) if stop_after else ignore)
        with _failing(), contextlib.suppress(_Left):
            for bucket in cleanup.own_buckets(self.clients, engine, self.variant.name):
                survivors.empty_bucket(self.clients, bucket)
            engine.destroy()
            if self.deployment.status != "complete":
                cleanup.delete(self.clients, prefix=self.variant.name, tag_value=self._tag)

    def buckets(self) -> tuple[str, ...]:
        """The buckets that the engine made. Raises Failed when it can't tell."""
        with _failing():
            return self._engine.buckets()

    def inventory(self) -> inventory.Inventory:
        """What stands, by its role."""
        return inventory.read(self.eye, prefix=self.variant.name, tag_value=self.variant.code)

    def survivors(self) -> list[str]:
        """What is still there that belongs to the student."""
        found = survivors.find(self.eye, prefix=self.variant.name, tag_value=self._tag)
        return [f"{each.service} {each.kind} {each.identifier}" for each in found]

    @property
    def _tag(self) -> str:
        return self.variant.tags()[survivors.TAG]

    def validate(self) -> tuple[Finding, ...]:
        """What the engine finds wrong in the files. Raises Failed for files that it is not given."""
        with _failing():
            return self._engine.validate()

    def plan(self) -> Plan:
        """What an apply would do now. Raises Failed when the engine refuses the files."""
        with _failing():
            return self._engine.plan()

    def _write(self, files: Mapping[str, bytes]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def await_boot(self) -> None:
        """Wait, once for each deployment, until the server's boot script has ended; not for one that does not end."""
        instance = self.deployment.outputs.get("InstanceId")
        if instance and not self._booted:
            with contextlib.suppress(CloudError):  # no such instance: an output may say anything
                self._await_boot(instance)
            self._booted = True

    def _await_boot(self, instance: str) -> None:
        """Until the script has ended, or has waited for long enough for a unit that will not say that it has started.

        systemd itself waits for 90 s, and what a unit of Type=notify or forking serves meanwhile is worth looking at.
        """
        deadline, starting = time.monotonic() + BOOT_PATIENCE, 0
        while time.monotonic() < deadline and starting < _START_LOOKS:
            about = self.cloud.await_boot(instance, _LOOK_SECONDS if starting else BOOT_PATIENCE / 4)
            if about["state"] != "running-user-data":
                return
            waits = any(unit["sub"] == "start" for unit in about["units"].values())
            serves = waits and Server(self.cloud, self.clients, instance, self.variant.port).is_healthy()
            starting = starting + 1 if serves else 0

    @property
    def _engine(self) -> Engine:
        return self._engine_telling(ignore)

    def _engine_telling(self, emit: Any) -> Engine:
        if self.engine_name == "terraform":
            self._look_over()
        source = Source(self.variant.name, self.folder, self.variant.parameters(), self.variant.tags())
        return make_engine(
            self.engine_name,
            self.clients,
            source,
            emit,
            self.setup,
        )

    def _look_over(self) -> None:
        """Terraform gets nothing that was not read and found harmless, sandbox or not. Raises DeployError."""
        texts = {
            str(path.relative_to(self.folder)): path.read_bytes().decode("utf-8", "replace")
            for path in self.folder.rglob("*")
            if refusal.is_terraforms(path.name) and not _is_made(path.relative_to(self.folder))
        }
        found = refusal.find(texts)
        if found:
            raise DeployError(
                str(found[0]), hint="Remove it, or write it plainly: this lab needs nothing of the kind."
            )

    # -- after a check that disturbed it ------------------------------------------------------------------

    def active_units(self) -> frozenset[str]:
        """The units of the server that are up, once it has booted."""
        self.await_boot()
        with contextlib.suppress(CloudError):
            units = self.cloud.instance(self.deployment.outputs.get("InstanceId", "none"))["units"]
            return frozenset(name for name, unit in units.items() if unit["state"] == "active")
        return frozenset()

    def revive(self, units: frozenset[str]) -> None:
        """Bring back what a check has ended and the student's own means did not, for the checks that follow."""
        down = units - self.active_units()
        with contextlib.suppress(CloudError):
            if down:
                self.cloud.output_inside(
                    self.deployment.outputs["InstanceId"], ["systemctl", "start", *sorted(down)]
                )

    # -- looking ----------------------------------------------------------------------------------------

    @functools.cached_property
    def clients(self) -> Clients:
        """AWS clients of the account's administrator, who deploys and deletes; policies bind it."""
        return Clients(self._target)

    @functools.cached_property
    def eye(self) -> Clients:
        """AWS clients of the grader, who sees and changes what it must whatever a policy says."""
        return Clients(self._target, Keys(*self.cloud.ask("POST", "overseer")))

    @property
    def template_text(self) -> str:
        """The CloudFormation template as it was built, "" when there is none."""
        path = self.folder / FOLDER / TEMPLATE
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def denials(self, since: float = 0.0) -> list[Mapping[str, Any]]:
        """What the AWS API has refused since then (seconds of the epoch), oldest first; none where it has ended."""
        with contextlib.suppress(CloudError):
            return [each for each in self.cloud.ask("GET", "denials") if each["at"] >= since]
        return []

    def physical_ids(self) -> dict[str, str]:
        """Logical id → physical id of everything in the stack; {} when there is none."""
        from botocore.exceptions import ClientError

        pages = self.eye.client("cloudformation").get_paginator("list_stack_resources")
        try:
            summaries = pages.paginate(StackName=self.variant.name)
            found = [r for page in summaries for r in page["StackResourceSummaries"]]
        except ClientError:
            return {}
        return {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in found}

    def parameters(self) -> dict[str, str]:
        """The pseudo parameters of CloudFormation here."""
        from labkit.aws.addresses import ACCOUNT_ID

        return {
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Partition": "aws",
            "AWS::StackName": self.variant.name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def clients_of(self, role: str, session: str) -> Clients:
        """AWS clients of a role's session of this name. Raises Failed when there is no such role."""
        import json

        if not role:
            raise Failed("there is no role", hint="does your server have an instance profile with a role?")
        try:
            keys = self.cloud.ask(
                "POST", "credentials", json.dumps({"role": role, "session": session}).encode()
            )
        except CloudError as error:
            raise Failed(f"there is no role {role}", found=error.message) from error
        return Clients(
            self._target, Keys(keys["access_key_id"], keys["secret_access_key"], keys["session_token"])
        )

    def anonymous(self) -> Clients:
        """AWS clients that sign nothing."""
        return Clients(self._target, ANONYMOUS)

    @property
    def _target(self) -> Target:
        return self.endpoint.target(self.region)


def _is_made(path: Path) -> bool:
    """Whether the kit's build, or Terraform, has made the file: neither is the submission's."""
    return path.parts[0] == FOLDER or path.parts[0].startswith(".")


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """A refusal by the engine is the files' failure, Failed; what the engine itself lacks is ours, and stays as it is."""
    try:
        yield
    except EngineError:
        raise
    except DeployError as error:
        raise lacking.failure(error.message, hint=error.hint) from error


class _Left(Exception):
    """The client has walked away."""


@dataclass
class _Leaving:
    """A listener that walks away after so many resource events."""

    after: int
    seen: int = 0

    def __call__(self, event: Event) -> None:
        self.seen += event.kind == "resource"
        if self.seen >= self.after:
            raise _Left
