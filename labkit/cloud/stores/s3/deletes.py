"""Objects deleted: versions for good, or a delete marker over them.

What belongs here: DeleteObject, DeleteObjects. What does not: what lifecycle rules delete (lifecycle).
S3 user guide: "Deleting object versions", "Working with delete markers".
"""

from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.s3 import conditions
from labkit.cloud.stores.s3.engine import Call, Engine, Reply, check_key, check_version_id, shown_version
from labkit.cloud.stores.s3.objects import drop_null, new_version_id
from labkit.cloud.stores.s3.storage import Bucket, Version
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, malformed_xml, precondition_failed

#: keys of one DeleteObjects
MOST = 1000


def delete_object(engine: Engine, call: Call) -> Reply:
    """DeleteObject."""
    bucket = engine.bucket(call)
    check_key(call.key)
    _refuse_conditions(call.input)
    found = delete(engine, call, bucket, call.key, call.input)
    return Reply(found, 204)


def _refuse_conditions(given: Mapping[str, Any]) -> None:
    if "IfMatchLastModifiedTime" in given or "IfMatchSize" in given:
        words = "A header you provided implies functionality that is not implemented"
        raise S3Error("NotImplemented", words, status=501)


def delete(engine: Engine, call: Call, bucket: Bucket, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Delete a key, or one version of it; what the answer tells."""
    wanted = given.get("VersionId") or ""
    if wanted:
        check_version_id(wanted)
    with engine.storage.transaction():
        if "IfMatch" in given or "ETag" in given:
            _check_match(engine, bucket.name, key, wanted, str(given.get("IfMatch", given.get("ETag"))))
        if wanted:
            gone, event, version = _one_version(engine, bucket, key, wanted)
        else:
            gone, event, version = _newest(engine, bucket, key)
    engine.bodies.remove(gone)
    if version is None:
        return {"VersionId": wanted} if wanted and bucket.versioning else {}
    if event:
        engine.happened(event, version, call)
    marker = {"DeleteMarker": True} if version.marker else {}
    return {"VersionId": shown_version(bucket, version) if wanted or version.marker else None, **marker}


def _check_match(engine: Engine, bucket: str, key: str, version: str, condition: str) -> None:
    found = engine.storage.version(bucket, key, version) if version else engine.storage.newest(bucket, key)
    if found is None or found.marker:
        raise S3Error("NoSuchKey", details={"Key": key})
    if not conditions.fits(condition, found.etag):
        raise precondition_failed("If-Match")


def _one_version(
    engine: Engine, bucket: Bucket, key: str, wanted: str
) -> tuple[list[int], str, Version | None]:
    """Forget a version: bodies, event, and what it was."""
    found = engine.storage.version(bucket.name, key, wanted)
    if found is None:
        return [], "", None
    bodies = [each.body for each in engine.storage.segments(found.id)]
    engine.storage.drop_version(found)
    return bodies, "ObjectRemoved:Delete", found


def _newest(engine: Engine, bucket: Bucket, key: str) -> tuple[list[int], str, Version | None]:
    """Take a key out of sight; for good where the bucket keeps no versions."""
    if not bucket.versioning:
        found = engine.storage.newest(bucket.name, key)
        return drop_null(engine, bucket.name, key), "ObjectRemoved:Delete" if found else "", found
    gone = drop_null(engine, bucket.name, key) if bucket.versioning == "Suspended" else []
    number = engine.storage.next_version()
    marker = Version(
        number, bucket.name, key, new_version_id(bucket, number), True, True, int(engine.now()), 0, ""
    )
    engine.storage.add_version(marker, ())
    return gone, "ObjectRemoved:DeleteMarkerCreated", marker


def delete_objects(engine: Engine, call: Call) -> Reply:
    """DeleteObjects: each key has its own outcome."""
    bucket, wanted = engine.bucket(call), call.input["Delete"]
    objects = wanted.get("Objects", [])
    if not objects or len(objects) > MOST:
        raise malformed_xml()
    deleted: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for each in objects:
        try:
            deleted.append(_delete_one(engine, call, bucket, each))
        except S3Error as error:
            named = {"Key": each["Key"], "VersionId": each.get("VersionId") or None}
            errors.append({**named, "Code": error.code, "Message": error.message})
    return Reply({"Errors": errors} if wanted.get("Quiet") else {"Deleted": deleted, "Errors": errors})


def _delete_one(engine: Engine, call: Call, bucket: Bucket, each: Mapping[str, Any]) -> dict[str, Any]:
    if not each["Key"]:
        raise invalid_argument("The key must not be empty")
    check_key(each["Key"])
    found = delete(engine, call, bucket, each["Key"], each)
    told: dict[str, Any] = {"Key": each["Key"], "VersionId": each.get("VersionId") or None}
    if found.get("DeleteMarker"):
        told |= {"DeleteMarker": True, "DeleteMarkerVersionId": found["VersionId"]}
    return told
