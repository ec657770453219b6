"""Signatures made again, to compare: versions 4 and 2, of requests, chunks and upload forms.

What belongs here: what is signed, and with which key. What does not: reading the signature that came (credentials),
times (freshness), what is answered (refusals).
AWS IAM user guide: "Create a signed AWS API request"; S3 API reference: "Authenticating requests".
"""

import hashlib
import hmac
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

from labkit.cloud.door.buckets import AS_SENT
from labkit.cloud.door.credentials import ALGORITHM, Environ, Signature
from labkit.cloud.web.http1 import UNDERSCORED

UNSIGNED = "UNSIGNED-PAYLOAD"
_EMPTY = hashlib.sha256(b"").hexdigest()


def is_genuine(signature: Signature, secret: str, environ: Environ, payload: str) -> bool:
    """Whether `secret` signed this request, whose payload is signed as `payload` (version 2 signs none)."""
    if signature.version == 2:
        # Clients sign a bucket's path with the slash behind it, or as they send it; AWS takes both.
        made = [_version_2(signature, secret, environ, end) for end in ("", "/")]
        return any(same(mine, signature.signature) for mine in made if mine)
    # Clients sign URLs as they send them, or with everything escaped that can be; AWS takes both.
    for escaped in (False, True):
        request = _canonical_request(signature, environ, payload, escaped=escaped)
        if same(sign(signature, secret, ALGORITHM, _digest(request.encode())), signature.signature):
            return True
    return False


def sign(signature: Signature, secret: str, kind: str, *lines: str) -> str:
    """The signature, in hexadecimal digits, of these lines, in the moment and the scope of `signature`."""
    text = "\n".join((kind, signature.moment, signature.scope, *lines))
    return sign_text(signature, secret, text)


def sign_text(signature: Signature, secret: str, text: str) -> str:
    """As `sign`, of the text as it is: S3's upload forms sign their policy."""
    if signature.version == 2:
        return str(HmacV1Auth(Credentials("", secret)).sign_string(text))
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def unsigned_header(signature: Signature, environ: Environ) -> str:
    """A header that AWS wants signed and that is not, "" for none (version 2 signs what it needs by itself)."""
    if signature.version == 2 or signature.place == "form":
        return ""
    signed = set(signature.signed_headers.split(";"))
    if "host" not in signed:
        return "host"
    free = "x-amz-content-sha256" if signature.place == "query" else ""
    return next((name for name in _amz_headers(environ) if name not in signed and name != free), "")


def digest_of(body: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return _digest(body) if body else _EMPTY


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def same(mine: str, given: str) -> bool:
    """Whether two signatures are equal; how long that takes says nothing about them."""
    return hmac.compare_digest(mine.encode(), given.encode("utf-8", "surrogateescape"))


def _amz_headers(environ: Environ) -> Iterator[str]:
    for key in environ:
        if key.startswith("HTTP_X_AMZ_"):
            yield key[5:].lower().replace("_", "-")
    for name, _ in _underscored(environ):
        if name.startswith("x-amz-"):
            yield name


@lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


# -- version 4 -----------------------------------------------------------------------------------------


def _canonical_request(signature: Signature, environ: Environ, payload: str, *, escaped: bool) -> str:
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signature.signed_headers.split(";"))
    return "\n".join(
        (
            str(environ["REQUEST_METHOD"]),
            _path(signature, environ, escaped=escaped),
            _query(signature, str(environ.get("QUERY_STRING", "")), escaped=escaped),
            headers,
            signature.signed_headers,
            payload,
        )
    )


def _path(signature: Signature, environ: Environ, *, escaped: bool) -> str:
    sent = environ.get(AS_SENT)
    target = str(sent[1] if isinstance(sent, tuple) else environ.get("RAW_URI") or environ.get("PATH_INFO"))
    path = target.partition("?")[0]
    if path.lower().startswith(("http://", "https://")):
        path = urlsplit(path).path
    path = path or "/"
    if signature.service != "s3" and ("/." in path or "//" in path):
        path = str(normalize_url_path(path))
    if escaped:
        path = quote(unquote_to_bytes(path.encode("latin-1")), safe="/~")
    # S3 signs its path as it is sent; the others escape it once more.
    return path if signature.service == "s3" else quote(path.encode("latin-1"), safe="/~")


