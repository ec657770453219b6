"""The ledger of a class: one SQLite file, to which verdicts are added as they come and in which none is changed.

What belongs here: the file, its version, reading and writing rows (schema.sql has the tables). What does not: which
verdicts count (standing), what they are worth (marks).

A kill at any moment costs what was not added yet. Several processes of one machine may use it at once; a network disk
is no place for it (SQLite's write-ahead log needs shared memory).
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from labkit.base.errors import StateError
from labkit.classroom.handins import HandIn
from labkit.classroom.roster import Person, Roster
from labkit.grading.model import Result, from_json, to_json

VERSION = 1
#: "labl": which file it is
_APPLICATION = 0x6C61626C
_PATIENCE = 60.0
_SCHEMA = Path(__file__).with_name("schema.sql")


@dataclass(frozen=True)
class Key:
    """What a verdict hangs on: the same key says the same."""

    sha256: str
    student: str
    engine: str
    kit: str
    rubric: str
    course: str
    key: str

    def text(self) -> str:
        """The key as one word."""
        return "/".join(astuple(self))


@dataclass(frozen=True)
class Verdicts:
    """One grading in the ledger. `lines`: those that were judged again, () for all."""

    key: Key
    lines: tuple[str, ...]
    graded: str
    final: bool
    result: Result


@dataclass(frozen=True)
class Override:
    """A person's word about a line of somebody; `points` None takes an earlier one back."""

    person: str
    line: str
    points: float | None
    reason: str
    by: str
    at: str


@dataclass(frozen=True)
class ProseMark:
    """A person's mark for one written answer: 0, 1 or 2."""

    person: str
    question: str
    mark: int
    comment: str
    by: str
    at: str


