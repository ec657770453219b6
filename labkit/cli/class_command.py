"""The command `lab class`: its options, what it shows, its exit status.

What belongs here: the command line of a class. What does not: doing it (labkit.classroom).
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.base.errors import UsageError
from labkit.base.events import Event
from labkit.base.text import printable, shortened
from labkit.cli import class_exports, class_marking, class_packing, class_show
from labkit.cli.classroom import Classroom
from labkit.cli.console import Console
from labkit.cli.grade_command import KEY_VARIABLE, grader_key
from labkit.lesson.model import Places

if TYPE_CHECKING:
    from labkit.classroom.engine import Submit
    from labkit.classroom.grading import Outcome, Plan
    from labkit.classroom.handins import HandIn
    from labkit.classroom.roster import Roster
    from labkit.classroom.standing import Standing
    from labkit.course.course import Course

#: all is judged and nobody is needed; a person must look first (EX_UNAVAILABLE); trying again helps (EX_TEMPFAIL)
DONE, NEEDS_A_PERSON, NOT_JUDGED = 0, 69, 75
_MOST_SHOWN = 40


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("class", help="a class: roster, grading all hand-ins, marks (instructors)")
    common(parser)
    parser.set_defaults(command=lambda arguments, console: _usage(parser))
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", dest="action")

    def add(name: str, text: str, act: Callable[..., int]) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = actions.add_parser(name, help=text)
        common(one)
        one.add_argument(
            "--ledger", metavar="FILE", help="the class's ledger (default: .lab/class/ledger.sqlite)"
        )
        one.set_defaults(command=lambda arguments, console: _run(act, arguments, console, places()))
        return one

    _add_actions(add)


def _add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    roster = add("roster", "take in who is in the class, or say it", _roster)
    roster.add_argument(
        "file", nargs="?", help="a CSV as Canvas, Moodle, Gradescope, GitHub Classroom export it, or your own"
    )
    roster.add_argument(
        "--by",
        default="",
        metavar="KIND",
        help="the id that marks stand under: email, login, sis, lms, github",
    )
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
    grade.add_argument("--look", action="store_true", help="only say what would be graded, and who needs you")
    explain = add("explain", "one person's mark as a sum, line by line", _explain)
    explain.add_argument("who", help="an id of any kind")
    who = add("who", "whose code this is, or somebody's codes", _who)
    who.add_argument("who", help="a code from a name or an address of resources, or an id")
    add("late", "who is late, by how much, and what says so", _late)
    for more in (class_show, class_exports, class_packing, class_marking):
        more.add_actions(add)
    similar = add("similar", "hand-ins that are alike: a signal for a person, and no verdict", _similar)
    similar.add_argument("folder", help="the hand-ins, as for grade")
    similar.add_argument(
        "--least", type=int, default=50, metavar="PERCENT", help="of what one of two wrote (50)"
    )
    similar.add_argument("--html", metavar="FILE", help="passages side by side")
    similar.set_defaults(times=None, times_column="")
    forget = add("forget", "delete everything that the ledger has about a person", _forget)
    forget.add_argument("who", help="an id of any kind")
    forget.add_argument("--yes", action="store_true", help="really")


def _usage(parser: argparse.ArgumentParser) -> int:
    raise UsageError("What is to be done with the class?", hint=f"What can be typed:  ./{parser.prog} --help")


def _run(act: Callable[..., int], arguments: argparse.Namespace, console: Console, places: Places) -> int:
    from labkit.classroom.ledger import Ledger

    path = Path(arguments.ledger) if arguments.ledger else places.state / "class" / "ledger.sqlite"
    with Ledger(path) as ledger:
        return act(Classroom(places, ledger), arguments, console)


# -- who ---------------------------------------------------------------------------------------------


def _roster(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import roster

    if arguments.file:
        by = arguments.by or room.course.data.get("lms", {}).get("roster_id", "")
        room.ledger.enroll(roster.read(Path(arguments.file), by))
    people = room.ledger.roster().people
    if not people:
        raise UsageError("There is no roster yet.", hint="Take one in:  ./lab class roster FILE.csv")
    console.line(f"✓ {len(people)} people{_in_groups(room.ledger.roster())}.", style="good")
    for each in people[:_MOST_SHOWN] if not arguments.file else ():
        console.line(
            f"  {printable(each.id):<32} {printable(each.name)}{f'  ({printable(each.group)})' if each.group else ''}"
        )
    _say_same_names(room.ledger.roster(), console)
    console.result(
        {"people": [{"id": p.id, "name": p.name, "ids": dict(p.ids), "group": p.group} for p in people]}
    )
    return DONE


def _in_groups(roster: "Roster") -> str:
    groups = {person.group for person in roster.people if person.group}
    return f" in {len(groups)} groups" if groups else ""


def _say_same_names(roster: "Roster", console: Console) -> None:
    for person in roster.people:
        same = roster.named(person.name)
        if len(same) > 1 and same[0] is person:
            ids = ", ".join(printable(each.id) for each in same)
            console.event(
                Event(
                    "note", f"{person.name} are {len(same)} people: {ids}. A name alone tells nobody which."
                )
            )


def _who(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom.roster import Person, Roster, codes

    roster, salt = room.ledger.roster(), room.lab.salt
    if not roster.people:
        roster = Roster(tuple(each.person for each in room.standings()))
    found = roster.of_code(arguments.who.strip(), salt)
    one = roster.find(arguments.who)
    for person in found or ([one] if one else [Person(arguments.who)]):
        known = codes(person, salt)
        if not known:
            raise UsageError(
                f"{printable(arguments.who)} is nobody's code, and no id.",
                hint="Take in a roster first:  ./lab class roster FILE",
            )
        for code, value in known.items():
            console.line(f"{code}  {printable(value)}  {printable(person.name)}")
        console.result({"id": person.id, "codes": known})
    return DONE


# -- grading -----------------------------------------------------------------------------------------


def _grade(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import engine, grading, notes
    from labkit.course import rubric

    wanted = grading.Wanted(
        room.places.root,
        rubric.load(room.places.root),
        _verdict_hash(room),
        grader_key(arguments.key),
        tuple(arguments.again),
        arguments.newer_kit,
    )
    _refuse_lines(arguments.again, wanted)
    _require_tier(room.course)
    with _work_folder(room) as work:
        found = _handins(room, arguments, work)
        room.ledger.see(
            found,
            {each.label: notes.read(each.source, room.course.questions) for each in found if each.sha256},
        )
        before = {each.person.id: each.mark.final for each in room.standings()}
        plan = grading.plan(found, room.ledger, wanted)
        _say_plan(plan, wanted, console)
        if arguments.look or not plan.works:
            outcome = grading.Outcome()
        else:
            count = arguments.at_once or engine.at_once()
            with _engine(arguments, count, console) as (submit, ahead):
                try:
                    outcome = grading.carry_out(plan, room.ledger, submit, ahead, console.event)
                except KeyboardInterrupt:
                    _say_stopped(
                        len(plan.works), len(grading.plan(found, room.ledger, wanted).works), console
                    )
                    raise
    _say_outcome(outcome, console)
    if arguments.newer_kit or arguments.again:
        _say_moves(before, room.standings(), console)
    _say_needs(plan.needs, console)
    console.result(_told(plan, outcome))
    if outcome.failed or outcome.elsewhere:
        return NOT_JUDGED
    return NEEDS_A_PERSON if plan.needs else DONE


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


def _verdict_hash(room: Classroom) -> str:
    from labkit.classroom.rules import verdict_hash

    return verdict_hash(room.course)


def _refuse_lines(names: Sequence[str], wanted: Any) -> None:
    known = [line.id for line in wanted.rubric.all]
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no line {printable(name)}.", hint=f"The lines are: {', '.join(known)}"
            )


def _require_tier(course: "Course") -> None:
    """[grading] tier: what protects less grades nobody."""
    if wanted := course.data.get("grading", {}).get("tier"):
        os.environ.setdefault("LAB_REQUIRE_TIER", wanted)


@contextmanager
def _work_folder(room: Classroom) -> Iterator[Path]:
    """Where downloads are unpacked; gone afterwards."""
    place = room.ledger.path.parent
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=place) as folder:
        yield Path(folder)


def _handins(room: Classroom, arguments: argparse.Namespace, work: Path) -> "list[HandIn]":
    from labkit.classroom import handins, places, times
    from labkit.classroom.rules import aware

    data, roster = room.course.data, room.ledger.roster()
    rules = handins.Rules(
        room.lab,
        tuple(room.course.engines),
        tuple(map(str, data.get("grading", {}).get("kit_versions", ()))),
        data.get("uploads", {}).get("counts", ""),
        room.groups,
    )
    told = None
    if arguments.times:
        told = times.read(
            Path(arguments.times), roster, lambda at: aware(room.course.moment(at)), arguments.times_column
        )
    found = places.find(Path(arguments.folder), room.lab.files, work)
    return handins.settle(found, roster, rules, told)


def _say_plan(plan: "Plan", wanted: Any, console: Console) -> None:
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
    for name, old, new in moves[:_MOST_SHOWN]:
        console.line(f"  {printable(name):<32} {_shown(old)} → {_shown(new)}")


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


# -- marks -------------------------------------------------------------------------------------------


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

    with _work_folder(room) as work:
        found = _handins(room, arguments, work)
        pairs = similarity.alike(found, room.lab, arguments.least / 100)
        foreign = similarity.foreign_values(found, room.lab)
    console.line("A signal for a person to look at, and no verdict.", style="strong")
    for each in foreign:
        console.line(
            f"  {printable(each.person)}: {each.file} holds {each.value}, which is {printable(each.of)}'s own",
            style="warn",
        )
    for pair in pairs[:_MOST_SHOWN]:
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


def _forget(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    standing = room.standing_of(arguments.who)
    person = standing.person
    if not arguments.yes:
        raise UsageError(
            f"Everything about {printable(person.id)} would be deleted from {room.ledger.path}, and what was last exported.",
            hint=f"Really:  ./lab class forget {printable(person.id)} --yes",
        )
    gone = room.ledger.forget(person.id, [*person.ids.values(), *person.known_as()])
    console.line(
        f"✓ {gone} rows about {printable(person.id)} are gone. Hand-ins and reports in folders of yours are yours to delete."
    )
    console.result({"deleted": gone})
    return DONE


def _shown(mark: float | None) -> str:
    return "–" if mark is None else f"{mark:g}"
