"""One judging: each line tried as submitted, and where that fails, alone in the reference system.

What belongs here: which system a check gets, when one is deployed, what an exception means. What does not:
collecting checks (plugin), keeping the result (runner).
"""

import contextlib
import functools
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.cloud.lifecycle import Endpoint, Launch, LocalCloud
from labkit.deploy.engines import NAMES as ENGINES
from labkit.deploy.engines import TITLES
from labkit.deploy.model import OUTPUTS, Deployment
from labkit.deploy.terraform_command import Setup
from labkit.errors import CloudError, LabError
from labkit.grading import blame, gaps, lacking, outside, refusal
from labkit.grading.api import Deployed, Lab, undeployed
from labkit.grading.failure import Failed, Untried
from labkit.grading.kept import Kept
from labkit.grading.model import Verdict, Way
from labkit.grading.naming import Names
from labkit.grading.own_words import OwnWords
from labkit.grading.rubric import GIVEN, Line, Rubric, given_of
from labkit.grading.system import Ground, System, words_of
from labkit.grading.task import Task
from labkit.grading.terraform_sandbox import TerraformSandbox
from labkit.manifest import Manifest
from labkit.rendering import Renderer
from labkit.text import printable, shortened
from labkit.variant import Variant, make_variant

Check = Callable[[Lab], float | None]

SUBMITTED: Way = "as submitted"
ALONE: Way = "alone"
_TRIES = 2
#: of given text that are taken back, one at a time, to find the one that keeps it from deploying
_MOST_CHANGES = 6
#: the file whose given text makes rows and answers
_APPLICATION = "flask_app.py"
_LONGEST = 600
#: a service that was started again answers within this
_REVIVED_SECONDS = 4.0
_EVIDENCE = 12
#: modules of this package whose sentences checks speak
_SPEAKING = ("api", "blame", "clues", "failure", "gaps", "session", "system")


