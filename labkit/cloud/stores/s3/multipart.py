"""Multipart uploads: begun, their parts uploaded or copied, completed or given up.

What belongs here: those operations, and ListParts. What does not: listing uploads (listings).
S3 user guide: "Uploading and copying objects using multipart upload".
"""

from collections.abc import Mapping, Sequence
from hashlib import md5
from itertools import pairwise
from typing import Any

from labkit.cloud.stores.s3 import copies, uploads
from labkit.cloud.stores.s3.conditions import quoted
from labkit.cloud.stores.s3.engine import Call, Engine, Reply, check_key, shown_version
from labkit.cloud.stores.s3.ids import ordered_id
from labkit.cloud.stores.s3.objects import check_conditions, checksum_of, described, store, written
from labkit.cloud.stores.s3.settings import encryption
from labkit.cloud.stores.s3.storage import Part, Segment, Upload, Version
from labkit.cloud.stores.s3.wire import checksums
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, invalid_request, malformed_xml

#: numbers of parts, and bytes of all but the last
MOST_PARTS, SMALLEST_PART = 10_000, 5 << 20
_NUMBER = "Part number must be an integer between 1 and 10000, inclusive"


def create_multipart_upload(engine: Engine, call: Call) -> Reply:
    """CreateMultipartUpload."""
    engine.bucket(call)
    check_key(call.key)
    facts = described(engine, call)
    algorithm, kind = call.input.get("ChecksumAlgorithm", ""), call.input.get("ChecksumType", "")
    if kind and not algorithm:
        raise invalid_request(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        )
    if algorithm:
        facts["sums"] = {"algorithm": algorithm, "type": checksums.check_pair(algorithm, kind)}
    with engine.storage.transaction():
        number = engine.storage.next_upload()
        upload = Upload(ordered_id(number, 128), number, call.bucket, call.key, int(engine.now()), facts)
        engine.storage.put_upload(upload)
    output = {"Bucket": call.bucket, "Key": call.key, "UploadId": upload.id} | encryption.told(facts)
    if algorithm:
        output |= {"ChecksumAlgorithm": algorithm, "ChecksumType": facts["sums"]["type"]}
    return Reply(output)


def _upload(engine: Engine, call: Call) -> Upload:
    engine.bucket(call)
    found = engine.storage.upload(call.bucket, call.key, str(call.input["UploadId"]))
    if found is None:
        raise S3Error("NoSuchUpload", details={"UploadId": str(call.input["UploadId"])})
    return found


def upload_part(engine: Engine, call: Call) -> Reply:
    """UploadPart."""
    _check_number(call)
    upload = _upload(engine, call)
    encryption.check_part(upload.facts, call.input)
    wanted = (upload.facts.get("sums") or {}).get("algorithm", "")
    named = checksums.given(call.input)[0]
    if wanted and named and named != wanted:
        raise _other_checksum(wanted, named)
    arrived = uploads.receive(engine, call, wanted)
    if wanted and arrived.checksum[0] != wanted:
        engine.bodies.discard(arrived.received)
        raise _other_checksum(wanted, arrived.checksum[0])
    part = _keep(engine, call, arrived)
    return Reply({"ETag": quoted(part.etag), **part.facts, **encryption.told(upload.facts)})


def _other_checksum(wanted: str, named: str) -> S3Error:
    words = f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, actual checksum Type: {named.lower()}"
    return invalid_request(words)


def _check_number(call: Call) -> None:
    number = call.input["PartNumber"]
    if not 1 <= number <= MOST_PARTS:
        raise invalid_argument(_NUMBER, "partNumber", str(number))


