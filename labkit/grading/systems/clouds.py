"""Local clouds of one judging: started when a system needs an empty one, used again where they could be emptied.

What belongs here: which cloud a system stands in, and when that cloud ends. What does not: what is deployed into it
(deployments), the server's own life (labkit.cloud.client.lifecycle).
"""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.base.errors import CloudError, EngineMissing, LabError
from labkit.cloud.client.control_client import Endpoint
from labkit.cloud.client.launching import Launch, execute
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.model import Deployment
from labkit.deploy.terraform_command import Setup
from labkit.grading.judging.failure import Failed
from labkit.grading.process.kept import Kept
from labkit.grading.systems.sources import Sources
from labkit.grading.systems.system import System
from labkit.grading.systems.terraform_sandbox import TerraformSandbox


class CloudLease:
    """A local cloud of our own, that ends with us however we end, unless `kept`. Also a context manager."""

    def __init__(self, folder: Path, launch: Launch = execute, *, kept: bool = False) -> None:
        """Starts it; a kept one may be running. Raises CloudError when it does not start."""
        self.kept, self.folder = kept, folder
        self._is_open = not kept
        self._reader, self._writer = (-1, -1) if kept else os.pipe()
        self.cloud = LocalCloud(folder, leash=self._reader, launch=launch)
        try:
            self.endpoint = self.cloud.ensure()
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Stop it and forget what it left. Twice is no error."""
        if not self._is_open:
            return
        try:
            self.cloud.stop()
        finally:
            self._let_go()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _let_go(self) -> None:
        self._is_open = False
        for descriptor in (self._reader, self._writer):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> "CloudLease":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Clouds:
    """The clouds of one judging. `told`: called with each one's endpoint when it is first used."""

    sources: Sources
    launch: Launch
    told: Callable[[Endpoint], None]
    _ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _spare: list[CloudLease] = field(default_factory=list)
    _leases: dict[System, CloudLease] = field(default_factory=dict)
    _started: int = 0
    _systems: int = 0
    #: engines that are not here, by name: nothing is tried with them again
    _missing: dict[str, EngineMissing] = field(default_factory=dict)

    def empty_system(self, region: str, engine: str = "") -> System:
        """A system in an empty cloud of its own, with a folder of its own, not yet deployed.

        Raises CloudError, and EngineMissing once `deploy` has found that the engine is not here.
        """
        if missing := self._missing.get(engine or self.sources.task.engine):
            raise EngineMissing(missing.message, hint=missing.hint) from missing
        lease = self._spare.pop() if self._spare else self._start()
        self._systems += 1
        folder = Path(self.sources.task.work) / f"system-{self._systems}-{region}"
        if lease.kept:
            folder = Kept(Path(self.sources.task.kept)).system
        system = self._make(lease.cloud, lease.endpoint, region, folder, engine)
        self._leases[system] = lease
        return system

    @property
    def lacks_engine(self) -> bool:
        """Whether the submission's own engine has been found not to be here: then nothing more can be deployed."""
        return self.sources.task.engine in self._missing

    def deploy(self, system: System, files: Mapping[str, bytes]) -> Deployment:
        """As System.deploy; where it raises, the trouble is ours, nobody has use for the system, and its cloud is free."""
        try:
            return system.deploy(files)
        except CloudError:
            self.end(system)
            raise
        except LabError as error:
            if isinstance(error, EngineMissing):
                self._missing[system.engine_name] = error
            self.take_back(system)
            raise

    def found_system(self) -> System:
        """What stands in the student's own cloud already, which is not ours to end. Raises CloudError, Failed."""
        task = self.sources.task
        cloud = LocalCloud(Path(task.deployed))
        endpoint = cloud.running()
        if endpoint is None:
            raise CloudError("The local cloud is not running, so nothing stands in it.", hint="./lab deploy")
        self.told(endpoint)
        system = self._make(cloud, endpoint, task.region, Path(task.work) / "found")
        system.adopt(self.sources.files, task.outputs)
        return system

    def holds(self, system: System) -> bool:
        """Whether its cloud is ours to end."""
        return system in self._leases

    def take_back(self, system: System) -> None:
        """Keep its cloud for the next who wants an empty one, when it can be emptied."""
        lease = self._leases.pop(system)
        with contextlib.suppress(Failed, LabError):
            system.destroy()
            if not system.survivors():
                self._spare.append(lease)
                return
        lease.close()

    def end(self, system: System) -> None:
        """Nobody uses the system any more, and its cloud may not be sound: it ends. A kept one is emptied."""
        if self.sources.task.kept:
            self.take_back(system)
        else:
            self._leases.pop(system).close()

    def close(self) -> None:
        """End all of them, and Terraform's sandbox."""
        self._ending.close()

    def _start(self) -> CloudLease:
        self._started += 1
        task = self.sources.task
        keeps = bool(task.kept) and self._started == 1
        folder = Kept(Path(task.kept)).cloud if keeps else Path(task.work) / f"cloud-{self._started}"
        lease = self._ending.enter_context(CloudLease(folder, self.launch, kept=keeps))
        self.told(lease.endpoint)
        return lease

    def _make(
        self, cloud: LocalCloud, endpoint: Endpoint, region: str, folder: Path, engine: str = ""
    ) -> System:
        return System(
            cloud=cloud,
            endpoint=endpoint,
            region=region,
            variant=self.sources.variant,
            submitted=self.sources.submitted,
            folder=folder,
            setup=self._terraform,
            engine_name=engine or self.sources.task.engine,
        )

    @functools.cached_property
    def _terraform(self) -> Setup:
        """Terraform in a sandbox, which begins when it is first used."""
        setup = Setup(Path(self.sources.task.work) / "terraform")
        sandbox = self._ending.enter_context(TerraformSandbox(setup, own=self.sources.task.own))
        return replace(setup, programs=sandbox)
