"""Answers written as AWS's description says: headers, and XML by shape.

What belongs here: that, and the names of documents that botocore does not tell. What does not: what is answered.
"""

import base64
import functools
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from labkit.cloud.stores.s3.wire import description

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
#: the elements that whole answers are (S3 API reference, each operation's "Response Syntax")
_ROOTS: Mapping[str, str] = {
    "ListObjects": "ListBucketResult", "ListObjectsV2": "ListBucketResult", "ListBuckets": "ListAllMyBucketsResult",
    "ListObjectVersions": "ListVersionsResult", "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult", "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult", "DeleteObjects": "DeleteResult",
    "GetBucketAcl": "AccessControlPolicy", "GetObjectAcl": "AccessControlPolicy",
    "GetBucketLocation": "LocationConstraint", "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketTagging": "Tagging", "GetObjectTagging": "Tagging", "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycle": "LifecycleConfiguration", "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketNotification": "NotificationConfiguration", "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration", "GetObjectAttributes": "GetObjectAttributesResponse",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsOutput",
}  # fmt: skip
Write = Callable[[str, Any], str]
_CONTROLS = {code: f"&#x{code:X};" for code in range(32) if code not in (9, 10)}
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", **_CONTROLS}


_SPECIAL = re.compile(r'[&<>"\x00-\x08\x0b-\x1f]').search


class Raw(str):
    """What stands in an element, as XML already."""

    __slots__ = ()


def escape(text: str) -> str:
    """Text as XML holds it; what XML can't hold is written as S3 does, as a reference all the same."""
    return text.translate(_ESCAPES) if _SPECIAL(text) else text


def write_members(name: str, value: Mapping[str, Any]) -> str:
    """The XML of a structure's members, without an element around them."""
    return _structure_body(name)(value)


def http_date(seconds: float) -> str:
    """A moment as HTTP's headers write it."""
    return formatdate(seconds, usegmt=True)


def iso_date(seconds: float) -> str:
    """A moment as S3's documents write it."""
    return _iso(int(seconds))


@functools.lru_cache(maxsize=4096)
def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def write_head(operation: str, output: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers of an answer."""
    found: list[tuple[str, str]] = []
    writers, metadata = _headers(operation)
    for member, name, kind in writers:
        value = output.get(member)
        if value is not None and value != "":
            found.append((name, _in_header(kind, value)))
    if metadata:
        prefix, member = metadata
        found += [(prefix + name, _in_words(value)) for name, value in output.get(member, {}).items()]
    return found


def _in_words(value: str) -> str:
    """Metadata as S3 tells it: what is not ASCII as RFC 2047's encoded words."""
    return value if value.isascii() else f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def header_text(value: str) -> str:
    """Text as a header can hold it: UTF-8's bytes, which WSGI wants as latin-1."""
    return value if value.isascii() else value.encode().decode("latin-1")


def _in_header(kind: str, value: Any) -> str:
    if kind == "timestamp":
        return http_date(value)
    if kind == "boolean":
        return "true" if value else "false"
    return header_text(str(value)).replace("\r", " ").replace("\n", " ")


@functools.lru_cache(maxsize=256)
def _headers(operation: str) -> tuple[list[tuple[str, str, str]], tuple[str, str] | None]:
    writers: list[tuple[str, str, str]] = []
    metadata = None
    for member, ref in description.output_of(operation)["members"].items():
        if ref.get("location") == "header":
            writers.append((member, ref["locationName"], description.shape(ref["shape"])["type"]))
        elif ref.get("location") == "headers":
            metadata = (ref["locationName"], member)
    return writers, metadata


def write_document(operation: str, output: Mapping[str, Any]) -> bytes:
    """The XML of an answer, b"" for one without."""
    member, write = _document(operation)
    if write is None:
        return b""
    value = output.get(member, {}) if member else output
    return (DECLARATION + write(f' xmlns="{NAMESPACE}"', value)).encode("utf-8", "surrogatepass")


@functools.lru_cache(maxsize=256)
def _document(operation: str) -> tuple[str, Write | None]:
    known = description.output_of(operation)
    payload = known.get("payload", "")
    if payload:
        ref = known["members"][payload]
        if description.shape(ref["shape"])["type"] != "structure":
            return payload, None
        return payload, _rooted(ref.get("locationName", ref["shape"]), ref["shape"])
    if all(ref.get("location") for ref in known["members"].values()):
        return "", None
    name = description.operation(operation)["output"]["shape"]
    return "", _rooted(_ROOTS.get(operation, known.get("locationName", name)), name)


def _rooted(tag: str, name: str) -> Write:
    inner = _structure_body(name)
    return lambda attributes, value: f"<{tag}{attributes}>{inner(value)}</{tag}>"


@functools.lru_cache(maxsize=512)
def _writer(name: str) -> Write:
    """From a tag and a value to XML."""
    known = description.shape(name)
    kind = known["type"]
    if kind == "structure":
        body = _structure_body(name)
        attribute = _attribute(known)
        if attribute:
            return lambda tag, value: f"<{tag}{attribute(value)}>{body(value)}</{tag}>"
        return lambda tag, value: f"<{tag}>{value if type(value) is Raw else body(value)}</{tag}>"
    if kind == "list":
        return _list_writer(known)
    if kind == "timestamp":
        return lambda tag, value: f"<{tag}>{value if isinstance(value, str) else iso_date(value)}</{tag}>"
    if kind == "boolean":
        return lambda tag, value: f"<{tag}>{'true' if value else 'false'}</{tag}>"
    if kind in ("integer", "long"):
        return lambda tag, value: f"<{tag}>{value}</{tag}>"
    return lambda tag, value: f"<{tag}>{escape(str(value))}</{tag}>"


def _attribute(known: description.Shape) -> Callable[[Any], str] | None:
    for member, ref in known["members"].items():
        if ref.get("xmlAttribute"):
            space = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            return lambda value: f'{space} {ref["locationName"]}="{escape(str(value.get(member, "")))}"'
    return None


def _list_writer(known: description.Shape) -> Write:
    inner, name = _writer(known["member"]["shape"]), known["member"].get("locationName", "member")
    if known.get("flattened"):
        return lambda tag, value: "".join([inner(tag, each) for each in value])
    return lambda tag, value: f"<{tag}>{''.join([inner(name, each) for each in value])}</{tag}>"


def _structure_body(name: str) -> Callable[[Any], str]:
    known = description.shape(name)
    members = [
        (member, ref.get("locationName", member), _writer_of(ref))
        for member, ref in known["members"].items()
        if not ref.get("location") and not ref.get("xmlAttribute")
    ]

    def body(value: Any) -> str:
        get = value.get
        return "".join(
            [write(tag, given) for member, tag, write in members if (given := get(member)) is not None]
        )

    return body


def _writer_of(ref: Mapping[str, Any]) -> Write:
    """A member's writer, made when it is first needed: shapes may hold themselves."""
    made: list[Write] = []

    def write(tag: str, value: Any) -> str:
        if not made:
            made.append(_writer(ref["shape"]))
        return made[0](tag, value)

    return write
