"""Requests of the AWS API, read far enough to know the operation and the resources it names.

What belongs here: the protocols (JSON, query, EC2, REST JSON, REST XML, CBOR). What does not: who
asks (credentials), and what is allowed. Smithy: "AWS protocols".
"""

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import unquote

from labkit.cloud.door.buckets import region_of_host, to_path_style
from labkit.cloud.door.credentials import Signature
from labkit.cloud.door.documents import Unreadable, read_fields, read_json, read_xml, too_long, unpack
from labkit.cloud.door.forms import Form, read_form
from labkit.cloud.door.routes import routes_of

Environ = dict[str, object]
Wire = Literal["json", "query", "ec2", "rest-json", "rest-xml", "cbor"]

_CBOR_PATH = re.compile(r"/service/[^/]+/operation/([A-Za-z0-9]+)/?").fullmatch
#: bytes of a call; S3's objects and Lambda's packages are larger
LONGEST = 16 << 20
_FORM = "application/x-www-form-urlencoded"
#: S3's answer to a page of another origin that asks whether it may ask; like PostObject, botocore describes it not
PREFLIGHT = "Preflight"
#: operations whose body is their caller's own
_BLOBS = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
#: operations that change nothing that has to be brought to life
_READS = re.compile(
    r"(Get|List|Describe|Head|Preflight|BatchGet|TransactGet|Query|Scan|Select|Search|Lookup|Filter|Invoke|Validate"
    r"|Simulate|Estimate|Test)"
).match


