"""Versions, delete markers, multipart uploads, and listings of everything while it changes."""

import itertools
import os

import pytest

from labkit.cloud.stores.s3.listings import successor
from labkit.cloud.stores.s3.multipart import SMALLEST_PART


def put(s3, bucket, key, body=b"x"):
    return s3.put_object(Bucket=bucket, Key=key, Body=body)


def test_every_write_is_a_version(s3, versioned):
    """S3 user guide, "Using versioning in S3 buckets"."""
    first, second = (put(s3, versioned, "k", body)["VersionId"] for body in (b"1", b"2"))
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == second
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=first)["Body"].read() == b"1"
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [(each["VersionId"], each["IsLatest"]) for each in listed] == [(second, True), (first, False)]


def test_a_delete_marker_hides_and_can_be_taken_away(s3, versioned, refusal):
    """S3 user guide, "Working with delete markers"."""
    put(s3, versioned, "k")
    marker = s3.delete_object(Bucket=versioned, Key="k")
    assert marker["DeleteMarker"] is True
    assert refusal(s3.get_object, Bucket=versioned, Key="k") == "NoSuchKey 404"
    wanted = {"Bucket": versioned, "Key": "k", "VersionId": marker["VersionId"]}
    assert refusal(s3.get_object, **wanted) == "MethodNotAllowed 405"
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert s3.delete_object(**wanted)["DeleteMarker"] is True
    assert refusal(s3.get_object, Bucket=versioned, Key="k") == ""


def test_suspending_keeps_earlier_versions(s3, versioned):
    """S3 user guide, "Working with objects in a versioning-suspended bucket": only "null" is replaced."""
    kept = put(s3, versioned, "k", b"1")["VersionId"]
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"2", b"3"):
        assert "VersionId" not in put(s3, versioned, "k", body)
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [each["VersionId"] for each in listed] == ["null", kept]
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=kept)["Body"].read() == b"1"
    assert s3.delete_object(Bucket=versioned, Key="k")["VersionId"] == "null"
    assert s3.delete_object(Bucket=versioned, Key="k", VersionId="null")["DeleteMarker"] is True
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"


def test_wrong_version_ids(s3, versioned, refusal):
    """S3 API reference, "List of error codes": NoSuchVersion, InvalidArgument."""
    put(s3, versioned, "k")
    read = {"Bucket": versioned, "Key": "k"}
    assert refusal(s3.get_object, **read, VersionId="nonsense") == "InvalidArgument 400"
    assert refusal(s3.get_object, **read, VersionId="A" * 32) == "NoSuchVersion 404"
    assert refusal(s3.get_object, **read, VersionId="null") == "NoSuchVersion 404"


def test_many_are_deleted_at_once(s3, versioned, refusal):
    """S3 API reference, DeleteObjects: an absent key gets a marker too; 1,000 keys."""
    version = put(s3, versioned, "k")["VersionId"]
    wanted = [{"Key": "k", "VersionId": version}, {"Key": "absent"}, {"Key": "k", "VersionId": "nonsense"}]
    told = s3.delete_objects(Bucket=versioned, Delete={"Objects": wanted})
    assert [(each["Key"], each.get("DeleteMarker")) for each in told["Deleted"]] == [
        ("k", None),
        ("absent", True),
    ]
    assert [each["Code"] for each in told["Errors"]] == ["InvalidArgument"]
    many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    assert refusal(s3.delete_objects, Bucket=versioned, Delete=many) == "MalformedXML 400"


# -- multipart uploads ------------------------------------------------------------------------------------


def begin(s3, bucket, **more):
    return {
        "Bucket": bucket,
        "Key": "k",
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k", **more)["UploadId"],
    }


