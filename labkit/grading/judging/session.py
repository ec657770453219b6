"""One judging: each line tried as submitted, and where that fails, alone in the reference system.

What belongs here: which system a line is tried on, how often, and whose the trouble is where nothing comes of it. What
does not: collecting checks (plugin), what is deployed (deployments), what an exception means (verdicts, blame).
"""

import functools
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.cloud.client.control_client import Endpoint
from labkit.cloud.client.launching import Launch
from labkit.course.manifest import Manifest
from labkit.course.rubric import GIVEN, Line, Rubric, given_of
from labkit.deploy.engines import NAMES as ENGINES
from labkit.deploy.model import OUTPUTS
from labkit.grading import probes
from labkit.grading.api import Lab
from labkit.grading.judging import blame, lacking, verdicts
from labkit.grading.judging.failure import Failed, Untried
from labkit.grading.judging.labs import Labs
from labkit.grading.judging.naming import Names
from labkit.grading.judging.own_words import OwnWords
from labkit.grading.model import Verdict, Way
from labkit.grading.process.task import Task
from labkit.grading.systems import gaps, outside
from labkit.grading.systems.deployments import Deployments
from labkit.grading.systems.sources import Sources
from labkit.grading.systems.system import System, words_of

Check = Callable[[Lab], float | None]

SUBMITTED: Way = "as submitted"
ALONE: Way = "alone"
_TRIES = 2
#: modules whose sentences checks speak, besides their own and the probes'
SPEAKING = (
    "labkit.grading.api", "labkit.grading.judging.blame", "labkit.grading.judging.clues", "labkit.grading.systems.deployments",
    "labkit.grading.judging.failure", "labkit.grading.systems.gaps", "labkit.grading.judging.labs", "labkit.grading.systems.mixtures",
    "labkit.grading.judging.session", "labkit.grading.systems.sources", "labkit.grading.systems.system", "labkit.grading.judging.verdicts",
)  # fmt: skip


