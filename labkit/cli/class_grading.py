"""The command `lab class grade`: its options, what it shows while it grades, its exit status.

What belongs here: the command line of a grading of all. What does not: doing it (labkit.classroom.grading).
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labkit.base.errors import UsageError
from labkit.base.events import Event
from labkit.base.text import printable, shortened
from labkit.cli import class_folder
from labkit.cli.classroom import DONE, MOST_SHOWN, Classroom, shown
from labkit.cli.console import Console
from labkit.cli.grade_command import KEY_VARIABLE, grader_key

if TYPE_CHECKING:
    from labkit.classroom.engine import Submit
    from labkit.classroom.grading import Outcome, Plan, Wanted
    from labkit.classroom.handins import HandIn
    from labkit.classroom.standing import Standing
    from labkit.course.course import Course

#: a person must look first (EX_UNAVAILABLE); trying again helps (EX_TEMPFAIL)
NEEDS_A_PERSON, NOT_JUDGED = 69, 75


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the class's actions."""
    grade = add("grade", "grade all hand-ins of a folder or download", _grade)
    grade.add_argument("folder", help="zips, folders, or what a platform lets you download")
    grade.add_argument("--key", metavar="FILE", help=f"the grader key (default: ${KEY_VARIABLE})")
    grade.add_argument("--times", metavar="FILE", help="a platform's file that tells when each handed in")
    grade.add_argument(
        "--times-column", default="", metavar="NAME", help="its column, where it can't be told"
    )
    grade.add_argument(
        "--again", action="append", default=[], metavar="LINE", help="judge this line of all again"
    )
    grade.add_argument(
        "--newer-kit", action="store_true", help="grade what an older kit has graded; says what moves"
    )
    grade.add_argument("--look", action="store_true", help="only say what would be graded, and who needs you")
    _add_machines(grade)


def _add_machines(grade: argparse.ArgumentParser) -> None:
    grade.add_argument(
        "--at-once", type=int, metavar="N", help="so many at once (default: by cores and memory)"
    )
    grade.add_argument(
        "--scheduler", metavar="ADDRESS", default="", help="let the workers of this Dask scheduler grade"
    )
    grade.add_argument(
        "--workers",
        metavar="N",
        type=int,
        default=0,
        help="begin a Dask cluster of N workers on this machine",
    )


