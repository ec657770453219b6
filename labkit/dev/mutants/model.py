"""What a mutant is: the reference solution with one small change in the text of one file.

What belongs here: the records, applying a change, showing it. What does not: which changes there are (operators).
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

_LONGEST_DETAIL = 48


@dataclass(frozen=True)
class Change:
    """What an operator makes: the text from `start` to `end` becomes `new`.

    `place` says where in the file's own terms (a path of keys, a function, a line), `detail` what becomes of it.
    """

    operator: str
    place: str
    start: int
    end: int
    new: str
    detail: str = ""


@dataclass(frozen=True)
class Mutant:
    """A change in one file of the reference. `id` is the same in every run; `line` counts from 1."""

    id: str
    file: str
    line: int
    change: Change

    @property
    def operator(self) -> str:
        """The name of what made it."""
        return self.change.operator

    @property
    def place(self) -> str:
        """Where it is, in the file's own terms."""
        return self.change.place

    @property
    def engine(self) -> str:
        """The engine that it is graded with: a program or script is the same for both, so the quicker one."""
        return "terraform" if self.file.endswith(".tf") else "cloudformation"

    def applied(self, files: Mapping[str, str]) -> dict[str, str]:
        """`files` with the change in them."""
        return {**files, self.file: with_change(files[self.file], self.change)}

    def diff(self, files: Mapping[str, str]) -> list[str]:
        """The change as a unified diff with one line around it."""
        before, after = files[self.file], with_change(files[self.file], self.change)
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), self.file, self.file, n=1, lineterm=""
        )
        return list(lines)[2:]


def with_change(text: str, change: Change) -> str:
    """The text with the change in it."""
    return text[: change.start] + change.new + text[change.end :]


def mutant_of(file: str, text: str, change: Change) -> Mutant:
    """The mutant that this change of `file` is."""
    line = text.count("\n", 0, change.start) + 1
    detail = re.sub(r"[^\w.:*/=<>!+-]+", "_", change.detail or change.place.rpartition(".")[2])
    return Mutant(
        f"{change.operator}:{file}:{line}:{detail[:_LONGEST_DETAIL].strip('_')}", file, line, change
    )


def removal(text: str, start: int, end: int) -> tuple[int, int]:
    """What to cut so that nothing is left of an element: its whole lines, or the comma beside it."""
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    if not text[line_start:start].strip(" \t-") and text[end:line_end].strip() in ("", ","):
        return line_start, min(line_end + 1, len(text))
    if after := re.compile(r"[ \t]*,\s*").match(text, end):
        return start, after.end()
    if before := re.search(r",\s*\Z", text[:start]):
        return before.start(), end
    return start, end
