"""Which texts of the student decide a line that is tried alone."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.grading.model import Verdict
from labkit.grading.rubric import Line
from labkit.grading.session import Session

UNITS = ("record", "given:flask_app.py")


class Told(Session):
    """A session that only notes which mixtures it would deploy; with given text in them, something stands in the way."""

    mixed: list[tuple[str, ...]]
    untried: bool

    def _mixture(self, units: Sequence[str]) -> Any:
        self.mixed.append(tuple(units))

    def _words(self, check: Any) -> Any:
        return SimpleNamespace(alone=lambda before, verdict, helpers: verdict)

    def _judge(self, line: Line, check: Any, way: Any, system: Callable[[], Any]) -> Verdict:
        system()
        given = "given:flask_app.py" in self.mixed[-1]
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
    nothing: Any = None
    session = Told(nothing, nothing, nothing, nothing)
    session.__dict__.update(mixed=[], untried=untried, texts={}, reference={})
    verdict = session.alone(Line("row-types", "", 2, "05", alone=units), nothing)
    assert (session.mixed, verdict.outcome) == (mixtures, outcome)
