"""What library code reports while it works; the command line decides how to show it.

What belongs here: the event record and the type of a listener. What does not: printing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["step", "progress", "resource", "check", "note", "warning", "done"]


@dataclass(frozen=True)
class Event:
    """One thing that happened: its kind, one line of text for people, and data for machines.

    `data` holds plain JSON values only. A "progress" event carries `done` and `total`.
    """

    kind: Kind
    text: str
    data: Mapping[str, object] = field(default_factory=dict)


Emit = Callable[[Event], None]


def ignore(_: Event) -> None:
    """The listener for callers that want no reports."""


def banner(title: str, target: str, **data: object) -> Event:
    """How a screen begins: what it is, and where it looks (the local cloud, or AWS)."""
    return Event("step", f"{title} · {target}", {**data, "target": target})
