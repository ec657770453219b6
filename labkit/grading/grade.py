"""One grading from a submission to its result: taken in, looked over, judged. The door of this package.

What belongs here: the order of these, and what a result says of its circumstances. What does not: each of them.
"""

import contextlib
import hashlib
import hmac
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import labkit
from labkit.base.errors import LabError, UsageError
from labkit.base.events import Emit, Event, ignore
from labkit.course import manifest, rubric
from labkit.course.rubric import Rubric
from labkit.course.variant import make_variant
from labkit.grading import history, skipped
from labkit.grading.intake import identity, intake, refusal
from labkit.grading.model import NOT_ASKED, Result, Verdict, empty
from labkit.grading.process import kept, runner, scratch, standing
from labkit.grading.process.starting import Warm, warm_parent
from labkit.grading.process.task import Task
from labkit.grading.systems.terraform_sandbox import refuse_where_nothing_holds
from labkit.sandbox import tiers

#: at home, where the hidden inputs need not be secret
SELF_CHECK_KEY = b"self-check"
#: where a submission is deployed that should work everywhere
REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "eu-north-1")
#: a name that no student can have
KEPT = ".kept"
CHECKS = ("grader/checks", "grader/hidden")


@dataclass(frozen=True)
class Request:
    """What is to be graded, and how.

    source: zip or folder. only: ids of lines (empty: all). gap: judge this gap alone. deployed: the folder of the
    cloud in which the lab stands (None: a fresh one), and outputs: what it was deployed with. result: where the result is kept (None: nowhere). state: where
    gradings work, and keep a cloud for the next judging of a gap (None: a temporary folder, nothing kept). key: the
    grader key; without it hidden inputs can be foreseen, and the result says so. records: what the submission's pack
    would hold besides what is in `source`, by name. own: the files are those of whoever grades.
    how: what says which engine it was made with. order: as in Task. seed: of the hidden inputs, where whoever holds the key
    has made it ("": from the key); then the key need not be here.
    """

    root: Path
    student: str
    source: Path
    engine: str = "cloudformation"
    only: tuple[str, ...] = ()
    gap: str = ""
    deployed: Path | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    result: Path | None = None
    state: Path | None = None
    key: bytes = SELF_CHECK_KEY
    limits: intake.IntakeLimits = field(default_factory=intake.IntakeLimits)
    records: Mapping[str, Path] = field(default_factory=dict)
    own: bool = False
    how: identity.How = "typed"
    order: str = ""
    seed: str = ""


def grade(request: Request, emit: Emit = ignore, warm: Warm | None = None) -> Result:
    """Grade one submission, with processes of `warm` (None: of a warm parent for this one only).

    The result file is valid from the first moment, "not judged" until it is judged; an earlier result is kept beside it.

    A submission that holds what is refused is judged: nothing of it holds. Raises DamagedError for one that nobody can
    read, UsageError for a line or gap that does not exist, or a mark in the place of the result that a look without
    the key would replace, StateError when the result can't be written, SandboxUnavailable
    where nothing would keep somebody else's Terraform from anything.
    """
    lines = rubric.load(request.root)
    wanted = wanted_lines(lines, request)
    _refuse_terraform_of_others(request)
    started = time.monotonic()
    _refuse_to_replace(request)
    run = runner.Run(empty(lines, about_of(request, lines)), request.result, emit)
    with scratch.folder(request.state) as folder:
        try:
            taken = intake.take_in(request.source, folder / "submission", request.limits, request.records)
        except intake.DamagedError:
            raise
        except intake.IntakeError as error:
            _begin(run, request)
            return _refused(run, request, wanted, [error.message], error.hint)
        _begin(run, request)
        seed = request.seed or seed_of(request.key, taken.sha256)
        about = {
            **run.result.about,
            "submission": taken.sha256,
            "seed": seed[:16],
            "left_out": list(taken.left_out),
        }
        run.result = replace(run.result, about=about)
        found = refusal.harmful(_texts(taken))
        if found:
            hint = "Remove it: this lab needs nothing of the kind."
            return _refused(run, request, wanted, [str(each) for each in found], hint)
        home = manifest.load(request.root).region
        task = _task(request, taken, wanted, seed, home)
        task = replace(task, abroad=abroad(task, home, _texts(taken).values()))
        result = _judged(run, request, task, taken, warm)
    timing = {**result.timing, "seconds": round(time.monotonic() - started, 2)}
    run.result = skipped.without_points(
        _only(replace(result, timing=timing), request, wanted), request.source
    )
    run.keep()
    return run.result


