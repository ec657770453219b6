"""Objects: what is written is read, whole or in part, under conditions, with what was said of it."""

import base64
import hashlib
import http.client
import os
import zlib
from urllib.parse import urlsplit

import pytest

from tests.unit.cloud.stores.s3_door import client_of

MD5 = hashlib.md5(b"hello", usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("size", [0, 5, 64 * 1024, 64 * 1024 + 1, 3_000_000])
def test_what_is_written_is_read(s3, bucket, size):
    """S3 API reference, PutObject and GetObject: bodies in the database and in files."""
    data = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="ä/k +&?", Body=data)
    assert put["ETag"] == f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="ä/k +&?")
    assert (got["Body"].read(), got["ContentLength"], got["ETag"]) == (data, size, put["ETag"])
    assert s3.head_object(Bucket=bucket, Key="ä/k +&?")["ContentLength"] == size


def test_what_is_said_of_an_object_is_told_again(s3, bucket):
    """S3 user guide, "Working with object metadata"."""
    said = {
        "ContentType": "image/png", "CacheControl": "no-cache", "ContentDisposition": "attachment",
        "ContentEncoding": "gzip", "ContentLanguage": "de", "Metadata": {"made-by": "a b", "made_at": "c"},
        "StorageClass": "STANDARD_IA",
    }  # fmt: skip
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=2", **said)
    told = s3.head_object(Bucket=bucket, Key="k")
    assert {name: told[name] for name in said} == said
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2"},
    ]


def test_metadata_that_is_not_ascii_is_told_as_encoded_words(url, s3, bucket):
    """S3 user guide, "Working with object metadata": the examples of x-amz-meta-nonascii."""

    def put(value):
        def say(request, **_):
            request.headers.add_header("x-amz-meta-said", value)

        client = client_of(url)
        client.meta.events.register("before-sign.s3.PutObject", say)
        client.put_object(Bucket=bucket, Key="k", Body=b"")
        return s3.head_object(Bucket=bucket, Key="k")["Metadata"]["said"]

    assert put("AMAZONS3") == "AMAZONS3"
    assert put("=?UTF-8?B?w4RNw4Raw5XDkVMz?=") == "=?UTF-8?B?w4RNw4Raw5XDkVMz?="
    assert put("=?UTF-8?Q?AMAZONS3?=") == "AMAZONS3"


@pytest.mark.parametrize(
    ("wanted", "content", "told"),
    [
        ("bytes=0-1", b"he", "bytes 0-1/5"),
        ("bytes=1-", b"ello", "bytes 1-4/5"),
        ("bytes=-2", b"lo", "bytes 3-4/5"),
        ("bytes=2-99", b"llo", "bytes 2-4/5"),
        ("bytes=2-1", b"hello", None),
        ("lines=1-2", b"hello", None),
        ("bytes=0-1,3-4", b"hello", None),
    ],
)
def test_ranges(s3, bucket, wanted, content, told):
    """S3 API reference, GetObject: Range; RFC 9110, 14.2."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    got = s3.get_object(Bucket=bucket, Key="k", Range=wanted)
    assert (got["Body"].read(), got.get("ContentRange")) == (content, told)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == (206 if told else 200)


def test_a_range_behind_the_end_is_refused(s3, bucket, refusal):
    """S3 API reference, "List of error codes": InvalidRange."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    for wanted in ("bytes=5-", "bytes=9-12", "bytes=-0"):
        assert refusal(s3.get_object, Bucket=bucket, Key="k", Range=wanted) == "InvalidRange 416"


