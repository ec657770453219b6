"""The roster: who is in the class, by every name under which a platform knows them.

What belongs here: reading rosters of platforms, finding a person by any id, a student's code and back. What does not:
whose a hand-in is (handins), keeping the roster (ledger).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from labkit.base.errors import LabError, UsageError
from labkit.classroom import tables
from labkit.course.variant import make_variant

#: the columns of platforms, in lower case: Canvas, Moodle (English), Gradescope, GitHub Classroom, Classroom 50, plain; some of Moodle's
#: in German, French, Spanish, Dutch
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "student": ("student id of the lab", "lab id"),
    "email": (
        "email address",
        "email",
        "e-mail",
        "e-mail address",
        "mail",
        "e-mail-adresse",
        "adresse de courriel",
        "e-mailadres",
    ),
    "login": ("sis login id", "login id", "login", "username", "user name"),
    "sis": (
        "sis user id",
        "id number",
        "sid",
        "student id",
        "sis id",
        "sis",
        "matriculation number",
        "matrikelnummer",
        "matrikel",
        "id-nummer",
    ),
    "lms": ("identifier", "canvas id", "id"),
    "github": ("github_username", "github username", "github"),
    "name": (
        "full name",
        "name",
        "student",
        "vollständiger name",
        "nom complet",
        "nombre completo",
        "volledige naam",
    ),
    "first": (
        "first name",
        "first_name",
        "firstname",
        "given name",
        "vorname",
        "prénom",
        "nombre",
        "voornaam",
    ),
    "last": (
        "last name",
        "last_name",
        "lastname",
        "surname",
        "family name",
        "nachname",
        "nom",
        "apellido(s)",
        "apellidos",
        "achternaam",
    ),
    "group": ("group", "group_name", "group name", "team", "gruppe", "groupe", "grupo", "groep"),
    "section": ("section", "sections"),
    "roster": ("roster_identifier",),
}
#: the ids that a person may be found by, the surest first
IDS = ("student", "email", "login", "sis", "lms", "github", "roster")
_MAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")


@dataclass(frozen=True)
class Person:
    """Somebody of the class. `id` is what the marks stand under; `ids` what platforms call them, by kind."""

    id: str
    name: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    section: str = ""

    def known_as(self) -> list[str]:
        """All ids, folded as they are compared."""
        return [folded(value) for value in dict.fromkeys([self.id, *self.ids.values()]) if value]


@dataclass(frozen=True)
class Roster:
    """The people, in the order of the file."""

    people: tuple[Person, ...] = ()

    def find(self, wanted: str) -> Person | None:
        """The person with this id of any kind; None where nobody, or more than one, has it."""
        found = [person for person in self.people if folded(wanted) in person.known_as()]
        return found[0] if len(found) == 1 else None

    def named(self, name: str) -> list[Person]:
        """Everybody of this name, in whatever order its words stand."""
        wanted = words_of(name)
        return [person for person in self.people if wanted and words_of(person.name) == wanted]

    def members(self, group: str) -> list[Person]:
        """Who is in the group; nobody for ""."""
        return [person for person in self.people if group and folded(person.group) == folded(group)]

    def near(self, wanted: str) -> str:
        """The id in the roster that looks most like this one; "" where none does."""
        known = {name: person.id for person in self.people for name in person.known_as()}
        close = get_close_matches(folded(wanted), known, 1, 0.8)
        return known[close[0]] if close else ""

    def of_code(self, code: str, salt: str) -> list[Person]:
        """Whose short code (of the student's own values) this is."""
        return [person for person in self.people if code.lower() in codes(person, salt)]


def codes(person: Person, salt: str) -> dict[str, str]:
    """The short codes that the person's ids give, each with its id."""
    found = {}
    for value in person.known_as():
        try:
            found[make_variant(salt, value).code] = value
        except LabError:  # no id that the lab would have taken
            continue
    return found


def folded(text: str) -> str:
    """An id as ids are compared: without capitals, in one form of Unicode (an umlaut is one letter, or two signs)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold()).strip()


def read(path: Path, by: str = "") -> Roster:
    """The roster in a file of Canvas, Moodle, Gradescope, GitHub Classroom, Classroom 50, or any CSV with such columns.

    `by`: the kind of id under which marks stand ("": the surest that everybody has). Raises UsageError for a table
    without ids, for two rows with one id, and for an id of kind `by` that somebody lacks.
    """
    table = tables.read(path)
    columns = _columns(table)
    kinds = [kind for kind in IDS if kind in columns]
    if not kinds:
        raise UsageError(
            f"{table.name} has no column of ids; its columns are {', '.join(table.header)}.",
            hint="A roster needs one of: email, login, sis user id, id number, sid, username.",
        )
    rows = [row for row in table.rows if not _is_no_person(table, row, columns)]
    by = by or _surest(rows, columns, kinds)
    if by not in columns:
        raise UsageError(f"{table.name} has no column for {by!r}.", hint=f"It has: {', '.join(kinds)}")
    people = tuple(_person(row, columns, by, table.name) for row in rows)
    _refuse_doubles(people, kinds, table.name)
    return Roster(people)


def matched(table: tables.Table, roster: Roster) -> list[Person | None]:
    """Whom of the roster each row of a platform's table is about; None for nobody, and where its ids contradict."""
    columns = [column for kind, column in _columns(table).items() if kind in IDS]
    return [_matched([row[column] for column in columns], roster) for row in table.rows]


def _matched(cells: Sequence[str], roster: Roster) -> Person | None:
    found = {person.id: person for cell in cells if cell.strip() and (person := roster.find(cell))}
    return next(iter(found.values())) if len(found) == 1 else None


def _columns(table: tables.Table) -> dict[str, int]:
    found = {kind: table.column(*names) for kind, names in _COLUMNS.items()}
    found = {kind: column for kind, column in found.items() if column >= 0}
    if "email" not in found:  # a header in another language: what stands below it tells
        for column in range(len(table.header)):
            cells = [cell for cell in table.cells(column) if cell]
            if cells and all(_MAIL.fullmatch(cell) for cell in cells):
                return {**found, "email": column}
    return found


def _is_no_person(table: tables.Table, row: Sequence[str], columns: Mapping[str, int]) -> bool:
    """Canvas has rows for points and posting, and a student that exists for trying only."""
    first = row[0].strip().casefold()
    canvas = table.column("student") == 0
    if canvas and first in ("points possible", "manual posting", "muted", "student, test", ""):
        return True
    return canvas and first.startswith("points possible")


def _surest(rows: Sequence[Sequence[str]], columns: Mapping[str, int], kinds: Sequence[str]) -> str:
    return next((kind for kind in kinds if all(row[columns[kind]].strip() for row in rows)), kinds[0])


def _person(row: Sequence[str], columns: Mapping[str, int], by: str, where: str) -> Person:
    told = {kind: row[column].strip() for kind, column in columns.items()}
    name = told.get("name") or " ".join(filter(None, (told.get("first"), told.get("last"))))
    if not told[by]:
        raise UsageError(
            f"{where}: {name or 'a row'} has no {by}.", hint="Fill it in, or choose another id:  --by KIND"
        )
    ids = {kind: told[kind] for kind in IDS if told.get(kind)}
    return Person(folded(told[by]), name, ids, told.get("group", ""), told.get("section", ""))


def _refuse_doubles(people: Iterable[Person], kinds: Sequence[str], where: str) -> None:
    """Two people of one name are two people; two with one e-mail, login or number are a mistake in the file."""
    for kind in kinds:
        seen: dict[str, list[str]] = defaultdict(list)
        for person in people:
            if value := person.ids.get(kind):
                seen[folded(value)].append(person.name or person.id)
        for value, names in seen.items():
            if len(names) > 1:
                raise UsageError(
                    f"{where} has {value} ({kind}) {len(names)} times: {', '.join(names)}.",
                    hint="Each person needs an id of their own; mend the file.",
                )


def words_of(name: str) -> tuple[str, ...]:
    """A name's words as they are compared: Canvas writes "Doe, Jane", and file names without spaces or accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return tuple(sorted(re.findall(r"\w+", plain)))
