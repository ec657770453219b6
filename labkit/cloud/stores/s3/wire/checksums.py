"""Checksums of bodies: the five algorithms of S3, of a whole object or composed of its parts'.

What belongs here: computing and combining them, and which one a request names. What does not: storing them.
S3 user guide: "Checking object integrity in Amazon S3".
"""

import base64
import functools
import hashlib
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from labkit.cloud.stores.s3.wire.errors import invalid_request

ALGORITHMS = ("CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME")
#: bytes of a checksum
LENGTHS: Mapping[str, int] = {"CRC32": 4, "CRC32C": 4, "SHA1": 20, "SHA256": 32, "CRC64NVME": 8}
_POLYNOMIALS: Mapping[str, tuple[int, int]] = {
    "CRC32": (0xEDB88320, 32),
    "CRC32C": (0x82F63B78, 32),
    "CRC64NVME": (0x9A6C9329AC4BC9B5, 64),
}


class Hash(Protocol):
    """A checksum that grows with what it is shown."""

    def update(self, data: bytes, /) -> None:
        """Show it more."""
        ...

    def digest(self) -> bytes:
        """The checksum of all it was shown."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Crc:
    """A CRC that Python has no function for: two bytes at a time, by a table."""

    def __init__(self, algorithm: str) -> None:
        self._polynomial, self._bits = _POLYNOMIALS[algorithm]
        self._value = (1 << self._bits) - 1

    def update(self, data: bytes, /) -> None:
        table, value = _table(self._polynomial), self._value
        even = len(data) & ~1
        pairs = array("H")
        pairs.frombytes(data[:even])
        if not _LITTLE:
            pairs.byteswap()
        for pair in pairs:
            value = table[(value ^ pair) & 0xFFFF] ^ (value >> 16)
        for byte in data[even:]:
            value = _one_byte(self._polynomial, value ^ byte, 8)
        self._value = value

    def digest(self) -> bytes:
        return (self._value ^ ((1 << self._bits) - 1)).to_bytes(self._bits // 8, "big")


_LITTLE = array("H", [1]).tobytes() == b"\x01\x00"


def _one_byte(polynomial: int, value: int, bits: int) -> int:
    for _ in range(bits):
        value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return value


@functools.cache
def _table(polynomial: int) -> list[int]:
    single = [_one_byte(polynomial, number, 8) for number in range(256)]
    return [single[(low := single[n & 0xFF]) & 0xFF ^ (n >> 8)] ^ (low >> 8) for n in range(65536)]


_MAKERS: Mapping[str, Callable[[], Hash]] = {
    "CRC32": _Crc32,
    "CRC32C": lambda: _Crc("CRC32C"),
    "CRC64NVME": lambda: _Crc("CRC64NVME"),
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
}


def new(algorithm: str) -> Hash:
    """A checksum of nothing yet."""
    return _MAKERS[algorithm]()


def encode(digest: bytes) -> str:
    """As S3 writes checksums."""
    return base64.b64encode(digest).decode()


def decode(text: str, length: int) -> bytes | None:
    """The bytes of a checksum or digest; None for text that is none of this length."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return found if len(found) == length else None


def member(algorithm: str) -> str:
    """The parameter that holds a checksum of this algorithm."""
    return f"Checksum{algorithm}"


def given(parameters: Mapping[str, Any]) -> tuple[str, str]:
    """The algorithm and the checksum that a request gives; "" for none.

    Raises S3Error for more than one, and for one that can't be.
    """
    found = [
        (name, parameters[member(name)]) for name in ALGORITHMS if parameters.get(member(name)) is not None
    ]
    if len(found) > 1:
        raise invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    if not found:
        return "", ""
    name, value = found[0]
    if decode(value, LENGTHS[name]) is None:
        raise invalid_request(f"Value for x-amz-checksum-{name.lower()} header is invalid.")
    return name, value


def check_pair(algorithm: str, kind: str) -> str:
    """The kind of checksum of a multipart upload, COMPOSITE or FULL_OBJECT. Raises S3Error for pairs that are not.

    S3 user guide, "Checking object integrity": which algorithms know which kinds.
    """
    if not kind:
        return "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    if (kind == "COMPOSITE" and algorithm == "CRC64NVME") or (
        kind == "FULL_OBJECT" and algorithm in ("SHA1", "SHA256")
    ):
        words = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise invalid_request(words)
    return kind


def composite(algorithm: str, checksums: Sequence[str]) -> str:
    """The checksum of the parts' checksums, with their number."""
    total = new(algorithm)
    for each in checksums:
        total.update(base64.b64decode(each))
    return f"{encode(total.digest())}-{len(checksums)}"


def combined(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """The checksum of all bytes, of (checksum, size) of each part: CRCs can be put together."""
    polynomial, bits = _POLYNOMIALS[algorithm]
    total = 0
    for text, size in parts:
        total = _shift(polynomial, bits, total, size) ^ int.from_bytes(base64.b64decode(text), "big")
    return encode(total.to_bytes(bits // 8, "big"))


def _shift(polynomial: int, bits: int, value: int, size: int) -> int:
    """A CRC after `size` zero bytes more: by squaring the step of one bit, as a matrix over GF(2)."""
    step = [polynomial, *(1 << bit for bit in range(bits - 1))]
    count = size * 8
    while count:
        if count & 1:
            value = _times(step, value)
        step = [_times(step, column) for column in step]
        count >>= 1
    return value


def _times(matrix: Sequence[int], vector: int) -> int:
    total = 0
    for column in matrix:
        if vector & 1:
            total ^= column
        vector >>= 1
    return total
