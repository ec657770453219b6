"""A mark as a record: what it came to, and the sum that led there.

What belongs here: the record that reports read. What does not: working it out (labkit.classroom.marks, the only place).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: missing: nothing was handed in. not judged: something of ours, or a person, is awaited. too late: it is not taken
State = Literal["graded", "missing", "not judged", "too late"]


@dataclass(frozen=True)
class Step:
    """One line of the sum: what, how it changes the mark, and what the mark is after it."""

    what: str
    change: str
    after: float


@dataclass(frozen=True)
class Mark:
    """A mark out of `out_of`. None where there is none: missing and not judged are not 0.

    raw: what the lines earn, scaled. penalty: for lateness and hints. prose: a person's part, out of `prose_of`.
    final: what counts. pending: why it may still move. left: lines that are not counted, since their gaps were given.
    rubric: which points and rules of a course it was counted by, "" for the lab's own. bonus_is_apart: whether the bonus stands beside the mark.
    """

    state: State
    raw: float | None
    penalty: float
    bonus: float
    prose: float | None
    final: float | None
    out_of: float
    prose_of: float = 0.0
    why: str = ""
    pending: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    late_days: int = 0
    hints: int = 0
    rubric: str = ""
    bonus_is_apart: bool = True

    @property
    def total(self) -> float:
        """What can be had at most, a person's part included."""
        return self.out_of + self.prose_of

    @property
    def machine(self) -> float | None:
        """What counts without a person's part."""
        return None if self.final is None else round(self.final - (self.prose or 0.0), 2)

    def to_json(self) -> Mapping[str, Any]:
        """The mark as plain JSON values."""
        return {
            **asdict(self),
            "total": self.total,
            "pending": list(self.pending),
            "left": list(self.left),
            "steps": [asdict(step) for step in self.steps],
        }
