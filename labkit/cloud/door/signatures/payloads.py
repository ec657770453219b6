"""What a signature says about the body: its hash, nothing, or a chain of signed chunks.

What belongs here: finding it, and having the body held against it. What does not: the signature of the request
(signing), reading the body (chunks).
S3 API reference: "Authenticating requests: using the Authorization header", "Signature calculations for … multiple chunks".
"""

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

from labkit.cloud.door.chunks import AwsChunked, Hashed, Source
from labkit.cloud.door.credentials import Signature
from labkit.cloud.door.reading import Environ
from labkit.cloud.door.refusals import Refused
from labkit.cloud.door.signatures.signing import UNSIGNED, digest_of, sign

#: where the function stands that gives what came behind a body of chunks
TRAILERS = "lab.trailers"
_CHUNKED, _TRAILED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_HASH = re.compile(r"[0-9a-f]{64}").fullmatch

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
    kinds = (UNSIGNED, _CHUNKED, _TRAILED, _UNSIGNED_CHUNKS)
    if given not in kinds and not _HASH(given):
        words = f"{', '.join(kinds[:3])}, {_UNSIGNED_CHUNKS} or a valid sha256 value."
        raise Refused(400, "InvalidArgument", f"x-amz-content-sha256 must be {words}")
    return given


def guard(signature: Signature, secret: str, said: str, environ: Environ) -> None:
    """Hold S3's body against what was signed, `said` by `stated`: from now on reading it raises Refused where it differs."""
    if signature.service != "s3":
        return
    if said in (_CHUNKED, _TRAILED) and signature.version == 4:
        chain = partial(sign, signature, secret)
        _unpack(environ, chain, signature.signature, trailed=said == _TRAILED)
    elif _HASH(said):
        source: Source = environ["wsgi.input"]  # type: ignore[assignment]
        environ["wsgi.input"] = Hashed(source, _length(environ), said)
    else:
        unpack(environ)


def unpack(environ: Environ) -> None:
    """Take a body out of its chunks where nobody signed them."""
    if str(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")).startswith("STREAMING-"):
        _unpack(environ, None, "", trailed=False)


def _unpack(environ: Environ, chain: Callable[..., str] | None, first: str, *, trailed: bool) -> None:
    length = str(environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH", ""))
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise Refused(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    source: Source = environ["wsgi.input"]  # type: ignore[assignment]
    stream = AwsChunked(source, int(length), chain, first, trailed=trailed)
    environ["wsgi.input"], environ["CONTENT_LENGTH"], environ[TRAILERS] = stream, length, stream.trailers


def _length(environ: Environ) -> int:
    return int(str(environ.get("CONTENT_LENGTH") or "0"))
