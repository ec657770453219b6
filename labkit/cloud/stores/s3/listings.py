"""Listings: objects, versions, uploads, a page at a time, and only what the page holds is looked at.

Keys that share what stands before a delimiter are one entry, and the listing goes on behind all of them at once. A page
begins behind a key, not at a count, so it stays right while keys are deleted and made.

What belongs here: the four listings. What does not: listing buckets (buckets) and parts (multipart).
S3 API reference: "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads".
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from labkit.cloud.stores.s3.engine import NULL, Call, Engine, Reply
from labkit.cloud.stores.s3.ids import place_of
from labkit.cloud.stores.s3.storage import Listed, Upload, Version
from labkit.cloud.stores.s3.wire.errors import invalid_argument
from labkit.cloud.stores.s3.wire.writing import Raw, escape

#: entries of a page
MOST = 1000
_TOKEN = "The continuation token provided is incorrect"


@dataclass
class Page:
    """What a page holds: entries and prefixes in the order in which they count; where the next one begins."""

    entries: list[Any] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    last_entry: Any = None
    truncated: bool = False


@dataclass(frozen=True)
class Wanted:
    """What a request wants listed."""

    prefix: str
    delimiter: str
    most: int

    def group(self, key: str) -> str:
        """What stands before the delimiter in a key, with it; "" where it is an entry of its own."""
        if not self.delimiter:
            return ""
        at = key.find(self.delimiter, len(self.prefix))
        return key[: at + len(self.delimiter)] if at >= 0 else ""


def _wanted(call: Call, limit: str) -> Wanted:
    given = call.input
    most = given.get(limit)
    return Wanted(
        given.get("Prefix") or "", given.get("Delimiter") or "", MOST if most is None else min(most, MOST)
    )


def successor(text: str) -> str | None:
    """The first text behind all that begin with this one, in order of their UTF-8; None where there is none."""
    while text:
        code = ord(text[-1]) + 1
        if code <= 0x10FFFF:
            return text[:-1] + chr(0xE000 if code == 0xD800 else code)
        text = text[:-1]
    return None


def _fill(
    wanted: Wanted, behind: str, more_at: bool, rows: Callable[[str, bool], Iterator[Any]], page: Page
) -> Page:
    """Fill a page from keys behind a key; `rows(start, first)` gives entries from a start, which is a new one unless
    `first`. `more_at`: the key itself may have more entries (versions, uploads).
    """
    start, first = behind, True
    if start < wanted.prefix:
        start, first = wanted.prefix, False
    elif (
        more_at is False
        and (group := wanted.group(start))
        and start == group
        and start.startswith(wanted.prefix)
    ):
        after = successor(group)
        if after is None:
            return page
        start, first = after, False
    while True:
        skipped = None
        for each in rows(start, first):
            if not each.key.startswith(wanted.prefix):
                return page
            group = wanted.group(each.key)
            if group and group <= behind and behind.startswith(group):
                skipped = group  # the page before ended with it
                break
            if len(page.entries) + len(page.prefixes) >= wanted.most:
                page.truncated = wanted.most > 0
                return page
            if group:
                page.prefixes.append(group)
                page.last, page.last_entry, skipped = group, None, group
                break
            page.entries.append(each)
            page.last, page.last_entry = each.key, each
        if skipped is None:
            return page
        after = successor(skipped)
        if after is None:
            return page
        start, first = after, False


def _objects(engine: Engine, bucket: str, wanted: Wanted, behind: str) -> Page:
    def rows(start: str, first: bool) -> Iterator[Listed]:
        return engine.storage.objects_behind(bucket, start, with_start=not (first and start))

    with engine.storage.reading():
        return _fill(wanted, behind, False, rows, Page())


def _encoder(call: Call) -> Callable[[str], str]:
    return (
        (lambda text: quote(text, safe="/-_.~*"))
        if call.input.get("EncodingType") == "url"
        else (lambda text: text)
    )


def _contents(page: Page, encode: Callable[[str], str], owner: Mapping[str, str] | None) -> dict[str, Any]:
    more = f"<Owner><ID>{owner['ID']}</ID></Owner>" if owner else ""
    return {
        "Contents": [
            Raw(f"<Key>{escape(encode(each.key))}</Key>{each.listed}{more}") for each in page.entries
        ],
        "CommonPrefixes": [{"Prefix": encode(each)} for each in page.prefixes],
        "IsTruncated": page.truncated,
    }


def list_objects(engine: Engine, call: Call) -> Reply:
    """ListObjects, the first version."""
    engine.bucket(call)
    wanted, marker, encode = _wanted(call, "MaxKeys"), call.input.get("Marker") or "", _encoder(call)
    page = _objects(engine, call.bucket, wanted, marker)
    following = encode(page.last) if page.truncated and wanted.delimiter else None
    return Reply({
        "Name": call.bucket, "Prefix": wanted.prefix, "Marker": encode(marker), "MaxKeys": wanted.most,
        "Delimiter": encode(wanted.delimiter) or None, "EncodingType": call.input.get("EncodingType"),
        "NextMarker": following, **_contents(page, encode, engine.owner),
    })  # fmt: skip


def list_objects_v2(engine: Engine, call: Call) -> Reply:
    """ListObjectsV2."""
    engine.bucket(call)
    given, wanted, encode = call.input, _wanted(call, "MaxKeys"), _encoder(call)
    token, start = given.get("ContinuationToken"), given.get("StartAfter") or ""
    page = _objects(engine, call.bucket, wanted, _untoken(token) if token else start)
    return Reply({
        "Name": call.bucket, "Prefix": encode(wanted.prefix), "MaxKeys": wanted.most,
        "Delimiter": encode(wanted.delimiter) or None, "EncodingType": given.get("EncodingType"),
        "KeyCount": len(page.entries) + len(page.prefixes), "ContinuationToken": token,
        "NextContinuationToken": _token(page.last) if page.truncated else None,
        "StartAfter": encode(start) or None,
        **_contents(page, encode, engine.owner if given.get("FetchOwner") else None),
    })  # fmt: skip


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(b"1" + key.encode("utf-8", "surrogatepass")).decode()


def _untoken(token: str) -> str:
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
        if data[:1] != b"1":
            raise ValueError
        return data[1:].decode()
    except ValueError:
        raise invalid_argument(_TOKEN, "continuation-token", token) from None


def list_object_versions(engine: Engine, call: Call) -> Reply:
    """ListObjectVersions."""
    bucket, given, wanted, encode = engine.bucket(call), call.input, _wanted(call, "MaxKeys"), _encoder(call)
    key, marker = given.get("KeyMarker") or "", given.get("VersionIdMarker") or ""
    if marker and not key:
        words = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(words, "version-id-marker", marker)
    with engine.storage.reading():
        below = _number(engine, bucket.name, key, marker)

        def rows(start: str, first: bool) -> Iterator[Version]:
            # a later start is where a group of keys ended, which may be a key of its own
            return engine.storage.versions_behind(bucket.name, start, below if first else None)

        page = _fill(wanted, key, below > 0, rows, Page())
    last = page.last_entry
    following = (
        {}
        if not page.truncated
        else {"NextKeyMarker": encode(page.last), "NextVersionIdMarker": last.version if last else None}
    )
    return Reply({
        "Name": call.bucket, "Prefix": encode(wanted.prefix), "KeyMarker": encode(key), "VersionIdMarker": marker,
        "MaxKeys": wanted.most, "Delimiter": encode(wanted.delimiter) or None,
        "EncodingType": given.get("EncodingType"), "IsTruncated": page.truncated, **following,
        "Versions": [_version(engine.owner["ID"], each, encode) for each in page.entries if not each.marker],
        "DeleteMarkers": [_marker(engine, each, encode) for each in page.entries if each.marker],
        "CommonPrefixes": [{"Prefix": encode(each)} for each in page.prefixes],
    })  # fmt: skip


def _number(engine: Engine, bucket: str, key: str, marker: str) -> int:
    """The versions of the marker's key that are still to be listed are older than this number."""
    if not marker:
        return 0
    found = engine.storage.version(bucket, key, marker)
    if found is not None:
        return found.id
    place = 1 << 62 if marker == NULL else place_of(marker)  # what had no id may have been the newest
    if place is None:
        raise invalid_argument("Invalid version id specified", "version-id-marker", marker)
    return place


