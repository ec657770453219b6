"""What people see: eighty columns, no colour needed; what programs see: JSON lines."""

import io
import json
import re

import pytest

from labkit.base.errors import LabError
from labkit.base.events import Event
from labkit.cli.console import JsonConsole, PlainConsole, RichConsole, open_console

LONG = "a sentence that is rather long " * 8


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def test_no_line_is_wider_than_eighty_columns(out: io.StringIO) -> None:
    console = PlainConsole(out)
    console.event(Event("note", LONG))
    console.event(Event("check", LONG, {"passed": False}))
    console.error(LabError(LONG, hint=LONG))
    assert max(len(line) for line in out.getvalue().splitlines()) <= 80


@pytest.mark.parametrize(("passed", "mark"), [(True, "✓"), (False, "✗")])
def test_a_check_is_told_by_a_mark_and_not_by_colour(out: io.StringIO, passed: bool, mark: str) -> None:
    PlainConsole(out).event(Event("check", "the door is open", {"passed": passed}))
    assert out.getvalue() == f"{mark} the door is open\n"


def test_text_of_others_cannot_colour_the_terminal(out: io.StringIO) -> None:
    PlainConsole(out).error(LabError("file \x1b[2Jwiped", hint="look"))
    assert "\x1b" not in out.getvalue()


def test_the_rich_console_shows_the_same_words(out: io.StringIO) -> None:
    plain = io.StringIO()
    for console in (PlainConsole(plain), RichConsole(out)):
        console.event(Event("step", "03 deploy"))
        console.event(Event("check", "it [red]stands[/red]", {"passed": True}))
        console.close()
    assert re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) == plain.getvalue()


def test_progress_in_plain_text_does_not_flood(out: io.StringIO) -> None:
    console = PlainConsole(out)
    for done in range(1001):
        console.event(Event("progress", "images", {"done": done, "total": 1000}))
    assert len(out.getvalue().splitlines()) == 11


def test_json_lines_carry_events_results_and_errors(out: io.StringIO) -> None:
    console = JsonConsole(out)
    console.event(Event("check", "ok", {"passed": True}))
    console.line("for people only")
    console.result({"passed": True})
    console.error(LabError("no", hint="do"))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [next(iter(line)) for line in lines] == ["event", "result", "error"]
    assert lines[0]["event"] == {"kind": "check", "text": "ok", "passed": True}


def test_a_command_on_a_line_of_its_own_is_shown_whole(out: io.StringIO) -> None:
    command = f"  mv '{'a b/' * 30}' there"
    PlainConsole(out).error(LabError("It is broken.", hint=f"Move it aside:\n{command}\nThen go on."))
    assert out.getvalue().splitlines() == ["✗ It is broken.", "→ Move it aside:", command, "  Then go on."]


def test_a_long_fact_goes_on_below_itself(out: io.StringIO) -> None:
    PlainConsole(out).fact("Label", "word " * 20, 9)
    first, second = out.getvalue().splitlines()
    assert first.startswith("  Label      word")
    assert second.startswith(" " * 13 + "word")
    assert len(first) <= 80


def test_without_a_terminal_the_console_is_plain() -> None:
    assert type(open_console(plain=False, as_json=False)) is PlainConsole
