"""Whose each hand-in is, by which engine it is graded, and which of them need a person first.

What belongs here: comparing the pack's own claims with the roster and with what the platform's names say. What does
not: where hand-ins lie (places), grading them (engine). Nothing is guessed: what contradicts itself is a question.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

from labkit.base.errors import LabError
from labkit.base.text import printable
from labkit.classroom.places import Clues, Place
from labkit.classroom.roster import Person, Roster, folded, words_of
from labkit.course.manifest import Manifest
from labkit.grading.intake import identity, intake

#: of a clock that may be wrong
_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class HandIn:
    """One hand-in. `student`: the id that its values are made from; `person`: who it counts for, as the roster has them.

    `at`: when it was handed in, ISO 8601 in UTC, and `by` what says so. `trouble`: what a person must decide before
    it can be graded, "" where nothing; `hint` how. `sha256`: of what it holds.
    """

    source: Path
    label: str
    student: str = ""
    person: str = ""
    engine: str = ""
    kit: str = ""
    at: str = ""
    by: str = ""
    sha256: str = ""
    trouble: str = ""
    hint: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it can be graded."""
        return not self.trouble


@dataclass(frozen=True)
class Times:
    """When people handed in, ISO 8601 in UTC by the roster's id, and which file says so."""

    at: Mapping[str, str] = field(default_factory=dict)
    by: str = ""


@dataclass(frozen=True)
class Rules:
    """What the course takes: engines, kit versions ("" in front: any), which of several uploads counts ("": ask),
    whether groups hand in."""

    lab: Manifest
    engines: tuple[str, ...]
    kits: tuple[str, ...] = ()
    counts: str = ""
    groups: bool = False


def settle(
    places: Iterable[Place],
    roster: Roster,
    rules: Rules,
    times: Times | None = None,
    *,
    now: datetime | None = None,
) -> list[HandIn]:
    """Every place as a hand-in; those that need a person say why. The order of `places` is kept.

    `times`: when people handed in, as a platform's file tells; it counts more than any other clock.
    """
    moment = now or datetime.now(UTC)
    found = [_with_time(_one(place, roster, rules), place, times or Times(), moment) for place in places]
    return _doubles(found, rules)


def _one(place: Place, roster: Roster, rules: Rules) -> HandIn:
    """Read it, and compare all that says whose it is."""
    bare = HandIn(place.source, place.label)
    if place.trouble:
        return replace(bare, trouble=f"{place.trouble}.", hint="Look at it; ask for it again.")
    try:
        digest, names, kit = _taken(place.source)
        claimed = identity.claims(place.source)
        person = _person(claimed.student, place.clues, roster)
        student = claimed.student or _id_of(person, place)
        whose = identity.settle(place.source, student, None, rules.lab)
    except LabError as error:
        return replace(bare, trouble=error.message, hint=error.hint)
    known = replace(
        bare,
        student=whose.student,
        person=_owner(person, rules) if person else whose.student,
        engine=whose.engine,
        kit=kit,
        sha256=digest,
    )
    return _refused(known, names, rules)


def _taken(source: Path) -> tuple[str, frozenset[str], str]:
    """Hash, names and kit of what it holds, by intake's own limits. Raises LabError as intake does."""
    with tempfile.TemporaryDirectory(prefix="lab-class-") as folder:
        taken = intake.take_in(source, Path(folder) / "taken")
    told = intake.said(source, "manifest.json") or b"{}"
    try:
        value = json.loads(told)
        kit = str(value.get("kit", "")) if isinstance(value, dict) else ""
    except (ValueError, RecursionError):
        kit = ""
    return taken.sha256, frozenset(taken.files), kit


def _refused(found: HandIn, names: frozenset[str], rules: Rules) -> HandIn:
    """What it is, against what the course takes."""
    if not names & set(rules.lab.files.values()):
        return replace(
            found, trouble="It holds none of the lab's files.", hint="Ask for it again:  ./lab submit"
        )
    if found.engine not in rules.engines:
        wanted = " or ".join(rules.engines)
        return replace(
            found,
            trouble=f"It was made with {found.engine}; this course takes {wanted}.",
            hint="Add the engine to [lab] engines in course.toml, or talk to the student.",
        )
    if rules.kits and found.kit and not any(_is_version(found.kit, kit) for kit in rules.kits):
        return replace(
            found,
            trouble=f"It was made with kit {printable(found.kit)}; this course takes {', '.join(rules.kits)}.",
            hint="Add the version to [grading] kit_versions in course.toml to take it.",
        )
    return found


def _is_version(found: str, wanted: str) -> bool:
    """1.2 stands for 1.2.0, 1.2.1 and so on."""
    return found == wanted or found.startswith(f"{wanted}.")


# ---- Whose ------------------------------------------------------------------------------------------


