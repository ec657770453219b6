"""All reports say the same, escape what others wrote, and keep hidden inputs to themselves."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

import labkit
import labkit.grading
from labkit.course import rubric
from labkit.grading.judging import lacking
from labkit.grading.model import NO_CHECK, NOT_ASKED, Result, Verdict, empty, to_json
from labkit.grading.reports import bundle, gradescope, html, junit, markdown, terminal, words
from tests.unit.grading import results

Render = Callable[..., str]
ROOT = Path(labkit.__file__).resolve().parent.parent
SCHEMA = json.loads((Path(labkit.grading.__file__).parent / "result.schema.json").read_text())


def on_terminal(result: Result, *, hidden: bool = False) -> str:
    return "\n".join(text for text, _ in terminal.render(result, hidden=hidden))


def on_gradescope(result: Result, *, hidden: bool = False) -> str:
    return json.dumps(gradescope.render(result, hidden=hidden))


ALL: dict[str, Render] = {
    "terminal": on_terminal, "html": html.render, "markdown": markdown.render, "junit": junit.render,
    "gradescope": on_gradescope,
}  # fmt: skip


@pytest.fixture(params=ALL.values(), ids=ALL)
def render(request: pytest.FixtureRequest) -> Render:
    rendered: Render = request.param
    return rendered


def test_hidden_lines_are_named_without_what_they_saw(render: Render) -> None:
    text = render(results.mixed())
    assert "row-hash" in text
    for secret in ("4711", "4712", "secret"):
        assert secret not in text
    assert "4711" in render(results.mixed(), hidden=True)


@pytest.mark.parametrize("name", [name for name in ALL if name != "gradescope"])
def test_what_was_not_judged_is_no_pass(name: str) -> None:
    text = ALL[name](results.nothing())
    assert "not" in text.lower()
    assert "100 of 100" not in text


def test_a_copy_without_hidden_checks_counts_what_it_has_unless_it_makes_marks() -> None:
    """In a hand-out hidden lines have no check: a self-check goes on without them, a grading does not."""
    none, passed = results.nothing(), Verdict("passed", 1.0, way="as submitted")
    lines = tuple(
        replace(line, verdict=Verdict(reason=NO_CHECK) if line.hidden else passed) for line in none.lines
    )
    away = sum(line.points for line in lines if line.hidden)
    assert away
    here = replace(none, complete=True, lines=lines, about={**none.about, "self_check": True})
    assert (
        f"{100 - away} of {100 - away} points; {away} more are tried only where you hand in"
        in on_terminal(here)
    )
    assert words.whole(here)
    marking = replace(here, about={**none.about, "self_check": False})
    assert "No mark yet" in on_terminal(marking)
    assert not words.whole(marking)


OURS = Verdict(reason="CloudError: the local cloud has ended")
LACKING = lacking.verdict("a queue")


@pytest.mark.parametrize("name", ["terminal", "html", "markdown"])
def test_what_only_aws_has_stands_apart_from_our_trouble(name: str) -> None:
    """An instructor runs the one again and looks at the other: exit statuses 75 and 69."""
    ours = ALL[name](results.mixed().with_line("deploys", OURS))
    assert "our trouble" in ours
    assert "AWS has it" not in ours
    lacks = ALL[name](results.mixed().with_line("deploys", LACKING))
    assert "AWS has it" in lacks
    assert "our trouble" not in lacks
    assert "run it again" not in lacks
    both = ALL[name](results.mixed().with_line("deploys", OURS).with_line("door-open", LACKING))
    assert both.index("our trouble") < both.index("AWS has it")
    assert "run it again" in " ".join(both.split())
    assert "instructor has to look at door" in " ".join(both.replace("\\", "").split())


def test_junit_tells_what_only_aws_has_from_our_trouble() -> None:
    kinds = [
        error.get("type")
        for verdict in (OURS, LACKING)
        for error in ElementTree.fromstring(junit.render(results.mixed().with_line("deploys", verdict))).iter(
            "error"
        )
    ]
    assert kinds == ["not judged", "not emulated"]


def test_a_note_is_told_and_costs_nothing(render: Render) -> None:
    noted = Verdict("passed", 1.0, way="as submitted", notes=("it can not be told by reading",))
    result = results.mixed().with_line("deploys", noted)
    assert "it can not be told by reading" in render(result)
    assert result.score == results.mixed().score
    hidden = Verdict("passed", 1.0, way="as submitted", notes=("the secret note",))
    assert "secret" not in render(results.mixed().with_line("row-hash", hidden))


def test_gradescope_gets_no_document_without_a_mark() -> None:
    with pytest.raises(ValueError, match="no mark"):
        gradescope.render(results.nothing())


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "onclick")]


def test_html_holds_nothing_of_what_others_wrote_as_code() -> None:
    page = html.render(results.mixed(), hidden=True)
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    assert "b" not in tags.tags
    assert tags.links == ["#lines"]
    assert "default-src 'none'" in page
    assert "&lt;script&gt;" in page


def test_html_says_states_in_words_and_has_one_of_each_landmark() -> None:
    page = html.render(results.mixed())
    tags = Tags()
    tags.feed(page)
    assert [tags.tags.count(tag) for tag in ("h1", "main", "header", "table", "caption")] == [1, 1, 1, 2, 2]
    assert "✗ failed" in page
    assert "✓ passed" in page
    assert 'lang="en"' in page
    assert 'name="viewport"' in page


LIVE = [
    "www.evil.example", "see WWW.evil.example/x", "http://evil.example", "ftp://evil.example", "mailto:a@evil.example", "a@evil.example",
    "@everyone", "#123", "uni/lab#7", "GH-5", "<b>x</b>", "<!-- x", "[x](http://evil)", "![x](http://evil)", "**x**", "__x__", "~~x~~",
    "| a | b |", "$x$", "&lt;b&gt;", "`x`", "\\`x", "- [ ] x", "1. x", "# x", "> x", "=cmd|' /C calc'!A0", "a\n\n# head", "\x1b[31mred", "\u202eabc", "\u2066x\u2069", "\x9b31m", "a\rb",
]  # fmt: skip


@pytest.mark.parametrize("live", LIVE)
def test_markdown_makes_nothing_of_what_others_wrote(live: str) -> None:
    """GitHub links addresses, mentions and numbers in plain text, escaped or not: something unseen stands between."""
    verdict = Verdict("failed", 0.0, live, live, live, live, (live,), "alone")
    text = markdown.render(results.mixed().with_line("door-open", verdict), hidden=True)
    assert len(text.splitlines()) == len(markdown.render(results.mixed(), hidden=True).splitlines())
    outside = re.sub(r"(`+) .*? \1|`[^`\n]*`", "", text)
    dead = (
        r"(?<!\\)[<\[|`$~]x",
        r"(?<!\\)\]\(",
        r"@(?=\w)",
        r"#(?=\d)",
        r"://(?=e)",
        r"\b[wW]{3}\.",
        r"GH-",
        r"(?<!\\)\*\*x",
        r"(?<!\\)__",
    )
    assert not [each for each in dead if re.search(each, outside)]


def test_no_report_holds_what_moves_a_cursor_or_turns_the_reading_order(render: Render) -> None:
    live = " ".join(LIVE)
    verdict = Verdict("failed", 0.0, live, live, live, live, tuple(LIVE), "alone")
    result = replace(results.mixed(), trouble=(live,), about={**results.ABOUT, "engine": live})
    text = render(result.with_line("door-open", verdict), hidden=True)
    assert not set(text) & set("\x1b\x9b\r\u202e\u2066\u2069")


def test_what_troubled_a_grading_is_for_staff(render: Render, tmp_path: Path) -> None:
    """It may quote a hidden check, or what a hidden line saw; at home, where nothing is hidden, it is told."""
    trouble = replace(results.mixed(), trouble=("row-hash: KeyError: 4711",))
    marking = replace(trouble, about={**results.ABOUT, "self_check": False})
    assert "KeyError: 4711" not in render(marking)
    bundle.write(marking, tmp_path)
    assert not [path for path in tmp_path.iterdir() if "KeyError" in path.read_text()]
    assert (
        words.told(trouble, hidden=False).trouble
        == words.told(marking, hidden=True).trouble
        == trouble.trouble
    )


def test_what_a_student_is_given_does_not_tell_how_long_a_line_took() -> None:
    timed = results.mixed().with_line("door-open", Verdict("failed", reason="x", way="alone"), seconds=4.711)
    for text in (junit.render(timed), json.dumps(to_json(words.without_hidden(timed)))):
        assert "4.711" not in text
    assert "4.711" in junit.render(timed, hidden=True)


def test_junit_counts_and_is_xml_with_any_text() -> None:
    result = replace(results.mixed(), complete=True).with_line(
        "deploys", Verdict(reason="\x00\x1b\ud800 broke")
    )
    suite = ElementTree.fromstring(junit.render(result)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "1")
    assert len(suite.findall("testcase")) == 3


def test_every_report_shows_the_bonus_apart(render: Render) -> None:
    text = render(results.mixed())
    assert "parity" in text
    assert re.search(r"2 (of|/) ?5|2/5|skipped", text)
    assert "27" not in text, "25 points, and a bonus of 2"


def test_what_a_bonus_did_not_earn_is_no_failure() -> None:
    _, bonus = ElementTree.fromstring(junit.render(results.mixed())).findall("testsuite")
    assert [bonus.get(name) for name in ("name", "tests", "failures", "errors", "skipped")] == [
        "bonus",
        "1",
        "0",
        "0",
        "1",
    ]
    assert bonus.find("testcase/skipped") is not None
    unjudged = junit.render(results.mixed().with_line("parity", Verdict(reason="no Terraform")))
    assert ElementTree.fromstring(unjudged).findall("testsuite")[1].get("errors") == "1"


def test_a_bonus_that_was_not_judged_is_trouble_only_where_it_was_asked_for() -> None:
    unjudged = results.mixed().with_line("parity", Verdict(reason="no Terraform"))
    assert words.judged(unjudged)
    assert not words.judged(replace(unjudged, about={**results.ABOUT, "only": ["parity"]}))
    assert not words.judged(results.nothing())
    assert not words.judged(results.mixed().with_line("deploys", Verdict(reason="the cloud has died")))


def test_hidden_lines_keep_to_themselves_what_stopped_their_judging(tmp_path: Path) -> None:
    trouble = Verdict(reason="KeyError: 4711", evidence=("assert row == 4711",), found="4711")
    result = results.mixed().with_line("row-hash", trouble)
    for text in (junit.render(result), json.dumps(to_json(words.without_hidden(result)))):
        assert "4711" not in text
        assert "could not be judged" in text
    bundle.write(result, tmp_path)
    assert not [path for path in tmp_path.iterdir() if "4711" in path.read_text()]


def test_junit_has_only_what_was_asked_for() -> None:
    part = results.mixed().with_line("deploys", Verdict(reason=NOT_ASKED))
    suite = ElementTree.fromstring(junit.render(part)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors"), len(suite.findall("testcase"))) == ("2", "0", 2)


def test_gradescope_adds_up() -> None:
    document = gradescope.render(results.mixed())
    scored = [test for test in document["tests"] if "score" in test]
    assert document["score"] == sum(test["score"] for test in scored) == 25
    assert sum(test["max_score"] for test in scored) == 100
    assert isinstance(document["execution_time"], float)
    text = json.dumps(document, allow_nan=False)
    assert "\\r" not in text
    assert {test["status"] for test in document["tests"]} == {"passed", "failed"}


@pytest.mark.slow
@pytest.mark.parametrize("filling", ["x", "ü", "😀", "\x07"])
def test_gradescope_documents_are_as_its_importer_wants_them(filling: str) -> None:
    """Gradescope: "Autograder specifications"; with every text that a student could bring in."""
    nasty = "a\r\nb\r\ud800\x00<script>" + filling * 100_000
    result = replace(empty(rubric.load(ROOT), results.ABOUT), complete=True)
    for line in result.all:
        result = result.with_line(
            line.id, Verdict("failed", 0.3, nasty, nasty, nasty, nasty, (nasty,) * 12, "alone")
        )
    document = gradescope.render(result, hidden=True)
    text = json.dumps(document, allow_nan=False)
    text.encode("utf-8")
    assert len(text) < 1 << 20
    jsonschema.validate(document, GRADESCOPE)
    assert "\\r" not in text
    assert "\\ud800" not in text


_VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
_FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
_NUMBER, _TEXT = {"type": "number", "minimum": 0}, {"type": "string"}
GRADESCOPE = {
    "type": "object", "additionalProperties": False, "required": ["score", "tests"],
    "properties": {
        "score": _NUMBER, "execution_time": _NUMBER, "output": _TEXT, "output_format": _FORMAT,
        "test_output_format": _FORMAT, "test_name_format": _FORMAT, "visibility": _VISIBILITY,
        "stdout_visibility": _VISIBILITY, "extra_data": {"type": "object"}, "leaderboard": {"type": "array"},
        "tests": {"type": "array", "minItems": 1, "items": {
            "type": "object", "additionalProperties": False, "required": ["name", "status"],
            "properties": {
                "score": _NUMBER, "max_score": _NUMBER, "status": {"enum": ["passed", "failed"]}, "name": _TEXT,
                "name_format": _FORMAT, "number": _TEXT, "output": _TEXT, "output_format": _FORMAT,
                "tags": {"type": "array", "items": _TEXT}, "visibility": _VISIBILITY, "extra_data": {"type": "object"},
            },
        }},
    },
}  # fmt: skip


def test_terminal_is_80_columns_wide_costliest_first() -> None:
    rows = [text for text, _ in terminal.render(results.mixed())]
    assert max(map(len, rows)) <= 80
    text = "\n".join(rows)
    assert text.index("door-open: ") < text.index("row-hash: ")
    assert "back to  step 04, gap server-door" in text
    assert "your text alone" in text


def test_the_result_fits_its_schema() -> None:
    for result in (results.nothing(), results.mixed()):
        jsonschema.validate(to_json(result), SCHEMA)


def test_all_files_are_written_and_an_old_mark_does_not_stay(tmp_path: Path) -> None:
    bundle.write(results.mixed(), tmp_path)
    names = {"result.json", "report.html", "report.md", "junit.xml", "results.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    bundle.write(results.nothing(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names - {"results.json"}


@pytest.mark.parametrize("name", ["terminal", "html", "markdown", "junit"])
def test_what_was_not_judged_says_what_to_do(name: str) -> None:
    result = results.mixed().with_line("deploys", Verdict(reason="the cloud is gone", hint="start it again"))
    assert "start it again" in ALL[name](result)