class _Input(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass
class Asked:
    """One request: its protocol, its operation ("" where none fits) and its input."""

    wire: Wire
    service: str
    operation: str
    region: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    #: S3's upload form, where the body is one
    form: Form | None = None

    @property
    def mutates(self) -> bool:
        """Whether the call may change something."""
        return not _READS(self.operation)


class Body:
    """The body of a request, read when first wanted and then left there for the application."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._data: bytes | None = None

    def plain(self) -> bytes:
        """All of it, unpacked where a client has packed it. Raises Unreadable."""
        encoding = str(self._environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower()
        if encoding in ("", "identity"):
            return self.read()
        if encoding not in ("gzip", "deflate"):
            raise Unreadable("Content-Encoding is none of gzip and deflate")
        return unpack(self.read(), LONGEST)

    def read(self) -> bytes:
        """All of it, as it was sent."""
        if self._data is None:
            source: _Input = self._environ["wsgi.input"]  # type: ignore[assignment]
            length = str(self._environ.get("CONTENT_LENGTH") or "0")
            self._data = source.read(int(length)) if length.isdigit() else b""
            self._environ["wsgi.input"] = io.BytesIO(self._data)
        return self._data


def read_call(environ: Environ, signature: Signature | None, body: Body) -> Asked:
    """What a request asks for. Puts S3's requests into path style, in place.

    Raises Unreadable when two parts of the request name different operations.
    """
    service = signature.service if signature else ""
    region = (signature.region if signature else "") or region_of_host(environ) or "us-east-1"
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if service == "s3" or (not service and not target and not is_form(environ)):
        return _read_s3(environ, region, body)
    length = str(environ.get("CONTENT_LENGTH") or "0")
    if service != "lambda" and (len(length) > 9 or int(length) > LONGEST):
        raise too_long(LONGEST)
    cbor = _CBOR_PATH(str(environ.get("PATH_INFO", "")))
    if cbor and environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return Asked("cbor", service, cbor[1], region)
    if target:
        return _read_json(environ, service, region, target, body)
    form = _form(environ, body)
    if "Action" in form:
        wire: Wire = "ec2" if service == "ec2" else "query"
        return Asked(wire, service or "sts", form["Action"], region, form)
    return _read_rest(environ, service, region, body)


def is_form(environ: Environ) -> bool:
    """Whether the body is said to be a form."""
    return str(environ.get("CONTENT_TYPE", "")).lower().startswith(_FORM)


def _read_json(environ: Environ, service: str, region: str, target: str, body: Body) -> Asked:
    if is_form(environ) or "Action" in _query(environ):
        raise Unreadable("X-Amz-Target and Action name two operations")
    data = body.plain() if service == "dynamodb" else body.read()
    parameters = read_json(data or b"{}")
    if not isinstance(parameters, dict):
        raise Unreadable("the body is no JSON object")
    return Asked("json", service, target.rpartition(".")[2], region, parameters)


def _form(environ: Environ, body: Body) -> dict[str, str]:
    """The parameters of a query protocol, from the body, or from the URL where the body has none."""
    query = _query(environ)
    text = body.read().decode("utf-8", "replace") if is_form(environ) else ""
    pairs = read_fields(text)
    form: dict[str, str] = {}
    for name, value in pairs:
        form.setdefault(name, value)
    if ("Action" in form and "Action" in query) or sum(name == "Action" for name, _ in pairs) > 1:
        raise Unreadable("Action is given more than once")
    return form or query


def _query(environ: Environ) -> dict[str, str]:
    query = str(environ.get("QUERY_STRING", ""))
    found: dict[str, str] = {}
    for name, value in read_fields(query) if query else ():
        if name == "Action" and name in found:
            raise Unreadable("Action is given more than once")
        found.setdefault(name, value)
    return found


def _read_rest(environ: Environ, service: str, region: str, body: Body) -> Asked:
    routes = routes_of(service)
    if routes is None:
        raise Unreadable(f"the service {service or '(none)'} has no such request")
    if _hides_an_action(environ, body):
        raise Unreadable("the body names an operation of another protocol")
    wire: Wire = "rest-xml" if routes.protocol == "rest-xml" else "rest-json"
    matched = routes.match(
        str(environ["REQUEST_METHOD"]), _decoded_path(environ), _query(environ), lambda n: _header(environ, n)
    )
    if matched is None:
        return Asked(wire, service, "", region)
    parameters: dict[str, object] = {}
    if wire == "rest-json" and matched.operation not in _BLOBS:
        parameters.update(_json_members(body))
    return Asked(wire, service, matched.operation, region, parameters | dict(matched.parameters))


def _hides_an_action(environ: Environ, body: Body) -> bool:
    if is_form(environ):
        return True
    data = body.read()
    return b"Action=" in data and data.lstrip()[:1] not in (b"{", b"[", b'"')


def _json_members(body: Body) -> Mapping[str, object]:
    data = body.read()
    if not data.lstrip().startswith(b"{") or len(data) > 1 << 20:
        return {}
    members = read_json(data)
    return members if isinstance(members, dict) else {}


def _read_s3(environ: Environ, region: str, body: Body) -> Asked:
    to_path_style(environ, region)
    routes = routes_of("s3")
    method = str(environ["REQUEST_METHOD"])
    matched = (
        routes.match(method, _decoded_path(environ), _query(environ), lambda name: _header(environ, name))
        if routes
        else None
    )
    if matched is None:
        return _read_post_object(environ, method, region, body)
    parameters: dict[str, object] = dict(matched.parameters)
    if matched.operation in ("DeleteObjects", "PutBucketPolicy") and _length(environ) <= LONGEST:
        parameters |= _about_body(matched.operation, body.read())
    return Asked("rest-xml", "s3", matched.operation, region, parameters)


def _read_post_object(environ: Environ, method: str, region: str, body: Body) -> Asked:
    """An upload by an HTML form, the one operation that botocore does not describe."""
    bucket, _, key = _decoded_path(environ).lstrip("/").partition("/")
    if method == "OPTIONS" and bucket:
        return Asked("rest-xml", "s3", PREFLIGHT, region, {"Bucket": bucket})
    if method != "POST" or not bucket or key:
        parameters = {"Bucket": bucket} | ({"Key": key} if key else {})
        return Asked("rest-xml", "s3", "", region, parameters)
    form, kind = None, str(environ.get("CONTENT_TYPE", ""))
    if kind.lower().startswith("multipart/form-data"):
        with contextlib.suppress(ValueError):
            form = read_form(kind, body.read())
    parameters = {"Bucket": bucket, "Key": (form.key if form else "") or "*"}
    return Asked("rest-xml", "s3", "PostObject", region, parameters, form=form)


def _about_body(operation: str, data: bytes) -> dict[str, object]:
    """What policies are asked about, from a body."""
    return {**_keys_to_delete(data)} if operation == "DeleteObjects" else {"Policy": data}


def _length(environ: Environ) -> int:
    length = str(environ.get("CONTENT_LENGTH") or "0")
    return int(length) if length.isdigit() else 0


def _keys_to_delete(document: bytes) -> dict[str, list[str]]:
    """The keys of a DeleteObjects, and those of which it names a version."""
    found: dict[str, list[str]] = {"Keys": [], "Versions": []}
    try:
        root = read_xml(document)
    except Unreadable:
        return found
    for element in root:
        members = {each.tag.rpartition("}")[2]: each.text or "" for each in element}
        if "Key" in members:
            found["Versions" if members.get("VersionId") else "Keys"].append(members["Key"])
    return found


def _decoded_path(environ: Environ) -> str:
    raw = str(environ.get("RAW_URI", ""))
    if raw.startswith("/"):
        return unquote(raw.partition("?")[0])
    return str(environ.get("PATH_INFO", "/")).encode("latin-1").decode("utf-8", "replace")


def _header(environ: Environ, name: str) -> str:
    return str(environ.get("HTTP_" + name.upper().replace("-", "_"), ""))
