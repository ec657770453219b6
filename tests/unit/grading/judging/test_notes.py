"""What a check notes stands in its verdict, passed or failed, and costs nothing."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from grader.support import rights
from labkit.aws.iam.analysis import Excess
from labkit.course.rubric import Line, Rubric
from labkit.deploy.model import Deployment
from labkit.grading.judging.failure import Failed
from labkit.grading.judging.session import Session
from labkit.grading.model import Verdict

LINE = Line("server-no-more", "", 3, "05")
FOUND = Excess("s3:getobject", "s3:Get*", "arn:aws:s3:::b/*", "", "own", "1", decided=False)


def judged(check: Any) -> Verdict:
    """What a session says of the line, whose check is given a lab that only takes notes."""
    system = SimpleNamespace(
        deployment=Deployment("cloudformation", "x", "complete", {}), new_faults=lambda: Counter, denials=lambda _: []
    )  # fmt: skip

    @contextlib.contextmanager
    def opened(*_: object) -> Iterator[Any]:
        notes: list[str] = []
        yield SimpleNamespace(notes=notes, note=notes.append)

    sources: Any = SimpleNamespace(task=SimpleNamespace(deployed="", checks=()), submitted={})
    deployments: Any = SimpleNamespace(submitted=lambda: system, whole=SimpleNamespace(may_come_home=False))
    labs: Any = SimpleNamespace(open=opened, beside_reference=())
    return Session(Rubric((LINE,)), sources, deployments, labs).as_submitted(LINE, check)


def test_what_reading_could_not_decide_is_noted_at_a_line_that_passes() -> None:
    verdict = judged(lambda lab: rights.note_undecided(lab, "your server's role", {"undecided": [FOUND]}))
    assert verdict.passed
    (note,) = verdict.notes
    assert note.startswith("it can't be told by reading on what your server's role may do this: s3:Get*")


def test_a_note_stays_where_the_line_fails() -> None:
    def check(lab: Any) -> None:
        lab.note("seen besides")
        raise Failed("it may also do this")

    verdict = judged(check)
    assert (verdict.outcome, verdict.notes) == ("failed", ("seen besides",))
