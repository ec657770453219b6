"""People's marks: a word in a verdict's place, and marks for written answers, with names hidden.

What belongs here: what is to be marked, checking what people give, how far two graders agree. What does not: what it is
worth (marks), keeping it (ledger).
"""

import hashlib
import hmac
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.base.errors import UsageError
from labkit.base.text import printable
from labkit.classroom import tables
from labkit.classroom.ledger import Override, ProseMark
from labkit.classroom.marks import WHOLE, Rules
from labkit.classroom.roster import Roster
from labkit.classroom.standing import Standing
from labkit.classroom.tables import Table
from labkit.course import toml_file

#: the marks of a written answer, and what each means
KEYS = {0: "missing or wrong", 1: "right without a reason", 2: "right with own numbers"}
_ANSWERS = ("question", "answer", "text", "mark", "comment")
_OVERRIDES = ("id", "line", "points", "reason", "by")


@dataclass(frozen=True)
class Answer:
    """One written answer. `code` stands in the place of the name."""

    person: str
    question: str
    code: str
    text: str


@dataclass(frozen=True)
class Agreement:
    """How far two graders agree on a question: both marked `both`, the same mark in `same`; `kappa` takes off what chance
    would give (None where it can't be told)."""

    question: str
    graders: tuple[str, str]
    both: int
    same: int
    kappa: float | None


def answers(standings: Sequence[Standing], questions: Iterable[str], salt: str) -> list[Answer]:
    """All written answers, question by question, in an order that tells nothing and is the same each time."""
    found = []
    for question in questions:
        own = [
            Answer(each.handin.person, question, _code(salt, question, each.handin.person), str(each.notes["answers"][question]))
            for each in standings if each.handin and question in each.notes.get("answers", {})
        ]  # fmt: skip
        once = list({answer.person: answer for answer in own}.values())  # a group's is one
        random.Random(f"{salt}/{question}").shuffle(once)
        found += once
    return found


def _code(salt: str, question: str, person: str) -> str:
    return hmac.new(salt.encode(), f"answer/{question}/{person}".encode(), hashlib.sha256).hexdigest()[:10]


def key_words() -> list[str]:
    """Each mark with what it means."""
    return [f"{key} {means}" for key, means in KEYS.items()]


def hidden(salt: str, person: str) -> str:
    """What stands in the place of a person's name beside words about lines."""
    return _code(salt, "", person)


def keys(root: Path) -> dict[str, str]:
    """What a right answer says, by question, of the kit's own questions; nothing in a copy without the solution.

    Raises ManifestError naming line and key of a file that is wrong.
    """
    path = root / "solution" / "questions.toml"
    if not path.is_file():
        return {}
    tables_of = toml_file.read(path, "Each [[key]] has id and says.").tables("key")
    return {table.text("id"): table.text("says") for table in tables_of}


def open_answers(found: Sequence[Answer], given: Sequence[ProseMark], by: str) -> list[Answer]:
    """Those that this grader has not marked yet."""
    done = {(each.person, each.question) for each in given if each.by == by}
    return [each for each in found if (each.person, each.question) not in done]


def answers_table(found: Sequence[Answer], given: Sequence[ProseMark], by: str) -> Table:
    """The answers as a table to be filled in: mark and comment; what this grader gave already stands there."""
    marks = {(each.person, each.question): each for each in given if each.by == by}
    rows = []
    for each in found:
        mark = marks.get((each.person, each.question))
        rows.append(
            [
                each.question,
                each.code,
                tables.plain(each.text),
                str(mark.mark) if mark else "",
                mark.comment if mark else "",
            ]
        )
    return tables.table_of(_ANSWERS, rows, "answers.csv")


def read_answers(table: Table, found: Sequence[Answer], by: str, at: str) -> list[ProseMark]:
    """The marks in the table; rows without one are passed over. Raises UsageError for an unknown answer and another mark than 0, 1, 2."""
    by_code = {(each.question, each.code): each for each in found}
    marks = []
    for number, (question, code, mark, comment) in enumerate(
        _cells(table, ("question", "answer", "mark", "comment")), 2
    ):
        if not mark:
            continue
        answer = by_code.get((question, code))
        if answer is None:
            raise UsageError(
                f"{table.name}, row {number}: there is no answer {printable(code)} to question {printable(question)}.",
                hint="Take the table anew:  ./lab class mark answers --export FILE",
            )
        if mark not in map(str, KEYS):
            raise UsageError(
                f"{table.name}, row {number}: {mark!r} is no mark; there are 0, 1 and 2.",
                hint=", ".join(key_words()),
            )
        marks.append(ProseMark(answer.person, question, int(mark), comment, by, at))
    return marks