class Ledger:
    """The open file; also a context manager. Raises StateError for all that the disk or another version refuses."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it. Raises StateError for a file of another version, or that is no ledger."""
        self.path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)  # marks and names: for its owner alone
            self._prepare()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        with self._change() as db:
            version, application = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
            )
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not tables:
                for statement in re.sub("--.*", "", _SCHEMA.read_text(encoding="utf-8")).split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
            elif application != _APPLICATION:
                raise StateError(
                    f"{self.path} is no ledger of a class.", hint="Name another file:  --ledger FILE"
                )
            elif version != VERSION:
                raise self._other_version(version)

    def _other_version(self, version: int) -> StateError:
        older = version < VERSION
        return StateError(
            f"{self.path} was made by {'an older' if older else 'a newer'} kit (ledger version {version}; this kit's is {VERSION}).",
            hint="Nothing was changed in it. "
            + (
                "Finish the term with the kit that made it, or begin another:  --ledger FILE"
                if older
                else "Use the newer kit, or begin another:  --ledger FILE"
            ),
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite or the disk refuses, in words."""
        try:
            yield
        except sqlite3.Error as error:
            raise StateError(
                f"The ledger {self.path} can't be used: {error}. What it holds is unchanged.",
                hint="Free some disk space, or wait for who uses it; then run the same command again.",
            ) from error
        except OSError as error:
            raise StateError(
                f"The ledger {self.path} can't be made: {error.strerror}.",
                hint="Name another place:  --ledger FILE",
            ) from error

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A change that is whole, or does not happen."""
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.rollback()
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._told():
            return self._db.execute(query, values).fetchall()

    # ---- the class ----------------------------------------------------------------------------------

    def enroll(self, roster: Roster) -> None:
        """This is the roster from now on."""
        rows = [
            (n, p.id, p.name, json.dumps(dict(p.ids)), p.group, p.section)
            for n, p in enumerate(roster.people)
        ]
        with self._change() as db:
            db.execute("DELETE FROM people")
            db.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", rows)

    def roster(self) -> Roster:
        """Who is in the class."""
        rows = self._rows("SELECT id, name, ids, grp, section FROM people ORDER BY place")
        return Roster(
            tuple(Person(i, name, json.loads(ids), group, section) for i, name, ids, group, section in rows)
        )

    def see(self, found: Iterable[HandIn], notes: Mapping[str, Mapping[str, Any]]) -> None:
        """These are the hand-ins; `notes` by label: what their packs tell besides."""
        rows = [
            (h.label, h.person, h.student, h.engine, h.kit, h.sha256, h.at, h.by, h.trouble, h.hint,
             json.dumps(dict(notes.get(h.label, {}))))
            for h in found
        ]  # fmt: skip
        with self._change() as db:
            db.execute("DELETE FROM handins")
            db.executemany(f"INSERT INTO handins VALUES ({', '.join('?' * 11)})", rows)

    def handins(self, folder: Path = Path()) -> list[tuple[HandIn, dict[str, Any]]]:
        """What was there when the class was last graded, with the notes of each."""
        rows = self._rows(
            "SELECT label, student, person, engine, kit, at, by, sha256, trouble, hint, notes FROM handins ORDER BY label"
        )
        return [(HandIn(folder / row[0], *row[:-1]), json.loads(row[-1])) for row in rows]

    def forget(self, person: str, aliases: Iterable[str]) -> int:
        """Delete everything about a person; how many rows that were."""
        names = [person, *aliases]
        marks = ", ".join("?" * len(names))
        with self._change() as db:
            gone = 0
            hashes = [
                row[0] for row in db.execute(f"SELECT sha256 FROM handins WHERE person IN ({marks})", names)
            ]
            for digest in filter(None, hashes):
                gone += db.execute("DELETE FROM verdicts WHERE sha256 = ?", (digest,)).rowcount
            gone += db.execute(f"DELETE FROM verdicts WHERE student IN ({marks})", names).rowcount
            for table, column in (
                ("handins", "person"),
                ("overrides", "person"),
                ("prose", "person"),
                ("people", "id"),
            ):
                gone += db.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", names).rowcount
            db.execute("DELETE FROM exports")  # they hold everybody's marks
        with self._told():
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute("VACUUM")
        return gone

    # ---- verdicts -----------------------------------------------------------------------------------

    def add(self, key: Key, result: Result, lines: tuple[str, ...] = ()) -> None:
        """Add what a grading said, and that it is no longer under way."""
        final = all(
            line.verdict.outcome != "not judged" for line in result.lines if not lines or line.id in lines
        )
        row = (
            *astuple(key),
            " ".join(lines),
            result.when.get("graded", ""),
            final and result.complete,
            json.dumps(to_json(result)),
        )
        with self._change() as db:
            db.execute(f"INSERT INTO verdicts VALUES (NULL, {', '.join('?' * 11)})", row)
            db.execute("DELETE FROM underway WHERE work = ?", (key.text(),))

    def verdicts(self, sha256: str | None = None) -> list[Verdicts]:
        """The gradings of this submission (None: of all), in the order in which they were added."""
        where, values = ("WHERE sha256 = ?", (sha256,)) if sha256 is not None else ("", ())
        rows = self._rows(
            f"SELECT sha256, student, engine, kit, rubric, course, key, lines, graded, final, result FROM verdicts {where} ORDER BY id",
            *values,
        )
        return [
            Verdicts(
                Key(*row[:7]), tuple(row[7].split()), row[8], bool(row[9]), from_json(json.loads(row[10]))
            )
            for row in rows
        ]

    def take(self, key: Key, who: str, alive: Mapping[str, bool], seconds: float) -> str:
        """Say that this is being graded; "" when it may begin, else who is at it.

        `alive`: of earlier ones at it, whether they still live (those that are not named may).
        """
        with self._change() as db:
            row = db.execute("SELECT who, until FROM underway WHERE work = ?", (key.text(),)).fetchone()
            if row and row[0] != who and row[1] > time.time() and alive.get(row[0], True):
                return str(row[0])
            db.execute("REPLACE INTO underway VALUES (?, ?, ?)", (key.text(), who, time.time() + seconds))
        return ""

    def at_it(self) -> list[str]:
        """Who has begun a grading and not ended it."""
        return [row[0] for row in self._rows("SELECT DISTINCT who FROM underway")]

    def let_go(self, key: Key) -> None:
        """It is not being graded any more, and was not judged."""
        with self._change() as db:
            db.execute("DELETE FROM underway WHERE work = ?", (key.text(),))

    # ---- people's words -----------------------------------------------------------------------------

    def override(self, words: Iterable[Override]) -> None:
        """Add people's words about lines."""
        with self._change() as db:
            db.executemany(
                "INSERT INTO overrides VALUES (NULL, ?, ?, ?, ?, ?, ?)", [astuple(each) for each in words]
            )

    def overrides(self) -> list[Override]:
        """All of them, oldest first."""
        return [
            Override(*row)
            for row in self._rows("SELECT person, line, points, reason, by, at FROM overrides ORDER BY id")
        ]

    def mark_prose(self, marks: Iterable[ProseMark]) -> None:
        """Add marks for written answers."""
        with self._change() as db:
            db.executemany(
                "INSERT INTO prose VALUES (NULL, :person, :question, :mark, :comment, :by, :at)",
                [asdict(each) for each in marks],
            )

    def prose(self) -> list[ProseMark]:
        """All of them, oldest first."""
        return [
            ProseMark(*row)
            for row in self._rows("SELECT person, question, mark, comment, by, at FROM prose ORDER BY id")
        ]

    # ---- exports ------------------------------------------------------------------------------------

    def exported(self, form: str) -> tuple[str, dict[str, float | None]]:
        """When this format was last exported ("": never), and the marks that were in it."""
        rows = self._rows("SELECT at, marks FROM exports WHERE format = ? ORDER BY id DESC LIMIT 1", form)
        return (rows[0][0], json.loads(rows[0][1])) if rows else ("", {})

    def note_export(self, form: str, at: str, marks: Mapping[str, float | None]) -> None:
        """Remember what was exported."""
        with self._change() as db:
            db.execute("INSERT INTO exports VALUES (NULL, ?, ?, ?)", (form, at, json.dumps(dict(marks))))
