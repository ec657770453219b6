"""Requests of each protocol, read as calls."""

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from labkit.cloud.door.credentials import Signature, read_signature
from labkit.cloud.door.documents import Unreadable
from labkit.cloud.door.reading import Asked, Body, read_call


def environ(method: str = "POST", path: str = "/", body: bytes = b"", **headers: str) -> dict[str, Any]:
    target, _, query = path.partition("?")
    found: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": target,
        "RAW_URI": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "169.254.170.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in headers.items():
        found[name.upper() if name == "content_type" else f"HTTP_{name.upper()}"] = value
    return found


def read(service: str, *args: Any, **more: Any) -> Asked:
    request = environ(*args, **more)
    signature = Signature("AKIA", "20260101", "ap-south-1", service) if service else None
    return read_call(request, signature, Body(request))


S3 = [
    ("GET", "/", "ListBuckets", {}),
    ("GET", "/b", "ListObjects", {"Bucket": "b"}),
    ("GET", "/b/", "ListObjects", {"Bucket": "b"}),
    ("GET", "/b?list-type=2&prefix=a%2Fb", "ListObjectsV2", {"Bucket": "b", "Prefix": "a/b"}),
    ("GET", "/b?versions", "ListObjectVersions", {"Bucket": "b"}),
    ("GET", "/b?policy", "GetBucketPolicy", {"Bucket": "b"}),
    ("GET", "/b?publicAccessBlock", "GetPublicAccessBlock", {"Bucket": "b"}),
    ("PUT", "/b", "CreateBucket", {"Bucket": "b"}),
    ("PUT", "/b?lifecycle", "PutBucketLifecycleConfiguration", {"Bucket": "b"}),
    ("HEAD", "/b", "HeadBucket", {"Bucket": "b"}),
    ("DELETE", "/b", "DeleteBucket", {"Bucket": "b"}),
    ("GET", "/b/k", "GetObject", {"Bucket": "b", "Key": "k"}),
    ("GET", "/b/a%2Fb%20c/", "GetObject", {"Bucket": "b", "Key": "a/b c/"}),
    ("GET", "/b/k?x-id=GetObject&versionId=7", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "7"}),
    ("GET", "/b/k?uploadId=u", "ListParts", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
    ("GET", "/b/k?acl", "GetObjectAcl", {"Bucket": "b", "Key": "k"}),
    ("HEAD", "/b/k", "HeadObject", {"Bucket": "b", "Key": "k"}),
    ("PUT", "/b/k", "PutObject", {"Bucket": "b", "Key": "k"}),
    ("PUT", "/b/k?tagging", "PutObjectTagging", {"Bucket": "b", "Key": "k"}),
    ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart", {"Bucket": "b", "Key": "k", "UploadId": "u"}),
    ("POST", "/b/k?uploads", "CreateMultipartUpload", {"Bucket": "b", "Key": "k"}),
    ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload", {"Bucket": "b", "Key": "k"}),
    ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload", {"Bucket": "b", "Key": "k"}),
    ("DELETE", "/b/k", "DeleteObject", {"Bucket": "b", "Key": "k"}),
    ("POST", "/b", "PostObject", {"Bucket": "b", "Key": "*"}),
    ("PATCH", "/b/k", "", {"Bucket": "b", "Key": "k"}),
]


@pytest.mark.parametrize(("method", "path", "operation", "parameters"), S3)
def test_s3(method: str, path: str, operation: str, parameters: dict[str, str]) -> None:
    """S3 API reference: the operation follows from method, path, query and headers."""
    asked = read("s3", method, path)
    assert (asked.wire, asked.service, asked.operation) == ("rest-xml", "s3", operation)
    assert asked.parameters.items() >= parameters.items()


def test_s3_copies_are_told_by_their_header() -> None:
    """S3 API reference, CopyObject and UploadPartCopy."""
    assert read("s3", "PUT", "/b/k", X_Amz_Copy_Source="c/d").operation == "CopyObject"
    assert read("s3", "PUT", "/b/k", X_Amz_Copy_Source="c/d").parameters["CopySource"] == "c/d"
    part = read("s3", "PUT", "/b/k?partNumber=1&uploadId=u", X_Amz_Copy_Source="c/d")
    assert part.operation == "UploadPartCopy"