def test_reading_under_conditions(s3, bucket, refusal):
    """S3 user guide, "Conditional reads"."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    read, etag = {"Bucket": bucket, "Key": "k"}, f'"{MD5}"'
    assert refusal(s3.get_object, **read, IfMatch=etag) == ""
    assert refusal(s3.get_object, **read, IfMatch='"other"') == "PreconditionFailed 412"
    assert refusal(s3.get_object, **read, IfNoneMatch=etag) == "304 304"
    assert refusal(s3.get_object, **read, IfNoneMatch='"other"') == ""
    assert refusal(s3.get_object, **read, IfModifiedSince="2100-01-01") == "304 304"
    assert refusal(s3.get_object, **read, IfUnmodifiedSince="2000-01-01") == "PreconditionFailed 412"
    assert refusal(s3.get_object, **read, IfUnmodifiedSince="2000-01-01", IfMatch=etag) == ""


def test_writing_under_conditions(s3, bucket, refusal):
    """S3 user guide, "Conditional writes"."""
    put = {"Bucket": bucket, "Key": "k", "Body": b"hello"}
    assert refusal(s3.put_object, **put, IfMatch='"other"') == "NoSuchKey 404"
    assert refusal(s3.put_object, **put, IfNoneMatch="*") == ""
    assert refusal(s3.put_object, **put, IfNoneMatch="*") == "PreconditionFailed 412"
    assert refusal(s3.put_object, **put, IfMatch='"other"') == "PreconditionFailed 412"
    assert refusal(s3.put_object, **put, IfMatch=f'"{MD5}"') == ""
    assert refusal(s3.put_object, **put, IfNoneMatch='"other"') == "NotImplemented 501"
    assert refusal(s3.delete_object, Bucket=bucket, Key="k", IfMatch='"other"') == "PreconditionFailed 412"
    assert refusal(s3.delete_object, Bucket=bucket, Key="k", IfMatch=f'"{MD5}"') == ""


def test_a_body_that_is_not_what_it_was_said_to_be_is_refused(s3, bucket, refusal):
    """S3 user guide, "Checking object integrity": Content-MD5 and checksums."""
    put = {"Bucket": bucket, "Key": "k", "Body": b"hello"}
    right = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    assert refusal(s3.put_object, **put, ContentMD5=base64.b64encode(b"0" * 16).decode()) == "BadDigest 400"
    assert refusal(s3.put_object, **put, ContentMD5="nonsense") == "InvalidDigest 400"
    assert refusal(s3.put_object, **put, ChecksumCRC32="AAAAAA==") == "BadDigest 400"
    assert refusal(s3.put_object, **put, ChecksumSHA256="AAAA") == "InvalidRequest 400"
    assert refusal(s3.put_object, **put, ChecksumCRC32=right, ChecksumSHA1="A" * 28) == "InvalidRequest 400"
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey 404"
    s3.put_object(**put, ChecksumCRC32=right)
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == right


@pytest.mark.parametrize(
    ("algorithm", "check"),
    [("CRC32", "cbf43926"), ("CRC32C", "e3069283"), ("CRC64NVME", "ae8b14860a799888")],
)
def test_each_checksum_is_the_one_of_the_books(s3, bucket, algorithm, check):
    """The check values of the catalogue of CRCs are those of "123456789"."""
    expected = base64.b64encode(bytes.fromhex(check)).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", **{f"Checksum{algorithm}": expected})
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize"])
    assert told["Checksum"] == {f"Checksum{algorithm}": expected, "ChecksumType": "FULL_OBJECT"}
    assert told["ObjectSize"] == 9


def test_keys_and_metadata_have_limits(s3, bucket, refusal):
    """S3 user guide, "Naming Amazon S3 objects" and "Working with object metadata"."""
    assert refusal(s3.put_object, Bucket=bucket, Key="é" * 512, Body=b"") == ""
    assert refusal(s3.put_object, Bucket=bucket, Key="é" * 512 + "x", Body=b"") == "KeyTooLongError 400"
    large = {"m": "x" * 2048}
    assert refusal(s3.put_object, Bucket=bucket, Key="k", Metadata=large) == "MetadataTooLarge 400"


def test_a_callers_key_is_needed_to_read(s3, bucket, refusal):
    """S3 user guide, "Using server-side encryption with customer-provided keys (SSE-C)"."""
    own, other = ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": letter * 32} for letter in "ab")
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", **own)
    assert s3.get_object(Bucket=bucket, Key="k", **own)["Body"].read() == b"hello"
    assert refusal(s3.get_object, Bucket=bucket, Key="k") == "InvalidRequest 400"
    assert refusal(s3.get_object, Bucket=bucket, Key="k", **other) == "AccessDenied 403"
    s3.put_object(Bucket=bucket, Key="plain", Body=b"hello")
    assert refusal(s3.get_object, Bucket=bucket, Key="plain", **own) == "InvalidRequest 400"


def test_copies(s3, bucket, refusal):
    """S3 API reference, CopyObject."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", Metadata={"a": "1"}, Tagging="t=1")
    source = {"CopySource": f"{bucket}/k", "Bucket": bucket}
    s3.copy_object(**source, Key="same")
    assert s3.head_object(Bucket=bucket, Key="same")["Metadata"] == {"a": "1"}
    s3.copy_object(**source, Key="new", MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    assert s3.get_object_tagging(Bucket=bucket, Key="new")["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert refusal(s3.copy_object, **source, Key="k") == "InvalidRequest 400"
    assert refusal(s3.copy_object, **source, Key="x", CopySourceIfMatch='"o"') == "PreconditionFailed 412"
    assert refusal(s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/absent") == "NoSuchKey 404"
    s3.delete_object(Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="same")["Body"].read() == b"hello"


def test_a_large_copy_outlives_its_source(s3, bucket):
    """S3 API reference, CopyObject: bodies in files."""
    data = os.urandom(300_000)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")
    s3.delete_object(Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == data


def test_what_is_being_read_is_read_to_its_end(s3, bucket):
    """S3 user guide, "Amazon S3 data consistency model": a reader has one version of the object."""
    data = os.urandom(8_000_000)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    reading = s3.get_object(Bucket=bucket, Key="k")["Body"]
    start = reading.read(10)
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    assert start + reading.read() == data
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"


def test_a_bucket_that_is_somebody_elses_is_not_touched(s3, bucket, refusal):
    """S3 user guide, "Verifying bucket ownership with bucket owner condition"."""
    theirs = {"Bucket": bucket, "ExpectedBucketOwner": "210987654321"}
    for call, more in (
        (s3.list_objects_v2, {}), (s3.put_object, {"Key": "k"}), (s3.delete_bucket, {}), (s3.get_bucket_acl, {})
    ):  # fmt: skip
        assert refusal(call, **theirs, **more) == "AccessDenied 403"
    assert refusal(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner="123456789012") == ""


def test_preflights_are_answered_by_the_rules_alone(url, s3, bucket):
    """S3 user guide, "Using cross-origin resource sharing (CORS)"; nobody signs a preflight."""
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["http://*.example.com"], "AllowedHeaders": ["x-*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})

    def asked(origin, method, headers="x-a"):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        try:
            connection.request(
                "OPTIONS", f"/{bucket}/k", None,
                {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers},
            )  # fmt: skip
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Access-Control-Allow-Origin")
        finally:
            connection.close()

    assert asked("http://a.example.com", "GET") == (200, "http://a.example.com")
    assert asked("http://a.example.org", "GET") == (403, None)
    assert asked("http://a.example.com", "PUT") == (403, None)
    assert asked("http://a.example.com", "GET", "authorization") == (403, None)


def test_a_preflight_of_a_presigned_url_is_a_preflight(url, s3, bucket):
    """S3 user guide, "Using CORS": the page's browser asks with the URL that it was given, which signs the PUT."""
    rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["http://a.example.com"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    signed = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}))

    def asked(**headers):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("OPTIONS", f"{signed.path}?{signed.query}", None, named)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Access-Control-Allow-Origin")
        finally:
            connection.close()

    origin = "http://a.example.com"
    assert asked(Origin=origin, Access_Control_Request_Method="PUT") == (200, origin)
    assert asked(Origin=origin, Access_Control_Request_Method="DELETE") == (403, None)
    assert asked() == (400, None)
