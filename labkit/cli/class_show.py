"""The command `lab class show`: the class on the terminal, as one page, as JSON and CSV.

What belongs here: its options and rows of text. What does not: counting (labkit.classroom.overview).
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base import state
from labkit.base.text import printable, shortened
from labkit.cli.classroom import Classroom
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.classroom.overview import Overview

_WIDTH, _MOST = 30, 12


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the class's actions."""
    show = add("show", "the class at a glance: who needs you, marks, lines that fail and why", _show)
    show.add_argument("--html", metavar="FILE", help="as one page, for staff: it holds hidden reasons")
    show.add_argument("--csv", metavar="FILE", help="everybody as a table")


def _show(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import overview, overview_page
    from labkit.classroom.exports.csvs import write
    from labkit.classroom.exports.model import Given

    standings = room.standings()
    view = overview.of_class(standings, [each for each, _ in room.ledger.handins()], room.rules)
    for text, style in _rows(view):
        console.line(text, style=style)
    if arguments.html:
        state.write_text(
            Path(arguments.html), overview_page.render(view, room.course.name or "The class"), mode=0o600
        )
        console.line(f"✓ {arguments.html}, for staff only: it holds hidden reasons.", style="good")
    if arguments.csv:
        table = write(Given(standings, room.rules, pending=True))
        state.write_bytes(Path(arguments.csv), next(iter(table.values())), mode=0o600)
        console.line(f"✓ {arguments.csv}", style="good")
    if arguments.json:
        console.result(view.to_json())
    return 69 if view.needs else 0


def _rows(view: "Overview") -> Iterator[tuple[str, str]]:
    states = ", ".join(f"{count} {name}" for name, count in view.states.items()) or "nobody"
    yield (
        f"{len(view.rows)} people: {states}; marks out of {view.total:g}{f' ({view.rubric})' if view.rubric else ''}",
        "strong",
    )
    if view.quartiles:
        yield (
            f"  middle mark {view.quartiles[1]:g}; half lie from {view.quartiles[0]:g} to {view.quartiles[2]:g}",
            "",
        )
    most = max([1, *view.bins])
    for number, count in enumerate(view.bins):
        low, high = number * view.total / len(view.bins), (number + 1) * view.total / len(view.bins)
        yield f"  {low:>5g} to {high:<5g} {count:>5}  {'█' * round(_WIDTH * count / most)}", ""
    failing = sorted(
        (line for line in view.lines if line.rate < 1), key=lambda line: (line.rate, -line.points)
    )
    if failing:
        yield "", ""
        yield "Lines that fail most:", "strong"
    for line in failing[:_MOST]:
        yield f"  {100 * line.rate:>3.0f} %  {line.id:<20} {line.title}"[:80], ""
        for reason in line.reasons[:1]:
            yield f"         {reason.count} × {shortened(printable(reason.text), 60)}", "dim"
    yield from _people(view)


def _people(view: "Overview") -> Iterator[tuple[str, str]]:
    for title, rows in (
        ("Late", [f"{row.id} ({row.late_days} d)" for row in view.rows if row.late_days]),
        ("Missing", [row.id for row in view.rows if row.state == "missing"]),
        ("Not judged", [row.id for row in view.rows if row.state == "not judged"]),
        ("Far from the others", [f"{row.id} ({row.final:g})" for row in view.rows if row.outlier]),
        ("Stopped at a step", [f"step {step}: {count}" for step, count in view.stuck.items()]),
    ):
        if rows:
            more = f" and {len(rows) - _MOST} more" if len(rows) > _MOST else ""
            yield f"{title} ({len(rows)}): {printable(', '.join(rows[:_MOST]))}{more}", ""
    if view.needs:
        yield "", ""
        yield f"Needs you ({len(view.needs)}):", "strong"
    for label, trouble in view.needs[:_MOST]:
        yield f"! {printable(label)}: {shortened(printable(trouble), 160)}", "warn"
