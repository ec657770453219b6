"""What the caller and the warm parent say to each other, and the descriptors that go with it.

What belongs here: how a request and an answer are written and read. What does not: what they cause.

A request is JSON in a memory file, whose descriptor travels in one message together with the others:
so its size has no limit, and the warm parent never waits for the rest of one. Each request brings a
socket of its own for the answers, so callers in many threads never wait for each other's.
"""

import array
import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from labkit.sandbox.spec import Bind, Limits, SandboxSpec

_MOST_DESCRIPTORS = 253  # SCM_MAX_FD
_LONGEST_ANSWER = 1 << 16
_LONGEST_REASON = 8000


@dataclass(frozen=True)
class Request:
    """An operation with its arguments (JSON values) and descriptors by name."""

    operation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    descriptors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What came back: JSON values and descriptors, which now belong to the receiver."""

    values: Mapping[str, Any]
    descriptors: Sequence[int] = ()


@contextlib.contextmanager
def memory_file(data: bytes) -> Iterator[int]:
    """A descriptor of a file in memory that holds `data`."""
    descriptor = os.memfd_create("request", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield descriptor
    finally:
        os.close(descriptor)


def send_request(connection: socket.socket, request: Request) -> None:
    """Send `request` in one message; the sender keeps its descriptors. Raises OSError."""
    body = {
        "operation": request.operation,
        "arguments": request.arguments,
        "names": list(request.descriptors),
    }
    with memory_file(json.dumps(body).encode()) as file:
        _send(connection, b"r", [file, *request.descriptors.values()])


def receive_request(connection: socket.socket) -> Request | None:
    """The next request, or None when the other side is gone. The descriptors are the receiver's."""
    message, descriptors = _receive(connection, 1)
    if not message:
        return None
    with open(descriptors[0], "rb") as file:
        file.seek(0)
        body = json.load(file)
    named = dict(zip(body["names"], descriptors[1:], strict=True))
    return Request(body["operation"], body["arguments"], named)


def send_answer(reply: socket.socket, values: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Answer on `reply`; nobody there to hear it is no error."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _send(reply, json.dumps(values).encode(), descriptors)


def send_refusal(reply: socket.socket, stage: str, reason: str, number: int = 0) -> None:
    """Answer that it did not work, where and why."""
    send_answer(reply, {"refused": stage, "reason": reason[:_LONGEST_REASON], "number": number})


def receive_answer(reply: socket.socket) -> Answer | None:
    """The next answer, or None when no more will come. Raises TimeoutError as `reply` is set."""
    message, descriptors = _receive(reply, _LONGEST_ANSWER)
    return Answer(json.loads(message), descriptors) if message else None


def _send(connection: socket.socket, message: bytes, descriptors: Sequence[int]) -> None:
    # (socket.send_fds would do, but it sends an empty control message where there are none)
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    connection.sendmsg([message], [rights] if descriptors else [], socket.MSG_NOSIGNAL)


def _receive(connection: socket.socket, size: int) -> tuple[bytes, list[int]]:
    # Not socket.recv_fds: it forgets its flags before Python 3.12, and the descriptors would be inherited.
    descriptors = array.array("i")
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * descriptors.itemsize)
    try:
        message, controls, _, _ = connection.recvmsg(size, room, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return b"", []
    for level, kind, data in controls:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return message, descriptors.tolist()


def encode_spec(spec: SandboxSpec) -> dict[str, Any]:
    """`spec` as JSON values. Raises TypeError when its arguments are none."""
    return asdict(spec)


def decode_spec(values: Mapping[str, Any]) -> SandboxSpec:
    """The spec that encode_spec made `values` of."""
    return SandboxSpec(
        **{
            **values,
            "command": tuple(values["command"]),
            "listen": tuple((host, port) for host, port in values["listen"]),
            "loopback": tuple(values["loopback"]),
            "binds": tuple(Bind(**bind) for bind in values["binds"]),
            "usr_layers": tuple(values["usr_layers"]),
            "disk_paths": tuple(values["disk_paths"]),
            "limits": Limits(**values["limits"]),
        }
    )
