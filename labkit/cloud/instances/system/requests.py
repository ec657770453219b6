"""One call of systemctl under way: what it has printed, and what it waits for.

What belongs here: the record of a call. What does not: what the verbs do (control, showing). Runs inside the instance:
standard library only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Answer:
    """What a command prints and its exit status."""

    status: int = 0
    out: str = ""
    err: str = ""


@dataclass
class Request:
    """One systemctl call under way; `finish` is called once, when all its units are done."""

    finish: Callable[[Answer], None]
    answer: Answer = field(default_factory=Answer)
    pending: int = 1

    def hold(self) -> None:
        """One more unit has yet to be done."""
        self.pending += 1

    def release(self) -> None:
        """One unit is done."""
        self.pending -= 1
        if not self.pending:
            self.finish(self.answer)

    def fail(self, status: int, text: str) -> None:
        """Note an error; the first status stays."""
        self.answer.status = self.answer.status or status
        self.answer.err += text + "\n"
