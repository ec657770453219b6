"""What comes out of an instance is read with suspicion."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cloud.instances.guest import CONSOLE_BYTES, Guest
from labkit.cloud.instances.system.messages import (
    Booted,
    Halt,
    JournalLines,
    Lines,
    Report,
    UnitState,
    UserDataEnded,
    decode,
    encode,
)


@pytest.mark.parametrize(
    "report",
    [
        UnitState("a.service", "active", "running", "success", 12, 3),
        UserDataEnded(1, 2.5, ("a", "b")),
        UserDataEnded(None, 0.0),
        Booted(),
        Halt(True),
        JournalLines(7, ("x",)),
    ],
)
def test_reports_arrive_as_they_were_sent(report: Report) -> None:
    assert decode(encode(report).rstrip()) == report


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"report": "Nothing"}',
        b'{"report": "UserDataEnded", "code": "0", "seconds": 1, "tail": []}',
        b'{"report": "UserDataEnded", "code": 0, "seconds": -1, "tail": []}',
        b'{"report": "UserDataEnded", "code": 0, "seconds": NaN, "tail": []}',
        b'{"report": "UserDataEnded", "code": 0, "seconds": 1, "tail": [1]}',
        b'{"report": "UnitState", "name": "a", "state": "on fire", "sub": "", "result": "",'
        b' "main_pid": 1, "restarts": 1}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_report_is_nothing(line: bytes) -> None:
    assert decode(line) is None


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_a_report_or_nothing(value: object) -> None:
    decode(json.dumps(value).encode())
    decode(json.dumps({"report": "UnitState", "name": value}).encode())


def test_long_texts_are_cut() -> None:
    found = decode(encode(UserDataEnded(0, 1.0, tuple("x" * 9000 for _ in range(99)))).rstrip())
    assert isinstance(found, UserDataEnded)
    assert len(found.tail) == 40
    assert all(len(line) == 2000 for line in found.tail)


def test_lines_are_cut_out_of_a_stream_and_bounded() -> None:
    lines = Lines(10)
    assert lines.feed(b"ab\ncd") == [b"ab"]
    assert lines.feed(b"e\n\n") == [b"cde", b""]
    with pytest.raises(ValueError, match="too long"):
        lines.feed(b"x" * 11)


def test_only_the_first_word_about_user_data_counts() -> None:
    guest = Guest()
    guest.begin()
    guest.told(UserDataEnded(1, 1.0, ("bad",)))
    guest.told(UserDataEnded(0, 1.0, ("all fine",)))
    assert (guest.boot().state, guest.boot().exit_code, guest.boot().tail) == ("failed", 1, ("bad",))


def test_the_console_keeps_the_newest_64_kb() -> None:
    """EC2, API GetConsoleOutput: at most 64 KB."""
    guest = Guest()
    guest.console_said(b"a" * 70_000 + b"end")
    assert len(guest.console()) == CONSOLE_BYTES
    assert guest.console().endswith(b"end")


def test_answers_nobody_asked_for_are_dropped() -> None:
    guest = Guest()
    guest.told(JournalLines(1, ("forged",)))
    question = guest.question()
    guest.told(JournalLines(question, ("real",)))
    assert guest.answer(question) == ("real",)
