"""The commands `lab class roster`, `who` and `forget`: who is in the class.

What belongs here: their options, what they show. What does not: reading rosters (labkit.classroom.roster).
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base.errors import UsageError
from labkit.base.events import Event
from labkit.base.text import printable
from labkit.cli.classroom import DONE, MOST_SHOWN, Classroom
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.classroom.roster import Roster


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the class's actions."""
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
    who = add("who", "whose code this is, or somebody's codes", _who)
    who.add_argument("who", help="a code from a name or an address of resources, or an id")
    forget = add("forget", "delete everything that the ledger has about a person", _forget)
    forget.add_argument("who", help="an id of any kind")
    forget.add_argument("--yes", action="store_true", help="really")


def _roster(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom import roster

    if arguments.file:
        by = arguments.by or room.course.data.get("lms", {}).get("roster_id", "")
        room.ledger.enroll(roster.read(Path(arguments.file), by))
    people = room.ledger.roster().people
    if not people:
        raise UsageError("There is no roster yet.", hint="Take one in:  ./lab class roster FILE.csv")
    console.line(f"✓ {len(people)} people{_in_groups(room.ledger.roster())}.", style="good")
    for each in people[:MOST_SHOWN] if not arguments.file else ():
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