@dataclass
class Session:
    """The verdicts so far, on what `deployments` has. `trouble`: told what staff should look at."""

    rubric: Rubric
    sources: Sources
    deployments: Deployments
    labs: Labs
    trouble: Callable[[str], None] = lambda _: None
    submitted_verdicts: dict[str, Verdict] = field(default_factory=dict)
    #: lines whose last attempt did not come to what they are about
    _untried: set[str] = field(default_factory=set)
    #: lines that fail as submitted in a way that no text alone can mend
    _final: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        task: Task,
        manifest: Manifest,
        rubric: Rubric,
        launch: Launch,
        told: Callable[[Endpoint], None] = lambda _: None,
        trouble: Callable[[str], None] = lambda _: None,
    ) -> "Session":
        """A judging in which nothing is deployed yet; `told`: called with the endpoint of each cloud in use."""
        sources = Sources(task, manifest)
        deployments = Deployments.of(sources, launch, told)
        return cls(rubric, sources, deployments, Labs(deployments), trouble)

    @property
    def task(self) -> Task:
        """What is asked for."""
        return self.sources.task

    def ways(self, line: Line) -> list[Way]:
        """The attempts that the task asks for."""
        wanted = self.task.attempts
        has_alone = line.alone and wanted != "submitted" and self.sources.reference is not None
        return ([SUBMITTED] if wanted != "alone" else []) + ([ALONE] if has_alone else [])

    def wants_alone(self, line: Line) -> bool:
        """Whether the line is to be tried alone now, after the attempt as submitted (if there was one)."""
        before = self.submitted_verdicts.get(line.id)
        if line.id in self._final or (before is not None and before.passed):
            return False
        return ALONE in self.ways(line) and not self.deployments.clouds.lacks_engine

    def as_submitted(self, line: Line, check: Check) -> Verdict:
        """The line's verdict on the submission as it is.

        It is deployed in another region than the student's own, so that a typed region shows; when a line that
        only the whole can prove does not hold there, the submission comes home, and is judged there from then on.
        """
        whole = self.deployments.submitted
        blocked = verdicts.blocked(line, self.rubric, self.submitted_verdicts)
        verdict = replace(blocked, way=SUBMITTED) if blocked else self._judge(line, check, SUBMITTED, whole)
        failed = line.whole and not line.abroad and verdict.outcome == "failed"
        if failed and self.deployments.whole.may_come_home:
            self.deployments.whole.come_home()
            abroad, verdict = verdict, self._judge(line, check, SUBMITTED, whole)
            self.labs.only_elsewhere = abroad if verdict.passed else None
        self.submitted_verdicts[line.id] = verdict
        return verdict

    def alone(self, line: Line, check: Check) -> Verdict:
        """The line's verdict on the reference system with the student's text of its units in it.

        Where given text of one file stood in the way of what the line is about, the line's other units decide; where
        given text does not deploy, the line is judged without the one change that keeps it from deploying.
        """
        mixture = self.deployments.mixture
        units: Sequence[str] = line.alone
        verdict = self._judge(line, check, ALONE, lambda: mixture(line.alone))
        stopped = line.id in self._untried or verdict.lacking
        if stopped and GIVEN in line.alone:
            sound = self.deployments.mixtures.without_the_change_to_blame
            if sound is not None:
                verdict = self._judge(line, check, ALONE, lambda: mixture(line.alone, sound))
        rest = [unit for unit in line.alone if not unit.startswith(given_of(""))]
        if line.id in self._untried and 0 < len(rest) < len(line.alone):
            units, verdict = rest, self._judge(line, check, ALONE, lambda: mixture(rest))
        helpers = outside.helpers(self.sources.submitted, self.sources.reference or {}, units)
        before = self.submitted_verdicts.get(line.id, Verdict())
        return self._words(check).alone(before, verdict, helpers)

    def close(self) -> None:
        """End the clouds."""
        self.deployments.close()

    def _judge(self, line: Line, check: Check, way: Way, system: Callable[[], System]) -> Verdict:
        """Run the check, and again where our cloud failed meanwhile or something unforeseen was raised.

        What comes to no verdict then is tried on the reference system: where the same check comes to one there, it is
        the submission that kept it from it; elsewhere the trouble is ours.
        """
        seen = Verdict()
        for _ in range(_TRIES):
            seen = self._attempt(line, check, way, system)
            if seen.outcome != "not judged" or seen.lacking or self.deployments.clouds.lacks_engine:
                return seen
        if not self._comes_to_a_verdict(line, check):
            return seen
        self.trouble(
            f"{line.id}, {way}: {seen.reason}; not so on the reference system. {' | '.join(seen.evidence)}"
        )
        return replace(blame.unfinished(seen), way=way)

    def _comes_to_a_verdict(self, line: Line, check: Check) -> bool:
        """Whether it does on the reference system with nothing of the student's in it."""
        if self.task.deployed or self.sources.reference is None:
            return False
        with self.deployments.lock:
            reference = self._attempt(line, check, ALONE, lambda: self.deployments.mixture(()))
        return reference.outcome != "not judged"

    def _attempt(self, line: Line, check: Check, way: Way, system: Callable[[], System]) -> Verdict:
        """What the check says, or raises, which tells whose fault it is; a fault of the cloud beside a failure is ours."""
        names, since = Names({}), time.time()
        chosen: System | None = None
        notes: list[str] = []
        self._untried.discard(line.id)
        try:
            chosen = system()
            names = Names(chosen.deployment.outputs, "\n".join(self.sources.submitted.values()))
            verdict = self._checked(line, check, chosen, notes)
        except Exception as error:
            verdict = verdicts.of_error(error)
            if verdict.outcome == "failed" and chosen and (what := lacking.by_policy(chosen.denials(since))):
                verdict = lacking.verdict(what)
            if isinstance(error, Untried | gaps.NoSuchText):
                self._untried.add(line.id)
            if isinstance(error, Failed) and error.final and way == SUBMITTED:
                self._final.add(line.id)
        verdict = replace(verdict, way=way, notes=tuple(notes))
        if not verdict.lacking and self._may_tell_secrets(line, way):
            verdict = self._words(check).quiet(verdict)
        return verdicts.stable(verdict, names)

    def _checked(self, line: Line, check: Check, system: System, notes: list[str]) -> Verdict:
        """The verdict of a check that returns; raises what it raises, with what the cloud failed in meanwhile beside it.

        What the check notes is added to `notes`.
        """
        new_faults: Callable[[], Counter[str]] = system.new_faults()
        verdicts.refuse_undeployed(line, system.deployment, found=bool(self.task.deployed))
        with self.labs.open(line, system) as lab:
            try:
                return verdicts.of_fraction(check(lab))
            except Exception as error:
                error.add_note(words_of(new_faults()))  # now: what comes after may end the cloud
                raise
            finally:
                notes += lab.notes

    def _may_tell_secrets(self, line: Line, way: Way) -> bool:
        """Whether what the line saw may hold the reference's text, or what hidden lines asked of the same system before.

        The same whether they were asked for or not: what is told of a line must not hang on that.
        """
        if way == ALONE or line.id in self.labs.beside_reference:
            return True
        return line.comes_after_hidden and self._has_secrets

    @functools.cached_property
    def _has_secrets(self) -> bool:
        """Whether the checks of hidden lines are here; a hand-out has none."""
        folders = list(map(Path, self.task.checks))
        hidden = [line.module for line in self.rubric.all if line.hidden]
        return any((folder / name).is_file() for folder in folders for name in hidden)

    def _words(self, check: Check) -> OwnWords:
        """The sentences that the check, and what it is made with, has in its own source."""
        folders = (self.sources.manifest.root / "grader" / "support", *map(Path, probes.__path__))
        files = [
            Path(check.__code__.co_filename),
            *(file for folder in folders for file in sorted(folder.glob("*.py"))),
            *(Path(str(sys.modules[name].__file__)) for name in SPEAKING),
        ]
        lines = self.rubric.lines
        names = (*OUTPUTS, *ENGINES, *(line.id for line in lines), *(line.gap for line in lines))
        own = (*self.sources.variant.values().values(), self.task.region, self.task.abroad)
        return OwnWords.of(files, (*own, *names))
