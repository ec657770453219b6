"""Bodies that come in S3's chunks, and bodies whose hash was signed: checked while they are read, never held whole.

What belongs here: reading and checking. What does not: which of the two a body is (payloads).
S3 API reference: "Signature calculations for the Authorization header: transferring payload in multiple chunks",
"Working with trailing checksums".
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from labkit.cloud.door.refusals import Refused

_HEAD = re.compile(rb"([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?\r?\n").fullmatch
_TRAILER = re.compile(rb"([\w-]+):([^\r\n]*)\r?\n").fullmatch
_SIGNATURE = "x-amz-trailer-signature"
#: bytes of a line between chunks, and of all that comes behind the last
_LINE, _TRAILERS = 1024, 16 * 1024


class Source(Protocol):
    """What a body is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """As a file's."""
        ...

    def readline(self, size: int = -1, /) -> bytes:
        """As a file's."""
        ...


#: gives the signature of (its kind, the one before it, further lines)
Sign = Callable[..., str]


class Hashed:
    """A body of `length` bytes, whose SHA-256 (hexadecimal) must be `said`. The last read raises Refused where it is not."""

    def __init__(self, source: Source, length: int, said: str) -> None:
        self._source, self._left, self._said = source, length, said
        self._hash = hashlib.sha256()
        if not length:
            self._check()

    def read(self, size: int = -1, /) -> bytes:
        """As a file's."""
        data = self._source.read(self._left if size < 0 else min(size, self._left))
        self._hash.update(data)
        self._left -= len(data)
        if data and not self._left:
            self._check()
        return data

    def readline(self, size: int = -1, /) -> bytes:
        """Not for bodies like this."""
        raise NotImplementedError

    def _check(self) -> None:
        mine = self._hash.hexdigest()
        if mine != self._said:
            words = "The provided 'x-amz-content-sha256' header does not match what was computed."
            hashes = {"ClientComputedContentSHA256": self._said, "S3ComputedContentSHA256": mine}
            raise Refused(400, "XAmzContentSHA256Mismatch", words, details=hashes)


class AwsChunked:
    """The bytes in a body of chunks; `length` of them. With `sign` each chunk is signed after the one before it, the
    first after `first`. Reading raises Refused for chunks that are none, or not signed so.
    """

    def __init__(self, source: Source, length: int, sign: Sign | None, first: str, *, trailed: bool) -> None:
        self._source, self._length, self._sign, self._before, self._trailed = (
            source,
            length,
            sign,
            first,
            trailed,
        )
        self._chunk: tuple[int, str] = (0, "")
        self._count, self._ended = 0, False
        self._hash: Any = hashlib.sha256()
        self._found: dict[str, str] = {}

    def trailers(self) -> Mapping[str, str]:
        """What came behind the chunks, names in lower case; once all is read."""
        return self._found

    def read(self, size: int = -1, /) -> bytes:
        """As a file's."""
        pieces, left = [], self._length - self._count if size < 0 else size
        while left > 0 and not self._ended and (piece := self._piece(left)):
            pieces.append(piece)
            left -= len(piece)
        if self._count == self._length and not self._ended:
            self._piece(1)
        return b"".join(pieces)

    def readline(self, size: int = -1, /) -> bytes:
        """Not for bodies like this."""
        raise NotImplementedError

    def _piece(self, most: int) -> bytes:
        """Some bytes of this chunk or the next one; b"" where the last one has been."""
        if not self._chunk[0]:
            self._chunk = self._head()
            if not self._chunk[0]:
                self._end()
                return b""
        left, signature = self._chunk
        data = self._source.read(min(most, left))
        if not data:
            raise _incomplete()
        self._count += len(data)
        if self._count > self._length:
            raise _incomplete()
        if self._sign is not None:
            self._hash.update(data)
        self._chunk = (left - len(data), signature)
        if not self._chunk[0]:
            self._check_chunk(signature)
            if self._source.readline(2) not in (b"\r\n", b"\n"):
                raise _incomplete()
        return data

    def _head(self) -> tuple[int, str]:
        match = _HEAD(self._source.readline(_LINE))
        if match is None or (self._sign is not None and match[2] is None):
            raise _incomplete()
        return int(match[1], 16), (match[2] or b"").decode()

    def _check_chunk(self, signature: str) -> None:
        if self._sign is None:
            return
        empty, mine = hashlib.sha256(b"").hexdigest(), self._hash.hexdigest()
        self._before = self._sign("AWS4-HMAC-SHA256-PAYLOAD", self._before, empty, mine)
        self._hash = hashlib.sha256()
        if self._before != signature:
            raise _not_signed()

    def _end(self) -> None:
        """The empty chunk has come: what is behind it."""
        self._ended = True
        self._check_chunk(self._chunk[1])
        lines: list[bytes] = []
        while (line := self._source.readline(_LINE)) not in (b"", b"\r\n", b"\n"):
            match = _TRAILER(line if line.endswith(b"\n") else line + b"\n")
            if match is None or len(b"".join(lines)) > _TRAILERS:
                raise _incomplete()
            if match[1].decode().lower() != _SIGNATURE:
                lines.append(line.strip() + b"\n")
            self._found[match[1].decode().lower()] = match[2].decode("latin-1").strip()
        if self._count != self._length:
            raise _incomplete()
        if self._sign is not None and self._trailed:
            mine = self._sign(
                "AWS4-HMAC-SHA256-TRAILER", self._before, hashlib.sha256(b"".join(lines)).hexdigest()
            )
            if not lines or self._found.get(_SIGNATURE) != mine:
                raise _not_signed()


def _incomplete() -> Refused:
    return Refused(400, "IncompleteBody", "The request body terminated unexpectedly")


def _not_signed() -> Refused:
    words = "The chunk signature we calculated does not match the signature you provided."
    return Refused(403, "SignatureDoesNotMatch", words)
