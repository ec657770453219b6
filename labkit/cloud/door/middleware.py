"""The WSGI middleware in front of moto: every request of the AWS API passes here.

What belongs here: the order of the checks, what is handed on, and telling others of changes. What
does not: each check itself (authority), the words of errors (refusals), AWS's protocols (reading).
"""

import logging
import re
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from labkit.aws.records import Caller, Principal
from labkit.cloud.door import (
    authorization_messages,
    constraints,
    emulated,
    pages,
    refusals,
    unprocessed,
)
from labkit.cloud.door.authority import Authority, NoFacts
from labkit.cloud.door.contexts import Source
from labkit.cloud.door.credentials import Signature, from_form, read_signature
from labkit.cloud.door.documents import Unreadable
from labkit.cloud.door.overseer import PRINCIPAL, Overseer
from labkit.cloud.door.reading import Asked, Body, Environ, Wire, is_form, read_call
from labkit.cloud.door.refusals import Refusal, Refused
from labkit.cloud.door.retries import Answered, key_of
from labkit.cloud.door.routes import routes_of
from labkit.cloud.door.s3_forms import check_form
from labkit.cloud.door.writes import REMEMBERED as WRITES_REMEMBERED
from labkit.cloud.door.writes import Write, writes_of
from labkit.cloud.ports import Facts, Identities
from labkit.cloud.web.http1 import TRUSTED, UNDERSCORED, BadRequest, Disconnected

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_log = logging.getLogger(__name__)
#: refusals remembered for people; the oldest go first
REMEMBERED = 500

_NOT_AWS = ("/moto-api", "/latest/meta-data", "/latest/api", "/favicon.ico")
#: what the door itself wrote, and so reads
_DECODE = ("sts", "DecodeAuthorizationMessage")
#: headers that tell of a body's bytes
_OF_BODIES = ("content-length", "x-amz-crc32")
#: where the XML protocols tell a request's id again: moto's templates have one and the same for all requests
_ID_INSIDE = re.compile(rb"(?i)(<requestid>)[^<]*(</requestid>)")
#: ids as AWS writes them: S3's, and everybody else's
_ID = re.compile(r"[0-9A-Z]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")
#: raised where the rest of a body does not come as it was said to: the connection answers, or ends
_OF_THE_CONNECTION = (BadRequest, Disconnected)


@dataclass(frozen=True)
class Told:
    """What a store answers; the parts of a body may be closed before they are all read."""

    status: str
    headers: list[tuple[str, str]]
    parts: Iterable[bytes]


class Store(Protocol):
    """An engine that answers for one service."""

    def answer(self, source: Source) -> Told:
        """The answer to a request that was let pass. Raises Refused for a body that is not what was signed."""
        ...


