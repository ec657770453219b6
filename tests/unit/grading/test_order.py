"""Hidden lines are judged after the others of their system: what a program says later may hold what they asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import labkit
from labkit.grading import rubric
from labkit.grading.plugin import GradingPlugin
from labkit.grading.session import ALONE, SUBMITTED

ROOT = Path(labkit.__file__).resolve().parents[1]
#: what the checks of these lines say of themselves
DISTURBING = ("comes-back", "crash-restart")


def test_hidden_lines_come_after_the_others_and_what_deletes_comes_last() -> None:
    known = rubric.load(ROOT)
    session: Any = SimpleNamespace(rubric=known)
    plugin = GradingPlugin(session, known.lines, [], lambda *_: None)
    attempts: list[Any] = [
        SimpleNamespace(
            line=line, way=way, says=lambda word, name=line.id: word == "DISTURBS" and name in DISTURBING
        )
        for line in known.lines
        for way in (SUBMITTED, ALONE)
        if way == SUBMITTED or line.alone
    ]
    ordered = sorted(attempts, key=plugin._place)
    submitted = [each.line for each in ordered if each.way == SUBMITTED]
    first = next(place for place, line in enumerate(submitted) if line.hidden)
    after = [line.id for line in submitted[first:] if not line.hidden]
    assert after == [*DISTURBING, "destroy-clean"]
    assert [each.way for each in ordered] == sorted(
        (each.way for each in ordered), key=(SUBMITTED, ALONE).index
    )
    for number, line in enumerate(submitted):
        assert not {other.id for other in submitted[number:]} & set(line.needs) - {line.id}