def _begin(run: runner.Run, request: Request) -> None:
    """The result's first writing, once there is a submission; what was there before is kept beside it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run.result = replace(run.result, when={"graded": now, **identity.times(request.source)})
    if request.result is not None:
        history.set_aside(request.result)
    run.keep()


def _refuse_to_replace(request: Request) -> None:
    if request.result and request.key == SELF_CHECK_KEY and history.is_keyed(request.result):
        raise UsageError(
            f"{request.result} holds a mark that was made with the grader key, and this would be a look without it.",
            hint="Name another file:  --result look.json   or the key:  --key grader.key",
        )


def _refuse_terraform_of_others(request: Request) -> None:
    if request.engine == "terraform" and not request.own:
        wanted, required = tiers.wanted_here()
        opened = tiers.open_best(wanted=wanted, required=required)
        opened.host.close()
        refuse_where_nothing_holds(opened.choice)


def _judged(
    run: runner.Run, request: Request, task: Task, taken: intake.Submission, warm: Warm | None
) -> Result:
    """A gap in what is kept for gaps, everything else in clouds of its own."""
    if request.gap and request.state and not request.deployed:
        return _judged_where_kept(run, task, request.state / KEPT, taken)
    with contextlib.nullcontext(warm) if warm else warm_parent() as parent:
        return runner.judge(run, task, warm=parent, place=taken.folder.parent)


def _judged_where_kept(run: runner.Run, task: Task, place: Path, taken: intake.Submission) -> Result:
    """Judge in the cloud that is kept, where earlier judgings have left their traces: so with inputs of its own."""
    tier = {
        name: value for name, value in os.environ.items() if name in (tiers.VARIABLE, tiers.REQUIRED_VARIABLE)
    }
    whose = {"student": task.student, "engine": task.engine, "files": taken.files, "kit": _kit(), **tier}
    with kept.use(place, whose) as keeping:
        own = replace(
            task, kept=str(keeping.folder), abroad="", seed=seed_of(task.seed.encode(), os.urandom(8).hex())
        )
        with standing.warm(keeping.folder) as parent:
            result = runner.judge(run, own, warm=parent, place=taken.folder.parent)
        if result.complete and not any(run.result.line(name) in result.not_judged for name in task.lines):
            keeping.is_good()
            if result.about.get("tier") == tiers.NAMESPACES:
                standing.begin(keeping.folder)
    return result


def _kit() -> list[object]:
    """The kit's version and when its code last changed: what stands runs the code that it began with."""
    code = Path(labkit.__file__).parent.rglob("*.py")
    return [labkit.__version__, max(path.stat().st_mtime for path in code)]


def seed_of(key: bytes, submission: str) -> str:
    """HMAC-SHA256(grader key, submission hash): the same submission gets the same inputs, nobody knows which."""
    return hmac.new(key, submission.encode(), hashlib.sha256).hexdigest()


def abroad(task: Task, home: str, texts: Iterable[str]) -> str:
    """A region other than `home`, drawn by the seed among those that the submission names least."""
    everything = "\n".join(texts)
    others = [name for name in REGIONS if name != home]
    unnamed = [name for name in others if name not in everything]
    return task.random_of("region").choice(unnamed or others)


def wanted_lines(lines: Rubric, request: Request) -> tuple[str, ...]:
    """The lines that are asked for. Raises UsageError for a line or gap that does not exist."""
    known = [line.id for line in lines.all]
    for name in request.only:
        if name not in known:
            raise UsageError(f"There is no line {name!r}.", hint=f"The lines are: {', '.join(known)}")
    if not request.gap:
        return request.only or tuple(known)
    of_gap = tuple(line.id for line in lines.lines if line.gap == request.gap)
    if not of_gap:
        gaps = sorted({line.gap for line in lines.lines if line.gap})
        raise UsageError(f"There is no gap {request.gap!r}.", hint=f"The gaps are: {', '.join(gaps)}")
    return of_gap


def about_of(request: Request, lines: Rubric) -> dict[str, Any]:
    """The circumstances of a result, without the time: the same submission has the same."""
    try:
        code = make_variant(manifest.load(request.root).salt, request.student).code
    except LabError:
        code = ""
    return {
        "student": request.student, "variant": code, "engine": request.engine, "engine_by": request.how, "kit": labkit.__version__,
        "target": "deployed" if request.deployed else "fresh", "only": list(request.only), "gap": request.gap,
        "rubric": rubric_hash(lines), "python": platform.python_version(),
        "reference": has_reference(request),
        "self_check": request.key == SELF_CHECK_KEY,
    }  # fmt: skip


def has_reference(request: Request) -> bool:
    """Whether gaps can be judged alone: not in a hand-out."""
    return (request.root / "solution").is_dir()


def rubric_hash(lines: Rubric) -> str:
    """SHA-256 over all that decides points: a changed rubric shows in every result."""
    return hashlib.sha256(repr(lines).encode()).hexdigest()[:16]


def _texts(taken: intake.Submission) -> Mapping[str, str]:
    return {name: (taken.folder / name).read_bytes().decode("utf-8", "replace") for name in taken.files}


def _task(request: Request, taken: intake.Submission, wanted: Sequence[str], seed: str, region: str) -> Task:
    attempts = (
        "submitted" if request.deployed else "alone" if request.gap and has_reference(request) else "both"
    )
    return Task(
        root=str(request.root), student=request.student, files=str(taken.folder), work="", lines=tuple(wanted),
        seed=seed, checks=tuple(str(request.root / folder) for folder in CHECKS), engine=request.engine,
        region=region, deployed=str(request.deployed or ""), outputs=dict(request.outputs), attempts=attempts, own=request.own, order=request.order,
    )  # fmt: skip


def _refused(
    run: runner.Run, request: Request, wanted: Sequence[str], reasons: Sequence[str], hint: str
) -> Result:
    """Judged, and nothing of it holds: the submission can't be read, or must not be run."""
    for reason in reasons:
        run.emit(Event("warning", reason))
    verdict = Verdict("failed", reason=reasons[0], hint=hint, evidence=tuple(reasons[1:12]))
    for name in wanted:
        run.result = run.result.with_line(name, verdict)
    run.result = _only(replace(run.result, complete=True), request, wanted)
    run.keep()
    return run.result


def _only(result: Result, request: Request, wanted: Sequence[str]) -> Result:
    """With some lines only: the others say that nobody asked for them."""
    if not request.only and not request.gap:
        return result
    for line in result.all:
        if line.id not in wanted:
            result = result.with_line(line.id, Verdict(reason=NOT_ASKED))
    return result
