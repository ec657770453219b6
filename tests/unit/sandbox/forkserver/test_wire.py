"""Requests and answers arrive as they were sent, with their descriptors."""

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.sandbox.forkserver import wire
from labkit.sandbox.spec import Bind, Limits, SandboxSpec

Pair = tuple[socket.socket, socket.socket]

TEXT = st.text(max_size=20)
SPECS = st.builds(
    SandboxSpec,
    name=TEXT,
    command=st.lists(TEXT).map(tuple),
    env=st.dictionaries(TEXT, TEXT),
    listen=st.lists(st.tuples(TEXT, st.integers(0, 65535))).map(tuple),
    binds=st.lists(st.builds(Bind, TEXT, TEXT, st.booleans())).map(tuple),
    usr_layers=st.lists(TEXT).map(tuple),
    disk_paths=st.lists(TEXT).map(tuple),
    limits=st.builds(Limits, memory_mb=st.integers(1, 9999)),
)


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@given(SPECS)
def test_a_spec_survives_the_journey(spec: SandboxSpec) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        wire.send_request(ours, wire.Request("start", wire.encode_spec(spec)))
        request = wire.receive_request(theirs)
    assert request is not None
    assert wire.decode_spec(request.arguments) == spec


def test_a_large_request_with_descriptors(pair: Pair) -> None:
    reader, writer = os.pipe()
    big = "x" * (8 << 20)
    wire.send_request(pair[0], wire.Request("op", {"big": big}, {"out": writer}))
    request = wire.receive_request(pair[1])
    assert request is not None
    assert (request.operation, request.arguments) == ("op", {"big": big})
    assert not os.get_inheritable(request.descriptors["out"])
    os.write(request.descriptors["out"], b"through")
    assert os.read(reader, 10) == b"through"
    for descriptor in (reader, writer, request.descriptors["out"]):
        os.close(descriptor)


def test_the_end_of_the_other_side(pair: Pair) -> None:
    pair[0].close()
    assert wire.receive_request(pair[1]) is None
    assert wire.receive_answer(pair[1]) is None
    wire.send_answer(pair[1], {"nobody": "listens"})


def test_a_refusal_with_a_very_long_reason(pair: Pair) -> None:
    wire.send_refusal(pair[0], "stage", "é" * 100_000, 5)
    answer = wire.receive_answer(pair[1])
    assert answer is not None
    assert (answer.values["refused"], answer.values["number"]) == ("stage", 5)
