"""Grading mutants with the real grader, some at once, so that a stopped run can be carried on.

What belongs here: the submissions, their gradings, the results kept on disk. What does not: which mutants (catalogue,
sampling), what a result means (verdicts).
"""

import hashlib
import importlib.util
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType

from labkit.base import state
from labkit.base.events import Event
from labkit.course import rubric
from labkit.dev.mutants.model import Mutant
from labkit.grading.grade import Request, grade
from labkit.grading.model import Result
from labkit.grading.process.starting import Warm, warm_parent

STUDENT = "ada@uni.edu"
#: hidden inputs are drawn as for a mark; these gradings are no marks, so the key is no secret
KEY = b"the mutants of the reference"
#: what decides a verdict; the generator of mutants does not
_DECIDING = (
    "labkit",
    "grader",
    "texts",
    "lab.toml",
    "templates",
    "solution",
    "tests/submissions/evidence.py",
)


@dataclass(frozen=True)
class Graded:
    """What the grader said of one submission: points lost by line and why, lines that were not judged and why.

    Not `whole`: it was ended at the first line that lost points.
    """

    lost: Mapping[str, float]
    said: Mapping[str, str]
    not_judged: Mapping[str, str]
    seconds: float
    whole: bool = True


class _Enough(Exception):
    """A line has lost points; nobody wants to know more."""


def submission(root: Path) -> dict[str, str]:
    """The files of a student who did everything right: the reference, with the answers and measurements of the steps."""
    return dict(_making(root).files_of(STUDENT, "solution"))


def _making(root: Path) -> ModuleType:
    """The tests' module that makes submissions; it lies beside the diffs."""
    name = "lab_submissions_making"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, root / "tests" / "submissions" / "making.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Gradings:
    """Gradings whose results are kept below `place`, by what was graded, by which lines, and the grader's own code."""

    def __init__(
        self,
        root: Path,
        place: Path,
        files: Mapping[str, str],
        *,
        lines: Sequence[str] = (),
        until_first_loss: bool = False,
    ) -> None:
        """`lines`: only these (none: all). `until_first_loss`: a grading ends as soon as a line has lost points."""
        self._root, self._files, self._until_first_loss = root, files, until_first_loss
        self._place = place / grader_hash(root)
        self._lines = {line.id: line for line in rubric.load(root).lines if not lines or line.id in lines}

    def each(self, mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, Graded]]:
        """Every mutant with what the grader says of it, as they come; those graded before come first."""
        waiting = []
        for mutant in mutants:
            if known := self._known(mutant):
                yield mutant, known
            else:
                waiting.append(mutant)
        if waiting:
            with warm_parent() as warm:
                yield from self._fresh(waiting, warm, jobs)

    def _fresh(
        self, mutants: Sequence[Mutant], warm: Warm | None, jobs: int
    ) -> Iterator[tuple[Mutant, Graded]]:
        with ThreadPoolExecutor(jobs) as pool:
            runs = {pool.submit(self._graded, mutant, warm): mutant for mutant in mutants}
            try:
                for run in as_completed(runs):
                    yield runs[run], run.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _path(self, mutant: Mutant) -> Path:
        graded = "\n".join((mutant.id, *self._lines, *mutant.applied(self._files).values()))
        return self._place / f"{hashlib.sha256(graded.encode()).hexdigest()[:24]}.json"

    def _known(self, mutant: Mutant) -> Graded | None:
        kept = state.read_json(self._path(mutant))
        if kept is None or not (kept["whole"] or self._until_first_loss):
            return None
        return Graded(**{name: kept[name] for name in Graded.__dataclass_fields__})

    def _graded(self, mutant: Mutant, warm: Warm | None) -> Graded:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lab-mutant-") as folder:
            for name, text in mutant.applied(self._files).items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
            request = Request(
                self._root,
                STUDENT,
                Path(folder),
                mutant.engine,
                tuple(self._lines),
                key=KEY,
                state=self._place.parent / "work",
            )
            found = self._judged(request, warm)
        found = replace(found, seconds=round(time.monotonic() - began, 1))
        state.write_json(self._path(mutant), {"id": mutant.id, **asdict(found)})
        return found

    def _judged(self, request: Request, warm: Warm | None) -> Graded:
        """What a grading came to; one that raises has judged nothing, whatever it raises."""
        try:
            return _told(grade(request, self._heard, warm), self._lines)
        except _Enough as enough:
            name = str(enough)
            return Graded({name: float(self._lines[name].points)}, {}, {}, 0.0, whole=False)
        except Exception as error:
            return Graded({}, {}, {"*": f"{type(error).__name__}: {error}"}, 0.0)

    def _heard(self, event: Event) -> None:
        """A line's last verdict is that of its text alone, or the only one where the whole is judged."""
        if self._until_first_loss and event.kind == "check" and event.data["outcome"] == "failed":
            line = self._lines[str(event.data["line"])]
            if event.data["way"] == "alone" or not line.alone:
                raise _Enough(line.id)


def _told(result: Result, asked: Collection[str]) -> Graded:
    lines = [line for line in result.lines if line.id in asked]
    return Graded(
        {line.id: line.lost for line in lines if line.lost},
        {line.id: line.verdict.reason for line in lines if line.lost},
        {line.id: line.verdict.reason for line in lines if line.verdict.outcome == "not judged"},
        0.0,
    )


def grader_hash(root: Path) -> str:
    """The code and texts that decide verdicts: results of another grader are not this one's."""
    digest = hashlib.sha256()
    for name in _DECIDING:
        top = root / name
        paths = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in (path for path in paths if path.is_file() and _decides(path.relative_to(root))):
            digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _decides(path: Path) -> bool:
    return path.suffix != ".pyc" and path.parts[:2] != ("labkit", "dev")
