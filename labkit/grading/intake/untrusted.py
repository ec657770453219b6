"""One thing in a submission that is refused before any tool sees the files.

What belongs here: the record, and how large a file may be. What does not: what is refused (refusal, template_refusal).
"""

from dataclasses import dataclass

from labkit.base.text import printable, shortened

#: of one file of configuration; far more than the lab's has
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Untrusted:
    """One thing that is refused: the file, the line (from 1), what it is, why.

    `unreadable`: it may be no more than a slip; Terraform is not run on it, and nothing else is the worse for it.
    """

    file: str
    line: int
    what: str
    why: str
    unreadable: bool = False

    def __str__(self) -> str:
        what = shortened(printable(self.what), 80)
        return f"{printable(self.file)}, line {self.line}: {what} is refused: {self.why}"
