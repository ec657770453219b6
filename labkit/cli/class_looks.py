"""The commands `lab class explain`, `late` and `similar`: looks at what is there.

What belongs here: their options, what they show. What does not: the mark (labkit.classroom.marks), likeness (similarity).
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from labkit.base.errors import UsageError
from labkit.base.text import printable
from labkit.cli import class_folder
from labkit.cli.classroom import DONE, MOST_SHOWN, Classroom
from labkit.cli.console import Console


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the class's actions."""
    explain = add("explain", "one person's mark as a sum, line by line", _explain)
    explain.add_argument("who", help="an id of any kind")
    add("late", "who is late, by how much, and what says so", _late)
    similar = add("similar", "hand-ins that are alike: a signal for a person, and no verdict", _similar)
    similar.add_argument("folder", help="the hand-ins, as for grade")
    similar.add_argument(
        "--least", type=int, default=50, metavar="PERCENT", help="of what one of two wrote (50)"
    )
    similar.add_argument("--html", metavar="FILE", help="passages side by side")
    similar.set_defaults(times=None, times_column="")


def _explain(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom.marks import line_steps

    standing = room.standing_of(arguments.who)
    mark = standing.mark
    console.line(f"{printable(standing.person.id)}  {printable(standing.person.name)}", style="strong")
    if standing.handin:
        console.line(
            f"  {printable(standing.handin.label)}, handed in {standing.handin.at or '?'} ({standing.handin.by or 'nothing says when'})"
        )
    lines = list(line_steps(standing.counted)) if standing.counted and mark.raw is not None else []
    for step in (*lines, *mark.steps):
        console.line(f"  {printable(step.what):<44} {step.change:>12}   {step.after:g}")
    if mark.left:
        console.line(f"  not counted, since their gaps were given: {', '.join(mark.left)}", style="dim")
    for each in mark.pending:
        console.line(f"  ? {each}: the mark may move", style="warn")
    by = mark.rubric or "the lab's own rubric"
    if mark.final is None:
        console.line(f"No mark: {mark.state}, {mark.why}. That is not 0. ({by})", style="warn")
    else:
        console.line(
            f"= {mark.final:g} of {mark.total:g} ({by}){f'; {mark.why}' if mark.why else ''}", style="strong"
        )
    console.result(
        {"id": standing.person.id, "mark": mark.to_json(), "lines": [vars(step) for step in lines]}
    )
    return DONE


def _late(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    if room.rules.due is None and not room.due():
        raise UsageError(
            "There is no deadline.", hint="Say it in course.toml:  [dates] due = 2027-01-31T23:59:00"
        )
    late = [each for each in room.standings() if each.mark.late_days]
    for each in late:
        at, by = (each.handin.at, each.handin.by) if each.handin else ("", "")
        own = f", own deadline {each.facts.due:%Y-%m-%d %H:%M}" if each.facts.due else ""
        console.line(
            f"  {printable(each.person.id):<32} {each.mark.late_days:>3} d  −{each.mark.penalty:g}  {at} ({by}){own}"
        )
    console.line(f"{len(late)} are late." if late else "Nobody is late.", style="strong")
    console.result({"late": {each.person.id: each.mark.late_days for each in late}})
    return DONE


def _similar(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.base import state
    from labkit.classroom import similarity

    with class_folder.work_folder(room) as work:
        found = class_folder.read(room, arguments, work)
        pairs = similarity.alike(found, room.lab, arguments.least / 100)
        foreign = similarity.foreign_values(found, room.lab)
    console.line("A signal for a person to look at, and no verdict.", style="strong")
    for each in foreign:
        console.line(
            f"  {printable(each.person)}: {each.file} holds {each.value}, which is {printable(each.of)}'s own",
            style="warn",
        )
    for pair in pairs[:MOST_SHOWN]:
        shares = " and ".join(f"{100 * share:.0f} %" for share in pair.shares)
        console.line(f"  {printable(pair.first)} and {printable(pair.second)}: {shares} of what they wrote")
    if not (pairs or foreign):
        console.line("  No two are alike to that share, and nobody's files hold another's values.")
    if arguments.html:
        state.write_text(Path(arguments.html), similarity.page(pairs, foreign), mode=0o600)
        console.line(f"✓ {arguments.html}", style="good")
    console.result(
        {
            "pairs": [{"first": p.first, "second": p.second, "shares": list(p.shares)} for p in pairs],
            "foreign": [vars(each) for each in foreign],
        }
    )
    return DONE
