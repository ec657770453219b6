"""Objects: written, read, described.

What belongs here: PutObject, GetObject, HeadObject, GetObjectAttributes, tags of objects. What does not: copies,
deletions, multipart uploads, listings. S3 API reference, by the names of the operations.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.cloud.stores.s3 import conditions, uploads
from labkit.cloud.stores.s3.conditions import quoted
from labkit.cloud.stores.s3.engine import NULL, Call, Engine, Reply, check_key, shown_version
from labkit.cloud.stores.s3.ids import ordered_id
from labkit.cloud.stores.s3.settings import acls, encryption, lifecycle, tags
from labkit.cloud.stores.s3.storage import Bucket, Segment, Version
from labkit.cloud.stores.s3.wire import checksums, writing
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, invalid_request, no_bucket
from labkit.cloud.stores.s3.wire.writing import header_text, iso_date
from labkit.cloud.web.http1 import TRUSTED

#: bytes of a request's metadata, names and values
METADATA = 2048
_KEPT = ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage",
         "WebsiteRedirectLocation")  # fmt: skip
_DEFAULT_TYPE = "binary/octet-stream"
_OVERRIDES = {
    "ResponseContentType": "ContentType",
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)").fullmatch
#: storage classes that need a restoration, or hardware that is not here
_ELSEWHERE = frozenset(
    {"GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"}
)


# -- writing -------------------------------------------------------------------------------------------


def described(engine: Engine, call: Call) -> dict[str, Any]:
    """What is kept of a new object beside its bytes. Raises S3Error for what can't be."""
    given = call.input
    facts: dict[str, Any] = {}
    facts["headers"] = {name: given[name] for name in _KEPT if given.get(name)}
    _take_encoding(facts["headers"])
    if "HTTP_EXPIRES" in call.environ:
        facts["headers"]["Expires"] = str(call.environ["HTTP_EXPIRES"])
    facts["headers"].setdefault("ContentType", _DEFAULT_TYPE)
    facts["meta"] = _checked_metadata(given.get("Metadata", {}))
    facts["sse"] = encryption.wanted(engine, call)
    storage_class = given.get("StorageClass", "STANDARD")
    if storage_class in _ELSEWHERE:
        raise S3Error(
            "NotImplemented",
            f"The local cloud does not emulate the storage class {storage_class}.",
            status=501,
        )
    if storage_class != "STANDARD":
        facts["storage"] = storage_class
    if given.get("Tagging"):
        facts["tags"] = tags.from_header(given["Tagging"])
    if redirect := given.get("WebsiteRedirectLocation"):
        _check_redirect(redirect)
    if grants := acls.of_request(engine, call):
        facts["acl"] = grants
    _refuse_locks(given)
    return facts


def _take_encoding(headers: dict[str, Any]) -> None:
    """aws-chunked is how the body came, not how it is."""
    kept = [each.strip() for each in str(headers.pop("ContentEncoding", "")).split(",")]
    kept = [each for each in kept if each and each != "aws-chunked"]
    if kept:
        headers["ContentEncoding"] = ", ".join(kept)


def _checked_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    size = sum(len(name) + len(value.encode()) for name, value in metadata.items())
    if size > METADATA:
        raise S3Error("MetadataTooLarge", details={"Size": str(size), "MaxSizeAllowed": str(METADATA)})
    return metadata


def _check_redirect(location: str) -> None:
    if not location.startswith(("/", "http://", "https://")):
        words = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."
        raise S3Error("InvalidRedirectLocation", words)


def _refuse_locks(given: Mapping[str, Any]) -> None:
    if any(
        given.get(name)
        for name in ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
    ):
        raise invalid_request("Bucket is missing Object Lock Configuration")


