"""What every command of a class works on: the ledger, lab.toml, course.toml, and what follows from them.

What belongs here: opening these, each when it is first asked for. What does not: the commands.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from labkit.base.errors import UsageError
from labkit.base.text import printable
from labkit.lesson.model import Places

if TYPE_CHECKING:
    from labkit.classroom.ledger import Ledger
    from labkit.classroom.marks import Rules
    from labkit.classroom.standing import Standing
    from labkit.course.course import Course
    from labkit.course.manifest import Manifest

#: the exit status when all is done and nobody is needed
DONE = 0
#: so many people are listed on the terminal
MOST_SHOWN = 40


def shown(mark: float | None) -> str:
    """A mark on the terminal; none is no 0."""
    return "–" if mark is None else f"{mark:g}"


@dataclass(frozen=True)
class Classroom:
    """What every command of a class works on."""

    places: Places
    ledger: "Ledger"

    @cached_property
    def lab(self) -> "Manifest":
        """lab.toml."""
        from labkit.course.manifest import load

        return load(self.places.root)

    @cached_property
    def course(self) -> "Course":
        """course.toml."""
        from labkit.course.course import load

        return load(self.lab)

    @cached_property
    def rules(self) -> "Rules":
        """How the course counts."""
        from labkit.classroom.rules import of_course

        return of_course(self.course, self.lab)

    @cached_property
    def groups(self) -> bool:
        """Whether groups hand in."""
        return bool(self.course.data.get("variants", {}).get("unit") == "group")

    def due(self) -> dict[str, datetime]:
        """Own deadlines."""
        from labkit.classroom.rules import extensions

        name = self.course.data.get("dates", {}).get("extensions")
        return (
            extensions(self.places.root / name, self.rules, self.course, self.ledger.roster()) if name else {}
        )

    def standings(self) -> "list[Standing]":
        """Where everybody stands."""
        from labkit.classroom.standing import of_class

        return of_class(self.ledger, self.rules, self.due(), groups=self.groups)

    def standing_of(self, who: str) -> "Standing":
        """Where one stands, by an id of any kind. Raises UsageError for somebody unknown."""
        from labkit.classroom.roster import Roster, folded

        everybody = self.standings()
        found = Roster(tuple(each.person for each in everybody)).find(who)
        if found is None:
            near = Roster(tuple(each.person for each in everybody)).near(who)
            raise UsageError(
                f"Nobody in this class is {printable(who)}.",
                hint=f"Perhaps {near}?" if near else "All:  ./lab class show",
            )
        return next(each for each in everybody if folded(each.person.id) == folded(found.id))
