"""The gap that a student is at: which one, since when, and trying it.

What belongs here: choosing the gap from what is known, and the steps that show whether it holds. What does not: the screen
(labkit.cli.watch), what is known (labkit.lesson.help.verdicts).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labkit.base import state
from labkit.course import course
from labkit.course.manifest import Gap
from labkit.lesson import skipping
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.help.trouble import Trouble
from labkit.lesson.help.verdicts import Known, Verdicts
from labkit.lesson.model import StepResult

#: the step that shows whether a gap that is met there holds; what stands is deployed first, but for a plan
_SHOWN_BY = {
    "02": ("plan",),
    "04": ("deploy", "wire"),
    "05": ("deploy", "process"),
    "06": ("deploy", "break"),
}
#: of step 06 the error contract alone: a gap is tried, no fault is made
EXTRA: Mapping[str, Any] = {"contract": True}

MakeContext = Callable[[Mapping[str, Any]], Context]


@dataclass(frozen=True)
class Sight:
    """All gaps, the one that is due (None: all hold), the minutes spent at it, and the points so far."""

    known: tuple[Known, ...]
    current: Known | None
    minutes: int
    points: tuple[float, int, int]


def look(context: Context) -> Sight:
    """What is known now. Which gap is due is remembered with the time, for the minutes spent at it."""
    verdicts = Verdicts(context)
    known = tuple(verdicts.known(course.load(context.manifest).given, skipping.skipped(context.workspace)))
    stuck = Trouble(context.workspace).stuck()
    current = due(known, stuck.gap if stuck else "")
    return Sight(known, current, _minutes(context, current), verdicts.points())


def due(known: tuple[Known, ...], stuck_at: str) -> Known | None:
    """The first gap that is not written, or does not hold; then the first that was not tried; None when all hold."""
    for each in known:
        if each.state in ("open", "fails") or (each.state == "untried" and each.gap.name == stuck_at):
            return each
    return next((each for each in known if each.state == "untried"), None)


def try_out(make: MakeContext, gap: Gap) -> StepResult:
    """Run what shows whether the gap holds, up to the first step that does not pass. Raises LabError as the steps do."""
    for name in _SHOWN_BY[gap.step]:
        result = run_step(make(EXTRA if name == "break" else {}), name)
        if not result.passed:
            break
    return result


def _minutes(context: Context, current: Known | None) -> int:
    """How long this gap has been the one that is due."""
    path, now = context.workspace.path / ".lab" / "at-gap.json", context.workspace.clock()
    name = current.gap.name if current else ""
    kept = state.read_json(path) or {}
    if kept.get("gap") != name:
        kept = {"gap": name, "since": now.isoformat(timespec="seconds")}
        state.write_json(path, kept)
    return int((now - datetime.fromisoformat(kept["since"])).total_seconds() // 60)
