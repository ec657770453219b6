"""The small HTTP server of `./lab open` and `./lab class mark --page`: loopback only, at an address that nobody can guess.

What belongs here: who may ask, and which answer a path gets. What does not: what the page shows (view), how (rendering), what a
click does (acting).
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from labkit.base.errors import LabError
from labkit.base.origins import foreign_page

#: nothing runs on the page but its own file, which asks for the page again when something has changed
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HTML, _PLAIN = "text/html; charset=utf-8", "text/plain; charset=utf-8"
#: seconds between looks at what could have changed, while a browser listens
_PAUSE = 1.0
_LONGEST_FORM = 20_000

Answer = tuple[int, str, bytes]


class Site(Protocol):
    """What is served. All of it for any thread."""

    def page(self) -> tuple[int, str]:
        """Status and HTML."""
        ...

    def file(self, name: str) -> tuple[str, bytes] | None:
        """Type and bytes of the page's own file; None for another name."""
        ...

    def image(self, key: str) -> tuple[str, bytes] | None:
        """Type and bytes of an object that is an image; None for any other."""
        ...

    def post(self, name: str, form: Mapping[str, str]) -> str | None:
        """Do what was clicked; where to go then, below the page. None: there is no such thing.

        Raises LabError when it can't be done, which the reader is told.
        """
        ...

    def stamp(self) -> str:
        """The same as long as the page would be."""
        ...


@contextlib.contextmanager
def serve(site: Site) -> Iterator[str]:
    """Serve the page on this machine until the body ends; gives its address, which nobody can guess."""
    server = _Server(site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://{server.host}/{server.token}/"
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site, self.token, self.ended = site, secrets.token_urlsafe(16), threading.Event()
        self.host = f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    """Answers for the page, its files, its images, its news, and a click."""

    server: _Server
    server_version = "lab"
    sys_version = ""

    def do_GET(self) -> None:
        """One answer, or the news for as long as somebody listens."""
        name = self._admitted()
        if name and name.startswith("news/"):
            self._tell_news(name.removeprefix("news/"))
        elif name is not None:
            self._send(*_get(self.server.site, name))

    def do_POST(self) -> None:
        """Do what was clicked, and lead back to the page."""
        name = self._admitted()
        if name is None:
            return
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > _LONGEST_FORM:
            self.close_connection = True
            self._send(413, _PLAIN, f"at most {_LONGEST_FORM} bytes: go back, and write less\n".encode())
            return
        form = dict(parse_qsl(self.rfile.read(int(length)).decode("utf-8", "replace")))
        if (self.headers.get("Origin") or "") != f"http://{self.server.host}":
            self._send(403, _PLAIN, b"only a click on the page itself does something\n")
            return
        try:
            there = self.server.site.post(name, form)
        except LabError as error:
            self._send(409, _PLAIN, f"{error.message} Go back. {error.hint}\n".encode())
            return
        if there is None:
            self._send(404, _PLAIN, b"not found\n")
        else:
            self._send(303, _PLAIN, b"", {"Location": f"/{self.server.token}/{there}"})

    def _admitted(self) -> str | None:
        """The path below the token; None when it was refused, which is answered."""
        if self.headers.get("Host") != self.server.host:  # a foreign name that leads here: not our page
            self._send(421, _PLAIN, b"this page is at 127.0.0.1 only\n")
        elif why := foreign_page(lambda name: self.headers.get(name) or ""):
            self._send(403, _PLAIN, f"{why}\n".encode())
        else:
            _, given, *rest = [*self.path.partition("?")[0].split("/", 2), ""]
            if secrets.compare_digest(given.encode(), self.server.token.encode()):
                return rest[0]
            self._send(404, _PLAIN, b"not found\n")
        return None

    def _tell_news(self, before: str) -> None:
        """Server-sent events (HTML, "Server-sent events"): one each time that the page would be another than `before`."""
        self.send_response(200)
        for name, value in headers("text/event-stream").items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # the browser has gone
            while not self.server.ended.is_set():
                now = self.server.site.stamp()
                self.wfile.write(b": here\n\n" if now == before else b"data: changed\n\n")
                self.wfile.flush()
                before = now
                self.server.ended.wait(_PAUSE)

    def _send(self, status: int, kind: str, data: bytes, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers(kind), "Content-Length": str(len(data)), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the student's."""


def headers(kind: str) -> Mapping[str, str]:
    """What every answer has: its type, and what a browser may do with it."""
    return {
        "Content-Type": kind,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def _get(site: Site, name: str) -> Answer:
    if name == "":
        status, text = site.page()
        return status, _HTML, text.encode()
    found = (
        site.image(unquote(name.removeprefix("object/"))) if name.startswith("object/") else site.file(name)
    )
    return (200, *found) if found else (404, _PLAIN, b"not found\n")
