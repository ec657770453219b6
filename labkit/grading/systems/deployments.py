"""The systems of one judging: the whole, mixtures with the reference, and copies of either for one check.

What belongs here: giving them out, one deploying at a time, and ending them. What does not: what a check may ask for
(labs), each one's life (whole, mixtures, clouds).
"""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labkit.cloud.client.control_client import Endpoint
from labkit.cloud.client.launching import Launch
from labkit.deploy.engines import TITLES
from labkit.grading.judging import lacking
from labkit.grading.systems.clouds import Clouds
from labkit.grading.systems.mixtures import Mixtures
from labkit.grading.systems.sources import Sources
from labkit.grading.systems.system import System
from labkit.grading.systems.whole import Whole


@dataclass
class Deployments:
    """All that is deployed for one judging. `close()` ends it."""

    sources: Sources
    clouds: Clouds
    whole: Whole
    mixtures: Mixtures
    #: one deploys at a time: lines that mostly wait are judged side by side
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def of(cls, sources: Sources, launch: Launch, told: Callable[[Endpoint], None]) -> "Deployments":
        """None deployed yet; `told`: called with the endpoint of each cloud in use."""
        clouds = Clouds(sources, launch, told)
        return cls(sources, clouds, Whole(sources, clouds), Mixtures(sources, clouds))

    def submitted(self) -> System:
        """The submission as it is: deployed where it does not stand, or found standing."""
        with self.lock:
            return self.whole.system()

    def mixture(self, units: Sequence[str], student: Mapping[str, str] | None = None) -> System:
        """As `Mixtures.system`."""
        with self.lock:
            return self.mixtures.system(units, student)

    def disposable(self, system: System, undo: contextlib.ExitStack) -> System:
        """A deployment of this system's files that may be deleted: this one, where it is ours and nobody needs it."""
        if not self.whole.hand_over(system):
            return self.copy(system, self.sources.task.region, undo)
        undo.callback(self.clouds.take_back, system)
        return system

    def copy(self, system: System, region: str, undo: contextlib.ExitStack, engine: str = "") -> System:
        """This system's files, deployed once more into an empty cloud. Raises Failed, NotEmulated."""
        other = self.clouds.empty_system(region, engine)
        deployment = self.clouds.deploy(other, system.files(self.sources.manifest.files.values()))
        undo.callback(self.clouds.take_back, other)
        if deployment.status != "complete":
            by = f" by {TITLES[engine]}" if engine else ""
            raise lacking.failure(
                deployment.reason, f"your files do not deploy into an empty cloud{by}: {deployment.reason}"
            )
        return other

    def end(self, system: System) -> None:
        """Nobody is judged on this system any more: who needs it next gets a new one. A found one stays as it is."""
        if self.clouds.holds(system):
            self.whole.forget(system)
            self.mixtures.forget(system)
            self.clouds.end(system)

    def close(self) -> None:
        """End the clouds."""
        self.clouds.close()
