"""What instances ask CloudFormation without credentials: cfn-signal and its relatives, and URLs that wait.

AWS lets an instance that belongs to a stack signal and read that stack's metadata by its identity document (the scheme
CFN_V1), and anybody who knows a URL of a handle or of a custom resource put a signal or an answer there. Here the
caller's socket says which instance it is.

What belongs here: these kinds of requests. What does not: signals (signals.py), the signed API.
"""

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote

from labkit.aws.records import Caller
from labkit.aws.templates.errors import ApiError
from labkit.cloud.cloudformation.api import perform
from labkit.cloud.cloudformation.engine import Engine
from labkit.cloud.cloudformation.records import Store
from labkit.cloud.cloudformation.resources import custom, waiting
from labkit.cloud.cloudformation.signals import Signal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCHEME = "CFN_V1 "
_ACTIONS = ("SignalResource", "DescribeStackResource")
_MOST_BODY = 1 << 20


class Bootstrap:
    """Answers these requests of one caller; hands every other on to `app`."""

    def __init__(
        self,
        app: "WSGIApplication",
        caller: Caller,
        engine: Callable[[], Engine],
        store_of: Callable[[str], Store],
    ) -> None:
        self._app, self._caller, self._engine, self._store_of = app, caller, engine, store_of

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """The WSGI entry."""
        host = str(environ.get("HTTP_HOST", ""))
        if environ["REQUEST_METHOD"] == "PUT" and host.startswith(waiting.BUCKET):
            return self._put(environ, start)
        if environ["REQUEST_METHOD"] == "PUT" and host.startswith(custom.BUCKET):
            return self._answer(environ, start)
        if str(environ.get("HTTP_AUTHORIZATION", "")).startswith(SCHEME):
            return self._ask(environ, start)
        return self._app(environ, start)

    def _ask(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        asked = {name: values[0] for name, values in parse_qs(_body(environ).decode()).items()}
        action, region = asked.pop("Action", ""), str(environ.get("HTTP_HOST", "")).split(".")[1:2]
        store = self._store_of(region[0] if region else "")
        try:
            if action not in _ACTIONS or not self._belongs(store, asked.get("StackName", "")):
                raise ApiError("AccessDenied", "User is not authorized to perform this action on the stack")
            answer = perform(self._engine(), action, asked, store)
        except ApiError as error:
            return _say(start, "400 Bad Request", {"Error": {"Code": error.code, "Message": error.message}})
        return _say(start, "200 OK", answer)

    def _belongs(self, store: Store, stack_name: str) -> bool:
        """Whether the caller is an instance that the stack has made."""
        stack = store.living(stack_name)
        if stack is None or self._caller.place != "instance":
            return False
        return any(each.physical_id == self._caller.name for each in list(stack.resources.values()))

    def _put(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """A signal by a handle's URL: JSON with Status, UniqueId, Reason, Data."""
        url = _url(environ)
        region = url.removeprefix(f"https://{waiting.BUCKET}").split(".")[0]
        handles = {
            each.physical_id
            for stack in list(self._store_of(region).stacks.values())
            for each in list(stack.resources.values())
        }
        try:
            told = json.loads(_body(environ))
            signal = Signal(
                str(told["UniqueId"]),
                told["Status"] == "SUCCESS",
                str(told.get("Reason", "")),
                str(told.get("Data", "")),
            )
        except (ValueError, KeyError, TypeError):
            return _say(start, "400 Bad Request", {"Error": {"Code": "MalformedSignal"}})
        if url not in handles:
            return _denied(start)
        self._engine().signals.put(url, signal)
        return _say(start, "200 OK", {})

    def _answer(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """What a custom resource's function answers; how it is read is the resource's affair."""
        text = _body(environ).decode("utf-8", "replace")
        return (
            _say(start, "200 OK", {})
            if self._engine().signals.answer(_url(environ), text)
            else _denied(start)
        )


def _url(environ: "WSGIEnvironment") -> str:
    """A URL as it was handed out, whatever of it the client has escaped."""
    host = str(environ["HTTP_HOST"]).partition(":")[0]
    path = quote(unquote(str(environ.get("PATH_INFO", ""))).lstrip("/"), safe="/")
    return f"https://{host}/{path}?{environ.get('QUERY_STRING', '')}"


def _denied(start: "StartResponse") -> Iterable[bytes]:
    return _say(start, "403 Forbidden", {"Error": {"Code": "AccessDenied", "Message": "Access Denied"}})


def _body(environ: "WSGIEnvironment") -> bytes:
    length = min(int(environ.get("CONTENT_LENGTH") or 0), _MOST_BODY)
    return bytes(environ["wsgi.input"].read(length))


def _say(start: "StartResponse", status: str, value: object) -> Iterable[bytes]:
    data = json.dumps(value, default=str).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]