@dataclass
class Session:
    """The systems of one judging and the verdicts so far. `close()` ends the clouds."""

    task: Task
    manifest: Manifest
    rubric: Rubric
    launch: Launch
    told: Callable[[Endpoint], None] = lambda _: None  # of each cloud in use
    trouble: Callable[[str], None] = lambda _: None  # what staff should look at
    submitted_verdicts: dict[str, Verdict] = field(default_factory=dict)
    #: where the submission stands, None for nowhere now; whether it came home, and what held only there
    _standing: "System | None" = None
    _at_home: bool = False
    _only_abroad: Verdict | None = None
    #: lines whose last attempt did not come to what they are about
    _untried: set[str] = field(default_factory=set)
    #: lines that fail as submitted in a way that no text alone can mend
    _final: set[str] = field(default_factory=set)
    _ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _spare: list[Ground] = field(default_factory=list)
    _under: dict[int, Ground] = field(default_factory=dict)
    _grounds: int = 0
    _kept: "_Reference | None" = None
    #: clouds in which a hidden line's check was begun: what is seen there from then on may tell its inputs
    _heard_secrets: set[int] = field(default_factory=set)
    #: lines whose attempt as submitted looked at the reference system too
    _beside_reference: set[str] = field(default_factory=set)
    #: mixtures that do not deploy into an empty cloud, and why
    _undeployable: dict[str, str] = field(default_factory=dict)
    #: one deploys at a time: lines that mostly wait are judged side by side
    _deploying: threading.RLock = field(default_factory=threading.RLock)

    # -- the student's text and the reference's ---------------------------------------------------------

    @functools.cached_property
    def variant(self) -> Variant:
        """The student's own values."""
        return make_variant(self.manifest.salt, self.task.student)

    @functools.cached_property
    def files(self) -> Mapping[str, bytes]:
        """What was handed in, by name: every file at the top of the folder and in answers/."""
        folder = Path(self.task.files)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    @functools.cached_property
    def texts(self) -> Mapping[str, str]:
        """The same as text; what is no UTF-8 is shown with replacement characters."""
        return {name: data.decode("utf-8", "replace") for name, data in self.files.items()}

    @functools.cached_property
    def reference(self) -> Mapping[str, str] | None:
        """The reference solution for this student, None where it is not here (a hand-out)."""
        renderer = Renderer(self.manifest.root, self.manifest.files)
        return renderer.render(self.variant.values(), solution=True) if renderer.has_solution else None

    # -- judging ----------------------------------------------------------------------------------------

    def wants_alone(self, line: Line) -> bool:
        """Whether the line is to be tried alone now, after the attempt as submitted (if there was one)."""
        before = self.submitted_verdicts.get(line.id)
        if not line.alone or self.task.attempts == "submitted" or self.reference is None:
            return False
        return (before is None or not before.passed) and line.id not in self._final

    def as_submitted(self, line: Line, check: Check) -> Verdict:
        """The line's verdict on the submission as it is.

        It is deployed in another region than the student's own, so that a typed region shows; when a line that
        only the whole can prove does not hold there, the submission comes home, and is judged there from then on.
        """
        verdict = self._blocked(line) or self._judge(line, check, SUBMITTED, self._whole)
        if line.whole and not line.abroad and verdict.outcome == "failed" and self._is_abroad:
            self._come_home()
            abroad, verdict = verdict, self._judge(line, check, SUBMITTED, self._whole)
            self._only_abroad = abroad if verdict.passed else None
        self.submitted_verdicts[line.id] = verdict
        return verdict

    def alone(self, line: Line, check: Check) -> Verdict:
        """The line's verdict on the reference system with the student's text of its units in it.

        Where given text of one file stood in the way of what the line is about, the line's other units decide; where
        given text does not deploy, the line is judged without the one change that keeps it from deploying.
        """
        units: Sequence[str] = line.alone
        verdict = self._judge(line, check, ALONE, lambda: self._mixture(line.alone))
        stopped = line.id in self._untried or verdict.lacking
        if stopped and GIVEN in line.alone and (sound := self._sound):
            verdict = self._judge(line, check, ALONE, lambda: self._mixture(line.alone, sound))
        rest = [unit for unit in line.alone if not unit.startswith(given_of(""))]
        if line.id in self._untried and 0 < len(rest) < len(line.alone):
            units, verdict = rest, self._judge(line, check, ALONE, lambda: self._mixture(rest))
        helpers = outside.helpers(self.texts, self.reference or {}, units)
        before = self.submitted_verdicts.get(line.id, Verdict())
        return self._words(check).alone(before, verdict, helpers)

    @functools.cached_property
    def _sound(self) -> Mapping[str, str] | None:
        """The submission's files without the one change of given text for which it does not deploy.

        None where the given text deploys, or it is not for one change alone: a mistake there costs what the whole
        costs, and the lines about the thing that it spoils; not every line that is tried with given text.
        """
        if self._deploys(self.texts):
            return None
        changes = gaps.changes_taken_back(self.texts, self.reference or {})
        return next(
            (texts for texts in itertools.islice(changes, _MOST_CHANGES) if self._deploys(texts)), None
        )

    def _deploys(self, texts: Mapping[str, str]) -> bool:
        """Whether the reference system with the given text of these files does."""
        try:
            self._mixture([GIVEN], texts)
        except (Failed, gaps.NoSuchText, lacking.NotEmulated):
            return False
        return True

    def _blocked(self, line: Line) -> Verdict | None:
        """The attempt is useless when a line that it needs does not hold."""
        for need in line.needs:
            before = self.submitted_verdicts.get(need)
            if before is not None and not before.passed:
                title = self.rubric.line(need).title
                if before.lacking:
                    return replace(lacking.verdict(before.lacking), way=SUBMITTED)
                return Verdict(
                    before.outcome, reason=f"it can't be tried as a whole until this holds: {need} ({title})",
                    hint=f"mend {need} first", way=SUBMITTED,
                )  # fmt: skip
        return None

    def _judge(self, line: Line, check: Check, way: Way, system: Callable[[], System]) -> Verdict:
        """Run the check, and again where our cloud failed meanwhile or something unforeseen was raised.

        What comes to no verdict then is tried on the reference system: where the same check comes to one there, it is
        the submission that kept it from it; elsewhere the trouble is ours.
        """
        seen = Verdict()
        for _ in range(_TRIES):
            seen = self._attempt(line, check, way, system)
            if seen.outcome != "not judged" or seen.lacking:
                return seen
        if not self._comes_to_a_verdict(line, check):
            return seen
        self.trouble(
            f"{line.id}, {way}: {seen.reason}; not so on the reference system. {' | '.join(seen.evidence)}"
        )
        return replace(blame.unfinished(seen), way=way)

    def _comes_to_a_verdict(self, line: Line, check: Check) -> bool:
        """Whether it does on the reference system with nothing of the student's in it."""
        if self.task.deployed or self.reference is None:
            return False
        with self._deploying:
            return self._attempt(line, check, ALONE, lambda: self._mixture(())).outcome != "not judged"

    def _attempt(self, line: Line, check: Check, way: Way, system: Callable[[], System]) -> Verdict:
        """What the check says, or raises, which tells whose fault it is; a fault of the cloud beside a failure is ours."""
        names, since = Names({}), time.time()
        new_faults: Callable[[], Counter[str]] = Counter
        chosen: System | None = None
        self._untried.discard(line.id)
        try:
            chosen = system()
            new_faults = chosen.new_faults()
            names = Names(chosen.deployment.outputs, "\n".join(self.texts.values()))
            if (
                self.task.deployed
                and chosen.deployment.status == "absent"
                and (line.needs or line.whole or line.ends)
            ):
                raise _nothing_stands()
            if chosen.deployment.status != "complete" and (line.needs or line.whole or line.ends):
                _refuse_undeployed(line, chosen.deployment)
            if line.hidden:
                self._heard_secrets.add(id(chosen.cloud))
            with _lab(self, line, chosen) as lab:
                try:
                    fraction = check(lab)
                except Exception as error:
                    error.add_note(words_of(new_faults()))  # now: what comes after may end the cloud
                    raise
            verdict = _of_fraction(fraction)
        except Exception as error:
            verdict = _of_error(error)
            if verdict.outcome == "failed" and chosen and (what := lacking.by_policy(chosen.denials(since))):
                verdict = lacking.verdict(what)
            if isinstance(error, Untried | gaps.NoSuchText):
                self._untried.add(line.id)
            if isinstance(error, Failed) and error.final and way == SUBMITTED:
                self._final.add(line.id)
        if way == ALONE or line.id in self._beside_reference or self._may_tell_inputs(line, chosen):
            verdict = verdict if verdict.lacking else self._words(check).quiet(verdict)
        return _stable(replace(verdict, way=way), names)

    def hidden_lines_begin(self) -> None:
        """From now on what the submission's own programs say may hold what hidden lines asked of them."""
        self._heard_secrets.add(id(self._whole().cloud))

    def _may_tell_inputs(self, line: Line, system: System | None) -> bool:
        """Whether what a line that is not hidden saw there may hold what hidden ones asked."""
        return system is not None and id(system.cloud) in self._heard_secrets and not line.hidden

    def _words(self, check: Check) -> OwnWords:
        """The sentences that the check, and what it is made with, has in its own source."""
        grading = Path(__file__).parent
        files = [
            Path(check.__code__.co_filename), *sorted((self.manifest.root / "grader" / "support").glob("*.py")),
            *sorted((grading / "probes").glob("*.py")), *(grading / f"{name}.py" for name in _SPEAKING),
        ]  # fmt: skip
        names = (
            *OUTPUTS,
            *ENGINES,
            *(line.id for line in self.rubric.lines),
            *(line.gap for line in self.rubric.lines),
        )
        return OwnWords.of(
            files, (*self.variant.values().values(), self.task.region, self.task.abroad, *names)
        )

    # -- systems ----------------------------------------------------------------------------------------

    def _whole(self) -> System:
        """The submission as it is: deployed where it does not stand, or found standing."""
        with self._deploying:
            if self._standing is None:
                self._standing = self._found() if self.task.deployed else self._deployed()
            return self._standing

    def _deployed(self) -> System:
        system = self._system(self.task.region if self._at_home else self.task.abroad or self.task.region)
        system.deploy(self.files)
        return system

    @property
    def _is_abroad(self) -> bool:
        return not self.task.deployed and self._whole().region != self.task.region

    def _come_home(self) -> None:
        self._at_home = True
        self._end(self._whole())

    def _end(self, system: System) -> None:
        """Nobody is judged on this system any more: who needs it next gets a new one. A kept cloud is emptied."""
        self._standing = None if system is self._standing else self._standing
        self._kept = None if self._kept and system is self._kept.system else self._kept
        if self.task.kept:
            self._give_back(system)
        else:
            self._under.pop(id(system)).close()

    def restore(self, lab: Lab, units: frozenset[str], healthy: bool) -> None:
        """Leave the system as healthy as it was: its units started again, or ended where that is ours to do.

        So what a check that disturbs leaves behind reaches no other line.
        """
        with contextlib.suppress(CloudError):
            lab.system.revive(units)
            if not healthy or lab.server.wait_healthy(_REVIVED_SECONDS):
                return
        if id(lab.system) in self._under:
            self._end(lab.system)

    def _found(self) -> System:
        cloud = LocalCloud(Path(self.task.deployed))
        endpoint = cloud.running()
        if endpoint is None:
            raise CloudError("The local cloud is not running, so nothing stands in it.", hint="./lab deploy")
        self.told(endpoint)
        system = self._made(cloud, endpoint, self.task.region, Path(self.task.work) / "standing")
        system.folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (system.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (system.folder / name).write_bytes(data)
        system.adopt()
        return system

    def _mixture(self, units: Sequence[str], student: Mapping[str, str] | None = None) -> System:
        """The reference system with these units of the student's files in it, deployed in the one cloud kept for it."""
        assert self.reference is not None
        other = ".tf" if self.task.engine == "cloudformation" else ".yaml"
        not_needed = {name: text for name, text in self.reference.items() if name.endswith(other)}
        resources = {gap.name: gap.resources for gap in self.manifest.gaps}
        handed_in = {**not_needed, **(student or self.texts)}
        texts = gaps.mixed(handed_in, self.reference, units, resources)
        # what a comment hid in the whole is bare in the reference
        refused = refusal.harmful(texts) or refusal.shows_more(texts, self.reference)
        if refused:
            raise Failed(str(refused[0]), hint="remove it: this lab needs nothing of the kind")
        with self._deploying:
            if self._kept is None or self._kept.mixed != texts:
                self._kept = _Reference(self._mixed(texts, units), texts)
            return self._kept.system

    def _mixed(self, texts: Mapping[str, str], units: Sequence[str]) -> System:
        """A system of these files, deployed where nothing stands: it must not hang on what stood there before.

        Only the cloud that is kept for feedback on a gap is updated, and emptied where that fails. Raises Untried,
        NotEmulated for files that do not deploy.
        """
        name = repr(sorted(texts.items()))
        if name not in self._undeployable:
            kept, self._kept = self._kept, None
            if kept and not self.task.kept:
                self._give_back(kept.system)
            system = kept.system if kept and self.task.kept else self._system(self.task.region)
            deployment = self._deploy_mixture(system, texts)
            if deployment.status == "complete":
                return system
            self._end(system)
            self._undeployable[name] = deployment.reason
        reason = self._undeployable[name]
        if what := lacking.named(reason):
            raise lacking.NotEmulated(what)
        raise Untried(
            f"with your text the reference system does not deploy: {reason}",
            hint=f"look at: {', '.join(units)}",
        )

    def _deploy_mixture(self, system: System, texts: Mapping[str, str]) -> Deployment:
        files = {name: text.encode() for name, text in texts.items()}
        deployment = system.deploy(files)
        if deployment.status != "complete" and self.task.kept:
            system.destroy()
            deployment = system.deploy(files)
        return deployment

    def _system(self, region: str, engine: str = "") -> System:
        """A system in an empty cloud of its own, not yet deployed."""
        ground = self._spare.pop() if self._spare else self._new_ground()
        folder = Path(self.task.work) / f"system-{len(self._under)}-{region}"
        if self.task.kept and not self._under:
            folder = Kept(Path(self.task.kept)).system
        system = self._made(ground.cloud, ground.endpoint, region, folder, engine)
        self._under[id(system)] = ground
        return system

    def _new_ground(self) -> Ground:
        self._grounds += 1
        keeps = bool(self.task.kept) and self._grounds == 1
        folder = (
            Kept(Path(self.task.kept)).cloud if keeps else Path(self.task.work) / f"cloud-{self._grounds}"
        )
        ground = self._ending.enter_context(Ground(folder, self.launch, kept=keeps))
        self.told(ground.endpoint)
        return ground

    def _made(
        self, cloud: LocalCloud, endpoint: Endpoint, region: str, folder: Path, engine: str = ""
    ) -> System:
        return System(
            cloud=cloud, endpoint=endpoint, region=region, variant=self.variant, submitted=self.texts,
            folder=folder, setup=self._terraform, engine_name=engine or self.task.engine,
        )  # fmt: skip

    @functools.cached_property
    def _terraform(self) -> Setup:
        """Terraform in a sandbox, which begins when it is first used."""
        setup = Setup(Path(self.task.work) / "terraform")
        sandbox = self._ending.enter_context(TerraformSandbox(setup, own=self.task.own))
        return replace(setup, programs=sandbox)

    def _another(self, lab: Lab, region: str, undo: contextlib.ExitStack, engine: str = "") -> Lab:
        """The files of this lab's system, deployed once more into an empty cloud. Raises Failed."""
        system = self._system(region, engine)
        undo.callback(self._give_back, system)
        deployment = system.deploy(lab.system.files(self.manifest.files.values()))
        if deployment.status != "complete":
            by = f" by {TITLES[engine]}" if engine else ""
            raise lacking.failure(
                deployment.reason, f"your files do not deploy into an empty cloud{by}: {deployment.reason}"
            )
        return Lab(lab.line, lab.random, system, lab._another, lab._cleanups)

    def other_engine(self, lab: Lab, undo: contextlib.ExitStack) -> Lab:
        """The files of this lab's system, deployed by the other engine in the same region. Raises Failed."""
        other = next(name for name in ENGINES if name != lab.engine)
        return self._another(lab, lab.region, undo, other)

    def abroad(self, lab: Lab, undo: contextlib.ExitStack) -> Lab:
        """The files of this lab's system, deployed in another region than the student's own. Raises Failed."""
        if self._only_abroad is not None:
            why = self._only_abroad
            raise Failed(
                f"it works in {self.task.region}, and not in {self.task.abroad}: {why.reason}",
                hint="where is a region typed into a file? Take it from AWS_REGION",
                expected=why.expected, found=why.found, evidence=why.evidence,
            )  # fmt: skip
        if lab.region != self.task.region:
            return lab
        return self._another(lab, self.task.abroad, undo)

    def given(self, lab: Lab, undo: contextlib.ExitStack) -> Lab:
        """The reference system with the application's given text of the student. Raises Failed."""
        if self.reference is None:
            return lab
        self._beside_reference.add(lab.line)
        try:
            system = self._mixture([given_of(_APPLICATION)])
        except gaps.NoSuchText as error:
            raise Failed(str(error), hint=error.hint) from error
        return Lab(lab.line, lab.random, system, lab._another, lab._cleanups)

    def doomed(self, lab: Lab, undo: contextlib.ExitStack) -> Lab:
        """A deployment of this lab's files that may be deleted: this one, where it is ours and nobody needs it."""
        if self.task.deployed or lab.system is not self._standing:
            return self._another(lab, self.task.region, undo)
        undo.callback(self._give_back, lab.system)
        self._standing = None
        return lab

    def _give_back(self, system: System) -> None:
        """Keep the ground for the next who wants an empty cloud, when it can be emptied."""
        ground = self._under.pop(id(system))
        with contextlib.suppress(Failed):
            system.destroy()
            if not system.survivors():
                self._spare.append(ground)
                return
        ground.close()

    def close(self) -> None:
        """End the clouds."""
        self._ending.close()


@dataclass(frozen=True)
class _Reference:
    """The kept reference system, and the files that stand in it at the moment."""

    system: System
    mixed: Mapping[str, str]


@contextlib.contextmanager
def _lab(session: Session, line: Line, system: System) -> Iterator[Lab]:
    """The Lab of one attempt; what the check changed is put back, whatever happened."""
    with contextlib.ExitStack() as undo:
        lab: Lab

        def another(kind: Deployed) -> Lab:
            makers = {
                "abroad": session.abroad,
                "doomed": session.doomed,
                "other engine": session.other_engine,
                "given": session.given,
            }
            return makers[kind](lab, undo)

        lab = Lab(line.id, session.task.random_of(line.id), system, another)
        if line.disturbs:
            undo.callback(session.restore, lab, system.active_units(), lab.is_healthy())
        undo.callback(lab.clean_up)
        yield lab


# ---- From what a check did to a verdict ---------------------------------------------------------------


def _of_fraction(fraction: object) -> Verdict:
    """None and 1 pass; a part is a failure with part of the points; anything else is our mistake."""
    if fraction is None or fraction is True:
        return Verdict("passed", 1.0)
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise TypeError(f"the check returned {fraction!r}")
    if fraction == 1:
        return Verdict("passed", 1.0)
    return Verdict("failed", float(fraction), reason="only a part of it holds")


def _nothing_stands() -> Failed:
    return Failed(
        "nothing of your lab stands now", hint="./lab deploy, then the same command again",
        expected="your lab", found="nothing",
    )  # fmt: skip


def _refuse_undeployed(line: Line, deployment: Deployment) -> None:
    """There is nothing to look at; said here where nobody asked for the line that says it. Raises Failed, NotEmulated."""
    if what := lacking.named(deployment.reason):
        raise lacking.NotEmulated(what)
    if line.needs:
        raise undeployed(deployment)


def _of_error(error: Exception) -> Verdict:
    """The verdict; "not judged" with the reason where it is not the submission's, or the cloud failed meanwhile."""
    if isinstance(error, lacking.NotEmulated):
        return lacking.verdict(error.what)
    faults = "".join(getattr(error, "__notes__", ()))
    failed = blame.failure(error)
    if failed is not None and faults:
        return Verdict(reason=f"the local cloud failed meanwhile: {faults}", evidence=(failed.reason,))
    if failed is not None:
        return failed
    if isinstance(error, LabError):
        return Verdict(reason=f"{type(error).__name__}: {error.message}", hint=error.hint)
    return Verdict(reason=f"{type(error).__name__}: {error}", evidence=blame.where(error))


def _stable(verdict: Verdict, names: Names) -> Verdict:
    """Texts made safe, short, and the same in every run."""

    def clean(text: str) -> str:
        return shortened(printable(names.stable(text)), _LONGEST)

    return replace(
        verdict, reason=clean(verdict.reason), hint=clean(verdict.hint), expected=clean(verdict.expected),
        found=clean(verdict.found), evidence=tuple(clean(line) for line in verdict.evidence[:_EVIDENCE]),
    )  # fmt: skip
