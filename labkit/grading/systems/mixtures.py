"""The reference system with some of the submission's text in it: deployed for lines that are tried alone.

What belongs here: which mixture stands, and what does not deploy. What does not: the texts (sources).
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labkit.course.rubric import GIVEN
from labkit.deploy.model import Deployment
from labkit.grading.judging import lacking
from labkit.grading.judging.failure import Failed, Untried
from labkit.grading.systems import gaps
from labkit.grading.systems.clouds import Clouds
from labkit.grading.systems.sources import Sources
from labkit.grading.systems.system import System

#: of given text that are taken back, one at a time, to find the one that keeps it from deploying
_MOST_CHANGES = 6


@dataclass(frozen=True)
class _Standing:
    """The mixture that stands, and its texts."""

    system: System
    texts: Mapping[str, str]


@dataclass
class Mixtures:
    """One mixture stands at a time, for as long as the lines that come want the same one."""

    sources: Sources
    clouds: Clouds
    _standing: _Standing | None = None
    #: those that do not deploy into an empty cloud, and why
    _undeployable: dict[str, str] = field(default_factory=dict)

    def system(self, units: Sequence[str], student: Mapping[str, str] | None = None) -> System:
        """The reference system with these units of the submission in it, or of `student`'s texts in its place.

        Raises NoSuchText, Failed where there is no such mixture, Untried, NotEmulated for one that does not deploy.
        """
        texts = self.sources.mixed(units, student)
        if self._standing is None or self._standing.texts != texts:
            self._standing = _Standing(self._deployed(texts, units), texts)
        return self._standing.system

    def forget(self, system: System) -> None:
        """Whoever needs the mixture in this system next gets a new one."""
        if self._standing is not None and self._standing.system is system:
            self._standing = None

    @functools.cached_property
    def without_the_change_to_blame(self) -> Mapping[str, str] | None:
        """The submission's files without the one change of given text for which it does not deploy.

        None where the given text deploys, or it is not for one change alone: a mistake there costs what the whole
        costs, and the lines about the thing that it spoils; not every line that is tried with given text.
        """
        if self._deploys(self.sources.submitted):
            return None
        changes = gaps.changes_taken_back(self.sources.submitted, self.sources.reference or {})
        return next(
            (texts for texts in itertools.islice(changes, _MOST_CHANGES) if self._deploys(texts)), None
        )

    def _deploys(self, texts: Mapping[str, str]) -> bool:
        """Whether the reference system with the given text of these files does."""
        try:
            self.system([GIVEN], texts)
        except (Failed, gaps.NoSuchText, lacking.NotEmulated):
            return False
        return True

    def _deployed(self, texts: Mapping[str, str], units: Sequence[str]) -> System:
        """A system of these files, deployed where nothing stands: it must not hang on what stood there before.

        Only the cloud that is kept for feedback on a gap is updated, and emptied where that fails.
        """
        name = repr(sorted(texts.items()))
        if name not in self._undeployable:
            system = self._place()
            deployment = self._deploy(system, texts)
            if deployment.status == "complete":
                return system
            self.clouds.end(system)
            self._undeployable[name] = deployment.reason
        reason = self._undeployable[name]
        if what := lacking.named(reason):
            raise lacking.NotEmulated(what)
        raise Untried(
            f"with your text the reference system does not deploy: {reason}",
            hint=f"look at: {', '.join(units)}",
        )

    def _place(self) -> System:
        """Where the next mixture is deployed: an empty cloud, or, where one is kept, what stands in it."""
        before, self._standing = self._standing, None
        if before and self.sources.task.kept:
            return before.system
        if before:
            self.clouds.take_back(before.system)
        return self.clouds.empty_system(self.sources.task.region)

    def _deploy(self, system: System, texts: Mapping[str, str]) -> Deployment:
        files = {name: text.encode() for name, text in texts.items()}
        deployment = self.clouds.deploy(system, files)
        if deployment.status != "complete" and self.sources.task.kept:
            system.destroy()
            deployment = self.clouds.deploy(system, files)
        return deployment
