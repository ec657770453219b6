"""Which texts of the student decide a line that is tried alone."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.course.rubric import Line
from labkit.grading.judging.session import Session
from labkit.grading.model import Verdict

UNITS = ("record", "given:flask_app.py")


class Told(Session):
    """A session whose check looks at no system; with given text in the mixture, something stands in the way."""

    untried: bool

    def _words(self, check: Any) -> Any:
        return SimpleNamespace(alone=lambda before, verdict, helpers: verdict)

    def _judge(self, line: Line, check: Any, way: Any, system: Callable[[], Any]) -> Verdict:
        given = "given:flask_app.py" in system()
        (self._untried.add if given and self.untried else self._untried.discard)(line.id)
        return Verdict("failed" if given else "passed", way=way)


@pytest.mark.parametrize(
    ("units", "untried", "mixtures", "outcome"),
    [
        (UNITS, True, [UNITS, ("record",)], "passed"),  # the whole file is broken: the gap proves the line
        (UNITS, False, [UNITS], "failed"),  # given text spoils what the line is about
        (("given:flask_app.py",), True, [("given:flask_app.py",)], "failed"),  # nothing else could prove it
    ],
)
def test_given_text_of_a_file_counts_where_it_does_not_only_stand_in_the_way(
    units: tuple[str, ...], untried: bool, mixtures: list[tuple[str, ...]], outcome: str
) -> None:
    mixed: list[tuple[str, ...]] = []

    def mixture(units: Sequence[str]) -> tuple[str, ...]:
        mixed.append(tuple(units))
        return tuple(units)

    nothing: Any = None
    sources: Any = SimpleNamespace(submitted={}, reference={})
    deployments: Any = SimpleNamespace(mixture=mixture)
    session = Told(nothing, sources, deployments, nothing)
    session.untried = untried
    verdict = session.alone(Line("row-types", "", 2, "05", alone=units), nothing)
    assert (mixed, verdict.outcome) == (mixtures, outcome)
