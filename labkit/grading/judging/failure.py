"""The exceptions by which a check says that the student's work does not hold, or that nothing tells.

What belongs here: Failed, Untried, NotTold. What does not: errors of ours (labkit.base.errors), which are never the student's fault.
"""

from collections.abc import Sequence


class Failed(Exception):
    """The line does not hold: what was seen, the next thing to try, what was expected and found.

    `fraction` of the points is earned all the same (partial credit). `evidence` are lines that show it: the hops
    of a packet, the deciding policy statement, log lines. `final`: seen in what was submitted it stands, whatever
    the texts are worth alone: what must not be allowed is allowed.
    """

    def __init__(
        self,
        reason: str,
        *,
        hint: str = "",
        expected: object = "",
        found: object = "",
        fraction: float = 0.0,
        evidence: Sequence[str] = (),
        final: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint
        self.expected, self.found = str(expected), str(found)
        self.fraction = fraction
        self.evidence = tuple(evidence)
        self.final = final


class NotTold(Exception):
    """Nothing that stands tells whether the line holds: it is not judged. For what only looks (`live`)."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


class Untried(Failed):
    """The line does not hold, for something else stood in the way of what it is about.

    Where a line is tried alone with given text, that given text is then taken out again: a mistake in it costs
    the lines about the thing that it spoils, and never one that the gaps' own texts can prove.
    """
