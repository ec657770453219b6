"""Answering requests: choosing server and location, files, and passing on."""

import html
import http.client
import itertools
import mimetypes
import os
import posixpath
import re
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

from .places import Location, Place, Server, Site

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "proxy-connection",
}
_REASONS = {**http.client.responses, 413: "Request Entity Too Large", 504: "Gateway Time-out"}
_turn = itertools.count()


class Web(ThreadingHTTPServer):
    """One address and port; `site` gives the configuration in force."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Callable[[], Site]) -> None:
        self.site = site
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """As usual, without looking up our own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]


class _Failed(Exception):
    """The request ends with this status."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def version_string(self) -> str:
        return self.server.site().look.name

    def log_message(self, format: str, *arguments: object) -> None:
        """What goes wrong before there is a request to log."""
        _log(self.server.site(), format % arguments)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Requests are logged with their length, once that is known (`_send`)."""

    def _log_access(self, place: Place, status: int, length: int) -> None:
        look, asked = self.server.site().look, self.headers
        line = look.line.format(
            client=self.client_address[0],
            at=time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            request=self.requestline,
            status=status,
            length=length,
            referer=asked.get("Referer") or "-",
            agent=asked.get("User-Agent") or "-",
        )
        with open(place.access_log or look.access_log, "a", encoding="utf-8") as file:
            file.write(line)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def _any(self) -> None:
        server = self._server()
        place: Place = server
        try:
            path = posixpath.normpath("/" + unquote(self.path.partition("?")[0]).lstrip("/"))
            if self.path.partition("?")[0].endswith("/") and path != "/":
                path += "/"
            place = _located(server, path) or server
            self._answer(server, place, path)
        except _Failed as failed:
            self._fail(server, place, int(str(failed)))

    def _server(self) -> Server:
        port = self.server.server_address[1]
        here = [s for s in self.server.site().servers if any(listen[1] == port for listen in s.listens)]
        host = (self.headers.get("Host") or "").rpartition(":")[0] or (self.headers.get("Host") or "")
        named = [s for s in here if any(_named(name, host) for name in s.names)]
        default = [s for s in here if any(listen[1:] == (port, True) for listen in s.listens)]
        return (named or default or here)[0]

    def _answer(self, server: Server, place: Place, path: str) -> None:
        if place.returns:
            self._return(place, path)
        elif place.proxy:
            self._pass_on(server, place, path)
        elif place.try_files:
            self._try_files(server, place, path)
        else:
            self._file(place, path)

    def _return(self, place: Place, path: str) -> None:
        status, *text = place.returns or []
        if not status.isdigit():
            status, text = "302", [status]
        words = self._filled(" ".join(text), place, path)
        if status.startswith("3"):
            self._send(int(status), self._page(int(status)), "text/html", place, [("Location", words)])
        elif text:
            self._send(int(status), words.encode(), place.default_type or "text/plain", place)
        else:
            raise _Failed(status)

    # -- files --------------------------------------------------------------------------------------------

    def _try_files(self, server: Server, place: Place, path: str) -> None:
        *names, last = place.try_files or []
        for name in names:
            found = self._filled(name, place, path)
            real = _real(place, found)
            if os.path.isdir(real) if name.endswith("/") else os.path.isfile(real):
                return self._file(place, found)
        if last.startswith("="):
            raise _Failed(last[1:])
        target = self._filled(last, place, path)
        other = next((one for one in server.locations if one.pattern == target), None) or _located(
            server, target
        )
        if other is None or other is place:
            return self._file(place, target)
        return self._answer(server, other, path if last.startswith("@") else target)

    def _file(self, place: Place, path: str) -> None:
        if self.command not in ("GET", "HEAD"):
            raise _Failed(405)
        real = _real(place, path)
        rules = self.server.site().folder_of(real)
        if rules.shut:
            raise _Failed(403)
        if rules.own_rules and os.path.exists(f"{os.path.dirname(real)}/{rules.own_rules}"):
            _log(
                self.server.site(),
                f"{os.path.dirname(real)}/{rules.own_rules}: not read by the local cloud's server",
            )
            raise _Failed(500)
        if os.path.isdir(real):
            if not path.endswith("/"):
                return self._send(301, self._page(301), "text/html", place, [("Location", path + "/")])
            found = next(
                (f"{real}/{name}" for name in place.index or [] if os.path.isfile(f"{real}/{name}")), None
            )
            if found is None and rules.listed and not place.error_pages.get(403):
                return self._send(200, _listing(path, real), "text/html;charset=UTF-8", place)
            if found is None:
                raise _Failed(403)
            real = found
        try:
            with open(real, "rb") as file:
                data = file.read()
        except PermissionError as error:
            raise _Failed(403) from error
        except OSError as error:
            raise _Failed(404) from error
        kind = mimetypes.guess_type(real)[0] or place.default_type or "text/plain"
        return self._send(200, data, kind, place)

    # -- passing on ---------------------------------------------------------------------------------------

    def _pass_on(self, server: Server, place: Place, path: str) -> None:
        body = self._body(place)
        host, target = self._target(place, path)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        headers |= {"Host": host, "Connection": "close"}
        for name, value in place.set_headers:
            headers = {n: v for n, v in headers.items() if n.lower() != name.lower()}
            if filled := self._filled(value, place, path, host):
                headers[name] = filled
        backends = self.server.site().upstreams.get(host, [host])
        start = next(_turn)
        for number in range(len(backends)):
            try:
                return self._ask(backends[(start + number) % len(backends)], target, headers, body, place)
            except OSError as error:
                _log(
                    self.server.site(), f"{error} while connecting to upstream, request: {self.requestline!r}"
                )
                last = error
        raise _Failed(504 if isinstance(last, TimeoutError) else 502)

    def _ask(self, backend: str, target: str, headers: dict[str, str], body: bytes, place: Place) -> None:
        host, _, port = backend.partition(":")
        connection = http.client.HTTPConnection(host, int(port or 80), timeout=place.connect_timeout)
        try:
            connection.connect()
            connection.sock.settimeout(place.read_timeout)
            connection.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() != "content-length":
                    connection.putheader(name, value)
            if body or "Content-Length" in self.headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            data = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"upstream sent no valid HTTP: {error}") from error
        finally:
            connection.close()
        kept = [
            (n, v)
            for n, v in answer.getheaders()
            if n.lower() not in {*_HOP_BY_HOP, "content-length", "server", "date"}
        ]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._send(answer.status, data, "", place, kept, length)

    def _target(self, place: Place, path: str) -> tuple[str, str]:
        """(host of proxy_pass, the request's path there): a URI of its own replaces the location's prefix."""
        host, slash, uri = (place.proxy or "").removeprefix("http://").partition("/")
        if not slash:
            return host, self.path
        pattern = place.pattern if isinstance(place, Location) else "/"
        query = self.path.partition("?")
        if isinstance(place, Location) and place.kind == "/":
            uri, pattern = uri and uri.rstrip("/") + "/", pattern.rstrip("/") + "/"
        return host, "/" + uri + query[0].removeprefix(pattern) + query[1] + query[2]

    def _body(self, place: Place) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks(place)
        length = int(self.headers.get("Content-Length") or 0)
        if place.max_body and length > place.max_body:
            self.close_connection = True
            raise _Failed(413)
        return self.rfile.read(length)

    def _chunks(self, place: Place) -> bytes:
        data = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
            if place.max_body and len(data) > place.max_body:
                self.close_connection = True
                raise _Failed(413)
        self.rfile.readline()
        return data

    # -- answers ------------------------------------------------------------------------------------------

    def _filled(self, text: str, place: Place, path: str = "", proxy: str = "") -> str:
        """The text with nginx's variables put in."""
        client, asked = self.client_address[0], self.headers.get("Host") or ""
        known = {
            "host": asked.partition(":")[0], "http_host": asked, "remote_addr": client, "scheme": "http", "uri": path,
            "request_uri": self.path, "args": self.path.partition("?")[2], "proxy_host": proxy, "status": "",
            "query_string": self.path.partition("?")[2], "request_method": self.command, "server_name": asked,
            "is_args": "?" if "?" in self.path else "", "document_root": place.root or "",
            "server_port": str(self.server.server_address[1]), "remote_user": "",
            "path_rest": path.removeprefix(place.pattern) if isinstance(place, Location) else path,
            "proxy_add_x_forwarded_for": ", ".join(filter(None, [self.headers.get("X-Forwarded-For"), client])),
        }  # fmt: skip

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name.startswith("http_") and name not in known:
                return self.headers.get(name[5:].replace("_", "-")) or ""
            return known.get(name, "")

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)

    def _fail(self, server: Server, place: Place, status: int) -> None:
        page = place.error_pages.get(status)
        if page and page.startswith("/"):
            try:
                with open(_real(_located(server, page) or server, page), "rb") as file:
                    return self._send(status, file.read(), "text/html", place)
            except OSError as error:
                _log(self.server.site(), f"the page for {status}: {error}")
        elif page:
            return self._send(status, page.encode(), "text/html", place)
        return self._send(status, self._page(status), "text/html", place)

    def _page(self, status: int) -> bytes:
        return self.server.site().look.page(status, _REASONS.get(status, "")).encode()

    def _send(
        self,
        status: int,
        data: bytes,
        kind: str,
        place: Place,
        headers: list[tuple[str, str]] | None = None,
        length: str | None = None,
    ) -> None:
        self.send_response(status, _REASONS.get(status, ""))
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers or []:
            self.send_header(name, value)
        if status < 400:
            for name, value in place.add_headers:
                self.send_header(name, self._filled(value, place))
        if status not in (204, 304):
            self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        self._log_access(place, status, len(data))
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(data)


