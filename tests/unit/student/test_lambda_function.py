"""The reference function against the lab's contract: both events, the error map, one attempt, time-outs."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

URL = "http://images.example/a.jpg"
RESULT = {"success": True, "image_id": "1", "s3_location": "s3://b/k"}


@pytest.fixture
def function(
    imported: Callable[..., ModuleType], host: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[object], tuple[int, dict[str, Any]]]:
    """Calls the handler; the server of the lab is `host`."""
    monkeypatch.setenv("EC2_FLASK_URL", host.url)
    module = imported("lambda_function")
    return lambda event: opened(module.lambda_handler(event, None))


def opened(answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and parsed body of an answer in the shape that API Gateway wants."""
    assert isinstance(answer["statusCode"], int)
    assert isinstance(answer["body"], str)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize(
    "event", [{"image_url": URL}, {"body": json.dumps({"image_url": URL}), "httpMethod": "POST"}]
)
def test_both_shapes_of_event(function: Any, host: Any, event: object) -> None:
    host.serve("/process-image", json.dumps(RESULT).encode())
    status, body = function(event)
    assert status == 200
    assert set(body) == {"message", "lambda_ec2_call_time_ms", "result"}
    assert body["result"] == RESULT
    assert body["lambda_ec2_call_time_ms"] > 0
    assert [(m, p, json.loads(b)) for m, p, b in host.requests] == [
        ("POST", "/process-image", {"image_url": URL})
    ]


@pytest.mark.parametrize(
    "event",
    [
        {}, None, [], "text", 7, {"image_url": None}, {"image_url": ""}, {"image_url": 7}, {"image_url": [URL]},
        {"body": "{"}, {"body": None}, {"body": "null"}, {"body": "[]"}, {"body": "{}"}, {"body": {"image_url": URL}},
        {"body": json.dumps({"image_url": {}})},
    ],
)  # fmt: skip
def test_a_bad_event_is_400_without_calling(function: Any, host: Any, event: object) -> None:
    status, body = function(event)
    assert status == 400
    assert body["error"]
    assert host.requests == []


@pytest.mark.parametrize("status", [400, 404, 500, 501])
def test_the_servers_own_status_passes(function: Any, host: Any, status: int) -> None:
    host.serve("/process-image", b'{"error": "because"}', status=status)
    assert function({"image_url": URL})[0] == status
    body = function({"image_url": URL})[1]
    assert body["error"] == "because"
    assert "success" not in json.dumps(body).lower()
    assert "message" not in body


def test_an_answer_that_is_no_json(function: Any, host: Any) -> None:
    host.serve("/process-image", b"<h1>Internal Server Error</h1>", status=500)
    status, body = function({"image_url": URL})
    assert (status, body["error"]) == (500, "<h1>Internal Server Error</h1>")


@pytest.mark.parametrize("event", [{"image_url": URL}, {"action": "health"}])
@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_url_is_500(
    function: Any, monkeypatch: pytest.MonkeyPatch, event: object, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("EC2_FLASK_URL")
    else:
        monkeypatch.setenv("EC2_FLASK_URL", value)
    status, body = function(event)
    assert status == 500
    assert "EC2_FLASK_URL" in body["error"]


@pytest.mark.parametrize("event", [{"image_url": URL}, {"action": "health"}])
def test_a_closed_port_is_504(function: Any, monkeypatch: pytest.MonkeyPatch, event: object) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("EC2_FLASK_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        status, body = function(event)
    assert status == 504
    assert "127.0.0.1" in body["error"]


@pytest.fixture
def hanging_up() -> Iterator[tuple[str, list[object]]]:
    """A server that takes each connection and closes it at once: its URL, and the connections so far."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[object] = []

    def serve() -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            taken.append(peer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", taken
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_there_is_one_attempt(
    function: Any, hanging_up: tuple[str, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EC2_FLASK_URL", hanging_up[0])
    assert function({"image_url": URL})[0] == 504
    assert len(hanging_up[1]) == 1


def test_a_server_that_stays_silent_is_504(
    imported: Callable[..., ModuleType], host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EC2_FLASK_URL", host.url)
    host.on("/process-image", lambda _handler: host.stopping.wait())
    module = imported("lambda_function")
    assert (module.CONNECT_SECONDS, module.READ_SECONDS) == (5, 55)
    module.READ_SECONDS = 0.2  # type: ignore[attr-defined]
    assert opened(module.lambda_handler({"image_url": URL}, None))[0] == 504


def test_health_is_asked_and_passed_on(function: Any, host: Any) -> None:
    host.serve("/health", b'{"status": "healthy"}')
    status, body = function({"action": "health"})
    assert status == 200
    assert body["result"] == {"status": "healthy"}
    assert body["server"] == host.url


def test_the_starter_calls_nobody_yet(
    imported: Callable[..., ModuleType], host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EC2_FLASK_URL", host.url)
    host.serve("/health", b'{"status": "healthy"}')
    starter = imported("lambda_function", solution=False)
    status, body = opened(starter.lambda_handler({"image_url": URL}, None))
    assert (status, "not written yet" in body["result"]["error"]) == (501, True)
    assert host.requests == []
    assert opened(starter.lambda_handler({"action": "health"}, None))[0] == 200
