"""Two inventories laid side by side: what differs, role by role, property by property.

What belongs here: comparing and putting the differences into words. What does not: reading (labkit.deploy.inventory).

Used for parity (two engines, one infrastructure) and for drift (what was deployed, what stands now).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.deploy.inventory import Inventory

#: stands where one side has nothing
ABSENT = "—"
_WIDEST = 60


@dataclass(frozen=True)
class Difference:
    """One property that differs: where, and what it is on either side (ABSENT for nothing)."""

    role: str
    path: str
    left: str
    right: str


def compare(left: Inventory, right: Inventory) -> list[Difference]:
    """Every difference, in order of role and path; empty when the two are the same."""
    return [
        difference
        for role in sorted(left.keys() | right.keys())
        for difference in _in_role(role, left.get(role), right.get(role))
    ]


def table(differences: list[Difference], left: str, right: str) -> list[str]:
    """The differences as lines of a table, with the names of the two sides as its head."""
    rows = [("what", left, right)]
    rows += [
        (f"{d.role}: {d.path}" if d.path else d.role, _short(d.left), _short(d.right)) for d in differences
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def in_words(difference: Difference) -> str:
    """A difference between what was deployed (left) and what stands now (right), as a sentence."""
    what = f"{difference.role}: {difference.path}" if difference.path else difference.role
    if difference.right == ABSENT:
        return f"{what} is gone" + (f" (it was {_short(difference.left)})" if difference.path else "")
    if difference.left == ABSENT:
        return f"{what} was added" + (f": {_short(difference.right)}" if difference.path else "")
    return f"{what} is {_short(difference.right)}, deployed was {_short(difference.left)}"


def _in_role(role: str, left: Any, right: Any) -> Iterator[Difference]:
    if left is None or right is None:
        there, gone = "exists", ABSENT
        yield Difference(role, "", gone if left is None else there, gone if right is None else there)
        return
    for path, mine, theirs in _differing("", left, right):
        yield Difference(role, path, mine, theirs)


def _differing(path: str, left: Any, right: Any) -> Iterator[tuple[str, str, str]]:
    """(path, left, right) of every leaf that differs; entries of lists are compared as sets."""
    if left == right:
        return
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted(left.keys() | right.keys()):
            below = f"{path}.{key}" if path else key
            yield from _differing(below, left.get(key, ABSENT), right.get(key, ABSENT))
    elif isinstance(left, list) and isinstance(right, list):
        yield from ((path, _text(entry), ABSENT) for entry in left if entry not in right)
        yield from ((path, ABSENT, _text(entry)) for entry in right if entry not in left)
    else:
        yield path, _text(left), _text(right)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items() if entry not in ("", None))
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return ABSENT if value is None else str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"
