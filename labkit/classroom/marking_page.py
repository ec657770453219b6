"""Marking in a browser: one answer after the other without names, and words about lines.

What belongs here: what the pages show, and what a click does. What does not: who may ask (the server of `./lab open`),
checking what is given (marking), keeping it (ledger).
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from labkit.base.errors import UsageError
from labkit.base.html import template_beside
from labkit.classroom import marking
from labkit.classroom.ledger import Ledger, Override, ProseMark
from labkit.classroom.marking import Answer
from labkit.classroom.marks import Rules
from labkit.classroom.roster import Roster

_HERE = Path(__file__).parent
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """A question as it was asked, and what a right answer says ("": nobody wrote it down)."""

    id: str
    title: str
    text: str
    key: str = ""


@dataclass(frozen=True)
class Task:
    """What is to be marked: the answers in their order, the questions by id, who marks, and who may be spoken of."""

    answers: Sequence[Answer]
    asked: Mapping[str, Asked]
    by: str
    people: Roster
    rules: Rules
    salt: str


class MarkingSite:
    """See labkit.lesson.page.serving.Site. What was clicked is in the ledger before the next page is shown."""

    def __init__(self, task: Task, ledger: Ledger, style: Path) -> None:
        self._task, self._ledger, self._style = task, ledger, style
        self._of_code = {each.code: each for each in task.answers}
        self._lock = threading.Lock()  # requests come in threads, and the ledger is one connection
        self._template = template_beside(__file__, "marking.html.jinja")

    def page(self) -> tuple[int, str]:
        """The first answer that this person has not marked."""
        with self._lock:
            left = self._left()
            return 200, self._answer(left[0] if left else None)

    def file(self, name: str) -> tuple[str, bytes] | None:
        """Style, script, the page of one answer, the page of words; None for another name."""
        if name == "page.css":
            return "text/css; charset=utf-8", self._style.read_bytes()
        if name == "marking.js":
            return "text/javascript; charset=utf-8", (_HERE / name).read_bytes()
        with self._lock:
            if name == "words":
                return _HTML, self._render(words_page=True, words=self._words()).encode()
            answer = self._of_code.get(name.removeprefix("answer-"))
            return (_HTML, self._answer(answer).encode()) if answer else None

    def image(self, key: str) -> None:
        """There is none."""

    def stamp(self) -> str:
        """Nothing changes by itself."""
        return ""

    def post(self, name: str, form: Mapping[str, str]) -> str | None:
        """Take a mark or a word in. Raises UsageError for one that can't be."""
        if name == "word":
            with self._lock:
                self._ledger.override([self._word(form)])
            return "words"
        answer = self._of_code.get(name.removeprefix("mark-"))
        if answer is None:
            return None
        mark = form.get("mark", "")
        if mark not in map(str, marking.KEYS):
            raise UsageError("There are the marks 0, 1 and 2.", hint="Go back, and take one of the three.")
        task = self._task
        with self._lock:
            self._ledger.mark_prose(
                [
                    ProseMark(
                        answer.person, answer.question, int(mark), form.get("comment", ""), task.by, _now()
                    )
                ]
            )
        return ""

    def _word(self, form: Mapping[str, str]) -> Override:
        task, who = self._task, form.get("who", "").strip()
        whose = self._of_code[who].person if who in self._of_code else self._of_hidden().get(who, who)
        line, points, reason = (form.get(name, "").strip() for name in ("line", "points", "reason"))
        return marking.override(task.people, task.rules, whose, line, points, reason, task.by, _now())

    def _of_hidden(self) -> dict[str, str]:
        return {marking.hidden(self._task.salt, each.id): each.id for each in self._task.people.people}

    def _words(self) -> list[tuple[str, Override]]:
        return [(marking.hidden(self._task.salt, each.person), each) for each in self._ledger.overrides()]

    def _own(self) -> list[ProseMark]:
        return [each for each in self._ledger.prose() if each.by == self._task.by]

    def _left(self) -> list[Answer]:
        return marking.open_answers(self._task.answers, self._own(), self._task.by)

    def _answer(self, answer: Answer | None) -> str:
        if answer is None:
            return self._render()
        mine = (
            each
            for each in reversed(self._own())
            if (each.person, each.question) == (answer.person, answer.question)
        )
        left = [each.code for each in self._left()]
        after = left[left.index(answer.code) + 1 :] if answer.code in left else left
        return self._render(
            answer=answer,
            asked=self._task.asked[answer.question],
            given=next(mine, None),
            after=next(iter(after), ""),
        )

    def _render(self, **shown: object) -> str:
        own, task = self._own(), self._task
        codes = {(each.person, each.question): each.code for each in task.answers}
        marked = [codes[each.person, each.question] for each in own if (each.person, each.question) in codes]
        always: dict[str, object] = {
            "title": "Written answers, names hidden",
            "by": task.by,
            "done": len(set(marked)),
            "total": len(task.answers),
            "last": marked[-1] if marked else "",
            "keys": marking.KEYS,
            "lines": marking.most(task.rules),
        }
        nothing = {
            "answer": None,
            "asked": None,
            "given": None,
            "after": "",
            "words_page": False,
            "words": (),
        }
        return self._template.render({**always, **nothing, **shown})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
