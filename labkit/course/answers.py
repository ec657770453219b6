"""The student's answers: work/<id>/answers.md, one heading for each question, three numbers checked.

What belongs here: making the file, reading it, comparing numbers with the student's own measurement. What
does not: marking prose (a person does).
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.course import toml_file, written
from labkit.course.statistics import percentile
from labkit.course.toml_file import Table

FILE = "answers.md"
#: what step 05 asks for; it stands before the questions, so that it is no question's answer
_LOG = (
    "\n## From the log (step 05)\n\nPaste the REPORT line of a cold start from  ./lab logs function , one that has an "
    "Init Duration. Below it write its two values.\n\nRequest id:  \nInit Duration:  \n"
)
#: an answer may differ from the computed number by this share of it: people round
TOLERANCE = 0.05
_HEADING = re.compile(r"^#{1,6}[ ]*(?:question[ ]+)?(\w+)\b.*$", re.MULTILINE | re.IGNORECASE)
#: other units than the question's in which people write, and how much of it each is
UNITS = {
    "ms": {"s": 1e3, "sec": 1e3, "second": 1e3, "seconds": 1e3, "us": 1e-3, "μs": 1e-3},
    "USD": {"cent": 0.01, "cents": 0.01, "ct": 0.01, "¢": 0.01},
}
_HINT = "Each [[question]] has id, title, text, and perhaps number and unit; texts/questions.toml is the kit's own."
#: the kit's own
_OWN = Path(__file__).resolve().parent.parent.parent / "texts" / "questions.toml"


@dataclass(frozen=True)
class Question:
    """One question; `number` names what the machine computes, "" for prose alone."""

    id: str
    title: str
    text: str
    number: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Numbered:
    """A number that was answered and the one that the student's own data give.

    `answer` is what stands behind "Number:" (None: there is no such label below the question's heading); `given` what
    it may mean ("1,234" may be two numbers; () for none). `computed` begins with what the question asks for; what it
    asked for in an earlier kit, whose answers file a student may still fill in, follows and counts as well.
    """

    question: Question
    answer: str | None
    given: tuple[float, ...]
    computed: tuple[float, ...]

    @property
    def agrees(self) -> bool:
        """Whether the two are the same but for rounding."""
        return not self.wrong

    @property
    def wrong(self) -> str:
        """Why it does not count, in words; "" when it agrees."""
        if self.answer is None:
            return f"no `Number:` was found below the heading of question {self.question.id}"
        if not self.given:
            return f"no number was found behind `Number:` of question {self.question.id}"
        near = (abs(given - true) <= TOLERANCE * abs(true) for given in self.given for true in self.computed)
        return "" if any(near) else f"question {self.question.id} is not what your measurement gives"


def questions(path: Path | None = None) -> tuple[Question, ...]:
    """The questions in this file (None: the kit's own). Raises ManifestError naming the line and the key that are wrong."""
    return tuple(map(_question, toml_file.read(path or _OWN, _HINT).tables("question")))


def _question(table: Table) -> Question:
    table.refuse_others([each.name for each in dataclasses.fields(Question)])
    return Question(
        table.text("id"),
        table.text("title"),
        table.text("text"),
        table.optional_text("number"),
        table.optional_text("unit"),
    )


def begin(workspace: Path, file: Path | None = None) -> bool:
    """Make answers.md with a heading for each question of `file`; False when it is there already."""
    path = workspace / FILE
    if path.exists():
        return False
    parts = ["# Answers\n\nWrite below each question. Where it says Number, only the number.\n", _LOG]
    for question in questions(file):
        number = f"\nNumber:  \n({question.unit})\n" if question.number else ""
        parts.append(f"\n## {question.id}. {question.title}\n\n{question.text}\n{number}\nAnswer:\n\n")
    state.write_text(path, "".join(parts))
    return True


def sections(text: str, asked: Iterable[Question]) -> dict[str, str]:
    """What stands in `text` (of answers.md) below each question's heading, by its id, as plain text."""
    text, names = written.plain(text), {question.id for question in asked}
    heads = [head for head in _HEADING.finditer(text) if head[1] in names]
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = dict.fromkeys(names, "")
    for head, end in zip(heads, ends, strict=False):  # without a heading there is one end too many
        found[head[1]] += text[head.end() : end]
    return found


def unanswered(workspace: Path, file: Path | None = None) -> list[Question]:
    """The questions of `file` without a word after "Answer:"."""
    path, asked = workspace / FILE, questions(file)
    given = sections(path.read_text(encoding="utf-8", errors="replace") if path.exists() else "", asked)
    return [q for q in asked if not given[q.id].partition("Answer:")[2].strip()]


def numbers(text: str, measurement: Mapping[str, Any]) -> list[Numbered]:
    """Each numeric answer in `text` (of answers.md) beside what the measurement says.

    Raises KeyError, TypeError, ValueError or ZeroDivisionError for a measurement that is none.
    """
    below, counting = sections(text, questions()), _counting(measurement)
    return [compared(q, below[q.id], *counting[q.number]) for q in questions() if q.number in counting]


def compared(question: Question, below: str, *computed: float) -> Numbered:
    """The number in what stands below the question's heading (plain text), beside those that count."""
    answer = written.behind(below, "Number")
    given = written.readings(answer or "", UNITS.get(question.unit, {}))
    return Numbered(question, answer, tuple(given), computed)


def compute(measurement: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that the questions ask for, from the raw requests alone."""
    return {name: values[0] for name, values in _counting(measurement).items()}


def _counting(measurement: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """What counts for each number: what is asked for, then what an earlier kit asked for instead."""
    good = [each for each in measurement["requests"] if each["status"] == 200 and not each["init"]]
    if not good:
        return {}
    layers, gb = measurement["layers"], measurement["about"]["memory_mb"] / 1024

    def million(layer: str) -> float:
        mean = sum(float(each[layer]) for each in good) / len(good)
        return float(1e6 * mean / 1000 * gb * 0.0000166667 + 0.20)

    return {
        "server_share": (100 * layers["server"]["median"] / layers["client"]["median"],),
        # Lambda bills the function's time, not what its caller waits (AWS Lambda pricing); until 0.1 the question said
        # "with your mean at the client"
        "million_cost": (million("function"), million("client")),
        "p99": (percentile([float(each["client"]) for each in good], 99),),
    }
