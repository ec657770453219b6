"""HTTP/1.1 requests read from a connection, as WSGI environments.

What belongs here: the syntax of a request, its limits, and its body. What does not: sockets that
listen, threads, responses (see labkit.cloud.web.serving).
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

#: set by an application whose caller proved who it is: such connections are kept longest when there are too many
TRUSTED = "labkit.trusted"
#: headers whose names hold an underscore, as sent: WSGI can't tell X_Foo from X-Foo, S3's metadata can
UNDERSCORED = "labkit.underscored_headers"

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_TARGET = re.compile(r"[!-~\x80-\xff]+").fullmatch
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)").fullmatch
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r?\n").fullmatch
_ONCE = ("host", "content-length", "transfer-encoding", "authorization")
_ABSOLUTE = ("http://", "https://")


@dataclass(frozen=True)
class HttpLimits:
    """What one request may use, in bytes; idle times in seconds."""

    line: int = 16 * 1024
    headers: int = 64 * 1024
    header_count: int = 200
    body: int = 256 * 1024 * 1024
    #: of a body that is read piece by piece: S3 takes 5 GB, and its chunks some more
    streamed: int = 6 * 1024 * 1024 * 1024
    #: bodies up to this size are read before the application begins
    ahead: int = 1024 * 1024
    #: a connection that says nothing between two requests is closed after this time
    idle: float = 120.0
    #: a request that stops half-way, or a client that reads no answer
    stalled: float = 30.0
    #: bytes of a request that give it one second more: drop by drop, it ends after `stalled`
    pace: int = 1024


Admit = Callable[[Mapping[str, object]], None]


class BadRequest(Exception):
    """The request can't be read; `status` is the answer, after which the connection is closed."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Disconnected(Exception):
    """The client closed the connection, or stayed silent for too long."""


@dataclass
class Request:
    """One request: the WSGI environment, and what the connection must know to go on after it."""

    environ: dict[str, object]
    version: str
    keep_alive: bool
    streamed: "StreamedBody | None" = None
    headers: dict[str, str] = field(default_factory=dict)


class StreamedBody:
    """A body that is read from the connection as the application reads it, and asked for at first touch where the
    client waits for that (Expect: 100-continue).
    """

    def __init__(
        self, file: BinaryIO, length: int, limits: HttpLimits, ask: Callable[[], None] | None
    ) -> None:
        """`ask` is called once before the first byte is read."""
        self._file, self._limits, self._ask = file, limits, ask
        #: bytes that nobody has read yet
        self.left = length

    @property
    def asked(self) -> bool:
        """Whether the client sends the body: it was not told to wait, or the application has wanted it."""
        return self._ask is None

    def _room(self, size: int | None) -> int:
        """How many bytes to read. Raises BadRequest where they were too many to be held at once."""
        if self._ask is not None:
            ask, self._ask = self._ask, None
            ask()
        wanted = self.left if size is None or size < 0 else min(size, self.left)
        if wanted > self._limits.body:
            raise BadRequest("413 Content Too Large", f"a body may have {self._limits.body} bytes")
        return wanted

    def read(self, size: int | None = -1) -> bytes:
        """As the read of a binary file. Raises Disconnected where the client ends before the body does."""
        data = _read_exactly(self._file, self._room(size))
        self.left -= len(data)
        return data

    def readline(self, size: int | None = -1) -> bytes:
        """As the readline of a binary file."""
        data = self._file.readline(self._room(size))
        if not data and self.left:
            raise Disconnected
        self.left -= len(data)
        return data

    def readlines(self, hint: int = -1) -> list[bytes]:
        """As the readlines of a binary file."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")


def read_request(
    file: BinaryIO,
    *,
    limits: HttpLimits,
    started: Callable[[], None],
    ask: Callable[[], None],
    admit: Admit = lambda _: None,
) -> Request:
    """The next request of a connection; its body is read unless it is large or the client waits to be asked for it.

    `started` is called when the first line is there, `admit` before the body is read (it raises BadRequest for what
    is not to be served), `ask` when a waiting client is to send its body. Raises BadRequest for what is no request, Disconnected where the client has gone.
    """
    line = file.readline(limits.line + 2)
    started()
    if line in (b"\r\n", b"\n"):
        line = file.readline(limits.line + 2)
    method, target, version = _request_line(line, limits)
    headers, underscored = _headers(file, limits)
    environ = _environ(method, target, version, headers)
    environ[UNDERSCORED] = underscored
    admit(environ)
    request = Request(environ, version, _keeps_alive(version, headers), headers=headers)
    _attach_body(request, file, limits, ask)
    return request


def _request_line(line: bytes, limits: HttpLimits) -> tuple[str, str, str]:
    if not line:
        raise Disconnected
    if not line.endswith(b"\n"):
        if len(line) > limits.line:
            raise BadRequest("414 URI Too Long", "the request line is too long")
        raise Disconnected
    parts = line.decode("latin-1").rstrip("\r\n").split(" ")
    if len(parts) != 3 or not _METHOD(parts[0]) or not _TARGET(parts[1]):
        raise BadRequest("400 Bad Request", "the request line is malformed")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        if version.startswith("HTTP/"):
            raise BadRequest("505 HTTP Version Not Supported", "HTTP/1.0 and HTTP/1.1 are spoken here")
        raise BadRequest("400 Bad Request", "the request line is malformed")
    return method, target, version


def _headers(file: BinaryIO, limits: HttpLimits) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Headers by lower-case name, repeated ones joined, and apart those with an underscore."""
    headers: dict[str, str] = {}
    underscored: list[tuple[str, str]] = []
    size = 0
    for line in iter(lambda: file.readline(limits.headers + 1), b"\r\n"):
        if line == b"\n":
            break
        size += len(line)
        if size > limits.headers or len(headers) >= limits.header_count:
            raise BadRequest("431 Request Header Fields Too Large", "the headers are too large")
        name, value = _field(line)
        if "_" in name:
            underscored.append((name, value))
        else:
            _add(headers, name.lower(), value)
    return headers, underscored


