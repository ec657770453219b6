"""Text of others, shown without moving the cursor."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.base.text import printable, shortened, whole


@pytest.mark.parametrize(
    "hostile", ["\x1b[31mred", "\x1b]0;title\x07", "a\rb", "\u202eabc", "\x9b31m", "a\x00b", "\u2028"]
)
def test_nothing_that_moves_the_cursor_stays(hostile: str) -> None:
    assert all(unicodedata.category(c)[0] != "C" for c in printable(hostile))


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") for c in shown)


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("Grüße, 你好 ✓ 100 %") == "Grüße, 你好 ✓ 100 %"


@given(st.text(), st.integers(20, 100))
def test_shortened_keeps_the_limit(text: str, limit: int) -> None:
    assert len(shortened(text, limit)) <= limit


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("-12", -12), ("9" * 18, int("9" * 18))]
    + [
        (text, None)
        for text in ("", "-", "--1", "+1", " 1", "1.0", "1_0", "¹", "٣", "５", "9" * 19, "1" * 5000)
    ],
)
def test_a_whole_number_is_written_in_ascii_digits(text: str, number: int | None) -> None:
    assert whole(text) == number