class Door:
    """Lets requests to `app` pass or refuses them, for callers on this machine and in sandboxes.

    `on_change(service, operation)` is called after each call that succeeded and may have changed
    something, before its answer is sent. `refusals` are the newest requests refused, oldest first; `writes` the
    newest that wrote to a bucket or a table. `stores` answer instead of `app` for their services, by signing name.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        identities: Identities,
        *,
        on_change: Callable[[str, str], None],
        facts: Facts | None = None,
        stores: Mapping[str, Store] | None = None,
    ) -> None:
        self._app = app
        self._stores = stores or {}
        self._facts = facts or NoFacts()
        self._authority = Authority(identities, self._facts)
        self._on_change = on_change
        self.refusals: deque[Refusal] = deque(maxlen=REMEMBERED)
        #: our own failures, by operation: what AWS would not have answered. Only to callers on this machine, never
        #: to instances and functions, whose programs are somebody's own
        self.faults: Counter[str] = Counter()
        #: the key with which the grader looks at what no policy shows it
        self.overseer = Overseer()
        self._answered = Answered()
        self.writes: deque[Write] = deque(maxlen=WRITES_REMEMBERED)

    @property
    def needed(self) -> list[tuple[str, str]]:
        """Actions and resources that calls from this machine needed, once for each operation."""
        return sorted(self._authority.needed)

    def for_caller(self, caller: Caller, *, secure_transport: bool = True) -> "WSGIApplication":
        """The application for a socket on which only `caller` can speak.

        `secure_transport` is the value of aws:SecureTransport: the local cloud's loopback counts as
        secure, as TLS would have to be taken off before it anyway.
        """
        return partial(self._handle, caller, secure_transport)

    def _handle(
        self, caller: Caller, secure: bool, environ: Environ, start: "StartResponse"
    ) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        body = Body(environ)
        signature = read_signature(environ)
        if _is_not_aws(environ):
            return _not_found(start)
        try:
            asked = read_call(environ, signature, body)
        except Unreadable as error:
            return _unreadable(error, signature, environ, request_id, start)
        if _is_not_aws(environ):
            return _not_found(start)
        if signature is None and asked.form is not None:
            signature = from_form(asked.form.fields)
        principal, source = None, None
        try:
            overseen = self.overseer.signed(signature, caller, asked, environ, body)
            principal = PRINCIPAL if overseen else self._authority.identify(signature, asked, environ, body)
            environ[TRUSTED] = principal.kind != "anonymous"
            constraints.check(asked)
            source = Source(environ, asked, principal, self._facts, secure, signature, overseen)
            self._authority.check(source)
            if caller.place == "host" and not overseen:
                self._authority.note(asked)
            emulated.check(asked)
            check_form(asked, environ)
            return self._pass(source, signature, caller, request_id, start)
        except Refused as refused:
            self._remember(refused, caller, principal, asked, request_id, source.lacking if source else ())
            answer = refused
        except _OF_THE_CONNECTION:
            raise
        except Exception as error:  # AWS's clients must be able to read what became of it
            answer = self._failed(error, asked, caller)
        method = str(environ["REQUEST_METHOD"])
        return refusals.respond(answer, asked.wire, asked.service, method, request_id, start)

    def _pass(
        self,
        source: Source,
        signature: Signature | None,
        caller: Caller,
        request_id: str,
        start: "StartResponse",
    ) -> Iterable[bytes]:
        """Have the application answer; its answer begins when we know that it may be told."""
        asked = source.asked
        key = key_of(source.environ, asked, source.principal)
        told = self._answered.again(key, source.environ)
        if told is not None:
            start(told.status, list(told.headers))
            return [told.body]
        answer, page = _Answer(), pages.wanted(asked)
        try:
            parts = self._ask(source, signature, answer)
        except (Refused, *_OF_THE_CONNECTION):
            raise
        except Exception as error:
            raise self._broken(error, asked, caller) or error from error
        if answer.status.startswith("5") and not answer.status.startswith(
            "501"
        ):  # that says what is not here
            self._fault(asked, caller, f"answered {answer.status[:3]}")
        if answer.status.startswith("404") and asked.service == "s3":
            self._authority.check_listing(source)
        headers = _with_request_id(answer.headers, asked, request_id)
        if page is not None and answer.status.startswith("2"):
            body = pages.cut(asked, page, b"".join(parts))
            parts, headers = [body], _of_another_body(headers)
        if asked.wire in ("ec2", "query") and asked.service not in self._stores:
            parts = [_ID_INSIDE.sub(rb"\g<1>%b\g<2>" % request_id.encode(), b"".join(parts), count=1)]
            headers = _of_another_body(headers)
        if answer.status.startswith("2") and asked.mutates:
            self.writes.extend(writes_of(asked, caller, source.principal))
            self._on_change(asked.service, asked.operation)
            parts = self._answered.keep(key, answer.status, headers, parts)
        start(answer.status, headers)
        return parts

    def _ask(self, source: Source, signature: Signature | None, answer: "_Answer") -> Iterable[bytes]:
        """Have a store answer, or the application."""
        asked = source.asked
        if (asked.service, asked.operation) == _DECODE:
            body = _decoded(asked)
            answer.start("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
            return [body]
        store = self._stores.get(asked.service)
        if store is not None:
            told = store.answer(source)
            answer.start(told.status, told.headers)
            return told.parts
        _prepare(source.environ, source.asked, signature)
        parts = self._app(source.environ, answer.start)
        return parts if answer.status else list(parts)

    def _broken(self, error: Exception, asked: Asked, caller: Caller) -> Refused | None:
        """How moto's breaking is refused; None where the cloud itself has failed. A store is ours: it breaks on nothing."""
        if asked.service in self._stores or (refused := unprocessed.refused(error, asked)) is None:
            return None
        _log.warning("%s:%s broke, asked by %s", asked.service, asked.operation, caller.place, exc_info=error)
        return refused

    def _failed(self, error: Exception, asked: Asked, caller: Caller) -> Refused:
        """The answer to a request in which the cloud itself has failed; maintainers read the log."""
        _log.error("%s:%s failed, asked by %s", asked.service, asked.operation, caller.place, exc_info=error)
        self._fault(asked, caller, f"raised {type(error).__name__}")
        return refusals.failed(asked.service, asked.operation)

    def _fault(self, asked: Asked, caller: Caller, what: str) -> None:
        if caller.place == "host":
            self.faults[f"{asked.service}:{asked.operation} {what}"] += 1

    def _remember(
        self,
        refused: Refused,
        caller: Caller,
        principal: Principal | None,
        asked: Asked,
        request_id: str,
        lacking: Iterable[str],
    ) -> None:
        decision = refused.decision
        self.refusals.append(
            Refusal(
                at=time.time(),
                caller=caller,
                principal=principal.arn if principal else "",
                operation=f"{asked.service}:{asked.operation}",
                code=refused.code,
                message=refused.message,
                request_id=request_id,
                action=decision.action if decision else "",
                resource=decision.resource if decision else "",
                reason=decision.reason if decision else "",
                kind=decision.kind if decision else "",
                policy=decision.policy if decision else "",
                statement=decision.statement if decision else "",
                lacking=", ".join(sorted(lacking)) if decision else "",
            )
        )


