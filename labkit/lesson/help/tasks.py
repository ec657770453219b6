"""A gap's task on the screen: what fails now, what must hold, its card, what the check will try.

What belongs here: lines (text, style) from lab.toml and the student's files. What does not: the texts.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from labkit.course import course, gaps
from labkit.course.manifest import Gap
from labkit.lesson import skipping
from labkit.lesson.context import Context
from labkit.lesson.help.verdicts import MEANS, SIGNS, Known, Verdicts

Lines = list[tuple[str, str]]


def overview(context: Context) -> tuple[Lines, Mapping[str, Any]]:
    """All gaps in the order in which they fail: what is known of each, its points, file and line."""
    verdicts = Verdicts(context)
    found = verdicts.known(course.load(context.manifest).given, skipping.skipped(context.workspace))
    lines: Lines = [
        ("Your gaps, in the order in which they fail:", "strong"),
        (f"  in work/{context.workspace.path.name}/", "dim"),
    ]
    lines += [(_row(known), "") for known in found]
    lines += [
        (f"  {SIGNS[each]} {MEANS[each]}", "dim")
        for each in MEANS
        if each in {known.state for known in found}
    ]
    earned, tried, total = verdicts.points()
    lines.append((f"Points so far: {earned:g} of {tried} tried, {total} in all.", "dim"))
    lines.append(("One gap:  ./lab gap NAME", "dim"))
    return lines, {"gaps": [_data(known) for known in found]}


def _row(known: Known) -> str:
    gap, place = known.gap, known.place
    earned = f"{known.earned:g}" if known.state in ("holds", "fails") else SIGNS["untried"]
    points = f"{earned}/{known.points}" if known.points else ""
    return f"  {SIGNS[known.state]} {gap.order:>2} {gap.name:<18}{gap.minutes:>3} min {points:>5}  {place.file}:{place.line}"


def _data(known: Known) -> Mapping[str, Any]:
    return {
        "name": known.gap.name,
        "written": known.place.written,
        "state": known.state,
        "line": known.place.line,
        "earned": known.earned,
        "points": known.points,
        "lost": list(known.lost),
    }


def task(context: Context, name: str) -> tuple[Lines, Mapping[str, Any]]:
    """One gap's task."""
    gap = gaps.find(context.manifest, name)
    all_known = Verdicts(context).known(
        course.load(context.manifest).given, skipping.skipped(context.workspace)
    )
    known = next(each for each in all_known if each.gap.name == gap.name)
    place = known.place
    lines: Lines = [
        (f"Gap {gap.order} of {len(context.manifest.gaps)}: {gap.title}", "strong"),
        (f"  {gap.concept} · {gap.level} · about {gap.minutes} min", "dim"),
        (f"  work/{context.workspace.path.name}/{place.file}:{place.line}", "dim"),
        (
            f"  {SIGNS[known.state]} {MEANS[known.state]}"
            + "".join(f"; lost: {', '.join(known.lost)}" for _ in known.lost[:1]),
            "dim",
        ),
        ("Now", "strong"),
        *_item("  ", gap.fails),
        ("Must hold", "strong"),
        *(line for text in gap.holds for line in _item("  - ", text)),
        ("The check will", "strong"),
        *(line for text in gap.tries for line in _item("  - ", text)),
        (f"  The step {_step(context, gap)} tries it, and then the grade.", "dim"),
        ("  ".join(f"./lab card {card}" for card in gap.cards), "dim"),
        (f"Begin it anew:  ./lab reset {gap.name}", "dim"),
        (f"Stuck:          ./lab hint {gap.name}{_of_engine(context)}", "dim"),
        (f"Stuck for good: ./lab skip {gap.name}   (the reference instead, no points)", "dim"),
    ]
    return lines, {"gap": gap.name, "file": place.file, "line": place.line, "holds": list(gap.holds)}


def _of_engine(context: Context) -> str:
    """The option that was given here, for the next command as well."""
    return f" --engine {context.options.engine}" if context.options.engine else ""


def _step(context: Context, gap: Gap) -> str:
    """The first step that tries what stands of this gap: a plan tries nothing."""
    return next(
        f"./lab {name}"
        for name in ("wire", "process", "break")
        if context.manifest.step(name).number >= gap.step
    )


def _item(lead: str, text: str) -> Lines:
    """The text after its lead, in lines of at most 78 columns."""
    wrapped = textwrap.wrap(text, 78 - len(lead), break_long_words=False, break_on_hyphens=False)
    return [((lead if number == 0 else " " * len(lead)) + line, "") for number, line in enumerate(wrapped)]