def put_object(engine: Engine, call: Call) -> Reply:
    """PutObject."""
    engine.bucket(call)
    check_key(call.key)
    if call.input.get("WriteOffsetBytes") is not None:
        raise S3Error("NotImplemented", "The local cloud does not emulate appending to objects.", status=501)
    facts = described(engine, call)
    check_conditions(engine, call)
    arrived = uploads.receive(engine, call)
    algorithm, checksum = arrived.checksum
    if algorithm:
        facts["sum"] = {"algorithm": algorithm, "value": checksum, "type": "FULL_OBJECT"}
    try:
        with engine.storage.transaction():
            body = engine.bodies.keep(arrived.received)
            segments = [Segment(1, arrived.received.size, body)]
            version, gone = store(engine, call, segments, arrived.etag, facts)
    except BaseException:
        engine.bodies.discard(arrived.received)
        raise
    engine.bodies.remove(gone)
    bucket = _bucket_of(engine, call)
    engine.happened("ObjectCreated:Put", version, call)
    return Reply(written(engine, bucket, version))


def store(
    engine: Engine, call: Call, segments: Sequence[Segment], etag: str, facts: Mapping[str, Any]
) -> tuple[Version, list[int]]:
    """Make a body the newest version of its key; that, and the bodies that nothing has any more.

    Within a transaction: what the write is conditional on is looked at here.
    """
    bucket = _bucket_of(engine, call)
    check_conditions(engine, call)
    gone = [] if bucket.versioning == "Enabled" else drop_null(engine, call.bucket, call.key)
    size = sum(each.size for each in segments)
    number = engine.storage.next_version()
    named = new_version_id(bucket, number)
    made = int(engine.now())
    new = Version(number, call.bucket, call.key, named, True, False, made, size, etag, facts=facts)
    new = new._replace(listed=writing.write_members("Object", entry(new)))
    engine.storage.add_version(new, segments)
    return new, gone


def check_conditions(engine: Engine, call: Call) -> None:
    """Raise S3Error where a write is conditional on what is not so."""
    if "IfMatch" in call.input or "IfNoneMatch" in call.input:
        conditions.check_write(engine.storage.newest(call.bucket, call.key), call.key, call.input)


def _bucket_of(engine: Engine, call: Call) -> Bucket:
    bucket = engine.storage.bucket(call.bucket)
    if bucket is None:  # deleted while the body came
        raise no_bucket(call.bucket)
    return bucket


def new_version_id(bucket: Bucket, number: int) -> str:
    """The id of a version that is made in this bucket now."""
    return ordered_id(number, 32) if bucket.versioning == "Enabled" else NULL


def drop_null(engine: Engine, bucket: str, key: str) -> list[int]:
    """Forget the version that has no id, which the next one without replaces; its bodies."""
    found = engine.storage.version(bucket, key, NULL)
    if found is None:
        return []
    bodies = [each.body for each in engine.storage.segments(found.id)]
    engine.storage.drop_version(found)
    return bodies


def written(engine: Engine, bucket: Bucket, version: Version) -> dict[str, Any]:
    """What an answer to a write tells."""
    known = version.version if bucket.versioning == "Enabled" else None
    output = {"ETag": quoted(version.etag), "VersionId": known, "Expiration": lifecycle.told(engine, version)}
    return output | encryption.told(version.facts) | checksum_of(version)


def checksum_of(version: Version) -> dict[str, Any]:
    """A version's checksum, by the parameters that tell it."""
    known = version.facts.get("sum")
    if not known:
        return {}
    return {checksums.member(known["algorithm"]): known["value"], "ChecksumType": known["type"]}


# -- reading -------------------------------------------------------------------------------------------


def get_object(engine: Engine, call: Call) -> Reply:
    """GetObject."""
    with engine.storage.reading():
        version, output, span, status = _look(engine, call)
        parts = (
            engine.bodies.open(engine.storage.segments(version.id), *span) if span[1] >= span[0] else iter(())
        )
    return Reply(output, status, parts, _expires(call, version))


def head_object(engine: Engine, call: Call) -> Reply:
    """HeadObject: as GetObject, without the body."""
    version, output, _, status = _look(engine, call)
    return Reply(output, status, iter(()), _expires(call, version))


