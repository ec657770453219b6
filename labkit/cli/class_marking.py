"""The command `lab class mark`: a person's word about a line, and marks for written answers.

What belongs here: options, asking in the terminal, showing. What does not: checking and counting (labkit.classroom.marking).
"""

import argparse
import getpass
import sys
import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.base.text import printable
from labkit.cli.classroom import Classroom, shown
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.classroom.marking import Answer
    from labkit.classroom.marking_page import Asked
    from labkit.classroom.roster import Roster


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the class's actions."""
    word = add(
        "override", "give a line of somebody other points, with a reason; the verdict stays beside", _override
    )
    word.add_argument("who", nargs="?", help="an id of any kind")
    word.add_argument("line", nargs="?", help="a line's id, or mark for the whole")
    word.add_argument(
        "points", nargs="?", default="", help="points of the line (none: take an earlier word back)"
    )
    word.add_argument("--reason", default="", help="why; the student sees it")
    _common(word, "all words of people as a table")
    mark = add("mark", "mark written answers, question by question, names hidden", _mark)
    mark.add_argument(
        "--question",
        action="append",
        default=[],
        metavar="N",
        help="only this one (may be given more than once)",
    )
    mark.add_argument("--page", action="store_true", help="on a local page, with words about lines")
    mark.add_argument("--no-browser", action="store_true", help="with --page: only say where it is")
    mark.add_argument("--agreement", action="store_true", help="how far graders agree")
    _common(mark, "the answers as a table to fill in")


