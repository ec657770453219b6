"""Terminals that lack our signs."""

import io

import pytest

from labkit.base import signs


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_terminal_without_our_signs_tells_good_from_bad(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    signs.use(stream)
    stream.write("✓ good ✗ bad → next ◆")
    stream.flush()
    assert raw.getvalue() == b"+ good x bad > next ?"
    stream.write("ü" if encoding != "ascii" else "")