def _person(claimed: str, clues: Clues, roster: Roster) -> Person | None:
    """Whom the roster has under what is claimed and what the platform says. None without a roster.

    Raises LabError, as a question, for somebody unknown, and where the two are different people.
    """
    if not roster.people:
        return None
    said = roster.find(claimed) or _group_of(claimed, roster) if claimed else None
    by_platform = _by_clues(clues, roster)
    if claimed and said is None:
        near = roster.near(claimed)
        raise LabError(
            f"The pack says {claimed}, who is not in the roster.",
            hint=f"Perhaps {near}. Add the id to the roster, or ask."
            if near
            else "Add the id to the roster, or ask.",
        )
    if said and by_platform and said.id not in {person.id for person in by_platform}:
        others = " or ".join(person.id for person in by_platform)
        raise LabError(
            f"The pack says {claimed}, and {clues.said} says {others}. Whose is it?",
            hint="Ask both. To grade it:  rename it, and take away the name that is wrong.",
        )
    if said or not by_platform:
        return said
    if len(by_platform) > 1:
        raise LabError(
            f"{clues.said} says {clues.name}, and the roster has {len(by_platform)} of that name: "
            f"{', '.join(person.id for person in by_platform)}.",
            hint="The pack has no manifest that says whose it is. Ask them.",
        )
    return by_platform[0]


def _owner(person: Person, rules: Rules) -> str:
    """Under whose id it counts: the group's, where groups hand in."""
    return folded(person.group) if rules.groups and person.group else person.id


def _group_of(claimed: str, roster: Roster) -> Person | None:
    """A group that hands in under its own id, as somebody with that id."""
    return Person(folded(claimed), claimed, group=claimed) if roster.members(claimed) else None


def _by_clues(clues: Clues, roster: Roster) -> list[Person]:
    """Everybody whom the platform's words fit."""
    for value in clues.ids:
        if person := roster.find(value):
            return [person]
    if clues.ends:
        ends = [
            p
            for p in roster.people
            if (name := p.ids.get("github")) and folded(clues.ends).endswith(f"-{folded(name)}")
        ]
        return sorted(ends, key=lambda person: -len(person.ids["github"]))[:1]
    return roster.named(clues.name) or [
        person for person in roster.people if clues.name and _is_run_together(clues.name, person.name)
    ]


def _is_run_together(written: str, name: str) -> bool:
    """Whether `written` is the name as Canvas writes it in file names: its words in some order, without spaces."""
    words = words_of(name)
    return len(words) < 6 and any("".join(each) == "".join(words_of(written)) for each in permutations(words))


def _id_of(person: Person | None, place: Place) -> str | None:
    """The id under which somebody without a manifest has worked: the one that the file names carry is not known."""
    return next(iter(person.known_as()), None) if person else None


# ---- When, and how often ----------------------------------------------------------------------------


def _with_time(found: HandIn, place: Place, times: Times, now: datetime) -> HandIn:
    """When it was handed in: by the platform's file, its names, or the file itself, and which of them says so."""
    if at := times.at.get(found.person, ""):
        by = times.by
    elif at := place.clues.at:
        by = place.clues.by
    elif found.sha256:
        at, by = identity.times(place.source).get("handed_in", ""), "the file's own time"
    else:
        by = ""
    found = replace(found, at=at, by=by)
    if found.is_ready and at and datetime.fromisoformat(at) > now + _AHEAD:
        return replace(
            found,
            trouble=f"It was handed in at {at}, which is to come, by {by}.",
            hint="Give the times that the platform tells:  --times FILE",
        )
    return found


def _doubles(found: list[HandIn], rules: Rules) -> list[HandIn]:
    """The same content twice is one hand-in; several of one person are a question, unless the course says which counts."""
    of_person: dict[str, list[HandIn]] = defaultdict(list)
    for each in found:
        if each.is_ready:
            of_person[each.person].append(each)
    spare: set[int] = set()
    asked: dict[int, str] = {}
    for several in of_person.values():
        ordered = sorted(several, key=lambda each: each.at)
        last_of = {each.sha256: each for each in reversed(ordered)}  # of equals the first that came
        different = sorted(last_of.values(), key=lambda each: each.at)
        spare |= {id(each) for each in several if each not in different}
        if rules.counts == "last":
            spare |= {id(each) for each in different[:-1]}
        elif len(different) > 1 and rules.counts != "best":
            for each in different:
                asked[id(each)] = ", ".join(other.label for other in different if other is not each)
    return [
        replace(
            each,
            trouble=f"{each.person} handed in another one, too: {asked[id(each)]}.",
            hint="Take one away, or say which counts: [uploads] counts in course.toml.",
        )
        if id(each) in asked
        else each
        for each in found
        if id(each) not in spare
    ]
