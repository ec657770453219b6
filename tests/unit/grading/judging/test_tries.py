"""How often a line is tried: again where something of ours may have failed, and not where nothing can come of it."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.base.errors import CloudError, EngineMissing, LabError
from labkit.course.rubric import Line, Rubric
from labkit.grading.judging.session import Session


class Plain(Session):
    """A session that tells everything."""

    def _words(self, check: Any) -> Any:
        return SimpleNamespace(quiet=lambda verdict: verdict)


LINE = Line("row-each", "", 3, "05", alone=("record",))


@pytest.mark.parametrize(
    ("error", "tries", "alone"),
    [(EngineMissing("The AWS provider can't be fetched."), 1, False), (CloudError("The cloud has ended."), 3, True)],
)  # fmt: skip
def test_an_engine_that_is_not_here_is_not_asked_for_again(error: LabError, tries: int, alone: bool) -> None:
    """A cloud that fails is: once more as submitted, once on the reference system, then alone."""
    tried: list[str] = []

    def system(*_: object) -> Any:
        tried.append("once")
        raise error

    task = SimpleNamespace(deployed="", checks=(), attempts="both")
    sources: Any = SimpleNamespace(task=task, submitted={}, reference={})
    clouds = SimpleNamespace(lacks_engine=isinstance(error, EngineMissing))
    whole = SimpleNamespace(may_come_home=False)
    deployments: Any = SimpleNamespace(
        submitted=system, mixture=system, clouds=clouds, whole=whole, lock=threading.RLock()
    )
    labs: Any = SimpleNamespace(beside_reference=())
    session = Plain(Rubric((LINE,)), sources, deployments, labs)
    verdict = session.as_submitted(LINE, lambda lab: None)
    assert (verdict.outcome, len(tried)) == ("not judged", tries)
    assert error.message in verdict.reason
    assert session.wants_alone(LINE) is alone
