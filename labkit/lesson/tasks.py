"""A gap's task on the screen: what fails now, what must hold, its card, what the check will try.

What belongs here: lines (text, style) from lab.toml and the student's files. What does not: the texts.
"""

from collections.abc import Mapping
from typing import Any

from labkit.lesson import course, gaps
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
    lines.append(("✓ you changed it (whether it is right, the steps say)    One gap:  ./lab gap NAME", "dim"))
    return lines, {"gaps": [{"name": p.gap.name, "written": p.written, "line": p.line} for p in found]}


def task(context: Context, name: str) -> tuple[Lines, Mapping[str, Any]]:
    """One gap's task."""
    workspace = context.workspace
    gap = gaps.find(context.manifest, name)
    files, starter = workspace.files(), context.workspaces.starter(workspace)
    place = gaps.place(gap, files, starter, engine_of(context))
    lines: Lines = [
        (f"Gap {gap.order} of {len(context.manifest.gaps)}: {gap.title}", "strong"),
        (f"  {gap.concept} · {gap.level} · about {gap.minutes} min · {place.file} line {place.line}", "dim"),
        ("Now", "strong"),
        (f"  {gap.fails}", ""),
        ("Must hold", "strong"),
        *((f"  - {text}", "") for text in gap.holds),
        ("The check will", "strong"),
        *((f"  - {text}", "") for text in gap.tries),
        ("  ".join(f"./lab card {card}" for card in gap.cards), "dim"),
        (f"Begin it anew:  ./lab reset {gap.name}      Stuck:  ./lab hint {gap.name}", "dim"),
    ]
    return lines, {"gap": gap.name, "file": place.file, "line": place.line, "holds": list(gap.holds)}
