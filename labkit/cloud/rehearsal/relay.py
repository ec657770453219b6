"""The ends of AWS's names in a rehearsal: TLS on port 443 and a resolver, before a local cloud that speaks plain HTTP.

What belongs here: sockets and bytes. What does not: namespaces and files (stage.py), what a request means (the cloud).
"""

import contextlib
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

from labkit.aws.network import names
from labkit.cloud.endpoints.authority import Authority
from labkit.cloud.rehearsal.weather import Request, Weather, throttling

ADDRESS, SECURE_PORT, NAMES_PORT = "127.0.0.1", 443, 53
#: a connection on which nothing was said for so long is closed, as AWS closes idle ones
IDLE_SECONDS = 60.0
_CHUNK = 1 << 16


def look_up(_: str, name: str) -> str | None:
    """Every name that AWS has leads here; there are no others."""
    return ADDRESS if names.parse(name) else None


class Relay:
    """Takes TLS connections at port 443 and hands their bytes to the cloud. Runs until its process ends."""

    def __init__(
        self, authority: Authority, cloud_port: Callable[[], int], weather: Weather | None = None
    ) -> None:
        """`cloud_port`: where the cloud answers now; `weather`: what befalls requests. Needs to be allowed port 443."""
        self._weather = weather
        self._context = authority.server_context()
        self._cloud_port = cloud_port
        self._open: set[ssl.SSLSocket] = set()
        self._listener = socket.create_server((ADDRESS, SECURE_PORT), backlog=128)
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def cut(self) -> None:
        """End every connection that is open, in the middle of whatever is said."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            plain, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        """One connection, to its end; whoever breaks it off ends it."""
        with contextlib.suppress(OSError), plain:
            plain.settimeout(IDLE_SECONDS)
            with (
                self._context.wrap_socket(plain, server_side=True) as secure,
                self._counted(secure),
                socket.create_connection((ADDRESS, self._cloud_port())) as cloud,
            ):
                if self._weather is None:
                    pump(secure, cloud)
                else:
                    Exchange(secure, cloud, self._weather).run()

    @contextlib.contextmanager
    def _counted(self, secure: ssl.SSLSocket) -> Iterator[None]:
        self._open.add(secure)
        try:
            yield
        finally:
            self._open.discard(secure)


def pump(secure: ssl.SSLSocket, cloud: socket.socket) -> None:
    """Copy both ways until one side has ended, or nothing was said for IDLE_SECONDS. Raises OSError."""
    with selectors.DefaultSelector() as ready:
        ready.register(secure, selectors.EVENT_READ, (secure, cloud))
        ready.register(cloud, selectors.EVENT_READ, (cloud, secure))
        while found := ready.select(IDLE_SECONDS):
            for key, _ in found:
                source, target = key.data
                if not _copy(source, target):
                    return


def _copy(source: socket.socket, target: socket.socket) -> bool:
    """What has come, whole: TLS may hold decrypted bytes for which the socket is not readable again."""
    while True:
        data = source.recv(_CHUNK)
        if not data:
            return False
        target.sendall(data)
        if not (isinstance(source, ssl.SSLSocket) and source.pending()):
            return True


class Exchange:
    """One connection on which requests are looked at, one after the other, and some of them befallen by the weather."""

    def __init__(self, secure: ssl.SSLSocket, cloud: socket.socket, weather: Weather) -> None:
        self._secure, self._cloud, self._weather = secure, cloud, weather

    def run(self) -> None:
        """Until one side has ended, or an answer was lost. Raises OSError."""
        while (found := self._next()) is not None:
            request, data, waits = found
            fate = "passes" if waits else self._weather.fate(request.operation)
            if fate == "throttled":
                self._secure.sendall(throttling(request.operation))
                continue
            time.sleep(self._weather.delay(request.operation))
            self._cloud.sendall(data)
            if fate == "lost":
                self._cloud.recv(1)  # it is done by then
                return
            if not self._answered(Answer(has_body=not request.target.startswith("HEAD "))):
                return

    def _next(self) -> tuple[Request, bytes, bool] | None:
        """The next request: what it is, its bytes, and whether its body waits for a word; None at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self._secure.recv(_CHUNK)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        waits = "expect" in headers or "transfer-encoding" in headers
        while not waits and len(body) < int(headers.get("content-length", 0)):
            body += self._secure.recv(_CHUNK) or _broken_off()
        return Request(headers.get("host", ""), first, headers, body), head + b"\r\n\r\n" + body, waits

    def _answered(self, answer: "Answer") -> bool:
        """Pass the answer on, and what is sent meanwhile, until the cloud has said all; False when a side has ended."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._secure, selectors.EVENT_READ, (self._secure, self._cloud))
            ready.register(self._cloud, selectors.EVENT_READ, (self._cloud, self._secure))
            while found := ready.select(IDLE_SECONDS):
                for key, _ in found:
                    source, target = key.data
                    data = source.recv(_CHUNK)
                    while isinstance(source, ssl.SSLSocket) and source.pending():
                        data += source.recv(_CHUNK)
                    if not data:
                        return False
                    target.sendall(data)
                    if source is self._cloud and answer.add(data):
                        return True
        return False


def _broken_off() -> bytes:
    raise ConnectionResetError("broken off in a request")


class Answer:
    """Knows when an HTTP answer is whole: by its length, its last chunk, or a status that has no body."""

    def __init__(self, *, has_body: bool) -> None:
        self._data, self._has_body = b"", has_body

    def add(self, data: bytes) -> bool:
        """Take more of it; whether it is whole now. What says neither length nor chunks ends with the connection."""
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        while end and head.split(b" ", 2)[1] == b"100":
            self._data = body
            head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return False
        text = head.decode("latin-1").lower()
        if not self._has_body or text.split(" ", 2)[1] in ("204", "304"):
            return True
        length = re.search(r"\r\ncontent-length:\s*(\d+)", text)
        if length:
            return len(body) >= int(length[1])
        return body.endswith(b"0\r\n\r\n") if "chunked" in text else False
