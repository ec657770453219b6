"""Whether a text says the solution's words: the same tokens in a row, blanks and quotes aside.

What belongs here: this comparison. What does not: which texts are compared (tests, labkit.lesson.handing_in.handout).
"""

import re
from collections.abc import Iterable

#: so many tokens in a row are the solution's words
TOO_MANY = 9
#: in the kit's own programs, which speak of the same things by nature, it takes more
TOO_MANY_IN_CODE = 13

Run = tuple[str, ...]


def tokens(text: str) -> list[str]:
    """Words, numbers and signs; blanks, quotes, commas and list signs do not count."""
    return re.findall(r"[A-Za-z_]\w*|\d+|[^\s\w\"'\-,]", text)


def runs(text: str, length: int = TOO_MANY) -> set[Run]:
    """Every `length` tokens in a row."""
    found = tokens(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def secret(solution: Iterable[str], given: Iterable[str], length: int = TOO_MANY) -> set[Run]:
    """What the solution's texts say and the texts that students get anyway do not."""
    own = {run for text in solution for run in runs(text, length)}
    return own - {run for text in given for run in runs(text, length)}


def leaks(text: str, hidden: set[Run], length: int = TOO_MANY) -> str:
    """Words of the text that are the solution's, "" when there are none; `hidden` has runs of this length."""
    shared = sorted(runs(text, length) & hidden)
    return " ".join(shared[0]) if shared else ""
