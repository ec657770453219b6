"""The student's answers: work/<id>/answers.md, one heading for each question, three numbers checked.

What belongs here: making the file, reading it, comparing numbers with the student's own measurement. What
does not: marking prose (a person does).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import state
from labkit.lesson.statistics import percentile

FILE = "answers.md"
#: an answer may differ from the computed number by this share of it: people round
TOLERANCE = 0.05
_HEADING = re.compile(r"^## (\w+)\. ", re.MULTILINE)
_NUMBER = re.compile(r"^Number:[ \t]*([-+\d.,]*)", re.MULTILINE)
#: the kit's own
QUESTIONS = Path(__file__).resolve().parent.parent.parent / "lesson" / "questions.toml"


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
    """A number that was answered (None: not yet) and the one that the student's own data give."""

    question: Question
    given: float | None
    computed: float

    @property
    def agrees(self) -> bool:
        """Whether the two are the same but for rounding."""
        return self.given is not None and abs(self.given - self.computed) <= TOLERANCE * abs(self.computed)


def questions(path: Path = QUESTIONS) -> tuple[Question, ...]:
    """The lab's questions."""
    return tuple(Question(**q) for q in tomllib.loads(path.read_text(encoding="utf-8"))["question"])


def begin(workspace: Path, file: Path = QUESTIONS) -> bool:
    """Make answers.md with a heading for each question of `file`; False when it is there already."""
    path = workspace / FILE
    if path.exists():
        return False
    parts = ["# Answers\n\nWrite below each question. Where it says Number, only the number.\n"]
    for question in questions(file):
        number = f"\nNumber:  \n({question.unit})\n" if question.number else ""
        parts.append(f"\n## {question.id}. {question.title}\n\n{question.text}\n{number}\nAnswer:\n\n")
    state.write_text(path, "".join(parts))
    return True


def read(workspace: Path) -> dict[str, str]:
    """What stands below each heading, by the question's id; nothing where there is no file."""
    path = workspace / FILE
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    heads = list(_HEADING.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head[1]: text[head.end() : end] for head, end in zip(heads, ends, strict=True)}


def unanswered(workspace: Path, file: Path = QUESTIONS) -> list[Question]:
    """The questions of `file` without a word after "Answer:"."""
    given = read(workspace)
    return [q for q in questions(file) if not given.get(q.id, "").partition("Answer:")[2].strip()]


def numbers(workspace: Path, measurement: Mapping[str, Any]) -> list[Numbered]:
    """Each numeric answer beside what the measurement says."""
    given, computed = read(workspace), compute(measurement)
    return [
        Numbered(q, _number(given.get(q.id, "")), computed[q.number])
        for q in questions()
        if q.number in computed
    ]


def compute(measurement: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that the questions ask for, from the raw requests alone."""
    good = [r for r in measurement["requests"] if r["status"] == 200 and not r["init"]]
    if not good:
        return {}
    client = [float(r["client"]) for r in good]
    layers = measurement["layers"]
    gb = measurement["about"]["memory_mb"] / 1024
    mean = sum(client) / len(client)
    return {
        "server_share": 100 * layers["server"]["median"] / layers["client"]["median"],
        "million_cost": 1e6 * mean / 1000 * gb * 0.0000166667 + 0.20,
        "p99": percentile(client, 99),
    }


def _number(text: str) -> float | None:
    match = _NUMBER.search(text)
    try:
        return float(match[1].replace(",", ".")) if match else None
    except ValueError:
        return None
