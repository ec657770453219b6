"""Two engines side by side: the table that the student fills in, and what their own trials say about it.

What belongs here: comparison.json and comparison.md in the workspace, and comparing the one with the other.
What does not: trying an engine out (labkit.lesson.compare.trial).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.deploy.engines import NAMES, TITLES

DATA, TABLE = "comparison.json", "comparison.md"
#: times that were written down may differ from the measured ones by this share, or by this many seconds
SHARE, SECONDS = 0.1, 1.0
_OPEN = "…"
_HEAD = """# Two engines, one lab

Fill in every … from what step 08 showed you, then:  ./lab compare --check

"""
_TAIL = """
Which would you take for a team of five, and why?

Answer:

"""


@dataclass(frozen=True)
class Row:
    """One line of the table: its key, its words, and what belongs into a cell."""

    key: str
    words: str


ROWS = (
    Row("create", "seconds to create everything"),
    Row("again", "seconds to deploy again, nothing changed"),
    Row("destroy", "seconds to destroy"),
    Row("state", "what it knows of the lab is kept: disk or account"),
    Row("shown", "changed by hand: its plan shows it, yes or no"),
    Row("repaired", "changed by hand: deploying undoes it, yes or no"),
    Row("left", "creation failed: how many things are left standing"),
)


def begin(workspace: Path) -> bool:
    """Make comparison.md with empty cells; False when it is there already."""
    path = workspace / TABLE
    if path.exists():
        return False
    head = [f"| what | {' | '.join(TITLES[name] for name in NAMES)} |", "|---" * (len(NAMES) + 1) + "|"]
    rows = [f"| {row.words} | {' | '.join([_OPEN] * len(NAMES))} |" for row in ROWS]
    state.write_text(path, _HEAD + "\n".join([*head, *rows]) + "\n" + _TAIL)
    return True


def cells(text: str) -> dict[tuple[str, str], str]:
    """What stands in the table, by (row's key, engine); cells that are open or gone are left out."""
    found = {}
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip().strip("|").split("|")]
        row = next((row for row in ROWS if parts[0] == row.words), None)
        for engine, cell in zip(NAMES, parts[1:], strict=False) if row else ():
            if row and cell.strip(f"{_OPEN}. "):
                found[row.key, engine] = cell
    return found


def expected(trial: Mapping[str, Any]) -> dict[str, float | str]:
    """What belongs into one engine's column."""
    seconds = trial["seconds"]
    return {
        **{key: float(seconds[key]) for key in ("create", "again", "destroy")},
        "state": "disk" if trial["kept_on_disk"] else "account",
        "shown": "yes" if trial["shown"] else "no",
        "repaired": "yes" if trial["repaired"] else "no",
        "left": float(len(trial["left"])),
    }


def wrong(text: str, trials: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is open, or is not what the trials saw, one sentence each; nothing: the table is right."""
    given = cells(text)
    for trial in trials:
        name = str(trial["engine"])
        for key, right in expected(trial).items():
            cell = given.get((key, name))
            words = next(row.words for row in ROWS if row.key == key)
            if cell is None:
                yield f"{TITLES[name]}, {words}: not filled in"
            elif not _agrees(key, cell, right):
                yield f"{TITLES[name]}, {words}: you wrote {cell[:20]!r}; look at your run again"


def _agrees(key: str, cell: str, right: float | str) -> bool:
    if isinstance(right, str):
        return re.match(rf"\W*{right}\b", cell.lower()) is not None
    number = re.search(r"\d+(?:[.,]\d+)?", cell)
    allowed = 0.0 if key == "left" else max(SHARE * right, SECONDS)
    return number is not None and abs(float(number[0].replace(",", ".")) - right) <= allowed
