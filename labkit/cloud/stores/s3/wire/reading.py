"""Requests read into the parameters that AWS's description names.

What belongs here: headers, query and XML, by shape, and what S3 says where they don't fit. What does not: what the
parameters mean. S3 API reference: "List of error codes" (InvalidArgument, MalformedXML).
"""

import contextlib
import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from labkit.base.text import whole
from labkit.cloud.door.documents import Unreadable, read_xml
from labkit.cloud.stores.s3.wire import description
from labkit.cloud.stores.s3.wire.description import Shape
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, malformed_xml

Environ = Mapping[str, object]
Convert = Callable[[str, str], Any]
Walk = Callable[[ElementTree.Element], Any]
_WHOLE = ("integer", "long")
#: values of headers that have a refusal of their own
_OWN_REFUSAL: Mapping[str, S3Error] = {"StorageClass": S3Error("InvalidStorageClass")}
#: enumerations whose values AWS ignores where it does not know them, or that are checked where they are used
_LENIENT = frozenset({"RequestPayer", "RequestCharged", "ObjectCannedACL", "BucketCannedACL", "ChecksumMode"})
#: enumerations that grow, and whose operations have a refusal of their own
_NAMED_ELSEWHERE = frozenset({"BucketLocationConstraint"})
_ENCODING = "Invalid Encoding Method specified in Request"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


def read_head(operation: str, environ: Environ) -> dict[str, Any]:
    """The parameters in the headers and the query. Raises S3Error for values that are none."""
    found: dict[str, Any] = {}
    head, in_query, metadata = _readers(operation)
    for member, name, convert in head:
        value = environ.get(name)
        if value is not None and value != "":
            found[member] = convert(member, _text(str(value)))
    query = str(environ.get("QUERY_STRING", ""))
    if query and in_query:
        given = dict(parse_qsl(query, keep_blank_values=True))
        for member, name, convert in in_query:
            if name in given:
                found[member] = convert(name, given[name])
    if metadata:
        found[metadata] = _metadata(environ)
    return found


def _text(value: str) -> str:
    """A header as its sender meant it: WSGI holds its bytes as latin-1."""
    return value if value.isascii() else value.encode("latin-1", "replace").decode("utf-8", "replace")


def _metadata(environ: Environ) -> dict[str, str]:
    from labkit.cloud.web.http1 import UNDERSCORED

    found = {
        name[16:].lower().replace("_", "-"): _words(str(value))
        for name, value in environ.items()
        if name.startswith("HTTP_X_AMZ_META_")
    }
    spelled = environ.get(UNDERSCORED)
    for name, value in spelled if isinstance(spelled, list) else ():
        if name.lower().startswith("x-amz-meta-"):
            found[name[11:].lower()] = _words(value)
    return found


def _words(value: str) -> str:
    """Metadata as S3 reads it: each byte a letter, and RFC 2047's encoded words decoded.

    S3 user guide, "Working with object metadata": User-defined object metadata, its table of examples.
    """
    if not value.startswith("=?"):
        return value
    with contextlib.suppress(ValueError, LookupError, HeaderParseError):
        return str(make_header(decode_header(value)))
    return value


_Reader = tuple[str, str, Convert]


@functools.lru_cache(maxsize=256)
def _readers(operation: str) -> tuple[list[_Reader], list[_Reader], str]:
    """Headers, query parameters, and the member that user metadata is."""
    head: list[_Reader] = []
    query: list[_Reader] = []
    metadata = ""
    for member, ref in description.input_of(operation)["members"].items():
        place, name = ref.get("location"), ref.get("locationName", "")
        if place == "header":
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            head.append((member, key, _converter(ref["shape"])))
        elif place == "querystring":
            query.append((member, name, _converter(ref["shape"])))
        elif place == "headers":
            metadata = member
    return head, query, metadata


def _converter(name: str) -> Convert:
    known = description.shape(name)
    kind = known["type"]
    if kind in _WHOLE:
        return _to_number
    if kind == "boolean":
        return lambda _, text: text.strip().lower() == "true"
    if kind == "timestamp":
        return _to_time
    if kind == "list":
        inner = _converter(known["member"]["shape"])
        return lambda member, text: [inner(member, each.strip()) for each in text.split(",") if each.strip()]
    enum = frozenset(known.get("enum", ()))
    if not enum or name in _LENIENT:
        return lambda _, text: text

    def choose(member: str, text: str) -> str:
        if text in enum:
            return text
        if name in _OWN_REFUSAL:
            raise _OWN_REFUSAL[name]
        raise invalid_argument(
            _ENCODING if name == "EncodingType" else f"Invalid {member}: {text}", member, text
        )

    return choose