def upload(s3, which, number, body):
    told = s3.upload_part(**which, PartNumber=number, Body=body)
    return {"PartNumber": number, "ETag": told["ETag"], "ChecksumCRC32": told["ChecksumCRC32"]}


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_parts_become_an_object(s3, bucket, kind):
    """S3 user guide, "Uploading and copying objects using multipart upload"; "Checking object integrity"."""
    data = os.urandom(SMALLEST_PART + 1000)
    which = begin(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType=kind, Metadata={"a": "1"})
    upload(s3, which, 3, b"replaced")
    parts = [upload(s3, which, 1, data[:SMALLEST_PART]), upload(s3, which, 3, data[SMALLEST_PART:])]
    listed = s3.list_parts(**which)
    assert [(each["PartNumber"], each["Size"]) for each in listed["Parts"]] == [(1, SMALLEST_PART), (3, 1000)]
    told = s3.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})
    assert told["ETag"].endswith('-2"')
    assert told["ChecksumCRC32"].endswith("-2") == (kind == "COMPOSITE")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (data, {"a": "1"})
    part = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (part["Body"].read(), part["PartsCount"]) == (data[SMALLEST_PART:], 2)
    assert (part["ChecksumCRC32"], part["ChecksumType"]) == (parts[1]["ChecksumCRC32"], kind)
    across = f"bytes={SMALLEST_PART - 2}-{SMALLEST_PART + 1}"
    assert (
        s3.get_object(Bucket=bucket, Key="k", Range=across)["Body"].read()
        == data[SMALLEST_PART - 2 : SMALLEST_PART + 2]
    )
    assert s3.complete_multipart_upload(**which, MultipartUpload={"Parts": parts})["ETag"] == told["ETag"]


def test_what_completing_refuses(s3, bucket, refusal):
    """S3 API reference, CompleteMultipartUpload: errors."""
    which = begin(s3, bucket)
    first, second = upload(s3, which, 1, b"small"), upload(s3, which, 2, b"small")
    complete = s3.complete_multipart_upload

    def refused(*parts):
        return refusal(complete, **which, MultipartUpload={"Parts": list(parts)})

    assert refused() == "MalformedXML 400"
    assert refused(second, first) == "InvalidPartOrder 400"
    assert refused(first, second) == "EntityTooSmall 400"
    assert refused({"PartNumber": 1, "ETag": second["ETag"] + "x"}) == "InvalidPart 400"
    assert refused({"PartNumber": 9, "ETag": first["ETag"]}) == "InvalidPart 400"
    nowhere = {**which, "UploadId": "nowhere"}
    assert refusal(complete, **nowhere, MultipartUpload={"Parts": [first]}) == "NoSuchUpload 404"
    assert refusal(s3.upload_part, **nowhere, PartNumber=1, Body=b"") == "NoSuchUpload 404"
    assert refusal(s3.upload_part, **which, PartNumber=10001, Body=b"") == "InvalidArgument 400"
    s3.abort_multipart_upload(**which)
    assert refusal(s3.list_parts, **which) == "NoSuchUpload 404"


def test_parts_are_copied(s3, bucket, refusal):
    """S3 API reference, UploadPartCopy."""
    put(s3, bucket, "source", b"hello")
    which, source = begin(s3, bucket), {"CopySource": f"{bucket}/source", "PartNumber": 1}
    wrong = {"CopySourceRange": "bytes=0-99"}
    assert refusal(s3.upload_part_copy, **which, **source, **wrong) == "InvalidArgument 400"
    told = s3.upload_part_copy(**which, **source, CopySourceRange="bytes=1-3")["CopyPartResult"]
    s3.complete_multipart_upload(
        **which, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": told["ETag"]}]}
    )
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"ell"


# -- listings ---------------------------------------------------------------------------------------------

KEYS = ["a/1", "a/2", "b", "b/1", "b/2", "c", "d/", "d/1/2", "é/x", "\U0001f600"]