def test_s3_keys_to_delete_are_read() -> None:
    """S3 API reference, DeleteObjects."""
    document = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a/b</Key></Object>'
        b"<Object><VersionId>1</VersionId><Key>c</Key></Object><Quiet>true</Quiet></Delete>"
    )
    found = read("s3", "POST", "/b?delete", document).parameters
    assert (found["Keys"], found["Versions"]) == (["a/b"], ["c"])
    assert read("s3", "POST", "/b?delete", b"nonsense").parameters["Keys"] == []


@pytest.mark.parametrize(
    ("host", "path", "bucket"),
    [
        ("b.s3.ap-south-1.amazonaws.com", "/k", "b"),
        ("b.c.s3.amazonaws.com", "/k", "b.c"),
        ("b.s3.dualstack.ap-south-1.amazonaws.com", "/k", "b"),
        ("b.s3-eu-west-1.amazonaws.com", "/k", "b"),
        ("b.s3.localhost:4566", "/k", "b"),
        ("s3.ap-south-1.amazonaws.com", "/b/k", "b"),
        ("localhost:4566", "/b/k", "b"),
        ("[::1]:80", "/b/k", "b"),
        ("cloud.example", "/b/k", "b"),
    ],
)
def test_s3_bucket_from_host_or_path(host: str, path: str, bucket: str) -> None:
    """S3 user guide, "Virtual hosting": after reading, the path alone names the bucket."""
    request = environ("GET", path, Host=host)
    asked = read_call(request, None, Body(request))
    assert asked.parameters.items() >= {"Bucket": bucket, "Key": "k"}.items()
    assert request["PATH_INFO"] == request["RAW_URI"] == f"/{bucket}/k"


@pytest.mark.parametrize(
    ("method", "path", "operation", "parameters"),
    [
        ("POST", "/2015-03-31/functions/f/invocations", "Invoke", {"FunctionName": "f"}),
        ("POST", "/2015-03-31/functions", "CreateFunction", {"Role": "r"}),
        ("POST", "/2015-03-31/functions/", "CreateFunction", {"Role": "r"}),
        (
            "GET",
            "/2015-03-31/functions/f?Qualifier=1",
            "GetFunction",
            {"FunctionName": "f", "Qualifier": "1"},
        ),
        ("GET", "/2015-03-31/functions/arn%3Aaws%3Af/configuration", "GetFunctionConfiguration", {}),
        ("GET", "/nowhere", "", {}),
    ],
)
def test_lambda(method: str, path: str, operation: str, parameters: dict[str, str]) -> None:
    """Lambda API reference: REST JSON."""
    asked = read("lambda", method, path, b'{"Role": "r"}')
    assert (asked.wire, asked.operation) == ("rest-json", operation)
    assert asked.parameters.items() >= parameters.items()


