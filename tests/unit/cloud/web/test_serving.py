"""The HTTP server, spoken to over real sockets, byte by byte where the protocol matters."""

import contextlib
import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.cloud.web import connection
from labkit.cloud.web.http1 import TRUSTED, BadRequest, HttpLimits
from labkit.cloud.web.serving import Server

LIMITS = HttpLimits(line=200, headers=600, header_count=20, body=1000, idle=10, stalled=0.3)


def echo(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Answers with what it was asked."""
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ['QUERY_STRING']} ".encode("latin-1")
    start("200 OK", [("Content-Type", "text/plain")])
    return [text, body]


class Served:
    """A server with one site, and its port."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def add(self, app: Any, name: str = "site") -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
        try:
            self.server.serve(listener, app, name=name)
        except RuntimeError:
            listener.close()
            raise
        return port

    def talk(self, data: bytes, app: Any = echo) -> bytes:
        """Send `data` on a new connection, and read until the server ends it."""
        with socket.create_connection(("127.0.0.1", self.add(app, os.urandom(4).hex())), 5) as client:
            client.sendall(data)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    data = b""
    while part := client.recv(65536):
        data += part
    return data


def read_until(client: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        part = client.recv(65536)
        assert part, data
        data += part
    return data


@pytest.fixture
def served() -> Iterator[Served]:
    server = Server(limits=LIMITS)
    yield Served(server)
    server.close()


def test_one_connection_serves_many_requests(served: Served) -> None:
    client = http.client.HTTPConnection("127.0.0.1", served.add(echo), timeout=5)
    client.connect()
    sock = client.sock
    for number in range(20):
        client.request("POST", f"/a%20b?n={number}", body=b"x" * number)
        assert client.getresponse().read() == f"POST /a b n={number} ".encode() + b"x" * number
    assert client.sock is sock
    client.close()


def test_requests_sent_together_are_answered_in_order(served: Served) -> None:
    one = b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n"
    two = b"GET /two HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = served.talk(one + two)
    assert answer.index(b"GET /one") < answer.index(b"GET /two")


def test_each_listener_has_its_application(served: Served) -> None:
    def other(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("404 Not Found", [("Content-Length", "4")])
        return [b"none"]

    first, second = served.add(echo, "first"), served.add(other, "second")
    assert ask(first)[0] == 200
    assert ask(second) == (404, b"none")


def ask(port: int, method: str = "GET", path: str = "/", body: bytes | None = None) -> tuple[int, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request(method, path, body=body)
        response = client.getresponse()
        return response.status, response.read()
    finally:
        client.close()


def test_chunked_bodies_are_put_together(served: Served) -> None:
    def lengths(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [])
        return [environ["CONTENT_LENGTH"].encode(), b"|", environ["wsgi.input"].read()]

    answer = served.talk(
        b"PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n",
        lengths,
    )
    assert answer.endswith(b"7|abcdefg")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
        (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 700 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(30)) + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
    ],
)
def test_malformed_requests_are_refused_and_the_server_lives(
    served: Served, request_bytes: bytes, status: int
) -> None:
    answer = served.talk(request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close\r\n" in answer
    assert ask(served.add(echo))[0] == 200


def test_body_is_asked_for_only_when_wanted(served: Served) -> None:
    port = served.add(echo)
    head = b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(head)
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert read_until(client, b"abc").startswith(b"HTTP/1.1 200 OK")


def test_body_that_nobody_wanted_ends_the_connection(served: Served) -> None:
    def refuse(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("403 Forbidden", [])
        return [b"no"]

    answer = served.talk(
        b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", refuse
    )
    assert answer.startswith(b"HTTP/1.1 403 Forbidden")
    assert b"Connection: close" in answer
    assert b"100 Continue" not in answer


def test_answers_to_head_have_a_length_and_no_body(served: Served) -> None:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Length", "12345")])
        return []

    answer = served.talk(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", app)
    assert b"Content-Length: 12345\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_answer_of_unknown_length_is_chunked_and_closed(served: Served) -> None:
    ended = threading.Event()

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"ab", b"", b"cde"])

        def close(self) -> None:
            ended.set()

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Parts:
        start("200 OK", [])
        return Parts()

    port = served.add(app)
    assert ask(port) == (200, b"abcde")
    assert ended.wait(10)
    assert served.talk(b"GET / HTTP/1.0\r\n\r\n", app).endswith(b"\r\n\r\nabcde")


@pytest.mark.parametrize("headers", [[("X", "a\r\nInjected: b")], None])
def test_broken_application_answers_500_and_the_server_lives(
    served: Served, headers: list[tuple[str, str]] | None, caplog: pytest.LogCaptureFixture
) -> None:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        if headers is None:
            raise ConnectionRefusedError("broken")
        start("200 OK", headers)
        return [b""]

    port = served.add(app)
    assert ask(port) == (500, b"Internal Server Error\n")
    assert ask(port)[0] == 500
    assert "GET /" in caplog.text


def test_client_that_stops_half_way_is_let_go(served: Served) -> None:
    answer = served.talk(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
    assert answer == b""


def test_headers_with_underscores_are_kept_apart(served: Served) -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        start("200 OK", [])
        return [b""]

    served.talk(b"GET / HTTP/1.1\r\nHost: h\r\nX_Real: a\r\nX-Real: b\r\nConnection: close\r\n\r\n", app)
    assert seen["HTTP_X_REAL"] == "b"
    assert seen["labkit.underscored_headers"] == [("X_Real", "a")]


def test_stopped_site_is_gone_and_the_others_stay(served: Served) -> None:
    gone, stays = served.add(echo, "gone"), served.add(echo, "stays")
    with socket.create_connection(("127.0.0.1", gone), 5) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        read_until(idle, b"GET /  ")
        served.server.stop("gone")
        assert idle.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gone), 5)
    assert ask(stays)[0] == 200
    served.server.stop("never was")


def test_name_can_be_served_only_once_at_a_time(served: Served) -> None:
    served.add(echo, "same")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(ValueError, match="same is served already"):
            served.server.serve(listener, echo, name="same")
    served.server.stop("same")
    served.add(echo, "same")


def test_over_the_limit_who_is_being_answered_is_waited_for() -> None:
    busy, go = threading.Semaphore(0), threading.Event()

    def slow(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        busy.release()
        go.wait(5)
        return echo(environ, start)

    server = Server(connections=1)
    port = Served(server).add(slow)
    with contextlib.ExitStack() as closing:
        clients = []
        for number, heard in enumerate((True, True, False)):
            clients.append(closing.enter_context(socket.create_connection(("127.0.0.1", port), 5)))
            clients[-1].sendall(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
            assert busy.acquire(timeout=5 if heard else 0.3) is heard, (
                "one over the limit is heard, the next is not"
            )
        go.set()
        for number, client in enumerate(clients):
            assert read_until(client, b"GET /%d  " % number), "who is silent now gives way"
    server.close()


HALF_SENT = {
    "nothing": b"",
    "half a line": b"GET",
    "half a header": b"GET / HTTP/1.1\r\nHost: h\r\nX-",
    "half a body": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab",
}


@pytest.mark.parametrize("held", HALF_SENT.values(), ids=HALF_SENT)
def test_half_sent_requests_keep_nobody_out(held: bytes) -> None:
    """The oldest of them give way, and whoever proved who he is keeps his connection."""

    def trusted(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        environ[TRUSTED] = True
        return echo(environ, start)

    server = Server(connections=4)
    port = Served(server).add(trusted)
    owner = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    owner.request("GET", "/")
    owner.getresponse().read()
    kept = owner.sock
    crowd = []
    for _ in range(20):
        crowd.append(socket.create_connection(("127.0.0.1", port), 5))
        crowd[-1].sendall(held)
    assert ask(port)[0] == 200, "a new connection is served"
    owner.request("GET", "/")
    assert owner.getresponse().read() == b"GET /  "
    assert owner.sock is kept
    crowd[0].settimeout(5)
    assert crowd[0].recv(1) == b"", "the oldest was ended"
    for client in crowd:
        client.close()
    owner.close()
    server.close()


def test_a_request_that_comes_drop_by_drop_has_an_end(until: Callable[..., None]) -> None:
    server = Server(limits=replace(LIMITS, stalled=0.3, pace=1000))
    port = Served(server).add(echo)
    ended = False
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")

        def drop() -> bool:
            nonlocal ended
            try:
                client.sendall(b"X: y\r\n")
            except OSError:
                ended = True
            return ended

        until(drop, what="the end of the connection")
    server.close()


def test_what_is_not_admitted_is_refused_before_its_body_is_there() -> None:
    def nobody(environ: Any) -> None:
        raise BadRequest("403 Forbidden", f"not {environ['HTTP_HOST']}")

    server = Server(limits=LIMITS)
    listener = socket.create_server(("127.0.0.1", 0))
    server.serve(listener, echo, name="guarded", admit=nobody)
    with socket.create_connection(listener.getsockname(), 5) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n")
        said = read_all(client)
    assert said.startswith(b"HTTP/1.1 403 Forbidden")
    assert said.endswith(b"not h\n")
    server.close()


def test_a_client_that_reads_nothing_gives_way_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOW_READER", 0.0)

    def long(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [])
        return [b"x" * (64 << 20)] if environ["PATH_INFO"] == "/long" else [b"short"]

    server = Server(connections=1)
    port = Served(server).add(long)
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        client.recv(1)
        for _ in range(5):  # the first may come while what is told still fits into the kernel's buffers
            assert ask(port)[1] == b"short"
        with contextlib.suppress(ConnectionError):
            assert len(read_all(client)) < 64 << 20, "the answer was broken off"
    server.close()


def test_close_lets_an_answer_finish_and_waits_for_nobody_idle() -> None:
    entered, go = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        entered.set()
        go.wait(5)
        start("200 OK", [])
        return [b"finished"]

    server = Server()
    port = Served(server).add(slow)
    with (
        socket.create_connection(("127.0.0.1", port), 5) as busy,
        socket.create_connection(("127.0.0.1", port), 5) as idle,
    ):
        busy.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert entered.wait(5)
        closing = threading.Thread(target=server.close, kwargs={"grace": 5})
        closing.start()
        assert idle.recv(1) == b""
        go.set()
        assert read_all(busy).endswith(b"finished")
        closing.join(5)
        assert not closing.is_alive()


def test_close_cuts_an_application_that_never_answers() -> None:
    entered, go = threading.Event(), threading.Event()

    def stuck(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        entered.set()
        go.wait(10)
        start("200 OK", [])
        return [b"late"]

    server = Server()
    with socket.create_connection(("127.0.0.1", Served(server).add(stuck)), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert entered.wait(5)
        server.close(grace=0.05)
        assert client.recv(1) == b""
        go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("http-"):
            thread.join(5)


def test_nothing_is_left_after_close() -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("descriptors can be counted on Linux only")
    threads, before = set(threading.enumerate()), len(list(descriptors.iterdir()))
    server = Server()
    served = Served(server)
    for number in range(5):
        assert ask(served.add(echo, str(number)))[0] == 200
    server.close()
    server.close()
    assert len(list(descriptors.iterdir())) == before
    assert set(threading.enumerate()) <= threads
    with pytest.raises(RuntimeError, match="closed"):
        served.add(echo)