def _to_number(member: str, text: str) -> int:
    value = whole(text.strip())
    if value is None:
        raise invalid_argument(f"Provided {member} not an integer or within integer range", member, text)
    if member in ("max-keys", "max-parts", "max-uploads", "max-buckets") and value < 0:
        raise invalid_argument(f"Argument {member} must be an integer between 0 and 2147483647", member, text)
    return value


def _to_time(member: str, text: str) -> float | None:
    """Seconds since the epoch; None for what is no time: S3 ignores such conditions."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


# -- documents -----------------------------------------------------------------------------------------


def payload_of(operation: str) -> str:
    """The member that the body is, "" for operations without one."""
    return str(description.input_of(operation).get("payload", ""))


def read_document(operation: str, data: bytes) -> Any:
    """The document of an operation as plain values. Raises S3Error (MalformedXML) for what is none."""
    try:
        root = read_xml(data)
    except Unreadable:
        raise malformed_xml() from None
    name, walk = _document(operation)
    if _tag(root) != name:
        raise malformed_xml()
    return walk(root)


@functools.lru_cache(maxsize=128)
def _document(operation: str) -> tuple[str, Walk]:
    member = description.input_of(operation)["members"][payload_of(operation)]
    return str(member.get("locationName", member["shape"])), _walker(member["shape"])


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


@functools.lru_cache(maxsize=512)
def _walker(name: str) -> Walk:
    known = description.shape(name)
    kinds: Mapping[str, Callable[[str, Shape], Walk]] = {"structure": _structure, "list": _list}
    return kinds.get(known["type"], _scalar)(name, known)


def _structure(name: str, known: Shape) -> Walk:
    members = known["members"]
    required = [member for member in known.get("required", ()) if not members[member].get("xmlAttribute")]
    elements: dict[str, tuple[str, str, bool]] = {}
    attributes: dict[str, str] = {}
    for member, ref in members.items():
        inner = description.shape(ref["shape"])
        flat = inner["type"] == "list" and description.is_flat(inner, ref)
        if ref.get("xmlAttribute"):
            attributes[_XSI + ref["locationName"].partition(":")[2]] = member
        else:
            elements[ref.get("locationName", member)] = (member, ref["shape"], flat)

    def walk(element: ElementTree.Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in element:
            entry = elements.get(_tag(child))
            if entry is None:
                raise malformed_xml()
            member, inner, flat = entry
            if flat:
                each = description.shape(inner)["member"]["shape"]
                found.setdefault(member, []).append(_walker(each)(child))
            elif member in found:
                raise malformed_xml()
            else:
                found[member] = _walker(inner)(child)
        for attribute, member in attributes.items():
            if attribute in element.attrib:
                found[member] = element.attrib[attribute]
        if any(member not in found for member in required):
            raise malformed_xml()
        return found

    return walk


def _list(name: str, known: Shape) -> Walk:
    wanted, inner = known["member"].get("locationName", "member"), known["member"]["shape"]

    def walk(element: ElementTree.Element) -> list[Any]:
        if any(_tag(child) != wanted for child in element):
            raise malformed_xml()
        return [_walker(inner)(child) for child in element]

    return walk


def _scalar(name: str, known: Shape) -> Walk:
    kind = known["type"]
    enum = frozenset(() if name in _NAMED_ELSEWHERE else known.get("enum", ()))

    def walk(element: ElementTree.Element) -> Any:
        text = element.text or ""
        if len(element) or (enum and text not in enum):
            raise malformed_xml()
        if kind in _WHOLE:
            return _whole(text)
        if kind == "boolean":
            if text.strip().lower() not in ("true", "false"):
                raise malformed_xml()
            return text.strip().lower() == "true"
        if kind == "timestamp" and _to_time("", text.strip()) is None:
            raise malformed_xml()
        return text

    return walk


def _whole(text: str) -> int:
    value = whole(text.strip())
    if value is None:
        raise malformed_xml()
    return value
