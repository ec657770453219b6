"""The Runtime API as a runtime sees it: plain HTTP over a real socket."""

import contextlib
import http.client
import json
import selectors
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from labkit.cloud.functions.runtime_api import MAX_RESPONSE, Event, Message, RuntimeApi

ROOT = "/2018-06-01/runtime"
EVENT = Event("id-1", b'{"a": 1}', "arn:aws:lambda:::function:f", 1234)


class Server:
    """Handles what comes in, in a thread, and keeps the messages."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.selector = selectors.DefaultSelector()
        self.api = RuntimeApi(self.listener, self.selector)
        self.messages: list[Message] = []
        self.wake, woken = socket.socketpair()
        self.woken = woken
        self.selector.register(woken, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                if message := key.data():
                    self.messages.append(message)
                    if message.kind == "ready":
                        self.api.deliver(EVENT)

    def told(self, count: int) -> list[Message]:
        """The messages, as soon as there are `count`: a client has its answer a moment before."""
        deadline = time.monotonic() + 10
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.001)
        return self.messages

    def stop(self) -> None:
        self.wake.send(b"x")
        self.thread.join()

    def close(self) -> None:
        self.stop()
        self.api.close()
        for each in (self.listener, self.wake, self.woken, self.selector):
            each.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(server: Server) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection(*server.listener.getsockname(), timeout=10)) as client:
        yield client


def ask(client: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str):  # type: ignore[no-untyped-def]
    client.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = client.getresponse()
    return answer.status, answer.read(), answer.headers


def test_next_gives_the_event_with_its_headers(client: http.client.HTTPConnection) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": next invocation."""
    status, body, headers = ask(client, "GET", f"{ROOT}/invocation/next")
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert headers["Lambda-Runtime-Deadline-Ms"] == "1234"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:aws:lambda:::function:f"


def test_response_is_accepted_on_the_same_connection(
    server: Server, client: http.client.HTTPConnection
) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": invocation response."""
    ask(client, "GET", f"{ROOT}/invocation/next")
    status, body, _ = ask(client, "POST", f"{ROOT}/invocation/id-1/response", b"[1]")
    assert (status, json.loads(body)) == (202, {"status": "OK"})
    assert server.told(2) == [Message("ready"), Message("response", b"[1]")]


def test_error_carries_its_type(server: Server, client: http.client.HTTPConnection) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": invocation error."""
    ask(client, "GET", f"{ROOT}/invocation/next")
    headers = {"Lambda_Runtime_Function_Error_Type": "Function.Own"}
    assert ask(client, "POST", f"{ROOT}/invocation/id-1/error", b"{}", **headers)[0] == 202
    assert server.told(2)[-1] == Message("error", b"{}", "Function.Own")


@pytest.mark.parametrize("request_id", ["id-2", "", "../id-1"])
def test_unknown_request_id(server: Server, client: http.client.HTTPConnection, request_id: str) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": 400 for a wrong id."""
    ask(client, "GET", f"{ROOT}/invocation/next")
    status, body, _ = ask(client, "POST", f"{ROOT}/invocation/{request_id}/response", b"1")
    assert status in (400, 404)
    assert status == 404 or json.loads(body)["errorType"] == "InvalidRequestID"
    assert server.told(1) == [Message("ready")]


def test_a_request_is_answered_once(server: Server, client: http.client.HTTPConnection) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": the id is used up."""
    ask(client, "GET", f"{ROOT}/invocation/next")
    ask(client, "POST", f"{ROOT}/invocation/id-1/response", b"1")
    assert ask(client, "POST", f"{ROOT}/invocation/id-1/response", b"2")[0] == 400
    assert server.told(2) == [Message("ready"), Message("response", b"1")]


def test_response_over_the_limit(server: Server, client: http.client.HTTPConnection) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": 413."""
    ask(client, "GET", f"{ROOT}/invocation/next")
    sock = socket.create_connection(server.listener.getsockname(), 10)
    with sock:
        head = f"POST {ROOT}/invocation/id-1/response HTTP/1.1\r\nContent-Length: {MAX_RESPONSE + 1}\r\n\r\n"
        sock.sendall(head.encode())
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Exceeded maximum allowed payload size (6291556 bytes)." in answer
    assert server.told(2)[-1] == Message("too_large")


def test_init_error_is_taken_only_before_the_first_next(
    server: Server, client: http.client.HTTPConnection
) -> None:
    """AWS Lambda, "Using the Lambda runtime API for custom runtimes": initialization error."""
    headers = {"Lambda_Runtime_Function_Error_Type": "Runtime.Own"}
    assert ask(client, "POST", f"{ROOT}/init/error", b"{}", **headers)[0] == 202
    assert server.told(1) == [Message("init_error", b"{}", "Runtime.Own")]
    ask(client, "GET", f"{ROOT}/invocation/next")
    assert ask(client, "POST", f"{ROOT}/init/error", b"{}")[0] == 403


@pytest.mark.parametrize("path", ["/", "/2018-06-01/other", f"{ROOT}/invocation", "/2015-03-31/functions"])
def test_other_paths(client: http.client.HTTPConnection, path: str) -> None:
    assert ask(client, "GET", path)[:2] == (404, b"404 page not found\n")


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_what_is_no_plain_http_is_cut_off(server: Server, raw: bytes) -> None:
    with socket.create_connection(server.listener.getsockname(), 10) as sock:
        sock.sendall(raw)
        assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert sock.recv(65536) == b""


def test_request_in_pieces(server: Server) -> None:
    with socket.create_connection(server.listener.getsockname(), 10) as sock:
        for byte in f"GET {ROOT}/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n".encode():
            sock.send(bytes([byte]))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_next_of_a_dead_runtime_gets_no_event() -> None:
    """A runtime that has died in its wait must not swallow an event, nor one from before a restart."""
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as selector:
        dead = socket.create_connection(listener.getsockname())
        dead.sendall(f"GET {ROOT}/invocation/next HTTP/1.1\r\n\r\n".encode())
        dead.close()
        api = RuntimeApi(listener, selector)
        assert selector.select(0) == []
        assert not api.ready
        assert not api.deliver(EVENT)
        api.close()
