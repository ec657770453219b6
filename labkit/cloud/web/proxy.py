"""The way from this machine to what is reachable from the internet in the local cloud: an HTTP proxy on loopback.

It stands on the internet's side of every VPC: a connection that it makes is decided by the same packet rules as anybody's,
so a closed group is a time-out. Nothing that it is asked for leaves this machine.

What belongs here: requests and their bytes. What does not: what a host name means, and the network (both are passed in).
RFC 9110, "CONNECT"; RFC 9112, "absolute-form".
"""

import base64
import contextlib
import hmac
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

USER = "lab"
#: as long as Linux tries to connect: six packets without an answer
CONNECT_SECONDS = 127.0
_ONE_TRY = 2.0
_MOST_HEAD = 64 << 10
_MOST_AT_ONCE = 128
_HEAD_SECONDS = 30.0
_OWN_HEADERS = ("proxy-authorization", "proxy-connection", "connection", "keep-alive")

#: what a host name means: an address in the local cloud; raises Nowhere for all others
LookUp = Callable[[str], str]
#: a connection from the internet's side to address and port; raises as Fabric.connect
Connect = Callable[[str, int, float], socket.socket]


class Nowhere(Exception):
    """The host is none that the local cloud has; the text says what to do."""


@dataclass(frozen=True)
class _Request:
    """The first line, taken apart, and the header lines."""

    method: str
    host: str
    port: int
    path: str
    version: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def on(self) -> bytes:
        """The request as the server itself wants it: origin form, and one request for each connection."""
        kept = [(key, value) for key, value in self.headers if key.lower() not in _OWN_HEADERS]
        lines = [f"{self.method} {self.path} {self.version}", *(f"{key}: {value}" for key, value in kept)]
        return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1")


class Proxy:
    """Serves a listening socket until closed. `secret` is the password that requests must carry."""

    def __init__(self, listener: socket.socket, secret: str, look_up: LookUp, connect: Connect) -> None:
        self._listener, self._look_up, self._connect = listener, look_up, connect
        self._expected = "Basic " + base64.b64encode(f"{USER}:{secret}".encode()).decode()
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self.url = f"http://{USER}:{secret}@127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that are open end with the process, or by themselves."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._places.acquire()
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError, ValueError):
                client.settimeout(_HEAD_SECONDS)
                head, rest = _read_head(client)
                self._answer(client, _parsed(head), rest)
        finally:
            self._places.release()

    def _answer(self, client: socket.socket, request: _Request, rest: bytes) -> None:
        if not hmac.compare_digest(request.header("proxy-authorization").encode(), self._expected.encode()):
            _say(
                client,
                "407 Proxy Authentication Required",
                "Use ./lab shell.",
                'Proxy-Authenticate: Basic realm="lab"',
            )
            return
        try:
            address = self._look_up(request.host)
            server = self._reached(client, address, request.port)
        except Nowhere as nowhere:
            _say(client, "403 Forbidden", str(nowhere))
            return
        except ConnectionRefusedError:
            _say(client, "502 Bad Gateway", f"{request.host} port {request.port}: Connection refused")
            return
        if server is None:
            return
        with server:
            if request.method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(request.on())
            server.sendall(rest)
            _relay(client, server)

    def _reached(self, client: socket.socket, address: str, port: int) -> socket.socket | None:
        """The connection; None once it was tried as long as anybody tries, or the client has gone.

        It is tried again and again: whoever opens a group meanwhile is let in, as by the next packet.
        """
        deadline = time.monotonic() + CONNECT_SECONDS
        while time.monotonic() < deadline and not _has_left(client):
            began = time.monotonic()
            try:
                return self._connect(address, port, _ONE_TRY)
            except ConnectionRefusedError:
                raise
            except OSError:  # dropped on the way, or no way at all: to who waits it is the same
                time.sleep(max(0.0, began + _ONE_TRY - time.monotonic()))
        return None


def _has_left(client: socket.socket) -> bool:
    """Whether the client has closed its connection."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        return bool(selector.select(0)) and not client.recv(1, socket.MSG_PEEK)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request, and what came behind it. Raises ValueError for what is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        data += more
        if not more or len(data) > _MOST_HEAD:
            raise ValueError("no request")
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parsed(head: bytes) -> _Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    pairs = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
    if not parts.hostname or (method != "CONNECT" and parts.scheme != "http"):
        raise ValueError("no host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Request(
        method, parts.hostname, parts.port or (443 if method == "CONNECT" else 80), path, version, pairs
    )


def _say(client: socket.socket, status: str, text: str, *headers: str) -> None:
    body = f"Local cloud: {text}\n".encode()
    lines = [
        f"HTTP/1.1 {status}",
        *headers,
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
    ]
    client.sendall(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode() + body)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended."""
    for each in (one, other):
        each.settimeout(None)
    with selectors.DefaultSelector() as selector:
        for source, target in ((one, other), (other, one)):
            selector.register(source, selectors.EVENT_READ, (source, target))
        while selector.get_map():
            for key, _ in selector.select():
                source, target = key.data
                data = source.recv(65536)
                if data:
                    target.sendall(data)
                    continue
                selector.unregister(source)
                with contextlib.suppress(OSError):
                    target.shutdown(socket.SHUT_WR)
                if source is other:
                    return  # the server has said everything
