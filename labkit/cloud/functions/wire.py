"""The little of HTTP/1.1 that the Runtime API's clients speak, on one connection.

What belongs here: bytes to whole requests, and answers to bytes. What does not: what requests mean
(see runtime_api).
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

#: an error's X-Ray cause travels in a header of up to 1 MB
_MAX_HEAD = 2 << 20
_READ = 1 << 18
_WRITE_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """One request. `body` is None when the declared length was over the limit."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class BadRequest(Exception):
    """The peer speaks no HTTP that we know; the connection is of no use any more."""


class Connection:
    """One keep-alive connection: reading never waits, writing waits for a slow reader, with a limit."""

    def __init__(self, sock: socket.socket, *, max_body: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self.socket = sock
        self._max_body = max_body
        self._data = bytearray()

    def receive(self) -> bool:
        """Take in what has arrived; False when the peer has gone."""
        try:
            chunk = self.socket.recv(_READ)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._data += chunk
        return bool(chunk)

    def next_request(self) -> Request | None:
        """The next whole request that has arrived. Raises BadRequest."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > _MAX_HEAD:
                raise BadRequest("endless header")
            return None
        method, path, headers = _head(bytes(self._data[:end]))
        length = _length(headers)
        if length > self._max_body:
            self._data.clear()
            return Request(method, path, headers, None)
        if len(self._data) < end + 4 + length:
            return None
        body = bytes(self._data[end + 4 : end + 4 + length])
        del self._data[: end + 4 + length]
        return Request(method, path, headers, body)

    def answer(self, status: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Send a whole answer; False when the peer has gone."""
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1", "replace")
        try:
            self.socket.settimeout(_WRITE_SECONDS)
            self.socket.sendall(start + body)
            self.socket.setblocking(False)
        except OSError:
            return False
        return True


def _head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3:
        raise BadRequest(first[:80])
    pairs = (line.partition(":") for line in lines)
    return parts[0], parts[1], {name.strip().lower(): value.strip() for name, _, value in pairs}


def _length(headers: Mapping[str, str]) -> int:
    """The body's length. Bodies in chunks are not taken: no runtime client of Python sends them."""
    text = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not text.isdigit():
        raise BadRequest("no plain length")
    return int(text)
