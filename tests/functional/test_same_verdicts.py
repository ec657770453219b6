"""A verdict is the same alone, in any order of the lines, and again: what one line leaves behind reaches no other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.grading.grade import Request, grade
from labkit.grading.model import Result, Verdict
from labkit.grading.process.starting import Warm, warm_parent
from tests.conftest import SEED
from tests.functional.test_odd_submissions import ADA, submission
from tests.submissions.making import ROOT, files_of, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
Grade = Callable[..., Result]
#: by default one; `make verify` takes those that lose many lines, in several ways, and one that nobody has thought out
DEFAULT = "M14-bucket-arn"
MORE = ("solution", "N53-name-not-defined", "M12-listens-on-loopback", "odd 1", "odd 2")


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with warm_parent() as parent:
        yield parent


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.verify) for name in (DEFAULT, *MORE)])
def graded(request: pytest.FixtureRequest, warm: Warm, tmp_path: Path) -> Grade:
    """Grades the submission: with `only` some lines, in another `order`."""
    source, kind = tmp_path / "source", str(request.param)
    if kind.startswith("odd"):
        submission(kind, source)
    else:
        write(files_of(ADA, kind), source)
    return lambda **how: grade(Request(ROOT, ADA, source, **how), warm=warm)


def test_a_verdict_hangs_on_no_other_line(graded: Grade) -> None:
    first, order = graded(), f"{SEED}/order"
    print(f"the other order is drawn by {order!r}")
    assert told(graded(order=order)) == told(first)
    for line in first.all:
        if not line.verdict.passed:
            alone = graded(only=(line.id,))
            assert (line.id, alone.line(line.id).verdict) == (line.id, line.verdict)


def told(result: Result) -> dict[str, Verdict]:
    """All that is said of each line."""
    return {line.id: line.verdict for line in result.all}