def _common(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--by", default="", metavar="NAME", help="who says it (default: who is logged in)")
    parser.add_argument("--export", metavar="FILE", help=what)
    parser.add_argument("--import", dest="taken", metavar="FILE", help="take such a table in")


def _by(arguments: argparse.Namespace) -> str:
    return arguments.by or getpass.getuser()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _people(room: Classroom) -> "Roster":
    from labkit.classroom.roster import Roster

    return Roster(tuple(each.person for each in room.standings()))


def _override(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import marking, tables

    known = room.ledger.overrides()
    if arguments.export:
        state.write_bytes(Path(arguments.export), tables.write(marking.overrides_table(known)), mode=0o600)
        console.line(f"✓ {arguments.export}: {len(known)} words.", style="good")
        return 0
    if arguments.taken:
        words = marking.read_overrides(
            tables.read(Path(arguments.taken)), _people(room), room.rules, _now(), known
        )
    elif arguments.who and arguments.line:
        words = [
            marking.override(
                _people(room),
                room.rules,
                arguments.who,
                arguments.line,
                arguments.points,
                arguments.reason,
                _by(arguments),
                _now(),
            )
        ]
    else:
        raise UsageError(
            "Whose line?", hint="./lab class override ada@uni.edu door-open 2.5 --reason 'nearly right'"
        )
    before = {each.person.id: each.mark.final for each in room.standings()}
    room.ledger.override(words)
    for each in room.standings():
        if each.mark.final != before[each.person.id]:
            console.line(
                f"✓ {printable(each.person.id)}: {shown(before[each.person.id])} → {shown(each.mark.final)}",
                style="good",
            )
    console.line(f"{len(words)} words were added; the verdicts stay beside them.")
    console.result({"added": len(words)})
    return 0


def _mark(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import marking, tables

    given, by = room.ledger.prose(), _by(arguments)
    if arguments.agreement:
        return _agreement(room, console)
    found = marking.answers(room.standings(), _questions(room, arguments.question), room.lab.salt)
    if arguments.export:
        state.write_bytes(
            Path(arguments.export), tables.write(marking.answers_table(found, given, by)), mode=0o600
        )
        console.line(
            f"✓ {arguments.export}: {len(found)} answers, without names. Fill in mark (0, 1, 2) and comment.",
            style="good",
        )
        return 0
    if arguments.taken:
        marks = marking.read_answers(tables.read(Path(arguments.taken)), found, by, _now())
        room.ledger.mark_prose(marks)
        console.line(f"✓ {len(marks)} marks by {printable(by)}.", style="good")
        return 0
    if arguments.page:
        return _on_a_page(room, found, by, arguments, console)
    return _ask(room, marking.open_answers(found, given, by), by, console)


def _on_a_page(
    room: Classroom, found: "Sequence[Answer]", by: str, arguments: argparse.Namespace, console: Console
) -> int:
    from labkit.classroom.marking_page import MarkingSite, Task
    from labkit.cli import browsing

    task = Task(found, _asked(room), by, _people(room), room.rules, room.lab.salt)
    browsing.until_ctrl_c(
        MarkingSite(task, room.ledger, room.places.root / "texts" / "page.css"),
        console,
        "Written answers on a local page",
        "Each mark is in the ledger as it is clicked.",
        browser=not arguments.no_browser,
    )
    console.line(f"{len(room.ledger.prose())} marks in the ledger.", style="strong")
    return 0


def _asked(room: Classroom) -> "dict[str, Asked]":
    """The course's questions, or the kit's own with their key."""
    from labkit.classroom import marking
    from labkit.classroom.marking_page import Asked
    from labkit.course import answers

    own = room.course.questions
    keys = {} if own else marking.keys(room.places.root)
    return {q.id: Asked(q.id, q.title, q.text, keys.get(q.id, "")) for q in answers.questions(own)}


def _questions(room: Classroom, wanted: Sequence[str]) -> Sequence[str]:
    from labkit.classroom.rules import prose_questions

    known = prose_questions(room.course)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"{printable(name)} is no question that a person marks.", hint=f"There are {', '.join(known)}"
            )
    return wanted or known


def _ask(room: Classroom, left: "Sequence[Answer]", by: str, console: Console) -> int:
    """One answer after the other; each mark is in the ledger before the next is shown."""
    from labkit.classroom import marking
    from labkit.classroom.ledger import ProseMark

    asked, question = _asked(room), ""
    for number, each in enumerate(left, 1):
        if each.question != question:
            question = each.question
            about = asked[question]
            console.line()
            console.line(f"Question {question}. {about.title}", style="strong")
            console.line(about.text)
            for line in textwrap.wrap(f"Key: {about.key}", 78) if about.key else ():
                console.line(f"  {line}", style="good")
            console.line(" · ".join([*marking.key_words(), "s skip", "q end"]), style="dim")
        console.line()
        console.line(f"{number} of {len(left)}, answer {each.code}", style="dim")
        for line in each.text.splitlines():
            console.line(f"  {printable(line)}")
        key = _key()
        if key == "q":
            break
        if key != "s":
            room.ledger.mark_prose([ProseMark(each.person, each.question, int(key), "", by, _now())])
    done = len(room.ledger.prose())
    console.line(
        f"{done} marks in the ledger." if left else f"Nothing is left to mark for {printable(by)}.",
        style="strong",
    )
    return 0


def _key() -> str:
    """What was typed, until it is one of the keys; the end of the input ends the marking."""
    while True:
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return "q"
        if line.strip() in ("0", "1", "2", "s", "q"):
            return line.strip()


def _agreement(room: Classroom, console: Console) -> int:
    from labkit.classroom.marking import agreement

    found = agreement(room.ledger.prose())
    for each in found:
        kappa = "" if each.kappa is None else f", kappa {each.kappa:g}"
        first, second = map(printable, each.graders)
        console.line(
            f"  question {each.question}: {first} and {second} agree in {each.same} of {each.both}{kappa}"
        )
    if not found:
        console.line("No answer has been marked by two.")
    console.result(
        {
            "agreement": [
                {
                    "question": a.question,
                    "graders": list(a.graders),
                    "both": a.both,
                    "same": a.same,
                    "kappa": a.kappa,
                }
                for a in found
            ]
        }
    )
    return 0
