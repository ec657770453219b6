"""Copies: of whole objects, and of ranges of them into parts.

What belongs here: CopyObject, and finding and reading a source. What does not: the parts' upload (multipart).
S3 API reference: "CopyObject", "UploadPartCopy".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

from labkit.cloud.stores.s3 import conditions, uploads
from labkit.cloud.stores.s3.conditions import quoted
from labkit.cloud.stores.s3.engine import LARGEST, Call, Engine, Reply, check_key, shown_version
from labkit.cloud.stores.s3.objects import checksum_of, described, store, written
from labkit.cloud.stores.s3.settings import encryption, tags
from labkit.cloud.stores.s3.storage import Segment, Version
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, invalid_request, no_bucket

_WHERE = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)").fullmatch
#: what a request to copy an object to itself may change
_CHANGES = (
    "StorageClass",
    "WebsiteRedirectLocation",
    "ServerSideEncryption",
    "SSECustomerAlgorithm",
    "ChecksumAlgorithm",
)


def source_of(engine: Engine, call: Call) -> Version:
    """The version that a request copies. Raises S3Error where there is none, or its conditions don't hold."""
    bucket, key, version = parse_source(str(call.input["CopySource"]))
    if engine.storage.bucket(bucket) is None:
        raise no_bucket(bucket)
    engine.check_owner(call.input.get("ExpectedSourceBucketOwner"))
    try:
        found = engine.version_of(bucket, key, version)
    except S3Error as error:
        if error.code == "MethodNotAllowed":
            words = (
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
            raise invalid_request(words) from None
        raise S3Error(error.code, error.message, details=error.details) from None
    encryption.check_key(found, call.input, "CopySource")
    conditions.check_source(found, call.input)
    return found


def parse_source(text: str) -> tuple[str, str, str]:
    """Bucket, key and version id of x-amz-copy-source."""
    path, _, query = text.partition("?")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key or bucket.startswith("arn:"):
        raise invalid_argument(_WHERE, "x-amz-copy-source", text)
    version = dict(parse_qsl(query)).get("versionId", "")
    if query and not version:
        raise invalid_argument("Unsupported copy source parameter.", "x-amz-copy-source", text)
    return bucket, key, version


def copy_object(engine: Engine, call: Call) -> Reply:
    """CopyObject."""
    bucket = engine.bucket(call)
    check_key(call.key)
    with engine.storage.reading():
        source = source_of(engine, call)
        _check_directives(call, source)
        facts = _facts(engine, call, source)
        segments = engine.storage.segments(source.id)
        whole = _needs_reading(call, source, segments)
        pieces = engine.bodies.open(segments, 0, source.size - 1) if whole else None
    if pieces is not None:
        version, gone = _copy_by_reading(engine, call, source, pieces, facts)
    else:
        with engine.storage.transaction():
            again = source_of(engine, call)
            copied = [
                Segment(each.number, each.size, engine.bodies.duplicate(each))
                for each in engine.storage.segments(again.id)
            ]
            version, gone = store(engine, call, copied, again.etag, facts)
    engine.bodies.remove(gone)
    engine.happened("ObjectCreated:Copy", version, call)
    result = {"ETag": quoted(version.etag), "LastModified": version.made, **checksum_of(version)}
    origin = engine.storage.bucket(source.bucket)
    told = {"CopySourceVersionId": shown_version(origin, source) if origin else None}
    head = written(engine, bucket, version)
    return Reply({**head, **told, "ETag": None, "CopyObjectResult": result})


def _check_directives(call: Call, source: Version) -> None:
    if source.size > LARGEST:
        words = f"The specified copy source is larger than the maximum allowable size for a copy source: {LARGEST}"
        raise invalid_request(words)
    itself = (source.bucket, source.key) == (call.bucket, call.key) and source.latest
    changed = call.input.get("MetadataDirective") == "REPLACE" or any(
        call.input.get(name) for name in _CHANGES
    )
    if itself and not changed and "versionId=" not in str(call.input["CopySource"]):
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


def _facts(engine: Engine, call: Call, source: Version) -> dict[str, Any]:
    """What is kept of the copy: the source's, or the request's where it says REPLACE."""
    facts = described(engine, call)
    if call.input.get("MetadataDirective", "COPY") == "COPY":
        redirect = facts["headers"].get("WebsiteRedirectLocation")
        headers = {
            name: value
            for name, value in source.facts["headers"].items()
            if name != "WebsiteRedirectLocation"
        }
        facts["headers"] = headers | ({"WebsiteRedirectLocation": redirect} if redirect else {})
        facts["meta"] = source.facts.get("meta", {})
    facts["tags"] = source.facts.get("tags", [])
    if call.input.get("TaggingDirective") == "REPLACE":
        facts["tags"] = tags.from_header(call.input.get("Tagging", ""))
    if known := source.facts.get("sum"):
        facts["sum"] = known
    return facts


def _needs_reading(call: Call, source: Version, segments: Sequence[Segment]) -> bool:
    """Whether the copy has another entity tag or checksum than its source: it comes in one piece."""
    known = source.facts.get("sum") or {}
    other = call.input.get("ChecksumAlgorithm", known.get("algorithm")) != known.get("algorithm")
    return bool(source.facts.get("parts")) or len(segments) > 1 or other


def _copy_by_reading(
    engine: Engine, call: Call, source: Version, pieces: Iterator[bytes], facts: dict[str, Any]
) -> tuple[Version, list[int]]:
    algorithm = call.input.get("ChecksumAlgorithm") or (source.facts.get("sum") or {}).get("algorithm", "")
    arrived = _take(engine, call, pieces, source.size, algorithm)
    facts.pop("sum", None)
    if algorithm:
        facts["sum"] = {"algorithm": algorithm, "value": arrived.checksum[1], "type": "FULL_OBJECT"}
    try:
        with engine.storage.transaction():
            body = engine.bodies.keep(arrived.received)
            return store(engine, call, [Segment(1, source.size, body)], arrived.etag, facts)
    except BaseException:
        engine.bodies.discard(arrived.received)
        raise


def _take(engine: Engine, call: Call, pieces: Iterator[bytes], size: int, algorithm: str) -> uploads.Arrived:
    """The bytes of a source as a body of their own."""
    reader = _Pieces(pieces)
    try:
        return uploads.receive(engine, Call(call.operation, call.region, {}, {}, reader, size), algorithm)
    finally:
        reader.close()


def range_of(engine: Engine, call: Call, source: Version, algorithm: str) -> uploads.Arrived:
    """The bytes of a source that become a part."""
    first, last = _span(call.input, source)
    with engine.storage.reading():
        pieces = engine.bodies.open(engine.storage.segments(source.id), first, last)
    return _take(engine, call, pieces, last - first + 1, algorithm)


def _span(given: Mapping[str, Any], source: Version) -> tuple[int, int]:
    text = given.get("CopySourceRange")
    if not text:
        return 0, source.size - 1
    match = _RANGE(text)
    if match is None or int(match[1]) > int(match[2]):
        words = (
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy"
        )
        raise invalid_argument(words, "x-amz-copy-source-range", text)
    first, last = int(match[1]), int(match[2])
    if last >= source.size:
        words = f"Range specified is not valid for source object of size: {source.size}"
        raise invalid_argument(words, "x-amz-copy-source-range", text)
    return first, last


class _Pieces:
    """Pieces of bytes as something that can be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes; b"" at the end."""
        piece = self._rest or next(self._pieces, b"")
        if 0 <= size < len(piece):
            piece, self._rest = piece[:size], piece[size:]
        else:
            self._rest = b""
        return piece

    def close(self) -> None:
        """Read no more."""
        end = getattr(self._pieces, "close", None)
        if end is not None:
            end()
