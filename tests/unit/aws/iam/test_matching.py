"""Wildcards of policies: what they match, and that no pattern takes long."""

import functools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.aws.iam.matching import expand, matches, matches_arn

SECONDS = 5.0


def oracle(pattern: str, text: str) -> bool:
    """The definition itself, for texts so small that its cost does not matter."""

    @functools.cache
    def rest(p: int, t: int) -> bool:
        if p == len(pattern):
            return t == len(text)
        if pattern[p] == "*":
            return rest(p + 1, t) or (t < len(text) and rest(p, t + 1))
        return t < len(text) and pattern[p] in ("?", text[t]) and rest(p + 1, t + 1)

    return rest(0, 0)


@pytest.mark.slow
@settings(max_examples=500, derandomize=True)
@given(st.text("ab*?", max_size=9), st.text("ab", max_size=9))
def test_a_pattern_matches_what_its_definition_says(pattern: str, text: str) -> None:
    assert matches(pattern, text) == oracle(pattern, text)


def test_wildcards_that_a_variable_brings_are_plain_text() -> None:
    pattern = expand("a${name}b*", {"name": "*?"})
    assert pattern is not None
    assert matches(pattern, "a*?bc")
    assert not matches(pattern, "axybc")
    question = expand("?${name}", {"name": "?"})
    assert question is not None
    assert (matches(question, "x?"), matches(question, "xx")) == (True, False)


def within(seconds: float, pattern: str, text: str) -> bool | None:
    """The answer; None where it takes longer."""
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(matches(pattern, text)), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def test_no_pattern_takes_long() -> None:
    letters = "a" * 20_000
    assert within(SECONDS, "*a" * 7 + "*b", "a" * 60) is False
    assert within(SECONDS, "*a" * 2_000 + "*b", letters) is False
    assert within(SECONDS, "*?a" * 2_000 + "*b", letters) is False
    assert within(SECONDS, "*" + "?" * 10_000 + "b*", letters) is False
    assert within(SECONDS, "*" + "a" * 10_000 + "b*", letters) is False
    assert within(SECONDS, "*" * 10_000 + "a", letters) is True


def test_no_arn_takes_long() -> None:
    assert not matches_arn("arn:aws:s3:::" + "*a" * 500 + "*b", "arn:aws:s3:::" + "a" * 1_000)
