"""`./lab class mark --page`: a browser without scripts marks answers and says words, and sees no name and runs nothing."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest

from labkit.classroom.ledger import Ledger
from labkit.classroom.marking import Answer
from labkit.classroom.marking_page import Asked, MarkingSite, Task
from labkit.classroom.roster import Person, Roster
from labkit.lesson.page.serving import serve
from tests.unit.classroom.rosters import ROOT
from tests.unit.classroom.test_marking import PLAIN
from tests.unit.lesson.page.test_serving import Browser

PEOPLE = Roster((Person("ada@uni.edu", "Ada Löve", {}), Person("bob@uni.edu", "Bob", {})))
ANSWERS = (
    Answer("ada@uni.edu", "1", "c0de1", "<script>alert(1)</script>\nthe door"),
    Answer("bob@uni.edu", "1", "c0de2", "a group"),
)
ASKED = {"1": Asked("1", "Prediction", "What breaks first?", "The hop & its port")}


class Page(HTMLParser):
    """What a page without scripts offers: its forms with what they send, its links, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: dict[str, set[tuple[str, str]]] = {}
        self.links, self.text, self._form = set[str](), "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = given["action"]
            self.forms[self._form] = set()
        elif "name" in given and self._form and tag in ("button", "input", "textarea", "select"):
            self.forms[self._form].add((given["name"], given.get("value", "")))
        elif tag == "a":
            self.links.add(given["href"])

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def browser(ledger: Ledger) -> Iterator[Browser]:
    task = Task(ANSWERS, ASKED, "ta", PEOPLE, PLAIN, "salt")
    with serve(MarkingSite(task, ledger, ROOT / "texts" / "page.css")) as url:
        yield Browser(url)


def seen(browser: Browser, name: str = "") -> Page:
    answer = browser.ask("GET", name)
    assert answer.status == 200
    text = answer.read().decode()
    assert not re.search("ada@|Ada|bob@|Bob", text)
    return Page(text)


def click(browser: Browser, name: str, **form: str) -> tuple[int, str]:
    origin = f"http://{browser.host}"
    answer = browser.ask("POST", name, urlencode(form), Origin=origin)
    return answer.status, answer.getheader("Location") or answer.read().decode()


def test_an_answer_stands_beside_its_key_and_is_marked_by_a_button(browser: Browser, ledger: Ledger) -> None:
    page = seen(browser)
    assert "The hop & its port" in page.text
    assert "<script>alert(1)</script>\nthe door" in page.text
    buttons = {value for name, value in page.forms["mark-c0de1"] if name == "mark"}
    assert buttons == {"0", "1", "2"}
    assert click(browser, "mark-c0de1", mark="2", comment="schön") == (303, browser.base)
    (mark,) = ledger.prose()
    assert (mark.person, mark.question, mark.mark, mark.comment, mark.by) == (
        "ada@uni.edu",
        "1",
        2,
        "schön",
        "ta",
    )
    page = seen(browser)
    assert "mark-c0de2" in page.forms
    assert "answer-c0de1" in page.links
    assert click(browser, "mark-c0de2", mark="0")[0] == 303
    assert "Nothing is left to mark for ta" in seen(browser).text


def test_a_mark_can_be_given_anew_and_an_answer_be_left_for_later(browser: Browser, ledger: Ledger) -> None:
    assert "answer-c0de2" in seen(browser).links
    click(browser, "mark-c0de2", mark="1")
    assert "you gave 1" in seen(browser, "answer-c0de2").text
    click(browser, "mark-c0de2", mark="2")
    assert [each.mark for each in ledger.prose()] == [1, 2]
    assert "mark-c0de1" in seen(browser).forms


def test_a_word_about_a_line_names_nobody_and_is_checked(browser: Browser, ledger: Ledger) -> None:
    assert ("who", "c0de1") in seen(browser).forms["word"]
    said = {"who": "c0de1", "line": "door-open", "points": "2,5", "reason": "nearly"}
    assert click(browser, "word", **said) == (303, f"{browser.base}words")
    (word,) = ledger.overrides()
    assert (word.person, word.line, word.points, word.reason, word.by) == (
        "ada@uni.edu",
        "door-open",
        2.5,
        "nearly",
        "ta",
    )
    page = seen(browser, "words")
    assert "nearly" in page.text
    assert ("who", "") in page.forms["word"]
    (hidden,) = re.findall("<td>([0-9a-f]{10})</td>", browser.ask("GET", "words").read().decode())
    assert click(browser, "word", **{**said, "who": hidden, "points": ""})[0] == 303
    assert (ledger.overrides()[-1].person, ledger.overrides()[-1].points) == ("ada@uni.edu", None)


@pytest.mark.parametrize(
    ("name", "form", "status", "words"),
    [
        ("mark-c0de1", {"mark": "3"}, 409, "0, 1 and 2"), ("mark-c0de1", {}, 409, "0, 1 and 2"),
        ("mark-other", {"mark": "1"}, 404, "not found"), ("other", {}, 404, "not found"),
        ("word", {"who": "c0de1", "line": "door-open", "points": "99", "reason": "r"}, 409, "0 to 3 points"),
        ("word", {"who": "c0de1", "line": "door-open", "points": "1"}, 409, "needs a reason"),
        ("word", {"who": "nobody", "line": "door-open", "points": "1", "reason": "r"}, 409, "nobody in this class"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_and_changes_nothing(
    browser: Browser, ledger: Ledger, name: str, form: dict[str, str], status: int, words: str
) -> None:
    got, said = click(browser, name, **form)
    assert (got, words in said) == (status, True)
    assert (ledger.prose(), ledger.overrides()) == ([], [])


def test_only_its_own_files_are_there(browser: Browser) -> None:
    kinds = {name: browser.ask("GET", name).getheader("Content-Type") for name in ("page.css", "marking.js")}
    assert kinds == {"page.css": "text/css; charset=utf-8", "marking.js": "text/javascript; charset=utf-8"}
    names = ("answer-other", "marking.py", "..%2Fschema.sql", "object/x")
    assert [browser.ask("GET", name).status for name in names] == [404] * 4
