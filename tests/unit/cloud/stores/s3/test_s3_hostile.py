"""No request is one that S3 breaks on: every operation with every parameter wrong in turn, and bodies that are none.

What AWS would not answer with a 5xx is not one here; 501 says what is not emulated. Each operation gets the same few
requests in every run; `make verify` sends them all.
"""

import contextlib
import http.client
import random
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from labkit.cloud.stores.s3.wire import description
from tests.unit.cloud.stores.s3_door import KEY, REGION, SECRET

OPERATIONS = sorted(description.model()["operations"])
WRONG = [
    "",
    "nonsense",
    "-1",
    "--1",
    "\u00b9",
    "1" * 5000,
    "99999999999999999999",
    "\u00e4",
    "a" * 1100,
    "2020-01-01",
    "%00",
    "<x/>",
    "null",
    "true",
]
BODIES = [
    b"", b"<", b"<x/>", b"nonsense", b"{}", b"<a>" * 200, b"\x00\xff", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
]  # fmt: skip


#: method, target, headers, body
Asked = tuple[str, str, dict[str, str], bytes]
#: requests of each operation in a normal run
FEW = 6


class Wire:
    """Requests as no client of AWS makes them, signed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        sent = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        request = AWSRequest(method, f"{self._url}{path}", dict(sent), body)
        auth.S3SigV4Auth(Credentials(KEY, SECRET), "s3", REGION).add_auth(request)
        signed = {name: value for name, value in request.headers.items() if value.isascii()}
        self._connection.request(method, path, body, signed)
        with self._connection.getresponse() as answer:
            return answer.status, answer.read()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    with contextlib.closing(Wire(url)) as made:
        yield made


def required(operation: str) -> Iterator[tuple[str, str, str]]:
    """(location, name on the wire, a value) of what an operation can't do without."""
    known = description.input_of(operation)
    for member in known.get("required", ()):
        ref = known["members"][member]
        if ref.get("location") in ("header", "querystring"):
            yield ref["location"], ref["locationName"], "1"


def places(operation: str) -> Iterator[tuple[str, str]]:
    """Where each of its parameters stands."""
    for ref in description.input_of(operation)["members"].values():
        if ref.get("location") in ("header", "querystring"):
            yield ref["location"], ref["locationName"]


def request_of(operation: str, wrong: Mapping[tuple[str, str], str]) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers of a request, some of its parameters wrong."""
    known = description.operation(operation)["http"]
    path, _, query = known["requestUri"].partition("?")
    path = path.replace("{Bucket}", "bucket").replace("{Key+}", "k")
    headers: dict[str, str] = {}
    pairs = [query] if query else []
    for location, name, value in required(operation):
        given = wrong.get((location, name), value)
        if location == "header":
            headers[name] = given
        else:
            pairs.append(f"{name}={quote(given)}")
    for (location, name), value in wrong.items():
        if location == "header":
            headers.setdefault(name, value)
        elif not any(pair.startswith(f"{name}=") for pair in pairs):
            pairs.append(f"{name}={quote(value)}")
    clean = {name: value for name, value in headers.items() if value.isascii() and "\n" not in value}
    return known["method"], path + (f"?{'&'.join(pairs)}" if pairs else ""), clean


def right(status: int, told: bytes) -> bool:
    return status < 500 or (status == 501 and b"NotImplemented" in told)


def wrong_parameters(operation: str) -> Iterator[Asked]:
    """Requests of it with one parameter wrong."""
    draw = random.Random(operation)
    for place in [("query", ""), *places(operation)]:
        for value in draw.sample(WRONG, 4):
            method, target, headers = request_of(operation, {place: value} if place[1] else {})
            yield method, target, headers, draw.choice(BODIES) if method in ("PUT", "POST") else b""


def wrong_documents(operation: str) -> Iterator[Asked]:
    """Requests of it with a body that is not quite right."""
    known = description.input_of(operation)
    member = known["members"][known["payload"]]
    for document in documents(member.get("locationName", member["shape"]), member["shape"], 0):
        yield *request_of(operation, {}), document.encode()


def few(requests: list[Asked], operation: str) -> list[Asked]:
    """The same few of them each time."""
    return random.Random(operation).sample(requests, min(FEW, len(requests)))


def none_breaks(wire: Wire, requests: list[Asked]) -> None:
    for request in requests:
        status, told = wire.ask(*request)
        assert right(status, told), (request, status, told)


PARAMETERS = [each for each in OPERATIONS if each not in ("DeleteBucket", "CreateBucket")]
DOCUMENTS = [each for each in OPERATIONS if description.input_of(each).get("payload")]


def test_no_parameter_breaks_it(wire: Wire, bucket: str) -> None:
    """S3 API reference, "List of error codes": whatever comes has one that is its sender's fault."""
    for operation in PARAMETERS:
        none_breaks(wire, few(list(wrong_parameters(operation)), operation))


def test_no_document_breaks_it(wire: Wire, bucket: str) -> None:
    """Smithy, "AWS REST XML protocol": documents with each element missing, twice, wrong, or of another kind."""
    for operation in DOCUMENTS:
        none_breaks(wire, few(list(wrong_documents(operation)), operation))


@pytest.mark.verify
@pytest.mark.parametrize("operation", PARAMETERS)
def test_no_parameter_at_all_breaks_it(wire: Wire, bucket: str, operation: str) -> None:
    """As above, all of them."""
    none_breaks(wire, list(wrong_parameters(operation)))


@pytest.mark.verify
@pytest.mark.parametrize("operation", DOCUMENTS)
def test_no_document_at_all_breaks_it(wire: Wire, bucket: str, operation: str) -> None:
    """As above, all of them."""
    none_breaks(wire, list(wrong_documents(operation)))


def documents(tag: str, shape: str, depth: int) -> Iterator[str]:
    """Documents of a shape, most of them not quite."""
    known = description.shape(shape)
    if known["type"] != "structure" or depth > 3:
        for value in (
            "",
            "nonsense",
            "-1",
            "9" * 30,
            "<x/>",
            "é",
            "2020-01-01T00:00:00Z",
            *known.get("enum", ())[:1],
        ):
            yield f"<{tag}>{value}</{tag}>"
        return
    yield f"<{tag}/>"
    for name, ref in known["members"].items():
        inner, element = description.shape(ref["shape"]), ref.get("locationName", name)
        entry = ref["shape"]
        if inner["type"] == "list":
            entry = inner["member"]["shape"]
            if not description.is_flat(inner, ref):
                wanted = inner["member"].get("locationName", "member")
                yield f"<{tag}><{element}/></{tag}>"
                for each in documents(wanted, entry, depth + 2):
                    yield f"<{tag}><{element}>{each}</{element}></{tag}>"
                continue
        for each in documents(element, entry, depth + 1):
            yield f"<{tag}>{each}</{tag}>"
            yield f"<{tag}>{each}{each}</{tag}>"


def test_chunks_that_are_none_are_refused(wire: Wire, bucket: str) -> None:
    """S3 API reference, "Working with trailing checksums"."""
    for body in (
        b"",
        b"5\r\nhello",
        b"x\r\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
        b"9\r\nhello\r\n0\r\n\r\n",
    ):
        headers = {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "5",
            "x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked",
        }  # fmt: skip
        status, told = wire.ask("PUT", f"/{bucket}/k", headers, body)
        assert status == 400, (body, told)
    assert wire.ask("GET", f"/{bucket}/k", {}, b"")[0] == 404