def _query(signature: Signature, query: str, *, escaped: bool) -> str:
    if not query:
        return ""
    pairs = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))]
    if escaped:
        pairs = [(_escaped(name), _escaped(value)) for name, value in pairs if name]
    left_out = "X-Amz-Signature" if signature.place == "query" else None
    return "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != left_out)


def _escaped(part: str) -> str:
    return quote(unquote_to_bytes(part.replace("+", " ").encode("latin-1")), safe="~")


def _header(environ: Environ, name: str) -> str:
    sent = environ.get(AS_SENT) if name == "host" else None
    if isinstance(sent, tuple):
        return str(sent[0])
    if "_" in name:
        text = ",".join(value for key, value in _underscored(environ) if key == name)
    else:
        key = name.upper().replace("-", "_")
        text = str(environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}") or "")
    if not text.isascii():  # WSGI holds header bytes as latin-1; they were signed as UTF-8
        text = text.encode("latin-1").decode("utf-8", "replace")
    return " ".join(text.split())


def _underscored(environ: Environ) -> list[tuple[str, str]]:
    """S3's metadata may be called made_by as well as made-by; WSGI can't tell the two apart."""
    held = environ.get(UNDERSCORED)
    return [(name.lower(), value) for name, value in held] if isinstance(held, list) else []


# -- version 2 -----------------------------------------------------------------------------------------


class _Version2(HmacV1Auth):
    """Botocore's signer, at the moment that the request names."""

    def __init__(self, secret: str, moment: str) -> None:
        super().__init__(Credentials("", secret))
        self._moment = moment

    def _get_date(self) -> str:
        return self._moment


#: parameters that version 2 leaves unsigned: they choose among what a request lists, not what it does
_UNSIGNED_BY_2 = frozenset(
    {
        *(
            "AWSAccessKeyId",
            "Signature",
            "Expires",
            "content-md5",
            "content-type",
            "x-id",
            "list-type",
            "prefix",
        ),
        *(
            "delimiter",
            "marker",
            "max-keys",
            "encoding-type",
            "key-marker",
            "version-id-marker",
            "upload-id-marker",
        ),
        *(
            "max-uploads",
            "part-number-marker",
            "max-parts",
            "continuation-token",
            "start-after",
            "fetch-owner",
        ),
    }
)


def _version_2(signature: Signature, secret: str, environ: Environ, end: str) -> str:
    """The signature of the request with `end` behind its path, "" for one that version 2 can't sign."""
    query = str(environ.get("QUERY_STRING", ""))
    path = str(environ.get("RAW_URI") or environ.get("PATH_INFO") or "/").partition("?")[0]
    path += "" if path.endswith("/") else end
    headers = HTTPHeaders()
    in_query = dict(parse_qsl(query, keep_blank_values=True)) if signature.place == "query" else {}
    for name in ("content-md5", "content-type", *_amz_headers(environ)):
        if value := _header(environ, name):
            headers[name] = value
    for name in dict(parse_qsl(query, keep_blank_values=True)):
        if not (name in HmacV1Auth.QSAOfInterest or name in _UNSIGNED_BY_2 or name.startswith("x-amz-")):
            return ""  # it would do something else than what was signed
    for name, value in in_query.items():
        if name in ("content-md5", "content-type") or name.startswith("x-amz-"):
            headers[name] = value
    moment = signature.expires or ("" if "HTTP_X_AMZ_DATE" in environ else signature.moment)
    split = urlsplit(f"{path}?{query}" if query else path)
    signer = _Version2(secret, moment)
    return str(signer.get_signature(str(environ["REQUEST_METHOD"]), split, headers, auth_path=path))  # type: ignore[arg-type]
