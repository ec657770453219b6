"""Bodies as they come in: counted, hashed, and held against what the request says of them.

What belongs here: one body, of an object or a part. What does not: what it becomes (objects, multipart).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.cloud.stores.s3.bodies import Received
from labkit.cloud.stores.s3.engine import LARGEST, Call, Engine
from labkit.cloud.stores.s3.wire import checksums
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_request

_HEADER = "x-amz-checksum-"


@dataclass(frozen=True)
class Arrived:
    """A body that has come and is what it should be; `checksum` is ("", "") where none was asked for."""

    received: Received
    etag: str
    checksum: tuple[str, str]


class _Digests:
    """MD5 and one checksum of what passes."""

    def __init__(self, algorithm: str) -> None:
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sum = checksums.new(algorithm) if algorithm else None

    def seen(self, data: bytes) -> None:
        self.md5.update(data)
        if self.sum is not None:
            self.sum.update(data)


def check_size(size: int) -> None:
    """Raise S3Error for a body that is too large for one request."""
    if size > LARGEST:
        raise S3Error("EntityTooLarge", details={"ProposedSize": str(size), "MaxSizeAllowed": str(LARGEST)})


def receive(engine: Engine, call: Call, otherwise: str = "") -> Arrived:
    """Take the body of a request. Raises S3Error where it is not what the request says.

    `otherwise`: the algorithm of the checksum that is made where the request names none.
    """
    if call.size < 0:
        raise S3Error("MissingContentLength")
    check_size(call.size)
    md5 = _md5_of(call)
    algorithm, wanted = _checksum_of(call.input, call)
    digests = _Digests(algorithm or otherwise)
    received = engine.bodies.receive(call.body, call.size, digests.seen)
    try:
        if received.size != call.size:
            details = {"NumberBytesExpected": str(call.size), "NumberBytesProvided": str(received.size)}
            raise S3Error("IncompleteBody", details=details)
        if md5 is not None and md5 != digests.md5.digest():
            told = {"ExpectedDigest": md5.hex(), "CalculatedDigest": checksums.encode(digests.md5.digest())}
            raise S3Error("BadDigest", details=told)
        made = checksums.encode(digests.sum.digest()) if digests.sum is not None else ""
        _compare(algorithm, wanted or _trailing(algorithm, call), made)
    except BaseException:
        engine.bodies.discard(received)
        raise
    return Arrived(received, digests.md5.hexdigest(), (algorithm or otherwise, made) if made else ("", ""))


def _md5_of(call: Call) -> bytes | None:
    text = call.environ.get("HTTP_CONTENT_MD5")
    if text is None:
        return None
    found = checksums.decode(str(text), 16)
    if found is None:
        raise S3Error("InvalidDigest", details={"Content-MD5": str(text)})
    return found


def _checksum_of(given: Mapping[str, Any], call: Call) -> tuple[str, str]:
    """The algorithm, and the checksum where a header tells it ("" where it comes behind the body)."""
    algorithm, value = checksums.given(given)
    named = call.header("x-amz-trailer").lower()
    behind = named.removeprefix(_HEADER).upper() if named.startswith(_HEADER) else ""
    if named and behind not in checksums.ALGORITHMS:
        raise invalid_request("The value specified in the x-amz-trailer header is not supported")
    said = str(given.get("ChecksumAlgorithm") or "").upper()
    if algorithm and behind:
        raise invalid_request("Expecting a single x-amz-checksum- header")
    found = algorithm or behind
    if said and not found:
        raise invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
        )
    if said and said != found:
        raise invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return found, value


def _trailing(algorithm: str, call: Call) -> str:
    """The checksum behind the body."""
    if not algorithm:
        return ""
    name = f"{_HEADER}{algorithm.lower()}"
    value = call.trailers().get(name, "")
    if checksums.decode(value, checksums.LENGTHS[algorithm]) is None:
        raise invalid_request(f"Value for {name} trailing header is invalid.")
    return value


def _compare(algorithm: str, wanted: str, made: str) -> None:
    if algorithm and wanted != made:
        words = f"The {algorithm} you specified did not match the calculated checksum."
        raise S3Error("BadDigest", words)


def check_document(call: Call, data: bytes, *, whole: bool) -> None:
    """Raise S3Error where a document's Content-MD5 or checksum is not the document's.

    `whole`: the checksum is that of the whole object, not of the document.
    """
    md5 = _md5_of(call)
    if md5 is not None and md5 != hashlib.md5(data, usedforsecurity=False).digest():
        raise S3Error("BadDigest")
    for algorithm in () if whole else checksums.ALGORITHMS:
        wanted = call.header(f"{_HEADER}{algorithm.lower()}")
        if wanted:
            made = checksums.new(algorithm)
            made.update(data)
            _compare(algorithm, wanted, checksums.encode(made.digest()))