def upload_part_copy(engine: Engine, call: Call) -> Reply:
    """UploadPartCopy."""
    _check_number(call)
    upload = _upload(engine, call)
    encryption.check_part(upload.facts, call.input)
    source = copies.source_of(engine, call)
    wanted = (upload.facts.get("sums") or {}).get("algorithm", "")
    part = _keep(engine, call, copies.range_of(engine, call, source, wanted))
    result = {"ETag": quoted(part.etag), "LastModified": part.made, **part.facts}
    origin = engine.storage.bucket(source.bucket)
    told = {"CopySourceVersionId": shown_version(origin, source) if origin else None}
    return Reply({"CopyPartResult": result, **told, **encryption.told(upload.facts)})


def _keep(engine: Engine, call: Call, arrived: uploads.Arrived) -> Part:
    """Make what arrived a part, in place of an earlier one of its number."""
    algorithm, checksum = arrived.checksum
    facts = {checksums.member(algorithm): checksum} if algorithm else {}
    number, size = call.input["PartNumber"], arrived.received.size
    try:
        with engine.storage.transaction():
            upload = _upload(engine, call)
            before = engine.storage.parts(upload.id, number - 1, 1)
            body = engine.bodies.keep(arrived.received)
            part = Part(number, size, arrived.etag, int(engine.now()), facts, body)
            engine.storage.put_part(upload.id, part)
    except BaseException:
        engine.bodies.discard(arrived.received)
        raise
    engine.bodies.remove([each.body for each in before if each.number == number])
    return part


def list_parts(engine: Engine, call: Call) -> Reply:
    """ListParts."""
    upload, given = _upload(engine, call), call.input
    behind, most = int(given.get("PartNumberMarker") or 0), min(given.get("MaxParts", 1000), 1000)
    found = engine.storage.parts(upload.id, behind, most + 1)
    page = found[:most]
    sums = upload.facts.get("sums") or {}
    told = [
        {
            "PartNumber": each.number,
            "LastModified": each.made,
            "ETag": quoted(each.etag),
            "Size": each.size,
            **each.facts,
        }
        for each in page
    ]
    return Reply({
        "Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.id, "PartNumberMarker": behind,
        "NextPartNumberMarker": page[-1].number if page else 0, "MaxParts": most, "IsTruncated": len(found) > most,
        "Parts": told, "Initiator": engine.owner, "Owner": engine.owner,
        "StorageClass": upload.facts.get("storage", "STANDARD"),
        "ChecksumAlgorithm": sums.get("algorithm"), "ChecksumType": sums.get("type"),
    })  # fmt: skip


def abort_multipart_upload(engine: Engine, call: Call) -> Reply:
    """AbortMultipartUpload."""
    with engine.storage.transaction():
        upload = _upload(engine, call)
        gone = [each.body for each in engine.storage.parts(upload.id)]
        engine.storage.drop_upload(upload.id)
    engine.bodies.remove(gone)
    return Reply(status=204)


# -- completing ----------------------------------------------------------------------------------------


def complete_multipart_upload(engine: Engine, call: Call) -> Reply:
    """CompleteMultipartUpload; asked again, it answers the same."""
    bucket = engine.bucket(call)
    wanted = (call.input.get("MultipartUpload") or {}).get("Parts", [])
    with engine.storage.transaction():
        before = engine.storage.completed(str(call.input["UploadId"]))
        if before is not None and (before["Bucket"], before["Key"]) == (call.bucket, call.key):
            return Reply(before)
        upload = _upload(engine, call)
        if not wanted:
            raise malformed_xml()
        check_conditions(engine, call)
        stored = {each.number: each for each in engine.storage.parts(upload.id)}
        parts = _chosen(upload, stored, wanted)
        facts = _finished(upload, parts, call.input)
        segments = [Segment(each.number, each.size, each.body, each.facts) for each in parts]
        etag = md5(b"".join(bytes.fromhex(each.etag) for each in parts), usedforsecurity=False).hexdigest()
        version, gone = store(engine, call, segments, f"{etag}-{len(parts)}", facts)
        engine.storage.drop_upload(upload.id)
        output = _completed(engine, call, version) | written(engine, bucket, version)
        engine.storage.put_completed(upload.id, output, int(engine.now()))
    chosen = {each.number for each in parts}
    engine.bodies.remove([*gone, *(each.body for each in stored.values() if each.number not in chosen)])
    engine.happened("ObjectCreated:CompleteMultipartUpload", version, call)
    return Reply(output)