class _Answer:
    """The beginning of the application's answer, held back."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return _no_write


def _no_write(_: bytes) -> object:
    raise NotImplementedError("answers are returned, not written")


def _decoded(asked: Asked) -> bytes:
    try:
        return authorization_messages.answer(
            str(asked.parameters.get("EncodedMessage", "")), str(uuid.uuid4())
        )
    except ValueError:
        raise refusals.no_authorization_message() from None


def _is_not_aws(environ: Environ) -> bool:
    """Whether moto would take the request for its own admin API or its pretend metadata service."""
    host = str(environ.get("HTTP_HOST", ""))
    if host.startswith(("motoapi.", "169.254.169.254")):
        return True
    return str(environ.get("PATH_INFO", "")).startswith(_NOT_AWS)


def _prepare(environ: Environ, asked: Asked, signature: Signature | None) -> None:
    """Make moto see what the door decided about, and nothing that only moto understands."""
    environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)
    if signature is None or signature.place != "header":
        # Without this header moto guesses the service and judges presigned and public requests itself.
        key, date = (signature.access_key_id, signature.date) if signature else ("ANONYMOUS", "")
        scope = f"{key}/{date or '20000101'}/{asked.region}/{asked.service}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        )
    environ.pop(UNDERSCORED, None)


def _with_request_id(headers: list[tuple[str, str]], asked: Asked, request_id: str) -> list[tuple[str, str]]:
    """An answer that has an id of AWS's form keeps it: a function's log knows it; moto's own have another."""
    name = "x-amz-request-id" if asked.service == "s3" else "x-amzn-RequestId"
    ids = [value for key, value in headers if key.lower() in _REQUEST_IDS and _ID.fullmatch(value)]
    rest = [each for each in headers if each[0].lower() not in _REQUEST_IDS]
    return [*rest, (name, ids[0] if ids else request_id)]


def _of_another_body(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [each for each in headers if each[0].lower() not in _OF_BODIES]


def _not_found(start: "StartResponse") -> Iterable[bytes]:
    start("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "10")])
    return [b"Not Found\n"]


def _unreadable(
    error: Unreadable, signature: Signature | None, environ: Environ, request_id: str, start: "StartResponse"
) -> Iterable[bytes]:
    service = signature.service if signature else ""
    wire: Wire = "ec2" if service == "ec2" else "query"
    routes = routes_of(service) if service else None
    if environ.get("HTTP_X_AMZ_TARGET"):
        wire = "json"
    elif routes and routes.protocol == "rest-json":
        wire = "rest-json"
    code = "SerializationException" if wire in ("json", "rest-json") else "InvalidAction"
    refused = Refused(error.status, code, str(error))
    if service and service not in emulated.services():
        refused = emulated.unknown_service(service)
        if wire == "query" and not is_form(environ):
            wire = "rest-xml" if routes else "rest-json"  # what botocore calls by another name speaks JSON
    return refusals.respond(refused, wire, service, "POST", request_id, start)
