"""The submission as a whole, deployed to be judged: where it stands now, and how that changes.

What belongs here: the stages of its life and the steps between them. What does not: when a line asks for a step
(session), mixtures with the reference (mixtures).

    NONE ── system() ──> OTHER_REGION ── come_home() ──> NONE ── system() ──> HOME
    any that is ours ── forget() ──> NONE            the next line gets a new one, in the same region
    any that is ours ── hand_over() ──> DISPOSABLE   whoever asked deletes it; the next line gets a new one
    NONE ── system() ──> FOUND                       where the student's own cloud is looked at: never ours to end
"""

from dataclasses import dataclass, field
from enum import Enum

from labkit.grading.systems.clouds import Clouds
from labkit.grading.systems.sources import Sources
from labkit.grading.systems.system import System


class Stage(Enum):
    """Where the submission stands."""

    NONE = "not deployed"
    OTHER_REGION = "deployed in a region that it does not name"
    HOME = "deployed in its own region"
    DISPOSABLE = "in the hands of the check that deletes it"
    FOUND = "found standing in the student's own cloud"


@dataclass
class Whole:
    """The life of the submission's own deployment."""

    sources: Sources
    clouds: Clouds
    stage: Stage = Stage.NONE
    _region: str = field(init=False)
    _system: System | None = None

    def __post_init__(self) -> None:
        self._region = self.sources.task.abroad or self.sources.task.region

    @property
    def may_come_home(self) -> bool:
        """Whether it is judged in another region than its own, until it is told to `come_home`."""
        return not self.sources.task.deployed and self._region != self.sources.task.region

    def system(self) -> System:
        """Where it stands; deployed where it does not. Raises CloudError, DeployError when the trouble is ours."""
        if self._system is None:
            self._system = self._found() if self.sources.task.deployed else self._deployed()
        return self._system

    def come_home(self) -> None:
        """From now on it is judged in its own region."""
        system, self._region = self._system, self.sources.task.region
        if system is not None:
            self.forget(system)
            self.clouds.end(system)

    def forget(self, system: System) -> None:
        """This system is not judged any more; what it stands in is the caller's to end."""
        if system is self._system:
            self._system, self.stage = None, Stage.NONE

    def hand_over(self, system: System) -> bool:
        """Give this system to a check that deletes it; False where it is not the whole, or not ours."""
        if system is not self._system or self.stage is Stage.FOUND:
            return False
        self._system, self.stage = None, Stage.DISPOSABLE
        return True

    def _found(self) -> System:
        system = self.clouds.found_system()
        self.stage = Stage.FOUND
        return system

    def _deployed(self) -> System:
        system = self.clouds.empty_system(self._region)
        self.clouds.deploy(system, self.sources.files)
        self.stage = Stage.OTHER_REGION if self.may_come_home else Stage.HOME
        return system
