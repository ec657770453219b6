"""Hidden lines are judged after the others of their system: what a program says later may hold what they asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import labkit
from labkit.course import rubric
from labkit.grading.judging.session import ALONE, SUBMITTED
from labkit.grading.process.plugin import GradingPlugin

ROOT = Path(labkit.__file__).resolve().parents[1]
#: these stop or kill something, and are not hidden
DISTURBING = ("comes-back", "crash-restart", "dead-server-504")


@pytest.mark.parametrize("order", ["", "another"])
def test_hidden_lines_come_after_the_others_and_what_deletes_comes_last(order: str) -> None:
    known = rubric.load(ROOT)
    session: Any = SimpleNamespace(rubric=known, task=SimpleNamespace(checks=(), given_up=(), order=order))
    plugin = GradingPlugin(session, known.lines, [], lambda *_: None)
    attempts: list[Any] = [
        SimpleNamespace(line=line, way=way)
        for line in known.lines
        for way in (SUBMITTED, ALONE)
        if way == SUBMITTED or line.alone
    ]
    ordered = sorted(attempts, key=plugin._place)
    submitted = [each.line for each in ordered if each.way == SUBMITTED]
    first = next(place for place, line in enumerate(submitted) if line.hidden)
    after = [line.id for line in submitted[first:] if not line.hidden]
    assert sorted(after) == sorted([*DISTURBING, "destroy-clean"])
    assert after[-1] == "destroy-clean"
    assert [each.way for each in ordered] == sorted(
        (each.way for each in ordered), key=(SUBMITTED, ALONE).index
    )
    if not order:  # in another one the foundations are judged first all the same
        for number, line in enumerate(submitted):
            assert not {other.id for other in submitted[number:]} & set(line.needs) - {line.id}


def test_the_foundations_are_what_others_need_and_what_can_bring_the_submission_home() -> None:
    assert [line.id for line in rubric.load(ROOT).foundations] == ["deploys", "path-health"]
