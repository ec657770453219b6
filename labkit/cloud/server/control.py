"""The kit's own requests to its cloud: status, pictures to serve, how an instance's boot went.

Answered on this machine's socket only, under /_lab/, and only to who knows the token of the state file.

What belongs here: this small HTTP interface. What does not: AWS's API (labkit.cloud.door).
"""

import hmac
import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound
from werkzeug.wrappers import Request, Response

from labkit.base.errors import CloudDeclined, LabError
from labkit.cloud.web.http1 import TRUSTED

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/_lab/"
MAX_IMAGE_BYTES = 128 << 20
DESCRIPTOR_SECONDS = 5.0


@dataclass(frozen=True)
class Actions:
    """What the control interface can do, as functions that give plain JSON values."""

    status: Callable[[], Mapping[str, Any]]
    publish: Callable[[str, bytes], str]
    instance: Callable[[str, float], Mapping[str, Any] | None]  # name, seconds to wait for its boot
    journal: Callable[
        [str, str, int, float], list[str]
    ]  # name, unit, most lines, since (seconds of the epoch)
    run_inside: Callable[[str, list[str], list[int]], int]
    denials: Callable[[], list[Mapping[str, Any]]]
    #: further questions: (method, path parts, request) → the answer, None when it is none of them
    further: Callable[[str, list[str], Request], Any] = lambda *_: None
    #: the address of the proxy to what is public here, with its password
    proxy: Callable[[], str] = lambda: ""
    #: declares delays; raises ValueError for what can't be
    delay: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {}


class Control:
    """Answers /_lab/…; hands every other request on to `app`."""

    def __init__(self, actions: Actions, token: str, app: "WSGIApplication") -> None:
        self._actions, self._token, self._app = actions, token, app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The WSGI entry."""
        if not str(environ.get("PATH_INFO", "")).startswith(PREFIX):
            return self._app(environ, start_response)
        try:
            value = self._answer(Request(environ))
        except HTTPException as error:
            return Response(error.description, error.code)(environ, start_response)
        except LabError as error:
            status = 409 if isinstance(error, CloudDeclined) else 501
            return Response(f"{error.message} {error.hint}".strip(), status)(environ, start_response)
        response = Response(json.dumps(value), content_type="application/json")
        return response(environ, start_response)

    def _answer(self, request: Request) -> Any:
        given = request.headers.get("X-Lab-Token", "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise Forbidden("the token is wrong")
        request.environ[TRUSTED] = True
        parts = request.path.removeprefix(PREFIX).split("/")
        further = self._actions.further(request.method, parts, request)
        if further is not None:
            return further
        match request.method, parts:
            case "GET", ["status"]:
                return self._actions.status()
            case "GET", ["proxy"]:
                return {"url": self._actions.proxy()}
            case "GET", ["denials"]:
                return self._actions.denials()
            case "PUT", ["images", name]:
                return {"url": self._publish(name, request)}
            case "PUT", ["delays"]:
                return self._delay(request)
            case "GET", ["instances", name]:
                return self._instance(name, wait=request.args.get("wait", 0.0, type=float))
            case "GET", ["instances", name, "journal", unit]:
                lines = request.args.get("lines", 50, type=int)
                since = request.args.get("since", 0.0, type=float)
                return self._actions.journal(name, unit, lines, since)
            case "POST", ["instances", name, "shell"]:
                return {"status": self._shell(name, request)}
        raise NotFound(f"no such request: {request.method} {request.path}")

    def _shell(self, instance: str, request: Request) -> int:
        """Run a command inside; its three descriptors come over the caller's own Unix socket."""
        asked = request.get_json()
        if self._actions.instance(instance, 0) is None:
            raise NotFound(f"no instance {instance} runs here")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DESCRIPTOR_SECONDS)
            connection.connect(asked["socket"])
            descriptors = socket.recv_fds(connection, 1, 3)[1]
        try:
            return self._actions.run_inside(instance, list(asked["words"]), descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _delay(self, request: Request) -> Mapping[str, Any]:
        try:
            return self._actions.delay(request.get_json())
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest(str(error)) from error

    def _publish(self, name: str, request: Request) -> str:
        if (request.content_length or 0) > MAX_IMAGE_BYTES:
            raise BadRequest(f"more than {MAX_IMAGE_BYTES >> 20} MB")
        try:
            return self._actions.publish(name, request.get_data())
        except ValueError as error:
            raise BadRequest(str(error)) from error

    def _instance(self, name: str, *, wait: float) -> Mapping[str, Any]:
        found = self._actions.instance(name, wait)
        if found is None:
            raise NotFound(f"no instance {name} runs here")
        return found