def _completed(engine: Engine, call: Call, version: Version) -> dict[str, Any]:
    from urllib.parse import quote

    where = f"https://{call.bucket}.s3.{call.region}.amazonaws.com/{quote(call.key, safe='')}"
    return {"Location": where, "Bucket": call.bucket, "Key": call.key, **checksum_of(version)}


def _chosen(upload: Upload, stored: Mapping[int, Part], wanted: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The parts that the request names. Raises S3Error where they are not there, not in order, or too small."""
    if any("PartNumber" not in each or "ETag" not in each for each in wanted):
        raise malformed_xml()
    numbers = [int(each["PartNumber"]) for each in wanted]
    if any(not 1 <= number <= MOST_PARTS for number in numbers):
        raise invalid_argument(_NUMBER)
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise S3Error("InvalidPartOrder", details={"UploadId": upload.id})
    parts = [_one(upload, stored, each) for each in wanted]
    for part in parts[:-1]:
        if part.size < SMALLEST_PART:
            raise S3Error(
                "EntityTooSmall",
                details={
                    "ProposedSize": str(part.size),
                    "MinSizeAllowed": str(SMALLEST_PART),
                    "PartNumber": str(part.number),
                    "ETag": part.etag,
                },
            )
    return parts


def _one(upload: Upload, stored: Mapping[int, Part], wanted: Mapping[str, Any]) -> Part:
    number, etag = wanted["PartNumber"], str(wanted["ETag"]).strip().strip('"')
    part = stored.get(number)
    details = {"UploadId": upload.id, "PartNumber": str(number), "ETag": etag}
    if part is None or part.etag != etag:
        raise S3Error("InvalidPart", details=details)
    for algorithm in checksums.ALGORITHMS:
        name = checksums.member(algorithm)
        if name in wanted and wanted[name] != part.facts.get(name):
            raise S3Error("InvalidPart", details=details)
    return part


def _finished(upload: Upload, parts: Sequence[Part], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of the object. Raises S3Error where its size or checksum is not what the request says."""
    facts = {name: value for name, value in upload.facts.items() if name != "sums"} | {"parts": len(parts)}
    size = given.get("MpuObjectSize")
    if size is not None and int(size) != sum(each.size for each in parts):
        words = "The provided 'x-amz-mp-object-size' header does not match what was computed."
        raise invalid_request(words)
    sums = upload.facts.get("sums")
    algorithm, value = checksums.given({**given, **_without_count(given)})
    if not sums:
        return facts
    kind = given.get("ChecksumType", sums["type"])
    if kind != sums["type"]:
        words = f"The upload was created using the {sums['type']} checksum mode. The complete request must use the same checksum mode."
        raise invalid_request(words)
    name = checksums.member(sums["algorithm"])
    if sums["type"] == "COMPOSITE":
        made = checksums.composite(sums["algorithm"], [each.facts[name] for each in parts])
    else:
        made = checksums.combined(sums["algorithm"], [(each.facts[name], each.size) for each in parts])
    if algorithm and (algorithm != sums["algorithm"] or value != made.partition("-")[0]):
        words = f"The {algorithm.lower()} you specified did not match the calculated checksum."
        raise S3Error("BadDigest", words)
    return facts | {"sum": {"algorithm": sums["algorithm"], "value": made, "type": sums["type"]}}


def _without_count(given: Mapping[str, Any]) -> dict[str, str]:
    """Composite checksums may be given with the number of their parts."""
    names = [checksums.member(algorithm) for algorithm in checksums.ALGORITHMS]
    return {name: str(given[name]).partition("-")[0] for name in names if given.get(name)}
