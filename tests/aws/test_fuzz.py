"""The door and the metadata service meet anything: they answer, and live on."""

import http.client
import os
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))
DEFAULT, ALL = 150, 5000
_SERVICES = ("s3", "dynamodb", "lambda", "ec2", "iam", "sts", "logs", "ssm", "cloudformation", "nothing", "")
_PATHS = (
    "/",
    "/2015-03-31/functions",
    "/2015-03-31/functions/f/invocations",
    "/bucket/key",
    "/_lab/status",
    "/moto-api/reset",
)
_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
_SIGNED = "AWS4-HMAC-SHA256 Credential={key}/20261123/{region}/{service}/aws4_request, SignedHeaders=host, Signature={signature}"
AUTHORIZATION = st.one_of(
    _TEXT,
    st.builds(
        _SIGNED.format,
        key=st.sampled_from(["LABLOCALCLOUD", "AKIAEXAMPLE", ""]), region=st.sampled_from(["ap-south-1", "mars", ""]),
        service=st.sampled_from(_SERVICES), signature=st.sampled_from(["0" * 64, "x", ""]),
    ),
)  # fmt: skip
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Authorization": AUTHORIZATION, "X-Amz-Target": st.one_of(_TEXT, st.sampled_from(["DynamoDB_20120810.PutItem", "Logs_20140328.PutLogEvents"])),
        "Content-Type": st.sampled_from(["application/x-amz-json-1.0", "application/x-www-form-urlencoded", "text/xml", "\x7f"]),
        "Host": _TEXT, "X-Amz-Date": _TEXT, "X-Amz-Security-Token": _TEXT, "X-Amz-Content-Sha256": _TEXT,
    },
)  # fmt: skip
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "BREW"])
PATHS = st.one_of(st.sampled_from(_PATHS), _TEXT.map(lambda text: "/" + text.replace(" ", "%20")))
QUERIES = st.one_of(st.just(""), _TEXT.map(lambda text: "?" + text.replace(" ", "+")))
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"{}", b"[]", b'{"TableName": 1}', b"Action=RunInstances&Version=2016-11-15", b"<a/>", b"{" * 5000]
    ),
)


def _answer(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: bytes
) -> int:
    """The status, 0 where the connection was closed without one."""
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (http.client.HTTPException, ConnectionError):
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("many", [DEFAULT, pytest.param(ALL, marks=pytest.mark.verify)])
def test_the_door_answers_whatever_comes(live: Any, many: int) -> None:
    """API references, "Common errors": every request gets an answer of AWS's, none an error of the server's."""
    address = urlsplit(live.clients.target.endpoint_url)
    assert address.hostname is not None

    @seed(SEED)
    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(method=METHODS, path=PATHS, query=QUERIES, headers=HEADERS, body=BODIES)
    def fire(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        status = _answer(connection, method, path + query, headers, body)
        assert status < 500 or status == 501, (status, method, path, query, headers, body)

    fire()
    assert live.sts.get_caller_identity()["Account"]


def _metadata() -> Any:
    from labkit.aws.records import Credentials, InstanceRecord
    from labkit.cloud.instances.metadata import MetadataService

    class Issuer:
        def issue(self, role_arn: str, session_name: str, *, seconds: int) -> Credentials:
            return Credentials("ASIA", "secret", "token", 2e9)

    record = InstanceRecord(
        "i-1", "ap-south-1", "123456789012", "running", "ami-1", "t3.micro", "ap-south-1a", "vpc-1", "subnet-1", "10.0.1.4",
        "", "02:00:00:00:00:01", ("sg-1",), b"\xff data", "arn:aws:iam::123456789012:instance-profile/p",
        "arn:aws:iam::123456789012:role/r", "optional",
    )  # fmt: skip
    return MetadataService(lambda: record, Issuer())


@pytest.mark.parametrize("many", [DEFAULT, pytest.param(ALL, marks=pytest.mark.verify)])
def test_the_metadata_service_answers_whatever_comes(many: int) -> None:
    """EC2 user guide, "Use IMDS": 200, 400, 401, 403, 404 or 405, and nothing else."""
    from labkit.cloud.web.serving import Server

    listener = socket.create_server(("127.0.0.1", 0))
    port, server = listener.getsockname()[1], Server()
    server.serve(listener, _metadata(), name="metadata")
    paths = st.one_of(
        PATHS, st.lists(st.sampled_from(["latest", "meta-data", "iam", "security-credentials", "..", "%2e", "r", "user-data", "api", "token", "dynamic"])).map(lambda p: "/" + "/".join(p)),
    )  # fmt: skip
    names = {
        "X-aws-ec2-metadata-token": _TEXT,
        "X-aws-ec2-metadata-token-ttl-seconds": st.one_of(_TEXT, st.integers().map(str)),
        "X-Forwarded-For": _TEXT,
    }

    @seed(SEED)
    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        method=METHODS,
        path=paths,
        headers=st.fixed_dictionaries({}, optional=names),
        body=st.binary(max_size=50),
    )
    def fire(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        status = _answer(
            http.client.HTTPConnection("127.0.0.1", port, timeout=10), method, path, headers, body
        )
        assert status in (0, 200, 400, 401, 403, 404, 405), (status, method, path, headers, body)

    try:
        fire()
    finally:
        server.close()
