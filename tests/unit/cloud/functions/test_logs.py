import os
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cloud.functions.logs import LogReader


class Pipe:
    def __init__(self) -> None:
        read_end, self.write_end = os.pipe()
        os.set_blocking(read_end, False)
        self.reader = LogReader(read_end, lambda: 42)

    def say(self, data: bytes) -> None:
        os.write(self.write_end, data)
        self.reader.read()

    def texts(self) -> list[str]:
        return [text for _, text in self.reader.take()]

    def close(self) -> None:
        os.close(self.write_end)
        self.reader.close()


def frame(text: bytes) -> bytes:
    return b"\xa5\x5a\x00\x03" + struct.pack(">IQ", len(text), 0) + text


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_each_line_is_an_event(pipe: Pipe) -> None:
    pipe.say(b"one\ntwo\n\nfour\n")
    assert pipe.reader.take() == [(42, "one\n"), (42, "two\n"), (42, "\n"), (42, "four\n")]


def test_a_line_in_pieces_is_one_event(pipe: Pipe) -> None:
    for piece in (b"o", b"n", b"e\ntw"):
        pipe.say(piece)
    assert pipe.texts() == ["one\n", "tw\n"]
    assert pipe.texts() == []


def test_a_frame_is_one_event_wherever_it_begins(pipe: Pipe) -> None:
    """AWS Lambda, "Log and monitor Python Lambda functions": a record keeps its lines together."""
    pipe.say(b"before\n" + frame(b"two\nlines\n") + b"half" + frame(b"x") + b"after\n")
    assert pipe.texts() == ["before\n", "two\nlines\n", "half\n", "x\n", "after\n"]


def test_a_frame_in_pieces(pipe: Pipe) -> None:
    for byte in frame(b"a\nb\n"):
        pipe.say(bytes([byte]))
    assert pipe.texts() == ["a\nb\n"]


def test_what_is_no_utf_8_is_shown_as_such(pipe: Pipe) -> None:
    pipe.say(b"\xff\xfe\n")
    assert pipe.texts() == ["\ufffd\ufffd\n"]


def test_the_end_of_the_pipe(pipe: Pipe) -> None:
    pipe.say(b"last")
    os.close(pipe.write_end)
    pipe.write_end = os.open(os.devnull, os.O_WRONLY)
    assert pipe.reader.read() is False
    assert pipe.texts() == ["last\n"]


def test_an_endless_line_is_cut_and_a_flood_bounded(pipe: Pipe) -> None:
    for _ in range(20 * 16):
        pipe.say(b"x" * 65_536)
    texts = pipe.texts()
    assert max(map(len, texts)) == 262_145
    assert sum(map(len, texts)) < 17 << 20


@given(st.binary(max_size=400), st.lists(st.integers(1, 40), max_size=30))
def test_nothing_said_can_break_the_reader(data: bytes, cuts: list[int]) -> None:
    pipe = Pipe()
    try:
        for cut in [*cuts, 400]:
            if data:
                pipe.say(data[:cut])
            data = data[cut:]
        assert all(text.endswith("\n") for text in pipe.texts())
    finally:
        pipe.close()