def _look(engine: Engine, call: Call) -> tuple[Version, dict[str, Any], tuple[int, int], int]:
    """The version, what is told of it, its first and last byte that are wanted, and the status."""
    bucket, version = engine.bucket(call), engine.object(call)
    given = call.input
    if call.header("x-amz-server-side-encryption"):
        words = "x-amz-server-side-encryption header is not supported for this operation."
        raise invalid_argument(
            words, "x-amz-server-side-encryption", call.header("x-amz-server-side-encryption")
        )
    encryption.check_key(version, given)
    conditions.check_read(version, given)
    span, more = _span(engine, version, given)
    output = seen(bucket, version) | more | _overrides(call)
    output |= {"ContentLength": span[1] - span[0] + 1, "Expiration": lifecycle.told(engine, version)}
    if given.get("ChecksumMode") == "ENABLED" and "ContentRange" not in output:
        output |= checksum_of(version)
    return version, output, span, 206 if "ContentRange" in output else 200


def seen(bucket: Bucket, version: Version) -> dict[str, Any]:
    """What reading an object tells of it."""
    facts = version.facts
    output = {name: value for name, value in facts["headers"].items() if name != "Expires"}
    output |= {
        "ETag": quoted(version.etag),
        "LastModified": version.made,
        "AcceptRanges": "bytes",
        "Metadata": facts.get("meta", {}),
        "VersionId": shown_version(bucket, version),
        "StorageClass": facts.get("storage"),
        "TagCount": len(facts.get("tags", ())) or None,
    }
    return output | encryption.told(facts)


def _expires(call: Call, version: Version) -> tuple[tuple[str, str], ...]:
    """Expires is given back as it was sent, whatever it is."""
    from urllib.parse import parse_qs

    asked = parse_qs(str(call.environ.get("QUERY_STRING", ""))).get("response-expires")
    value = asked[0] if asked else version.facts["headers"].get("Expires")
    return (("Expires", header_text(value)),) if value else ()


def _overrides(call: Call) -> dict[str, Any]:
    found = {name: call.input[asked] for asked, name in _OVERRIDES.items() if call.input.get(asked)}
    if found and not call.environ.get(TRUSTED):
        raise invalid_request("Request specific response headers cannot be used for anonymous GET requests.")
    return found


def _span(
    engine: Engine, version: Version, given: Mapping[str, Any]
) -> tuple[tuple[int, int], dict[str, Any]]:
    """The first and the last byte that are wanted, and what is told of that."""
    number, text = given.get("PartNumber"), given.get("Range")
    if number is not None:
        if text:
            raise invalid_request("Cannot specify both Range header and partNumber query parameter")
        return _span_of_part(engine, version, number, asks_checksum=given.get("ChecksumMode") == "ENABLED")
    span = parse_range(text, version.size) if text else None
    if span is None:
        return (0, version.size - 1), {}
    return span, {"ContentRange": f"bytes {span[0]}-{span[1]}/{version.size}"}


def _span_of_part(
    engine: Engine, version: Version, number: int, *, asks_checksum: bool
) -> tuple[tuple[int, int], dict[str, Any]]:
    count = version.facts.get("parts", 0)
    if not 1 <= number <= 10000:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive", "partNumber", str(number)
        )
    if number > max(count, 1):
        details = {"ActualPartCount": str(max(count, 1)), "PartNumberRequested": str(number)}
        raise S3Error("InvalidPartNumber", details=details)
    if not count:
        return (0, version.size - 1), {}
    segments = engine.storage.segments(version.id)
    sizes = [each.size for each in segments]
    first = sum(sizes[: number - 1])
    last = first + sizes[number - 1] - 1
    told = {"ContentRange": f"bytes {first}-{last}/{version.size}", "PartsCount": count}
    if asks_checksum and segments[number - 1].facts:
        told |= {**segments[number - 1].facts, "ChecksumType": version.facts.get("sum", {}).get("type")}
    return (first, last), told


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """The first and last byte of a Range header; None for what S3 ignores. Raises S3Error where there are none."""
    match = _RANGE(text.strip())
    if match is None or match.groups() == ("", ""):
        return None
    if match[1] == "":
        length = min(int(match[2]), size)
        first, last = size - length, size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
        if match[2] and int(match[2]) < int(match[1]):
            return None
    if first > last:
        details = {"RangeRequested": text, "ActualObjectSize": str(size)}
        raise S3Error("InvalidRange", details=details)
    return first, last


