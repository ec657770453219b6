"""Where everybody stands: for each person the hand-in that counts, its verdicts, and the mark.

What belongs here: which verdicts and which hand-in count, and the facts that the mark is given by. What does not: the
sum (marks), keeping rows (ledger), showing anything.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from labkit.classroom import marks
from labkit.classroom.handins import HandIn
from labkit.classroom.ledger import Ledger, Override, ProseMark, Verdicts
from labkit.classroom.marks import Facts, Rules, Word
from labkit.classroom.roster import Person, Roster, folded
from labkit.grading.mark import Mark
from labkit.grading.model import Result


@dataclass(frozen=True)
class Standing:
    """One person: what counts for them. `counted` holds the verdicts by the course's lines and points, with people's words;
    None where there are none."""

    person: Person
    mark: Mark
    handin: HandIn | None = None
    counted: Result | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def report(self) -> Result | None:
        """The result as reports show it: counted by the course, with the mark."""
        return replace(self.counted, mark=self.mark) if self.counted else None


def of_class(
    ledger: Ledger, rules: Rules, due: Mapping[str, datetime], *, groups: bool = False
) -> list[Standing]:
    """Everybody of the roster, in its order; without one, everybody who has handed in."""
    found, roster = ledger.handins(), ledger.roster()
    everybody = roster if roster.people else _without_roster(handin for handin, _ in found)
    verdicts: dict[tuple[str, str], list[Verdicts]] = defaultdict(list)
    for each in ledger.verdicts():
        verdicts[each.key.sha256, each.key.student].append(each)
    words, prose = _words(ledger.overrides()), _prose(ledger.prose())
    of_person: dict[str, list[tuple[HandIn, dict[str, Any]]]] = defaultdict(list)
    for handin, notes in found:
        if handin.is_ready:
            of_person[handin.person].append((handin, notes))
    standings = []
    for person in everybody.people:
        own = owner(person, groups=groups)
        facts = Facts(
            due=due.get(person.id),
            words=words.get(person.id, {}),
            prose=prose.get(person.id, prose.get(own, {})),
        )
        standings.append(_best(person, of_person.get(own, []), verdicts, rules, facts))
    return standings


def owner(person: Person, *, groups: bool) -> str:
    """Under whose id a person's hand-ins stand: the group's, where groups hand in."""
    return folded(person.group) if groups and person.group else person.id


def effective(rows: Sequence[Verdicts]) -> Result | None:
    """Of the gradings of one submission, oldest first, what holds now: the newest whole one that was judged in full
    (else the newest whole one), and newer ones of some lines on top. A look without the grader key never replaces a mark."""
    if keyed := [row for row in rows if not row.result.about.get("self_check")]:
        rows = keyed
    whole = [n for n, row in enumerate(rows) if not row.lines]
    base = next((n for n in reversed(whole) if rows[n].final), whole[-1] if whole else None)
    if base is None:
        return None
    result = rows[base].result
    for row in rows[base + 1 :]:
        for name in row.lines:
            again = row.result.line(name)
            if again.verdict.outcome != "not judged":
                result = result.with_line(name, again.verdict)
    return result


def _best(
    person: Person,
    found: Sequence[tuple[HandIn, dict[str, Any]]],
    verdicts: Mapping[tuple[str, str], Sequence[Verdicts]],
    rules: Rules,
    facts: Facts,
) -> Standing:
    """The hand-in that is worth most, of those that are there; the later one of equals."""
    standings = [_one(person, handin, notes, verdicts, rules, facts) for handin, notes in found]
    if not standings:
        return Standing(person, marks.give(None, rules, facts), facts=facts)
    return max(
        standings,
        key=lambda each: (
            -1.0 if each.mark.final is None else each.mark.final,
            each.handin.at if each.handin else "",
        ),
    )


def _one(
    person: Person,
    handin: HandIn,
    notes: dict[str, Any],
    verdicts: Mapping[tuple[str, str], Sequence[Verdicts]],
    rules: Rules,
    facts: Facts,
) -> Standing:
    result = effective(
        [v for v in verdicts.get((handin.sha256, handin.student), ()) if v.key.engine == handin.engine]
    )
    at = datetime.fromisoformat(handin.at) if handin.at else None
    own = replace(facts, at=at, hints=int(notes.get("hints", 0)))
    counted = marks.counted(result, rules, own.words) if result else None
    mark = marks.give_counted(counted, rules, own) if counted else _awaited(rules, own)
    return Standing(person, mark, handin, counted, notes, own)


def _awaited(rules: Rules, facts: Facts) -> Mark:
    """Handed in, and no grading has come to an end: that is not missing."""
    mark = marks.give(None, rules, facts)
    return (
        replace(mark, state="not judged", why="it has not been graded yet")
        if mark.state == "missing"
        else mark
    )


def _without_roster(found: Iterable[HandIn]) -> Roster:
    names = dict.fromkeys(handin.person for handin in found if handin.is_ready)
    return Roster(tuple(Person(name, name, {"student": name}) for name in sorted(names)))


def _words(overrides: Iterable[Override]) -> dict[str, dict[str, Word]]:
    """Of each person and line the newest word, unless it was taken back."""
    found: dict[str, dict[str, Word]] = defaultdict(dict)
    for each in overrides:
        if each.points is None:
            found[each.person].pop(each.line, None)
        else:
            found[each.person][each.line] = Word(each.points, f"{each.reason} ({each.by}, {each.at[:10]})")
    return found


def _prose(given: Iterable[ProseMark]) -> dict[str, dict[str, int]]:
    """Of each person and question the newest mark."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for each in given:
        found[each.person][each.question] = each.mark
    return found