def _grade(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import grading, notes

    wanted = _wanted(room, arguments)
    _require_tier(room.course)
    with class_folder.work_folder(room) as work:
        found = class_folder.read(room, arguments, work)
        room.ledger.see(
            found,
            {each.label: notes.read(each.source, room.course.questions) for each in found if each.sha256},
        )
        before = {each.person.id: each.mark.final for each in room.standings()}
        plan = grading.plan(found, room.ledger, wanted)
        _say_plan(plan, wanted, console)
        outcome = grading.Outcome()
        if plan.works and not arguments.look:
            outcome = _carry_out(
                plan, room, arguments, console, lambda: grading.plan(found, room.ledger, wanted)
            )
    _say_outcome(outcome, console)
    if arguments.newer_kit or arguments.again:
        _say_moves(before, room.standings(), console)
    _say_needs(plan.needs, console)
    console.result(_told(plan, outcome))
    if outcome.failed or outcome.elsewhere:
        return NOT_JUDGED
    return NEEDS_A_PERSON if plan.needs else DONE


def _wanted(room: Classroom, arguments: argparse.Namespace) -> "Wanted":
    from labkit.classroom import grading
    from labkit.classroom.rules import verdict_hash
    from labkit.course import rubric

    lines = rubric.load(room.places.root)
    known = [line.id for line in lines.all]
    for name in arguments.again:
        if name not in known:
            raise UsageError(
                f"There is no line {printable(name)}.", hint=f"The lines are: {', '.join(known)}"
            )
    return grading.Wanted(
        room.places.root,
        lines,
        verdict_hash(room.course),
        grader_key(arguments.key),
        tuple(arguments.again),
        arguments.newer_kit,
    )


def _carry_out(
    plan: "Plan", room: Classroom, arguments: argparse.Namespace, console: Console, left: "Callable[[], Plan]"
) -> "Outcome":
    """Grade; a stop by hand says at once what it has cost."""
    from labkit.classroom import engine, grading

    count = arguments.at_once or engine.at_once()
    with _engine(arguments, count, console) as (submit, ahead):
        try:
            return grading.carry_out(plan, room.ledger, submit, ahead, console.event)
        except KeyboardInterrupt:
            _say_stopped(len(plan.works), len(left().works), console)
            raise


@contextmanager
def _engine(arguments: argparse.Namespace, count: int, console: Console) -> "Iterator[tuple[Submit, int]]":
    """Who grades: this process, or the workers of a Dask scheduler; and how many are begun before one has ended."""
    from labkit.classroom import cluster, engine

    if not (arguments.scheduler or arguments.workers):
        with engine.embedded(count) as submit:
            yield submit, count
        return
    with cluster.open_cluster(arguments.scheduler, arguments.workers, count, console.event) as reached:
        yield reached.submit, reached.ahead


def _require_tier(course: "Course") -> None:
    """[grading] tier: what protects less grades nobody."""
    if wanted := course.data.get("grading", {}).get("tier"):
        os.environ.setdefault("LAB_REQUIRE_TIER", wanted)


def _say_plan(plan: "Plan", wanted: "Wanted", console: Console) -> None:
    parts = [f"{len(plan.works)} to grade", f"{len(plan.done)} done already", f"{len(plan.needs)} need you"]
    console.event(
        Event(
            "step", f"The class · {', '.join(parts)}", {"to_grade": len(plan.works), "needs": len(plan.needs)}
        )
    )
    if wanted.key_id == "self-check":
        console.event(
            Event(
                "warning",
                "Without the grader key hidden inputs can be foreseen: these are looks, no marks. "
                "Make one:  openssl rand -hex 32 > grader.key  and add:  --key grader.key",
            )
        )
    if plan.older and not wanted.newer_kit:
        console.event(
            Event(
                "note",
                f"{len(plan.older)} were graded by an older kit and stay so; --newer-kit grades them again.",
            )
        )


def _say_outcome(outcome: "Outcome", console: Console) -> None:
    if outcome.judged:
        rate = len(outcome.judged) / outcome.minutes if outcome.minutes else 0
        console.line(
            f"✓ {len(outcome.judged)} graded in {outcome.minutes:.1f} min ({rate:.1f} a minute).",
            style="good",
        )
    for each in outcome.failed:
        why = (
            each.error or ", ".join(line.id for line in each.result.not_judged) if each.result else each.error
        )
        console.line(
            f"? {printable(each.work.label)}: not judged: {shortened(printable(why), 200)}", style="warn"
        )
    for label, who in outcome.elsewhere.items():
        console.line(f"· {printable(label)}: {printable(who)} is at it", style="dim")
    if outcome.failed:
        console.hint("Nothing is lost and nobody has a 0 for it. Run the same command again.")


def _say_stopped(total: int, left: int, console: Console) -> None:
    """What a stop has cost, at once: ending those under way may take a moment."""
    console.line()
    console.line(
        f"Stopping. {total - left} of {total} are judged and in the ledger; they are kept.", style="strong"
    )
    console.line(f"{left} are left; those under way are given up. The same command goes on with them.")


def _say_moves(before: dict[str, float | None], after: "Iterable[Standing]", console: Console) -> None:
    moves = [
        (s.person.id, before.get(s.person.id), s.mark.final)
        for s in after
        if s.mark.final != before.get(s.person.id)
    ]
    console.line(f"{len(moves)} marks moved." if moves else "No mark moved.", style="strong")
    for name, old, new in moves[:MOST_SHOWN]:
        console.line(f"  {printable(name):<32} {shown(old)} → {shown(new)}")


def _say_needs(needs: "Sequence[HandIn]", console: Console) -> None:
    if needs:
        console.line()
        console.line(f"Needs you ({len(needs)}):", style="strong")
    for each in needs:
        console.line(f"! {printable(each.label)}", style="warn")
        console.fact("", printable(each.trouble), 0)
        console.hint(printable(each.hint))


def _told(plan: "Plan", outcome: "Outcome") -> dict[str, object]:
    return {
        "graded": [work.label for work in outcome.judged],
        "done_before": [each.label for each in plan.done],
        "not_judged": {each.work.label: each.error for each in outcome.failed},
        "elsewhere": dict(outcome.elsewhere),
        "needs_you": {each.label: each.trouble for each in plan.needs},
        "minutes": round(outcome.minutes, 2),
    }
