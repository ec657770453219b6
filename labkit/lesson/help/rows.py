"""The rows of a card about a type: what may be said there, and what it gives.

What belongs here: their layout. What does not: where a type's names come from (properties, arguments).
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping

WIDTH = 78
_WIDEST_NAME, _NARROWEST_TEXT = 34, 24


def settable(said: Mapping[str, tuple[bool, str]], names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lines (text, style) of what may be said: name → whether it must be there, and its kind; the required first.

    `names`: those by whose longest the column is as wide as it is.
    """
    width = min(_WIDEST_NAME, max(map(len, names), default=0))
    for name, (required, text) in sorted(said.items(), key=lambda item: (not item[1][0], item[0])):
        lead = f"  {'!' if required else ' '} {name:<{width}}  "
        lines = textwrap.wrap(text, max(WIDTH - len(lead), _NARROWEST_TEXT)) or [""]
        yield from (((" " * len(lead) if n else lead) + line, "") for n, line in enumerate(lines))
    if any(required for required, _ in said.values()):
        yield "  ! must be there", "dim"


def given(label: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lines of what a type gives by itself."""
    if listed := ", ".join(sorted(names)):
        yield from ((f"  {line}", "dim") for line in textwrap.wrap(f"{label}: {listed}", WIDTH - 2))


def further(at: str, name: str) -> Iterator[tuple[str, str]]:
    """The command that shows what is inside one of them; nothing without a name."""
    if name:
        yield f"  What is inside one:  ./lab what {at}.{name}", "dim"
