"""The grader is right: each known mistake loses exactly its lines, right solutions lose none.

The reference, the starter and an empty folder have known marks, for several students. Each submission is graded
whole, on clouds of its own; four at a time, since most of a grading is waiting.
"""

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

import labkit
from labkit.course import rubric
from labkit.grading.grade import Request, grade
from labkit.grading.model import Result
from labkit.grading.process.starting import Warm, warm_parent

ROOT = Path(labkit.__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "submissions"
#: what a student has who generated the files and handed them in
STARTER = 24.0
AT_ONCE = int(os.environ.get("LAB_TEST_GRADINGS", "4"))
#: graded by default beside the empty folder: all other lines must hold; `make verify` grades everything
SAMPLE = ("M04",)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _making() -> ModuleType:
    """The module that makes submissions; it lies beside the diffs, not beside the tests."""
    spec = importlib.util.spec_from_file_location("lab_submissions_making", FOLDER / "making.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


making = _making()
CASES, STUDENTS, files_of = making.CASES, making.STUDENTS, making.files_of
#: name of a submission → student and kind; diffs go round the students
SUBMISSIONS: dict[str, tuple[str, str]] = {
    **{f"{kind} {student}": (student, kind) for kind in ("solution", "starter") for student in STUDENTS},
    "empty": (STUDENTS[0], "empty"),
    **{name: (STUDENTS[number % len(STUDENTS)], name) for number, name in enumerate(CASES)},
}


def _sampled(names: list[str]) -> list[object]:
    default = {"empty", *(n for n in names if n.startswith(SAMPLE))}
    return [n if n in default else pytest.param(n, marks=_marks(n)) for n in names]


def _marks(name: str) -> list[pytest.MarkDecorator]:
    """What grades long; a case for Terraform needs it."""
    if name not in CASES or CASES[name].engine != "terraform":
        return [pytest.mark.verify]
    missing = pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
    return [pytest.mark.verify, pytest.mark.terraform, pytest.mark.timeout(1800), missing]


def _grade(
    name: str,
    folder: Path,
    warm: Warm | None = None,
    *,
    engine: str = "",
    only: tuple[str, ...] = (),
) -> Result:
    student, kind = SUBMISSIONS[name]
    engine = engine or (CASES[kind].engine if kind in CASES else "cloudformation")
    source = folder / "source"
    source.mkdir(parents=True)
    making.write(files_of(student, kind), source)
    asked = Request(ROOT, student, source, engine, only, result=folder / "result.json")
    return grade(asked, warm=warm)


@pytest.fixture(scope="module")
def graded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Result]]:
    """The result of a submission by name; all that are asked for in this run begin at once, a few at a time."""
    asked = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path and "graded" in getattr(item, "fixturenames", ())
    ]
    with warm_parent() as warm, ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        runs: dict[str, Future[Result]] = {}
        for name in dict.fromkeys(asked):
            folder = tmp_path_factory.mktemp("submission") / re.sub(r"\W", "-", name)
            runs[name] = pool.submit(_grade, name, folder, warm)
        yield lambda name: runs[name].result()
        pool.shutdown(cancel_futures=True)


def losses(result: Result) -> dict[str, float]:
    """Points lost, by line; a line that was not judged is said to be so."""
    assert not result.not_judged, [f"{line.id}: {line.verdict.reason}" for line in result.not_judged]
    return {line.id: line.lost for line in result.lines if line.lost}


def said(result: Result) -> str:
    """What the grader said of each lost line, for a message."""
    return json.dumps({line.id: line.verdict.reason for line in result.lines if line.lost}, indent=1)


@pytest.mark.parametrize("name", _sampled(list(CASES)))
def test_submission_loses_exactly_its_lines(graded: Callable[[str], Result], name: str) -> None:
    result, case = graded(name), CASES[name]
    assert losses(result) == pytest.approx(dict(case.loses), abs=0.01), said(result)
    assert result.score == pytest.approx(case.mark, abs=0.01)


@pytest.mark.verify
@pytest.mark.terraform
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
def test_solution_is_full_with_terraform_too(tmp_path: Path) -> None:
    result = _grade(f"solution {STUDENTS[0]}", tmp_path, engine="terraform")
    assert losses(result) == {}, said(result)
    assert (result.score, result.is_final, result.about["engine"]) == (100.0, True, "terraform")


@pytest.mark.parametrize("name", _sampled([f"solution {student}" for student in STUDENTS]))
def test_solution_is_full_for_every_student(graded: Callable[[str], Result], name: str) -> None:
    result = graded(name)
    assert losses(result) == {}, said(result)
    assert (result.score, result.is_final) == (100.0, True)


@pytest.mark.parametrize("name", _sampled([f"starter {student}" for student in STUDENTS]))
def test_starter_has_its_known_mark(graded: Callable[[str], Result], name: str) -> None:
    result = graded(name)
    losses(result)
    assert result.score == STARTER, said(result)


@pytest.mark.parametrize("name", _sampled(["empty"]))
def test_nothing_earns_nothing(graded: Callable[[str], Result], name: str) -> None:
    result = graded(name)
    losses(result)
    assert result.score == 0.0


# ---- The cases themselves, without grading ------------------------------------------------------------


def test_every_line_is_lost_by_some_mistake() -> None:
    lost = {line for case in CASES.values() for line in case.loses}
    assert lost == {line.id for line in rubric.load(ROOT).lines}


@pytest.mark.parametrize("name", sorted(CASES))
def test_losses_and_mark_agree(name: str) -> None:
    case, points = CASES[name], {line.id: line.points for line in rubric.load(ROOT).lines}
    assert all(0 < lost <= points[line] for line, lost in case.loses.items())
    assert case.mark == pytest.approx(100 - sum(case.loses.values()), abs=0.01)


@pytest.mark.parametrize(
    "student", [STUDENTS[0], *(pytest.param(name, marks=pytest.mark.verify) for name in STUDENTS[1:])]
)
def test_every_diff_fits_every_student(student: str) -> None:
    whole: Mapping[str, str] = files_of(student, "solution")
    for name in CASES:
        assert files_of(student, name) != whole, name