def get_object_attributes(engine: Engine, call: Call) -> Reply:
    """GetObjectAttributes."""
    bucket, version = engine.bucket(call), engine.object(call)
    encryption.check_key(version, call.input)
    wanted = call.input.get("ObjectAttributes", [])
    if not wanted:
        raise invalid_request(
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"
        )
    every: Mapping[str, Callable[[], Any]] = {
        "ETag": lambda: version.etag,
        "Checksum": lambda: checksum_of(version) or None,
        "ObjectParts": lambda: _object_parts(engine, version, call.input),
        "StorageClass": lambda: version.facts.get("storage", "STANDARD"),
        "ObjectSize": lambda: version.size,
    }
    output = {name: every[name]() for name in wanted}
    return Reply(output | {"LastModified": version.made, "VersionId": shown_version(bucket, version)})


def _object_parts(engine: Engine, version: Version, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parts; each is told only where it has a checksum of its own."""
    count = version.facts.get("parts", 0)
    if not count:
        return None
    most, behind = min(given.get("MaxParts", 1000), 1000), given.get("PartNumberMarker", 0)
    segments = [each for each in engine.storage.segments(version.id) if each.number > behind]
    if not any(each.facts for each in segments):
        return {"TotalPartsCount": count}
    page = segments[:most]
    parts = [{"PartNumber": each.number, "Size": each.size, **each.facts} for each in page]
    return {
        "TotalPartsCount": count,
        "PartNumberMarker": behind,
        "MaxParts": most,
        "Parts": parts,
        "NextPartNumberMarker": page[-1].number if page else 0,
        "IsTruncated": len(segments) > most,
    }


# -- tags of objects -----------------------------------------------------------------------------------


def get_object_tagging(engine: Engine, call: Call) -> Reply:
    """GetObjectTagging."""
    bucket, version = engine.bucket(call), engine.object(call)
    return Reply({"TagSet": version.facts.get("tags", []), "VersionId": shown_version(bucket, version)})


def put_object_tagging(engine: Engine, call: Call) -> Reply:
    """PutObjectTagging."""
    found = tags.check(call.input["Tagging"]["TagSet"], tags.OF_OBJECT)
    return _retag(engine, call, found, "ObjectTagging:Put", 200)


def delete_object_tagging(engine: Engine, call: Call) -> Reply:
    """DeleteObjectTagging."""
    return _retag(engine, call, [], "ObjectTagging:Delete", 204)


def _retag(engine: Engine, call: Call, found: list[tags.Tag], event: str, status: int) -> Reply:
    with engine.storage.transaction():
        bucket, version = engine.bucket(call), engine.object(call)
        engine.storage.put_facts(version, {**version.facts, "tags": found})
    engine.happened(event, version, call)
    return Reply({"VersionId": shown_version(bucket, version)}, status)


def entry(version: Version) -> dict[str, Any]:
    """What listings tell of an object besides its names."""
    known = version.facts.get("sum")
    output = {
        "LastModified": iso_date(version.made),
        "ETag": quoted(version.etag),
        "Size": version.size,
        "StorageClass": version.facts.get("storage", "STANDARD"),
    }
    return output | (
        {"ChecksumAlgorithm": [known["algorithm"]], "ChecksumType": known["type"]} if known else {}
    )