def _version(owner: str, each: Version, encode: Callable[[str], str]) -> Raw:
    latest = "true" if each.latest else "false"
    names = f"<Key>{escape(encode(each.key))}</Key><VersionId>{each.version}</VersionId><IsLatest>{latest}</IsLatest>"
    return Raw(f"{names}{each.listed}<Owner><ID>{owner}</ID></Owner>")


def _marker(engine: Engine, each: Version, encode: Callable[[str], str]) -> dict[str, Any]:
    named = {"Key": encode(each.key), "VersionId": each.version, "IsLatest": each.latest}
    return {**named, "LastModified": each.made, "Owner": engine.owner}


def list_multipart_uploads(engine: Engine, call: Call) -> Reply:
    """ListMultipartUploads."""
    bucket, given, wanted, encode = (
        engine.bucket(call),
        call.input,
        _wanted(call, "MaxUploads"),
        _encoder(call),
    )
    key, marker = (
        given.get("KeyMarker") or "",
        given.get("UploadIdMarker") or "" if given.get("KeyMarker") else "",
    )
    with engine.storage.reading():
        number = place_of(marker) if marker else None

        def rows(start: str, first: bool) -> Iterator[Upload]:
            return engine.storage.uploads_behind(bucket.name, start, number if first else 0)

        page = _fill(wanted, key, number is not None, rows, Page())
    last = page.last_entry
    following = (
        {}
        if not page.truncated
        else {"NextKeyMarker": encode(page.last), "NextUploadIdMarker": last.id if last else None}
    )
    return Reply({
        "Bucket": call.bucket, "Prefix": encode(wanted.prefix), "KeyMarker": encode(key), "UploadIdMarker": marker,
        "MaxUploads": wanted.most, "Delimiter": encode(wanted.delimiter) or None, "IsTruncated": page.truncated,
        "EncodingType": given.get("EncodingType"), **following,
        "Uploads": [_told_upload(engine, each, encode) for each in page.entries],
        "CommonPrefixes": [{"Prefix": encode(each)} for each in page.prefixes],
    })  # fmt: skip


def _told_upload(engine: Engine, each: Upload, encode: Callable[[str], str]) -> dict[str, Any]:
    sums = each.facts.get("sums") or {}
    return {
        "UploadId": each.id,
        "Key": encode(each.key),
        "Initiated": each.made,
        "Initiator": engine.owner,
        "Owner": engine.owner,
        "StorageClass": each.facts.get("storage", "STANDARD"),
        "ChecksumAlgorithm": sums.get("algorithm"),
        "ChecksumType": sums.get("type"),
    }
