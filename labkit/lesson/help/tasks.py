"""A gap's task on the screen: what fails now, what must hold, its card, what the check will try.

What belongs here: lines (text, style) from lab.toml and the student's files. What does not: the texts.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from labkit.course import course, gaps
from labkit.lesson.context import Context
from labkit.lesson.screens import engine_of

Lines = list[tuple[str, str]]


def overview(context: Context) -> tuple[Lines, Mapping[str, Any]]:
    """All gaps in the order in which they fail: written or not, file and line."""
    workspace = context.workspace
    files, starter = workspace.files(), context.workspaces.starter(workspace)
    found = [gaps.place(gap, files, starter, engine_of(context)) for gap in context.manifest.gaps]
    given = course.load(context.manifest).given
    lines: Lines = [("Your gaps, in the order in which they fail:", "strong")]
    for place in found:
        mark = "=" if place.gap.name in given else "✓" if place.written else "·"
        where = f"{place.file} line {place.line}"
        lines.append(
            (f"  {mark} {place.gap.order:>2} {place.gap.name:<18} {place.gap.minutes:>3} min  {where}", "")
        )
    if given:
        lines.append(("= given in your course, written already", "dim"))
    lines.append(("✓ you changed it (whether it is right, the steps say)", "dim"))
    lines.append(("One gap:  ./lab gap NAME", "dim"))
    return lines, {"gaps": [{"name": p.gap.name, "written": p.written, "line": p.line} for p in found]}


def task(context: Context, name: str) -> tuple[Lines, Mapping[str, Any]]:
    """One gap's task."""
    workspace = context.workspace
    gap = gaps.find(context.manifest, name)
    files, starter = workspace.files(), context.workspaces.starter(workspace)
    place = gaps.place(gap, files, starter, engine_of(context))
    lines: Lines = [
        (f"Gap {gap.order} of {len(context.manifest.gaps)}: {gap.title}", "strong"),
        (f"  {gap.concept} · {gap.level} · about {gap.minutes} min", "dim"),
        (f"  {place.file} line {place.line}", "dim"),
        ("Now", "strong"),
        *_item("  ", gap.fails),
        ("Must hold", "strong"),
        *(line for text in gap.holds for line in _item("  - ", text)),
        ("The check will", "strong"),
        *(line for text in gap.tries for line in _item("  - ", text)),
        ("  ".join(f"./lab card {card}" for card in gap.cards), "dim"),
        (f"Begin it anew:  ./lab reset {gap.name}", "dim"),
        (f"Stuck:          ./lab hint {gap.name}", "dim"),
    ]
    return lines, {"gap": gap.name, "file": place.file, "line": place.line, "holds": list(gap.holds)}


def _item(lead: str, text: str) -> Lines:
    """The text after its lead, in lines of at most 78 columns."""
    wrapped = textwrap.wrap(text, 78 - len(lead), break_long_words=False, break_on_hyphens=False)
    return [((lead if number == 0 else " " * len(lead)) + line, "") for number, line in enumerate(wrapped)]