def page_through(ask, named, start):
    """All entries of a listing, a page of one after the other."""
    found, more = [], {}
    for _ in range(50):
        told = ask(**more)
        found += [each["Prefix"] for each in told.get("CommonPrefixes", [])]
        found += [
            each["Key"] for kind in ("Contents", "Versions", "DeleteMarkers") for each in told.get(kind, [])
        ]
        if not told["IsTruncated"]:
            return found
        more = {start[name]: told[name] for name in named if told.get(name)}
    raise AssertionError("the listing does not end")


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("prefix", ["", "a", "b/", "d/", "x"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_hold_each_entry_once(s3, bucket, size, prefix, delimiter):
    """S3 API reference, ListObjects, ListObjectsV2 and ListObjectVersions: markers, prefixes, delimiters."""
    for key in KEYS:
        put(s3, bucket, key)
    expected = []
    for key in sorted(each for each in KEYS if each.startswith(prefix)):
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if at < 0 else key[: at + 1]
        expected += [] if entry in expected else [entry]
    wanted = {"Bucket": bucket, "MaxKeys": size, "Prefix": prefix, "Delimiter": delimiter}
    second = page_through(
        lambda **more: s3.list_objects_v2(**wanted, **more),
        ["NextContinuationToken"],
        {"NextContinuationToken": "ContinuationToken"},
    )
    versions = page_through(
        lambda **more: s3.list_object_versions(**wanted, **more),
        ["NextKeyMarker", "NextVersionIdMarker"],
        {"NextKeyMarker": "KeyMarker", "NextVersionIdMarker": "VersionIdMarker"},
    )
    assert second == sorted(second) if not delimiter else True
    assert (sorted(second), sorted(versions)) == (sorted(expected), sorted(expected))
    if delimiter:
        first = page_through(
            lambda **more: s3.list_objects(**wanted, **more), ["NextMarker"], {"NextMarker": "Marker"}
        )
        assert sorted(first) == sorted(expected)


def test_pages_stay_right_while_what_they_named_is_deleted(s3, versioned):
    """S3 API reference, ListObjectVersions: emptying a bucket, page by page."""
    for number, key in itertools.product(range(3), "abc"):
        put(s3, versioned, key, str(number).encode())
    s3.delete_object(Bucket=versioned, Key="b")
    more, left = {}, 0
    while True:
        told = s3.list_object_versions(Bucket=versioned, MaxKeys=2, **more)
        for each in (*told.get("Versions", []), *told.get("DeleteMarkers", [])):
            s3.delete_object(Bucket=versioned, Key=each["Key"], VersionId=each["VersionId"])
            left += 1
        if not told["IsTruncated"]:
            break
        more = {"KeyMarker": told["NextKeyMarker"]}
        more |= {"VersionIdMarker": told["NextVersionIdMarker"]} if "NextVersionIdMarker" in told else {}
    assert left == 10
    s3.delete_bucket(Bucket=versioned)


def test_uploads_are_listed(s3, bucket):
    """S3 API reference, ListMultipartUploads."""
    made = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("b", "a", "b", "c/1")]
    found, more = [], {}
    while True:
        told = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1, **more)
        found += [each["UploadId"] for each in told.get("Uploads", [])]
        if not told["IsTruncated"]:
            break
        more = {"KeyMarker": told["NextKeyMarker"], "UploadIdMarker": told["NextUploadIdMarker"]}
    assert found == [made[1], made[0], made[2], made[3]]
    told = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert told["CommonPrefixes"] == [{"Prefix": "c/"}]


def test_wrong_listings_are_refused(s3, bucket, refusal):
    """S3 API reference, "List of error codes": InvalidArgument."""
    assert refusal(s3.list_objects_v2, Bucket=bucket, ContinuationToken="no!") == "InvalidArgument 400"
    assert refusal(s3.list_object_versions, Bucket=bucket, VersionIdMarker="x") == "InvalidArgument 400"
    assert refusal(s3.list_objects_v2, Bucket="absent") == "NoSuchBucket 404"
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False


@pytest.mark.parametrize(
    ("text", "after"),
    [("a", "b"), ("a/", "a0"), ("\ud7ff", "\ue000"), ("a\U0010ffff", "b"), ("\U0010ffff", None), ("", None)],
)
def test_what_follows_all_that_begin_alike(text, after):
    assert successor(text) == after
