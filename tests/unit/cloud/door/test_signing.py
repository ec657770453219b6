"""Signatures are verified as AWS does; botocore's signers are the oracle."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from labkit.cloud.door.credentials import from_form, read_signature
from labkit.cloud.door.reading import Asked, Body, read_call
from labkit.cloud.door.refusals import Refused
from labkit.cloud.door.signatures import verification
from tests.unit.cloud.door import signed
from tests.unit.cloud.door.signed import SECRET, SEED, Environ

PIECES = st.text(st.sampled_from("abZ09-_.~ +!*'()%&=;:@$,/?#äß€"), max_size=12)
HEADERS = st.dictionaries(
    st.sampled_from(["x-amz-meta-a", "x-amz-meta-b_c", "content-type", "x-custom", "range", "content-md5"]),
    st.text(st.sampled_from("ab  \t=;,/äé"), min_size=1, max_size=12).map(lambda t: f"v{t}v"),
    max_size=4,
)


def quoted(text: str, safe: str = "/~") -> str:
    from urllib.parse import quote

    return quote(text, safe=safe)


def verified(environ: Environ, secret: str = SECRET, later: float = 0) -> Asked:
    """What the request asks for, once its signature is verified. Raises Refused."""
    body, signature = Body(environ), read_signature(environ)
    asked = read_call(environ, signature, body)
    if signature is None and asked.form is not None:
        signature = from_form(asked.form.fields)
    assert signature is not None
    verification.check_scope(signature, asked, environ)
    verification.verify(signature, secret, asked, environ, body, time.time() + later)
    if asked.service == "s3":  # whose bodies are held against what was signed when they are read
        environ["wsgi.input"].read()
    return asked


def refusal(environ: Environ, secret: str = SECRET, later: float = 0) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        verified(environ, secret, later)
    return caught.value.status, caught.value.code


@pytest.mark.slow
@seed(SEED)
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    service=st.sampled_from(["s3", "lambda", "dynamodb", "execute-api"]),
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=PIECES,
    query=st.lists(st.tuples(PIECES, PIECES), max_size=4),
    headers=HEADERS,
    body=st.binary(max_size=40),
)
def test_what_botocore_signs_is_genuine_and_with_another_secret_it_is_not(
    service: str,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    """IAM user guide, "Create a signed AWS API request": any method, path, order of the query, blanks in headers."""
    pairs = "&".join(f"{quoted(name, '~')}={quoted(value, '~')}" for name, value in query if name)
    target = f"/{quoted(path)}" + (f"?{pairs}" if pairs else "")
    environ = signed.environ(signed.request(signed.header(service), method, target, body, headers))
    signature = read_signature(environ)
    assert signature is not None
    asked = Asked("rest-json", service, "", signed.REGION)
    verification.verify(signature, SECRET, asked, environ, Body(environ), time.time())
    with pytest.raises(Refused):
        verification.verify(signature, "guessed", asked, environ, Body(environ), time.time())


@pytest.mark.parametrize("kind", ["version 4", "version 2", "version 2 in the header"])
@pytest.mark.parametrize(
    "path", ["/b/k", "/b/a%20b%2Bc/%C3%A4", "/b/k?versionId=7&response-content-type=text%2Fplain"]
)
def test_presigned_urls_are_verified(kind: str, path: str) -> None:
    """S3 user guide, "Sharing objects with presigned URLs"; version 2 is what boto3 makes in us-east-1."""

    def made(secret: str = SECRET) -> Environ:
        v2 = signed.version_2(60 if kind == "version 2" else None, secret)
        return signed.environ(
            signed.request(signed.query("s3", 60, secret) if kind == "version 4" else v2, "GET", path)
        )

    assert verified(made()).operation == "GetObject"
    assert refusal(made("guessed")) == (403, "SignatureDoesNotMatch")


def test_version_2_does_nothing_that_it_did_not_sign() -> None:
    """Its signature leaves most parameters out; one of them may ask for another operation."""
    environ = signed.environ(signed.request(signed.version_2(60), "PUT", "/b/k"))
    assert verified(environ).operation == "PutObject"
    for more in ("retention", "legal-hold=", "acl", "encryption=1"):
        changed = {**environ, "QUERY_STRING": f"{environ['QUERY_STRING']}&{more}"}
        assert refusal(changed) == (403, "SignatureDoesNotMatch"), more


@pytest.mark.parametrize("signer", [signed.query("s3", 1), signed.version_2(1)])
def test_presigned_urls_expire(signer: Any) -> None:
    """S3 user guide, "Sharing objects with presigned URLs": expiration."""
    environ = signed.environ(signed.request(signer, "GET", "/b/k"))
    with pytest.raises(Refused, match="Request has expired") as caught:
        verified(environ, later=3)
    assert (caught.value.status, caught.value.code) == (403, "AccessDenied")
    assert {"Expires", "ServerTime"} <= caught.value.details.keys()


@pytest.mark.parametrize("seconds", [604801, 8 * 24 * 3600, -1])
def test_a_week_is_the_longest(seconds: int) -> None:
    """S3 API reference, "Authenticating requests: using query parameters": X-Amz-Expires."""
    environ = signed.environ(signed.request(signed.query("s3", seconds), "GET", "/b/k"))
    assert refusal(environ) == (400, "AuthorizationQueryParametersError")


@pytest.mark.parametrize("age", [-16 * 60, 16 * 60, 24 * 3600])
@pytest.mark.parametrize(
    ("service", "code"),
    [("s3", "RequestTimeTooSkewed"), ("dynamodb", "InvalidSignatureException"), ("ec2", "RequestExpired")],
)
def test_a_request_is_good_for_a_quarter_of_an_hour(service: str, code: str, age: float) -> None:
    """IAM user guide, "Troubleshoot signed requests"; EC2 API reference, "Error codes": RequestExpired."""
    more = {"dynamodb": {"X-Amz-Target": "DynamoDB_20120810.ListTables"}}.get(service, {})
    body = b"{}" if service == "dynamodb" else b"Action=DescribeVpcs" if service == "ec2" else b""
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if service == "ec2" else {}
    method = "GET" if service == "s3" else "POST"
    environ = signed.environ(signed.request(signed.header(service), method, "/", body, {**more, **kind}))
    verified(environ)
    assert refusal(environ, later=age)[1] == code


def test_a_body_that_was_not_signed_is_refused() -> None:
    """S3 API reference, "List of error codes": XAmzContentSHA256Mismatch."""
    put = signed.request(signed.header("s3"), "PUT", "/b/k", b"mine")
    assert verified(signed.environ(put)).operation == "PutObject"
    assert refusal(signed.environ(put, body=b"your")) == (400, "XAmzContentSHA256Mismatch")
    call = signed.request(
        signed.header("dynamodb"), "POST", "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
    )
    assert refusal(signed.environ(call, body=b'{"Limit":1}')) == (400, "InvalidSignatureException")


def test_what_is_not_signed_but_must_be_is_refused() -> None:
    """S3 API reference, "Authenticating requests: using the Authorization header": CanonicalHeaders."""
    environ = signed.environ(signed.request(signed.header("s3"), "PUT", "/b/k", b"mine"))
    assert refusal({**environ, "HTTP_X_AMZ_ACL": "public-read"}) == (403, "AccessDenied")
    environ = signed.environ(signed.request(signed.query("s3"), "PUT", "/b/k"))
    assert refusal({**environ, "HTTP_X_AMZ_COPY_SOURCE": "other/k"}) == (403, "AccessDenied")
    environ = signed.environ(signed.request(signed.header("s3"), "GET", "/"))
    without = str(environ["HTTP_AUTHORIZATION"]).replace("host;", "")
    assert refusal({**environ, "HTTP_AUTHORIZATION": without}) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/s3/", "/lambda/"),
        ("ap-south-1", "eu-west-1"),
        ("ap-south-1", "mars-1"),
        ("Credential=AKIA", "Credential=ASIA"),
    ],
)
def test_a_signature_is_good_for_its_scope_alone(old: str, new: str) -> None:
    """IAM user guide, "Create a signed AWS API request": the scope is part of what is signed."""
    environ = signed.environ(signed.request(signed.header("s3"), "GET", "/"))
    header = str(environ["HTTP_AUTHORIZATION"]).replace(old, new)
    if "ASIA" in new:  # whose key it is does not change the signature: the key's own secret does
        assert refusal({**environ, "HTTP_AUTHORIZATION": header}, "another")[0] == 403
    else:
        assert refusal({**environ, "HTTP_AUTHORIZATION": header})[0] in (400, 403)


def test_at_a_host_of_aws_the_scope_is_the_hosts() -> None:
    """IAM user guide, "Troubleshoot signed requests": "Credential should be scoped to …"."""
    more = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}

    def at(host: str, service: str) -> Environ:
        made = signed.request(signed.header(service), "POST", "/", b"{}", {**more, "Host": host})
        return signed.environ(made, host=host)

    assert verified(at("dynamodb.ap-south-1.amazonaws.com", "dynamodb")).operation == "ListTables"
    assert refusal(at("dynamodb.eu-west-1.amazonaws.com", "dynamodb")) == (400, "InvalidSignatureException")
    assert refusal(at("logs.ap-south-1.amazonaws.com", "dynamodb")) == (400, "InvalidSignatureException")


# -- chunks ---------------------------------------------------------------------------------------------


def chunked(*chunks: bytes, trailer: bytes = b"", signed_as: Mapping[int, bytes] | None = None) -> Environ:
    """A PutObject in signed chunks; `signed_as`: what was signed in the place of a chunk."""
    from labkit.cloud.door.signatures import signing
    from labkit.cloud.door.signatures.payloads import _CHUNKED, _TRAILED

    said = _TRAILED if trailer else _CHUNKED

    class Signer(type(signed.header("s3"))):  # type: ignore[misc]
        def payload(self, request: Any) -> str:
            return said

    whole = signed.header("s3")
    whole.__class__ = Signer
    made = signed.request(
        whole, "PUT", "/b/k", b"", {"x-amz-decoded-content-length": str(sum(map(len, chunks)))}
    )
    signature = read_signature(signed.environ(made))
    assert signature is not None
    before, body = signature.signature, b""
    for number, chunk in enumerate((*chunks, b"")):
        data = (signed_as or {}).get(number, chunk)
        lines = (before, signing.digest_of(b""), signing.digest_of(data))
        before = signing.sign(signature, SECRET, "AWS4-HMAC-SHA256-PAYLOAD", *lines)
        body += b"%x;chunk-signature=%s\r\n%s" % (
            len(chunk),
            before.encode(),
            chunk + b"\r\n" if chunk else b"",
        )
    if trailer:
        last = signing.sign(
            signature, SECRET, "AWS4-HMAC-SHA256-TRAILER", before, signing.digest_of(trailer + b"\n")
        )
        body += trailer + b"\r\nx-amz-trailer-signature:" + last.encode() + b"\r\n\r\n"
    return signed.environ(made, body=body if trailer else body + b"\r\n")


def test_chunks_are_verified_one_after_the_other() -> None:
    """S3 API reference, "Signature calculations for the Authorization header: transferring payload in multiple chunks"."""
    assert verified(chunked(b"a" * 70000, b"bcd")).operation == "PutObject"
    assert verified(chunked(b"abc", trailer=b"x-amz-checksum-crc32c:sOO8/Q==")).operation == "PutObject"
    assert refusal(chunked(b"abc", b"def", signed_as={1: b"xyz"})) == (403, "SignatureDoesNotMatch")


# -- upload forms ---------------------------------------------------------------------------------------


def form(
    conditions: list[Any],
    fields: Mapping[str, str],
    *,
    seconds: int = 60,
    secret: str = SECRET,
    v2: bool = False,
) -> Environ:
    """An upload by a form that botocore signed."""
    import boto3
    from botocore.client import Config

    client = boto3.client(
        "s3", region_name=signed.REGION, aws_access_key_id=signed.KEY, aws_secret_access_key=secret,
        endpoint_url="http://127.0.0.1:4566", config=Config(signature_version="s3" if v2 else "s3v4"),
    )  # fmt: skip
    asked = client.generate_presigned_post("b", "up/${filename}", None, conditions, ExpiresIn=seconds)
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**asked["fields"], **fields}.items()
    )
    file = '--x\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n\r\nmeow\r\n--x--\r\n'
    from botocore.awsrequest import AWSRequest

    made = AWSRequest(
        "POST", "http://127.0.0.1:4566/b", {"Content-Type": "multipart/form-data; boundary=x"}, parts + file
    )
    return signed.environ(made)


@pytest.mark.parametrize("v2", [False, True])
def test_a_form_keeps_to_its_policy(v2: bool) -> None:
    """S3 API reference, "Creating a POST policy"."""
    asked = verified(form([["content-length-range", 1, 10], {"acl": "private"}], {"acl": "private"}, v2=v2))
    assert (asked.operation, asked.parameters["Key"]) == ("PostObject", "up/cat.png")
    wrong: list[tuple[list[Any], dict[str, str], tuple[int, str]]] = [
        ([], {"acl": "private"}, (403, "AccessDenied")),
        ([{"acl": "private"}], {"acl": "public-read"}, (403, "AccessDenied")),
        ([["starts-with", "$Content-Type", "image/"]], {"Content-Type": "text/html"}, (403, "AccessDenied")),
        ([["content-length-range", 1, 3]], {}, (400, "EntityTooLarge")),
        ([], {"key": "elsewhere"}, (403, "AccessDenied")),
        ([["odd", "$key", ""]], {}, (400, "InvalidPolicyDocument")),
        ([{}], {}, (400, "InvalidPolicyDocument")),
    ]
    for conditions, fields, expected in wrong:
        assert refusal(form(conditions, fields, v2=v2)) == expected, (conditions, fields)
    assert refusal(form([], {}, v2=v2, secret="guessed")) == (403, "SignatureDoesNotMatch")
    assert refusal(form([], {}, v2=v2, seconds=-10)) == (403, "AccessDenied")
    assert refusal(form([], {"policy": json.dumps({})}, v2=v2)) == (403, "SignatureDoesNotMatch")