def overrides_table(given: Sequence[Override]) -> Table:
    """All words of people as a table."""
    rows = [
        [
            each.person,
            each.line,
            "" if each.points is None else f"{each.points:g}",
            tables.plain(each.reason),
            each.by,
        ]
        for each in given
    ]
    return tables.table_of(_OVERRIDES, rows, "overrides.csv")


def read_overrides(
    table: Table, people: Roster, rules: Rules, at: str, known: Sequence[Override]
) -> list[Override]:
    """The words in the table that are not known yet. Raises UsageError, naming the row."""
    there = {(each.person, each.line, each.points, each.reason, each.by) for each in known}
    found = []
    for number, (who, line, points, reason, by) in enumerate(_cells(table, _OVERRIDES), 2):
        try:
            word = override(people, rules, who, line, points, reason.removeprefix("'"), by, at)
        except UsageError as error:
            raise UsageError(f"{table.name}, row {number}: {error.message}", hint=error.hint) from error
        if (word.person, word.line, word.points, word.reason, word.by) not in there:
            found.append(word)
    return found


def override(
    people: Roster, rules: Rules, who: str, line: str, points: str, reason: str, by: str, at: str
) -> Override:
    """A person's word about a line, or about the whole ("mark"); `points` "": an earlier word is taken back.

    Raises UsageError for somebody or a line that the class does not have, points that can't be, and a missing reason.
    """
    person = people.find(who)
    if person is None:
        near = people.near(who)
        raise UsageError(
            f"nobody in this class is {printable(who)}.",
            hint=f"Perhaps {near}?" if near else "All:  ./lab class show",
        )
    limits = most(rules)
    if line not in limits:
        raise UsageError(
            f"there is no line {printable(line)} that counts.",
            hint=f"There are {WHOLE} and: {', '.join(rules.points)}",
        )
    if not reason.strip() or not by.strip():
        raise UsageError("a word needs a reason and who says it.", hint="--reason TEXT --by NAME")
    try:
        value = float(points.replace(",", ".")) if points else None
    except ValueError:
        raise UsageError(f"{printable(points)!r} are no points.", hint="A number, for example 2.5") from None
    if value is not None and not 0 <= value <= limits[line]:
        raise UsageError(
            f"{line} has 0 to {limits[line]:g} points, not {value:g}.",
            hint="Change [points] in course.toml to count it otherwise.",
        )
    return Override(person.id, line, value, reason.strip(), by.strip(), at)


def most(rules: Rules) -> Mapping[str, float]:
    """What a person can give at most: for each line that counts, and for the whole."""
    return {**rules.points, WHOLE: rules.scale + rules.prose}


def agreement(given: Sequence[ProseMark]) -> list[Agreement]:
    """Of each question and two graders how far they agree, by the newest mark of each."""
    newest: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for each in given:
        newest[each.question][each.by][each.person] = each.mark
    found = []
    for question, by_grader in sorted(newest.items()):
        names = sorted(by_grader)
        for n, first in enumerate(names):
            for second in names[n + 1 :]:
                pairs = [
                    (mark, by_grader[second][who])
                    for who, mark in by_grader[first].items()
                    if who in by_grader[second]
                ]
                if pairs:
                    found.append(
                        Agreement(
                            question,
                            (first, second),
                            len(pairs),
                            sum(a == b for a, b in pairs),
                            _kappa(pairs),
                        )
                    )
    return found


def _kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Cohen's kappa; None where both always gave one and the same mark."""
    count = len(pairs)
    seen = sum(a == b for a, b in pairs) / count
    chance = sum(sum(a == key for a, _ in pairs) * sum(b == key for _, b in pairs) for key in KEYS) / count**2
    return None if chance == 1 else round((seen - chance) / (1 - chance), 2)


def _cells(table: Table, names: Sequence[str]) -> list[tuple[str, ...]]:
    columns = [table.column(name) for name in names]
    if min(columns) < 0:
        raise UsageError(
            f"{table.name} needs the columns {', '.join(names)}; it has {', '.join(table.header)}.",
            hint="Keep the header as it was exported.",
        )
    return list(zip(*map(table.cells, columns), strict=True))
