"""Lambda's Runtime API (version 2018-06-01) of one execution environment.

What belongs here: its paths, its answers and its errors. What does not: processes, time limits and logs
(see process), or waiting: the owner calls `handle` when a descriptor is readable.

AWS Lambda, "Using the Lambda runtime API for custom runtimes".
"""

import contextlib
import json
import selectors
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from labkit.cloud.functions.wire import BadRequest, Connection, Request

#: AWS Lambda, "Lambda quotas": a response, with what Lambda allows beyond 6 MB for its envelope
MAX_RESPONSE = 6_291_556
_PREFIX = "/2018-06-01/runtime/"
_ERROR_TYPE = "lambda-runtime-function-error-type"


@dataclass(frozen=True)
class Event:
    """One invocation as the runtime gets it from /invocation/next; `deadline_ms` since the epoch."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline_ms: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """What the runtime told us. "ready": it waits for an event."""

    kind: Literal["ready", "response", "error", "init_error", "too_large"]
    body: bytes = b""
    error_type: str = ""


class RuntimeApi:
    """Answers the runtime's requests on `listener`, which it does not own; connections it does.

    Every descriptor is registered with `selector`, its data the function to call when readable.
    """

    def __init__(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        self._listener = listener
        self._selector = selector
        self._connections: set[Connection] = set()
        self._waiting: Connection | None = None
        self._request_id = ""
        self._initialising = True
        listener.setblocking(False)
        self._drop_backlog()
        selector.register(listener, selectors.EVENT_READ, self._accept)

    @property
    def ready(self) -> bool:
        """Whether the runtime waits for an event."""
        return self._waiting is not None

    def deliver(self, event: Event) -> bool:
        """Give the waiting runtime an event; False when it has gone, and the event with nobody."""
        connection, self._waiting = self._waiting, None
        if connection is None:
            return False
        self._request_id = event.request_id
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
            **event.headers,
        }
        return connection.answer("200 OK", headers, event.payload)

    def close(self) -> None:
        """Close the connections and leave the listener to its owner."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._listener)
        for connection in list(self._connections):
            self._drop(connection)

    def _drop_backlog(self) -> None:
        """What an earlier process of this environment left unaccepted must not be taken for this one's."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()

    def _accept(self) -> Message | None:
        try:
            sock = self._listener.accept()[0]
        except BlockingIOError:
            return None
        connection = Connection(sock, max_body=MAX_RESPONSE)
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._read(connection))
        return self._read(connection)

    def _read(self, connection: Connection) -> Message | None:
        alive = connection.receive()
        message = self._answer_next(connection) if alive else None
        if not alive:
            self._drop(connection)
        return message

    def _answer_next(self, connection: Connection) -> Message | None:
        """Answer what has arrived, up to and including what is a message for the owner."""
        try:
            while request := connection.next_request():
                message = self._answer(connection, request)
                if message is not None:
                    return message
        except BadRequest:
            _refuse(connection, "400 Bad Request", "InvalidRequest", "Bad request")
            self._drop(connection)
        return None

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        connection.socket.close()

    def _answer(self, connection: Connection, request: Request) -> Message | None:
        path = request.path.removeprefix(_PREFIX)
        known = path if path != request.path else ""
        match request.method, known.split("/"):
            case "GET", ["invocation", "next"]:
                return self._next(connection)
            case "POST", ["invocation", request_id, "response" | "error" as kind]:
                return self._finish(connection, request, request_id, kind)
            case "POST", ["init", "error"]:
                return self._init_error(connection, request)
        _not_found(connection)
        return None

    def _next(self, connection: Connection) -> Message:
        self._waiting = connection
        self._initialising = False
        return Message("ready")

    def _finish(self, connection: Connection, request: Request, request_id: str, kind: str) -> Message | None:
        if not request_id or request_id != self._request_id:
            _refuse(connection, "400 Bad Request", "InvalidRequestID", "Invalid request ID")
            return None
        self._request_id = ""
        if request.body is None:
            text = f"Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
            _refuse(connection, "413 Request Entity Too Large", "RequestEntityTooLarge", text)
            return Message("too_large")
        _accepted(connection)
        if kind == "response":
            return Message("response", request.body)
        return Message("error", request.body, request.headers.get(_ERROR_TYPE, ""))

    def _init_error(self, connection: Connection, request: Request) -> Message | None:
        if not self._initialising:
            text = "State transition from Ready to InitError is not allowed"
            _refuse(connection, "403 Forbidden", "InvalidStateTransition", text)
            return None
        _accepted(connection)
        return Message("init_error", request.body or b"", request.headers.get(_ERROR_TYPE, ""))


def _accepted(connection: Connection) -> None:
    connection.answer("202 Accepted", {"Content-Type": "application/json"}, b'{"status":"OK"}\n')


def _refuse(connection: Connection, status: str, error_type: str, text: str) -> None:
    body = json.dumps({"errorMessage": text, "errorType": error_type}).encode()
    connection.answer(status, {"Content-Type": "application/json"}, body)


def _not_found(connection: Connection) -> None:
    connection.answer("404 Not Found", {"Content-Type": "text/plain"}, b"404 page not found\n")