def test_json() -> None:
    """DynamoDB: "DynamoDB low-level API"."""
    asked = read("dynamodb", body=b'{"TableName": "t"}', X_Amz_Target="DynamoDB_20120810.PutItem")
    assert asked == Asked("json", "dynamodb", "PutItem", "ap-south-1", {"TableName": "t"})


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_json_is_unpacked_within_bounds(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """AWS SDKs reference guide, "Request compression"; who answers finds the body as it was sent."""
    target, packed = "DynamoDB_20120810.PutItem", pack(b'{"TableName": "t"}')
    asked = read("dynamodb", body=packed, X_Amz_Target=target, Content_Encoding=encoding)
    assert asked.parameters == {"TableName": "t"}
    for wrong in (b"", b"{}", packed[:-1], packed + b"x"):
        with pytest.raises(Unreadable, match="not packed as its Content-Encoding says"):
            read("dynamodb", body=wrong, X_Amz_Target=target, Content_Encoding=encoding)
    with pytest.raises(Unreadable, match="longer than 16 MB") as refused:
        read("dynamodb", body=pack(b"{}" + b" " * (17 << 20)), X_Amz_Target=target, Content_Encoding=encoding)
    assert refused.value.status == 413


def test_gzip_may_come_in_members_and_no_other_packing_is_taken() -> None:
    """RFC 1952, 2.2: a file consists of a series of members; DynamoDB takes gzip and deflate."""
    target, packed = "DynamoDB_20120810.PutItem", gzip.compress(b'{"TableName"') + gzip.compress(b': "t"}')
    asked = read("dynamodb", body=packed, X_Amz_Target=target, Content_Encoding="gzip")
    assert asked.parameters == {"TableName": "t"}
    with pytest.raises(Unreadable, match="none of gzip and deflate"):
        read("dynamodb", body=b"{}", X_Amz_Target=target, Content_Encoding="br")


def test_broken_json_is_told_with_its_place() -> None:
    """DynamoDB: SerializationException; where, we say ourselves."""
    with pytest.raises(Unreadable, match=r"at 1$"):
        read("dynamodb", body=b"{broken", X_Amz_Target="DynamoDB_20120810.PutItem")


@pytest.mark.parametrize(("service", "wire"), [("iam", "query"), ("ec2", "ec2")])
def test_query(service: str, wire: str) -> None:
    """IAM API reference, "Making query requests"; the body stays there for who answers."""
    body = b"Action=GetRole&RoleName=a%2Fb&Version=2010-05-08"
    request = environ(body=body, content_type="application/x-www-form-urlencoded; charset=utf-8")
    asked = read_call(request, Signature("AKIA", "20260101", "eu-west-1", service), Body(request))
    assert (asked.wire, asked.operation, asked.region) == (wire, "GetRole", "eu-west-1")
    assert asked.parameters["RoleName"] == "a/b"
    assert request["wsgi.input"].read() == body
    assert read(service, "GET", "/?Action=GetRole&RoleName=r").operation == "GetRole"


def test_cbor() -> None:
    """Smithy: "Smithy RPC v2 CBOR protocol"."""
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    asked = read("monitoring", "POST", path, b"\xa0", Smithy_Protocol="rpc-v2-cbor")
    assert (asked.wire, asked.operation) == ("cbor", "ListMetrics")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("service", "arguments"),
    [
        ("dynamodb", {"X_Amz_Target": "DynamoDB_20120810.GetItem", "path": "/?Action=DeleteTable"}),
        ("dynamodb", {"X_Amz_Target": "DynamoDB_20120810.GetItem", "content_type": FORM}),
        ("dynamodb", {"X_Amz_Target": "DynamoDB_20120810.GetItem", "body": b"nonsense"}),
        ("dynamodb", {"X_Amz_Target": "DynamoDB_20120810.GetItem", "body": b"[]"}),
        ("iam", {"path": "/?Action=ListRoles", "body": b"Action=DeleteRole", "content_type": FORM}),
        ("iam", {"path": "/?Action=ListRoles&Action=DeleteRole"}),
        ("iam", {"body": b"Action=ListRoles&Action=DeleteRole", "content_type": FORM}),
        ("iam", {"path": "/"}),
        ("lambda", {"path": "/2015-03-31/functions/f", "body": b"x=1&Action=DeleteFunction"}),
        ("nothing", {"path": "/"}),
    ],
)
def test_what_could_be_read_as_two_calls_is_refused(service: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read(service, **arguments)


@pytest.mark.parametrize(
    ("operation", "mutates"),
    [
        ("PutItem", True),
        ("RunInstances", True),
        ("DescribeVpcs", False),
        ("GetObject", False),
        ("Query", False),
    ],
)
def test_calls_that_may_change_something(operation: str, mutates: bool) -> None:
    assert Asked("json", "x", operation, "r").mutates is mutates


SCOPE = "20260101/ap-south-1/s3/aws4_request"
PRESIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=ab"
)


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (
            environ(
                Authorization=f"AWS4-HMAC-SHA256 Credential=AKIA/{SCOPE}, SignedHeaders=host, Signature=ab"
            ),
            "AKIA",
        ),
        (environ(Authorization="AWS AKIA:signature="), "AKIA"),
        (environ(path=f"/b/k?X-Amz-Credential=AKIA%2F{SCOPE.replace('/', '%2F')}&{PRESIGNED}"), "AKIA"),
        (environ(path="/b/k?AWSAccessKeyId=AKIA&Signature=x&Expires=1"), "AKIA"),
        (environ(), None),
    ],
)
def test_keys_are_found_wherever_they_may_be(request_: dict[str, Any], key: str | None) -> None:
    """IAM user guide, "Authentication methods": header and query parameters; S3 knows version 2 too."""
    found = read_signature(request_)
    assert (found.access_key_id if found else None) == key


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (environ(path="/b/k?X-Amz-Credential=nonsense"), "AuthorizationQueryParametersError"),
        (environ(path=f"/b/k?X-Amz-Credential=nonsense&{PRESIGNED}"), "AuthorizationQueryParametersError"),
        (environ(path="/b/k?AWSAccessKeyId=AKIA&Signature=x"), "AccessDenied"),
        (
            environ(path="/b/k?AWSAccessKeyId=AKIA&Signature=x&Expires=1", Authorization="AWS A:x"),
            "InvalidArgument",
        ),
        (environ(Authorization="Bearer x"), "InvalidArgument"),
        (environ(Authorization=f"AWS4-HMAC-SHA256 Credential=A/{SCOPE}"), "AuthorizationHeaderMalformed"),
        (
            environ(
                Authorization=f"AWS4-HMAC-SHA256 Credential=A/{SCOPE}, Credential=B/{SCOPE}, Signature=a"
            ),
            "AuthorizationHeaderMalformed",
        ),
        (
            environ(
                Authorization="AWS4-HMAC-SHA256 Credential=A/2026/r/s3/aws4_request, SignedHeaders=a, Signature=a"
            ),
            "AuthorizationHeaderMalformed",
        ),
    ],
)
def test_a_signature_that_cant_be_read_is_no_anonymous_request(request_: dict[str, Any], code: str) -> None:
    """S3 API reference, "List of error codes"."""
    found = read_signature(request_)
    assert found is not None
    assert found.flaw is not None
    assert found.flaw.code == code


