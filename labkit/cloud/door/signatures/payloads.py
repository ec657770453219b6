"""What a signature says about the body: its hash, nothing, or a chain of signed chunks.

What belongs here: finding it, and holding the body against it. What does not: the signature of the request (signing).
S3 API reference: "Authenticating requests: using the Authorization header", "Signature calculations for … multiple chunks".
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from labkit.cloud.door.credentials import Environ, Signature
from labkit.cloud.door.refusals import Refused
from labkit.cloud.door.signatures.signing import UNSIGNED, digest_of, sign

_CHUNKED, _TRAILED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_UNCHECKED = (UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
_HASH = re.compile(r"[0-9a-f]{64}").fullmatch
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,10});chunk-signature=([0-9a-f]{64})\r\n")
_SIGNED_TRAILER = re.compile(rb"x-amz-trailer-signature:([0-9a-f]{64})").fullmatch
_TRAILER = re.compile(rb"[\w-]+:[^\r\n]*").fullmatch

Read = Callable[[], bytes]


def stated(signature: Signature, environ: Environ, read: Read) -> str:
    """What the signature signs for the body. Raises Refused where S3 wants to be told it and is not."""
    if signature.service != "s3":
        return digest_of(read())
    given = str(environ.get("HTTP_X_AMZ_CONTENT_SHA256", ""))
    if signature.version == 2:
        return ""
    if signature.place == "query":
        named = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
        return given or named.get("X-Amz-Content-Sha256") or UNSIGNED
    if not given:
        words = "Missing required header for this request: x-amz-content-sha256"
        raise Refused(400, "InvalidRequest", words)
    if given not in (_CHUNKED, _TRAILED, *_UNCHECKED) and not _HASH(given):
        words = f"{UNSIGNED}, {_CHUNKED}, {_TRAILED}, {_UNCHECKED[1]} or a valid sha256 value."
        raise Refused(400, "InvalidArgument", f"x-amz-content-sha256 must be {words}")
    return given


def check(signature: Signature, secret: str, said: str, read: Read) -> None:
    """Raise Refused where the body is not the one that was signed; `said` is what `stated` gave."""
    if signature.service != "s3" or signature.version == 2 or said in _UNCHECKED:
        return
    if said in (_CHUNKED, _TRAILED):
        if not _is_chain(signature, secret, read(), trailed=said == _TRAILED):
            words = "The chunk signature we calculated does not match the signature you provided."
            raise Refused(403, "SignatureDoesNotMatch", words)
    elif (mine := digest_of(read())) != said:
        words = "The provided 'x-amz-content-sha256' header does not match what was computed."
        hashes = {"ClientComputedContentSHA256": said, "S3ComputedContentSHA256": mine}
        raise Refused(400, "XAmzContentSHA256Mismatch", words, details=hashes)


def _is_chain(signature: Signature, secret: str, body: bytes, *, trailed: bool) -> bool:
    """Whether each chunk is signed after the one before it, the last of them empty."""
    before, at, size = signature.signature, 0, -1
    while size != 0:
        head = _CHUNK.match(body, at)
        if head is None:
            return False
        size = int(head[1], 16)
        data, at = body[head.end() : head.end() + size], head.end() + size
        lines = (before, digest_of(b""), digest_of(data))
        before = sign(signature, secret, "AWS4-HMAC-SHA256-PAYLOAD", *lines)
        if before != head[2].decode() or len(data) < size:
            return False
        if size and body[at : at + 2] != b"\r\n":
            return False
        at += 2 if size else 0
    return _is_trailer(signature, secret, before, body[at:]) if trailed else body[at:] in (b"\r\n", b"")


def _is_trailer(signature: Signature, secret: str, before: str, rest: bytes) -> bool:
    *trailers, last = [line for line in rest.splitlines() if line.strip()] or [b""]
    found = _SIGNED_TRAILER(last)
    if found is None or not trailers or not all(map(_TRAILER, trailers)):
        return False
    lines = b"".join(line.strip() + b"\n" for line in trailers)
    return sign(signature, secret, "AWS4-HMAC-SHA256-TRAILER", before, digest_of(lines)) == found[1].decode()
