"""One HTTP/1.1 connection: requests in, an application's responses out.

What belongs here: keep-alive, the framing of responses, time-outs, the end of a connection. What does
not: the syntax of requests (labkit.cloud.web.http1), accepting (labkit.cloud.web.serving).
"""

import contextlib
import io
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from labkit.cloud.web.http1 import (
    TRUSTED,
    Admit,
    BadRequest,
    Disconnected,
    HttpLimits,
    Request,
    StreamedBody,
    read_request,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger(__name__)

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None
_Headers = list[tuple[str, str]]
_State = Literal["waiting", "reading", "answering", "telling"]
#: seconds after which a client that reads nothing gives way to another, where there is no room
SLOW_READER = 5.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: up to this size, head and body leave in one packet
_JOINED = 64 * 1024
#: bytes of a body that are read though nobody wants them, so that the connection can go on
_PASSED_OVER = 256 * 1024


class Connection:
    """Answers the requests of one connection, one after the other, until either side ends it."""

    def __init__(
        self,
        client: socket.socket,
        app: "WSGIApplication",
        limits: HttpLimits,
        tls: ssl.SSLContext | None = None,
        admit: Admit = lambda _: None,
    ) -> None:
        """With `tls` the connection begins with a handshake, in the thread that serves it; `admit`: see read_request."""
        self._client = client
        self._tls = tls
        self._app = app
        self._limits = limits
        self._admit = admit
        self._base = _base_environ(client)
        self._lock = threading.Lock()
        self._state: _State = "waiting"
        self._last = False
        #: since when it is in its state (time.monotonic), and whether its caller has proved who it is
        self.since, self.trusted = time.monotonic(), False

    def run(self) -> None:
        """Serve until the end; never raises."""
        try:
            self._client.setblocking(True)
            if self._client.family != socket.AF_UNIX:
                self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                self._client.settimeout(self._limits.stalled)
                self._client = self._tls.wrap_socket(self._client, server_side=True)
                self._base["wsgi.url_scheme"] = "https"
            pace = _Pace(self._client, self._limits)
            file = cast(BinaryIO, io.BufferedReader(pace, 64 * 1024))
            while self._exchange(file, pace):
                pass
        except (Disconnected, OSError):
            pass  # the client has gone, or was cut off: nobody is left to tell
        finally:
            self._client.close()

    def finish(self) -> None:
        """End now when idle, else after the response being made. From any thread."""
        with self._lock:
            self._last = True
            if self._state == "waiting":
                self._shutdown(socket.SHUT_RDWR)

    @property
    def ending(self) -> bool:
        """Whether it answers nobody any more once it has answered what it was asked."""
        return self._last

    def shed(self) -> bool:
        """End a connection that waits for a request or for the rest of one, or for a client that does not read what
        it is told; whether it did. From any thread.
        """
        with self._lock:
            slow = self._state == "telling" and time.monotonic() - self.since > SLOW_READER
            if self._last or not (slow or self._state in ("waiting", "reading")):
                return False
            self._last = True
            self._shutdown(socket.SHUT_RDWR)
            return True

    def cut(self) -> None:
        """End at once, whatever is being said. From any thread."""
        self._shutdown(socket.SHUT_RDWR)

    def _shutdown(self, how: int) -> None:
        with contextlib.suppress(OSError):  # it has ended already
            self._client.shutdown(how)

    def _exchange(self, file: BinaryIO, pace: "_Pace") -> bool:
        """One request and its response; whether another may follow."""
        pace.wait()

        def started() -> None:
            self._become("reading")
            pace.begin()

        def ask() -> None:
            self._write(_CONTINUE)
            pace.begin()

        try:
            request = read_request(file, limits=self._limits, started=started, ask=ask, admit=self._admit)
            request.environ.update(self._base)
        except BadRequest as bad:
            self._refuse(bad)
            return False
        self._become("answering")
        keep = self._respond(request)
        self.trusted = request.environ.get(TRUSTED) is True
        return self._become("waiting") and keep

    def _become(self, state: "_State") -> bool:
        """From now on it does something else; whether it may go on at all."""
        with self._lock:
            self._state, self.since = state, time.monotonic()
            return not self._last

    def _respond(self, request: Request) -> bool:
        response = Response(self._write, request)
        try:
            response.send(self._app(request.environ, response.start))
        except BadRequest as bad:  # a body asked for late
            self._refuse(bad)
            return False
        except Disconnected:
            raise
        except Exception:  # the edge of the application: its fault is not the server's
            _log.exception("%s %s", request.environ["REQUEST_METHOD"], request.environ["PATH_INFO"])
            return response.fail()
        if request.streamed is not None and request.streamed.left:
            return self._pass_over(request.streamed) and response.keep_alive
        return response.keep_alive

    def _pass_over(self, body: StreamedBody) -> bool:
        """Nobody wanted the rest of a body, which may be under way; whether another request may follow it."""
        if body.asked and body.left <= _PASSED_OVER:
            body.read()
            return True
        self._linger()
        return False

    def _refuse(self, bad: BadRequest) -> None:
        body = f"{bad.reason}\n".encode()
        head = f"HTTP/1.1 {bad.status}\r\nDate: {_date()}\r\nContent-Type: text/plain\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._write(head.encode("latin-1") + body)
        self._linger()

    def _write(self, data: bytes) -> None:
        """Raises Disconnected, also where the client takes no more for a while."""
        before, view = self._state, memoryview(data)
        try:
            self._client.settimeout(self._limits.stalled)
            for start in range(0, len(view), _JOINED):
                self._become("telling")
                self._client.sendall(view[start : start + _JOINED])
        except OSError as error:
            raise Disconnected from error
        finally:
            self._become(before)

    def _linger(self) -> None:
        """Let the client read the response: closing with unread input would reset the connection."""
        self._shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 1.0
        with contextlib.suppress(OSError):
            self._client.settimeout(0.5)
            while time.monotonic() < deadline and self._client.recv(65536):
                pass


class _Pace(io.RawIOBase):
    """What a connection receives: each wait has an end, which bytes put off, and drops do not."""

    def __init__(self, client: socket.socket, limits: HttpLimits) -> None:
        self._client, self._limits = client, limits
        self._deadline, self._per_byte = 0.0, 0.0

    def wait(self) -> None:
        """Nothing is due but the next request."""
        self._deadline, self._per_byte = time.monotonic() + self._limits.idle, 0.0

    def begin(self) -> None:
        """A request, or its body, is under way."""
        self._deadline, self._per_byte = time.monotonic() + self._limits.stalled, 1 / self._limits.pace

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """As a socket's file; raises TimeoutError at the deadline."""
        now = time.monotonic()
        if now >= self._deadline:
            raise TimeoutError
        self._client.settimeout(self._deadline - now)
        count = self._client.recv_into(buffer)
        latest = time.monotonic() + self._limits.stalled
        if self._per_byte:
            self._deadline = min(self._deadline + count * self._per_byte, latest)
        return count


class Response:
    """An application's answer to one request, framed for the connection."""

    def __init__(self, write: Callable[[bytes], None], request: Request) -> None:
        self._write = write
        self._request = request
        self._status = ""
        self._headers: _Headers = []
        self._sent = False
        self._chunked = False
        self.keep_alive = request.keep_alive

    def start(
        self, status: str, headers: _Headers, exc_info: _ExcInfo = None, /
    ) -> Callable[[bytes], object]:
        """WSGI's start_response."""
        if exc_info is not None and self._sent and exc_info[1] is not None:
            raise exc_info[1]
        if any("\n" in part or "\r" in part for part in (status, *sum(headers, ()))):
            raise ValueError("a header holds a line end")
        self._status, self._headers = status, headers
        return self._body

    def send(self, parts: Iterable[bytes]) -> None:
        """Write everything that the application gives."""
        try:
            if isinstance(parts, list | tuple):
                self._whole(b"".join(parts))
                return
            for part in parts:
                if part:
                    self._body(part)
            self._end()
        finally:
            if hasattr(parts, "close"):
                parts.close()

    def fail(self) -> bool:
        """The application broke: say so where nothing has been said. The connection ends."""
        if not self._sent:
            self._status, self._headers = "500 Internal Server Error", [("Content-Type", "text/plain")]
            self.keep_alive = False
            self._whole(b"Internal Server Error\n")
        return False

    @property
    def _bodiless(self) -> bool:
        return (
            self._request.environ["REQUEST_METHOD"] == "HEAD"
            or self._status[:3] in ("204", "304")
            or self._status[:1] == "1"
        )

    def _whole(self, body: bytes) -> None:
        if self._sent:
            self._body(body)
            self._end()
            return
        head = self._head(len(body))
        if self._bodiless:
            body = b""
        if len(body) <= _JOINED:
            self._write(head + body)
        else:
            self._write(head)
            self._write(body)

    def _body(self, part: bytes) -> None:
        if not self._sent:
            self._write(self._head(None))
        if self._bodiless or not part:
            return
        self._write(b"%x\r\n%b\r\n" % (len(part), part) if self._chunked else part)

    def _end(self) -> None:
        if not self._sent:
            self._write(self._head(0))
        elif self._chunked and not self._bodiless:
            self._write(b"0\r\n\r\n")

    def _head(self, length: int | None) -> bytes:
        """The status line and headers; `length` None: the body's length is not known yet."""
        if not self._status:
            raise RuntimeError("the application did not start its response")
        self._sent = True
        lines = [f"{self._request.version} {self._status}"]
        lines += [f"{name}: {value}" for name, value in self._headers]
        names = {name.lower(): value for name, value in self._headers}
        body = self._request.streamed
        if body is not None and body.left and (not body.asked or body.left > _PASSED_OVER):
            self.keep_alive = False
        if "date" not in names:
            lines.append(f"Date: {_date()}")
        if "content-length" not in names:
            lines += self._framing(length)
        if names.get("connection", "").lower() == "close":
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append("Connection: close")
        elif self._request.version == "HTTP/1.0":
            lines.append("Connection: keep-alive")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _framing(self, length: int | None) -> list[str]:
        if length is not None:
            none = self._bodiless and length == 0
            return [] if none and self._status[:3] != "200" else [f"Content-Length: {length}"]
        if self._bodiless:
            return []
        if self._request.version == "HTTP/1.1":
            self._chunked = True
            return ["Transfer-Encoding: chunked"]
        self.keep_alive = False
        return []


_dated: tuple[int, str] = (0, "")


def _date() -> str:
    global _dated
    now = int(time.time())
    if _dated[0] != now:
        _dated = (now, formatdate(now, usegmt=True))
    return _dated[1]


def _base_environ(client: socket.socket) -> dict[str, object]:
    """What all requests of a connection share."""
    here, there = _address(client.getsockname), _address(client.getpeername)
    return {
        "SERVER_NAME": here[0],
        "SERVER_PORT": here[1],
        "REMOTE_ADDR": there[0],
        "REMOTE_PORT": there[1],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "werkzeug.socket": client,
    }


def _address(name: Callable[[], object]) -> tuple[str, str]:
    try:
        address = name()
    except OSError:  # gone before we looked
        return "", ""
    return (str(address[0]), str(address[1])) if isinstance(address, tuple) else (str(address), "")