DEEP_JSON = b'{"a":' * 5000 + b"1" + b"}" * 5000


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        ("dynamodb", environ(body=DEEP_JSON, x_amz_target="DynamoDB_20120810.PutItem")),
        ("dynamodb", environ(body=b"[" * 100_000, x_amz_target="DynamoDB_20120810.PutItem")),
        ("dynamodb", environ(body=b" " * (17 << 20), x_amz_target="DynamoDB_20120810.PutItem")),
        ("lambda", environ(path="/2015-03-31/functions", body=DEEP_JSON)),
        ("ec2", environ(body=b"Action=DescribeVpcs&" + b"a=1&" * 30_000, content_type=FORM)),
        ("iam", environ(body=b"Action=TagRole&" + b"Tags.member.1." * 5000 + b"=1", content_type=FORM)),
        ("", environ(path="/?Action=X&" + "a=1&" * 30_000, content_type=FORM)),
    ],
)
def test_what_is_too_deep_or_too_long_is_not_read(service: str, request_: dict[str, Any]) -> None:
    signature = Signature("AKIA", "20260101", "ap-south-1", service) if service else None
    with pytest.raises(Unreadable):
        read_call(request_, signature, Body(request_))


def test_brackets_in_texts_are_no_depth() -> None:
    body = b'{"TableName": "' + b"[{" * 500 + b'\\"[", "Key": [' + b"[]," * 500 + b"1]}"
    assert read("dynamodb", body=body, x_amz_target="DynamoDB_20120810.GetItem").operation == "GetItem"


def test_deep_xml_names_no_keys() -> None:
    assert read("s3", "POST", "/b?delete", b"<Delete>" + b"<Key>" * 5000).parameters["Keys"] == []
