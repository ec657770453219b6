"""What befalls a rehearsal's requests: by its seed alone, in AWS's words, and never without an end."""

import io
from http.client import HTTPResponse
from typing import Any

import pytest
from botocore.parsers import create_parser

from labkit.cloud.rehearsal.relay import Answer
from labkit.cloud.rehearsal.weather import Request, Weather, throttling


def request(host: str, target: str, body: bytes = b"", **headers: str) -> Request:
    return Request(f"{host}.amazonaws.com", target, headers, body)


FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
DESCRIBE = Request(
    "ec2.us-east-1.amazonaws.com", "POST / HTTP/1.1", FORM, b"Action=DescribeVpcs&Version=2016-11-15"
)
INVOKE = "POST /2015-03-31/functions/f/invocations HTTP/1.1"


@pytest.mark.parametrize(
    ("asked", "operation"),
    [
        (DESCRIBE, "ec2 DescribeVpcs"),
        (Request("logs.us-east-1.amazonaws.com", "POST / HTTP/1.1", {"x-amz-target": "Logs_20140328.FilterLogEvents"}), "logs FilterLogEvents"),
        (request("lambda.us-east-1", INVOKE), "lambda POST invocations"),
        (request("my-bucket.s3.us-east-1", "PUT /a/b.jpg HTTP/1.1", b"Action=x"), "s3 PUT"),
    ],
)  # fmt: skip
def test_a_request_is_known_by_what_it_asks_for(asked: Request, operation: str) -> None:
    assert asked.operation == operation


def test_the_same_seed_brings_the_same_and_no_more_than_two_troubles_in_a_row() -> None:
    def course(seed: int) -> list[str]:
        weather = Weather(seed)
        return [weather.fate("ec2 DescribeVpcs") for _ in range(2000)]

    assert course(7) == course(7) != course(8)
    text = "".join(fate[0] for fate in course(7))
    assert "p" in text
    assert not any(
        a != "p" and b != "p" and c != "p" for a, b, c in zip(text, text[1:], text[2:], strict=False)
    )
    assert 0.05 < text.count("t") / len(text) < 0.11
    assert 0.02 < text.count("l") / len(text) < 0.07


class _Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._data)


@pytest.mark.parametrize(
    ("operation", "protocol", "code"),
    [
        ("ec2 DescribeVpcs", "ec2", "RequestLimitExceeded"),
        ("cloudformation CreateStack", "query", "Throttling"),
        ("s3 PUT", "rest-xml", "SlowDown"),
        ("lambda POST invocations", "rest-json", "TooManyRequestsException"),
        ("dynamodb GetItem", "json", "ThrottlingException"),
    ],
)
def test_throttling_is_said_so_that_aws_clients_try_again(operation: str, protocol: str, code: str) -> None:
    from botocore.awsrequest import HeadersDict
    from botocore.retries.standard import ThrottledRetryableChecker

    said = HTTPResponse(_Socket(throttling(operation)))  # type: ignore[arg-type]
    said.begin()
    answer = {"status_code": said.status, "headers": HeadersDict(said.getheaders()), "body": said.read()}
    parsed = create_parser(protocol).parse(answer, None)
    assert parsed["Error"]["Code"] == code
    assert code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES


@pytest.mark.parametrize(
    ("parts", "has_body"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 3\r\n\r\nab", b"c"], True),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], True),
        ([b"HTTP/1.1 204 No Content\r\n", b"\r\n"], True),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n"], False),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"0\r\n\r\n"], True),
    ],
)  # fmt: skip
def test_an_answer_is_known_to_be_whole(parts: list[bytes], has_body: bool) -> None:
    answer = Answer(has_body=has_body)
    assert [answer.add(part) for part in parts] == [False] * (len(parts) - 1) + [True]