def _named(pattern: str, host: str) -> bool:
    if pattern.startswith("~"):
        return re.search(pattern[1:], host) is not None
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _located(server: Server, path: str) -> Location | None:
    """As nginx does: exact, the longest prefix where it ends the search, expressions in turn, the longest prefix."""
    prefixes = [one for one in server.locations if _begins(one, path)]
    longest = max(prefixes, key=lambda one: len(one.pattern), default=None)
    for one in server.locations:
        if one.kind == "=" and one.pattern == path:
            return one
    if longest is not None and longest.kind == "^~":
        return longest
    for one in server.locations:
        flags = re.IGNORECASE if one.kind == "~*" else 0
        if one.kind in ("~", "~*") and re.search(one.pattern, path, flags):
            return one
    return longest


def _begins(one: Location, path: str) -> bool:
    if one.kind == "/":
        return (path.rstrip("/") + "/").startswith(one.pattern.rstrip("/") + "/")
    return one.kind in ("", "^~") and path.startswith(one.pattern)


def _real(place: Place, path: str) -> str:
    if place.alias and isinstance(place, Location):
        return place.alias + path.removeprefix(place.pattern)
    return (place.root or "/usr/share/nginx/html").rstrip("/") + path


def _listing(path: str, real: str) -> bytes:
    names = sorted(
        name + "/" * os.path.isdir(f"{real}/{name}") for name in os.listdir(real) if name[0] != "."
    )
    rows = "".join(f'<li><a href="{quote(name)}"> {html.escape(name)}</a></li>\n' for name in names)
    title = f"Index of {html.escape(path.rstrip('/') or '/')}"
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1><ul>\n{rows}</ul></body></html>\n".encode()


def _log(site: Site, text: str) -> None:
    with open(site.look.error_log, "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y/%m/%d %H:%M:%S')} [error] {os.getpid()}#0: {text}\n")
