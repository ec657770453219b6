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
#: by default some lines of one; `make verify` takes whole ones: with many losses, in several ways, and not thought out
SOME = ("server-writes", "key-and-type", "crash-restart")
DEFAULT = ("M14-bucket-arn", SOME)
MORE = ("solution", "M14-bucket-arn", "N53-name-not-defined", "M12-listens-on-loopback", "odd 1", "odd 2")


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with warm_parent() as parent:
        yield parent


@pytest.mark.parametrize(
    ("name", "lines"),
    [DEFAULT, *(pytest.param(name, (), marks=pytest.mark.verify) for name in MORE)],
    ids=lambda value: value if isinstance(value, str) else f"{len(value) or 'all'} lines",
)
def test_a_verdict_hangs_on_no_other_line(
    name: str, lines: tuple[str, ...], warm: Warm, tmp_path: Path
) -> None:
    if name.startswith("odd"):
        submission(name, tmp_path)
    else:
        write(files_of(ADA, name), tmp_path)

    def graded(only: tuple[str, ...], order: str = "") -> Result:
        return grade(Request(ROOT, ADA, tmp_path, only=only, order=order), warm=warm)

    first, order = graded(lines), f"{SEED}/order"
    print(f"the other order is drawn by {order!r}")
    assert told(graded(lines, order)) == told(first)
    for line in first.all:
        if line.verdict.outcome == "failed":
            assert told(graded((line.id,)))[line.id] == line.verdict


def told(result: Result) -> dict[str, Verdict]:
    """All that is said of each line."""
    return {line.id: line.verdict for line in result.all}