def _field(line: bytes) -> tuple[str, str]:
    if not line.endswith(b"\n"):
        raise Disconnected
    match = _FIELD(line.decode("latin-1").rstrip("\r\n"))
    if match is None:
        raise BadRequest("400 Bad Request", "a header is malformed")
    return match[1], match[2].rstrip(" \t")


def _add(headers: dict[str, str], name: str, value: str) -> None:
    if name not in headers:
        headers[name] = value
    elif name in _ONCE:
        raise BadRequest("400 Bad Request", f"the header {name} is given twice")
    else:  # no blank: so it is signed (IAM user guide, "Create a signed AWS API request": CanonicalHeaders)
        headers[name] += ("; " if name == "cookie" else ",") + value


def _environ(method: str, target: str, version: str, headers: dict[str, str]) -> dict[str, object]:
    raw = target
    if target.lower().startswith(_ABSOLUTE):
        parts = urlsplit(target)
        headers["host"] = parts.netloc
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if version == "HTTP/1.1" and "host" not in headers:
        raise BadRequest("400 Bad Request", "the header Host is missing")
    if not target.startswith("/") and (target, method) != ("*", "OPTIONS"):
        raise BadRequest("400 Bad Request", "the target of the request is malformed")
    path, _, query = target.partition("?")
    environ: dict[str, object] = {"HTTP_" + n.upper().replace("-", "_"): v for n, v in headers.items()}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if f"HTTP_{name}" in environ:
            environ[name] = environ.pop(f"HTTP_{name}")
    environ["REQUEST_METHOD"] = method
    environ["SCRIPT_NAME"] = ""
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["RAW_URI"] = environ["REQUEST_URI"] = raw
    environ["SERVER_PROTOCOL"] = version
    return environ


def _keeps_alive(version: str, headers: dict[str, str]) -> bool:
    options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    return "close" not in options if version == "HTTP/1.1" else "keep-alive" in options


def _attach_body(request: Request, file: BinaryIO, limits: HttpLimits, ask: Callable[[], None]) -> None:
    expectation = request.headers.get("expect", "").lower()
    if expectation not in ("", "100-continue"):
        raise BadRequest("417 Expectation Failed", "only 100-continue can be expected")
    waits = expectation == "100-continue" and request.version == "HTTP/1.1"
    length = _body_length(request, limits)
    if length is None:
        # The length of a chunked body is known at its end, and applications want to be told it.
        if waits:
            ask()
        body = _read_chunked(file, limits)
        request.environ["CONTENT_LENGTH"] = str(len(body))
        request.environ.pop("HTTP_TRANSFER_ENCODING", None)
        request.environ["wsgi.input"] = io.BytesIO(body)
    elif waits or length > min(limits.ahead, limits.body):
        request.streamed = StreamedBody(file, length, limits, ask if waits else None)
        request.environ["wsgi.input"] = request.streamed
    else:
        request.environ["wsgi.input"] = io.BytesIO(_read_exactly(file, length))


def _body_length(request: Request, limits: HttpLimits) -> int | None:
    """The length of a body; None for one that is chunked."""
    coding = request.headers.get("transfer-encoding", "").lower()
    length = request.headers.get("content-length", "")
    if coding:
        if length:
            raise BadRequest("400 Bad Request", "a body has a length or is chunked, not both")
        if coding != "chunked":
            raise BadRequest("501 Not Implemented", "only the transfer coding chunked is known")
        return None
    if not length:
        return 0
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise BadRequest("400 Bad Request", "the header Content-Length is malformed")
    if int(length) > limits.streamed:
        raise BadRequest("413 Content Too Large", f"a body may have {limits.streamed} bytes")
    return int(length)


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size) if size else b""
    if len(data) < size:
        raise Disconnected
    return data


def _read_chunked(file: BinaryIO, limits: HttpLimits) -> bytes:
    body = bytearray()
    while size := _chunk_size(file):
        if len(body) + size > limits.body:
            raise BadRequest("413 Content Too Large", f"a body may have {limits.body} bytes")
        body += _read_exactly(file, size)
        if file.readline(3) not in (b"\r\n", b"\n"):
            raise BadRequest("400 Bad Request", "a chunk is longer than it says")
    _headers(file, limits)  # trailers
    return bytes(body)


def _chunk_size(file: BinaryIO) -> int:
    line = file.readline(4096)
    if not line:
        raise Disconnected
    match = _CHUNK(line)
    if match is None:
        raise BadRequest("400 Bad Request", "the size of a chunk is malformed")
    return int(match[1], 16)
