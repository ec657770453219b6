"""What graded mutants say about the grader.

What belongs here: telling killed, surviving and unjudged mutants apart. What does not: grading, showing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from labkit.dev.mutants.allowed import Entry, entry_of
from labkit.dev.mutants.grading import Graded
from labkit.dev.mutants.model import Mutant

Kind = Literal["killed", "survived", "allowed", "not judged"]


@dataclass(frozen=True)
class Outcome:
    """A mutant, what the grader said, and what that means; `why` is the list's reason, "" where it has none.

    killed: it lost points. survived: it lost none, and nothing says why. allowed: it lost none, as the list has it.
    not judged: a line of it was not, which no submission may bring about.
    """

    mutant: Mutant
    graded: Graded
    kind: Kind
    why: str = ""


def outcome_of(mutant: Mutant, graded: Graded, entries: Sequence[Entry]) -> Outcome:
    """What this grading means."""
    entry = entry_of(mutant, entries)
    why = entry.why if entry else ""
    if graded.not_judged:
        return Outcome(mutant, graded, "not judged", why)
    if graded.lost:
        return Outcome(mutant, graded, "killed", why)
    return Outcome(mutant, graded, "allowed" if entry else "survived", why)


def defects(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that show a fault of the grader, or of the list."""
    return [each for each in outcomes if each.kind in ("survived", "not judged")]
