"""Where the student is stuck: the check that failed last, how often, since when, and the hints given.

What belongs here: this record beside the workspace, and which tier of a hint is due. What does not: the
hints' texts (labkit.lesson.help.texts).
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.course.workspace import Workspace
from labkit.lesson.help.texts import Hint
from labkit.lesson.model import CheckResult

#: the worked example comes after so many tries, or so many minutes
TIER3_TRIES, TIER3_MINUTES = 3, 10


@dataclass(frozen=True)
class Stuck:
    """The failing check that stops the student now."""

    step: str
    check: str
    gap: str
    symptom: str
    reason: str
    tries: int
    since: str


@dataclass(frozen=True)
class Given:
    """One hint: its tier (1 to 3) and text; `waiting` says when the next tier comes, "" when it may."""

    tier: int
    text: str
    waiting: str = ""


class Trouble:
    """The record of one workspace, kept in its .lab/trouble.json."""

    def __init__(self, workspace: Workspace, *, tier3_minutes: int = TIER3_MINUTES, tiers: int = 3) -> None:
        """`tiers`: how many of the three this course gives."""
        self._workspace, self._tier3_minutes, self._tiers = workspace, tier3_minutes, tiers

    @property
    def _path(self) -> Path:
        return self._workspace.path / ".lab" / "trouble.json"

    def _read(self) -> dict[str, Any]:
        return state.read_json(self._path) or {"stuck": None, "tiers": {}, "given": 0}

    def note(self, step: str, failed: CheckResult | None) -> None:
        """Remember the check that stopped `step`, or that nothing did."""
        value = self._read()
        if failed is None:
            if value["stuck"] and value["stuck"]["step"] == step:
                state.write_json(self._path, {**value, "stuck": None})
            return
        before = value["stuck"] or {}
        same = before.get("gap") == failed.gap and before.get("symptom") == failed.symptom
        value["stuck"] = {
            "step": step,
            "check": failed.name,
            "gap": failed.gap,
            "symptom": failed.symptom,
            "reason": failed.reason,
            "tries": before.get("tries", 0) + 1 if same else 1,
            "since": before["since"] if same else self._now().isoformat(timespec="seconds"),
        }
        state.write_json(self._path, value)

    def stuck(self) -> Stuck | None:
        """The check that stops the student now, or None."""
        value = self._read()["stuck"]
        return Stuck(**value) if value else None

    def given(self) -> int:
        """How many hints were given in all."""
        return int(self._read()["given"])

    def give(self, hint: Hint, stuck: Stuck | None) -> Given:
        """The next tier of `hint`, counted; the last one again once all were given.

        The third comes after three tries or ten minutes at the failing check; until then the second.
        """
        value = self._read()
        key = f"{hint.gap}/{hint.symptom}"
        had = int(value["tiers"].get(key, 0))
        waiting = self._waiting(stuck) if had == 2 else ""
        tier = min(had + (not waiting), self._tiers)
        if tier > had:
            value["tiers"][key] = tier
            value["given"] += 1
            state.write_json(self._path, value)
        return Given(tier, hint.tiers[tier - 1], waiting)

    def _waiting(self, stuck: Stuck | None) -> str:
        """Why the third tier is not due yet; "" when it is."""
        if stuck is None or stuck.tries >= TIER3_TRIES:
            return ""
        minutes = (self._now() - datetime.fromisoformat(stuck.since)).total_seconds() / 60
        left = self._tier3_minutes - minutes
        if left <= 0:
            return ""
        more = TIER3_TRIES - stuck.tries
        tries = "try" if more == 1 else "tries"
        return f"The example comes after {more} more {tries} (runs of the step), or in {left:.0f} minutes."

    def _now(self) -> datetime:
        return self._workspace.clock()
