"""Conditional requests: whether an object is, or is not, what the caller thinks.

What belongs here: the conditions of reading, writing, deleting and copying. What does not: what is done then.
S3 user guide: "Conditional requests"; RFC 9110, 13.2.2 (precedence).
"""

from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.s3.storage import Version
from labkit.cloud.stores.s3.wire.errors import S3Error, no_key, precondition_failed
from labkit.cloud.stores.s3.wire.writing import http_date


def quoted(etag: str) -> str:
    """An entity tag as headers and documents write it."""
    return f'"{etag}"'


def fits(condition: str, etag: str) -> bool:
    """Whether an entity tag is among those of a condition."""
    tags = [each.strip().removeprefix("W/").strip('"') for each in condition.split(",")]
    return "*" in tags or etag in tags


def check_read(found: Version, given: Mapping[str, Any]) -> None:
    """Raise S3Error (412, or 304) where the conditions of a GET or HEAD don't hold."""
    match, none = given.get("IfMatch"), given.get("IfNoneMatch")
    since, until = given.get("IfModifiedSince"), given.get("IfUnmodifiedSince")
    if match is not None:
        if not fits(match, found.etag):
            raise precondition_failed("If-Match")
    elif until is not None and found.made > until:
        raise precondition_failed("If-Unmodified-Since")
    changed = not fits(none, found.etag) if none is not None else since is None or found.made > since
    if not changed:
        headers = {"ETag": quoted(found.etag), "Last-Modified": http_date(found.made)}
        raise S3Error("NotModified", headers=headers)


def check_source(found: Version, given: Mapping[str, Any]) -> None:
    """Raise S3Error (412) where the conditions on the source of a copy don't hold."""
    match, none = given.get("CopySourceIfMatch"), given.get("CopySourceIfNoneMatch")
    since, until = given.get("CopySourceIfModifiedSince"), given.get("CopySourceIfUnmodifiedSince")
    if match is not None:
        if not fits(match, found.etag):
            raise precondition_failed("x-amz-copy-source-If-Match")
    elif until is not None and found.made > until:
        raise precondition_failed("x-amz-copy-source-If-Unmodified-Since")
    if none is not None:
        if fits(none, found.etag):
            raise precondition_failed("x-amz-copy-source-If-None-Match")
    elif since is not None and found.made <= since:
        raise precondition_failed("x-amz-copy-source-If-Modified-Since")


def check_write(newest: Version | None, key: str, given: Mapping[str, Any]) -> None:
    """Raise S3Error where a write, or a deletion, is conditional on what is not so."""
    there = newest if newest is not None and not newest.marker else None
    match, none = given.get("IfMatch"), given.get("IfNoneMatch")
    if none is not None:
        if none.strip().strip('"') != "*":
            words = "A header you provided implies functionality that is not implemented"
            raise S3Error("NotImplemented", words, status=501, details={"Header": "If-None-Match"})
        if there is not None:
            raise precondition_failed("If-None-Match")
    if match is not None:
        if there is None:
            raise no_key(key)
        if not fits(match, there.etag):
            raise precondition_failed("If-Match")
