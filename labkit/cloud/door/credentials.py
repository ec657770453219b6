"""Signatures: which access key a request is signed with, and whether its secret made the signature.

What belongs here: AWS Signature Version 4 in the Authorization header and in the query. What does
not: who holds the key. AWS IAM user guide: "Create a signed AWS API request".
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from labkit.cloud.door.buckets import AS_SENT
from labkit.cloud.http1 import UNDERSCORED

Environ = Mapping[str, object]

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/(\d{8})/([A-Za-z0-9-]+)/([A-Za-z0-9-]+)/aws4_request\s*,"
    r"\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]+)\s*"
).fullmatch
_SCOPE = re.compile(r"([^/]+)/(\d{8})/([A-Za-z0-9-]+)/([A-Za-z0-9-]+)/aws4_request").fullmatch
_VERSION_2 = re.compile(r"AWS ([^:\s]+):").match
_SPACES = re.compile(r" +")


@dataclass(frozen=True)
class Signature:
    """What a request says about its signature; `signature` "" where it can't be checked (version 2)."""

    access_key_id: str
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: str = ""
    signature: str = ""
    token: str = ""
    in_query: bool = False


def read_signature(environ: Environ) -> Signature | None:
    """The signature of a request, or None for a request that carries none that can be read."""
    header = str(environ.get("HTTP_AUTHORIZATION", ""))
    if header:
        return _from_header(header, environ)
    query = str(environ.get("QUERY_STRING", ""))
    if "X-Amz-Credential=" in query or "AWSAccessKeyId=" in query:
        return _from_query(dict(parse_qsl(query, keep_blank_values=True)))
    return None


def _from_header(header: str, environ: Environ) -> Signature | None:
    match = _HEADER(header)
    if match is None:
        old = _VERSION_2(header)
        return Signature(old[1], service="s3") if old else None
    key, date, region, service, headers, signature = match.groups()
    token = str(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    return Signature(key, date, region, service.lower(), headers, signature, token)


def _from_query(query: Mapping[str, str]) -> Signature | None:
    token = query.get("X-Amz-Security-Token") or query.get("x-amz-security-token") or ""
    if "AWSAccessKeyId" in query:
        return Signature(query["AWSAccessKeyId"], service="s3", token=token, in_query=True)
    match = _SCOPE(query["X-Amz-Credential"])
    if match is None:
        return None
    key, date, region, service = match.groups()
    headers, signature = query.get("X-Amz-SignedHeaders", ""), query.get("X-Amz-Signature", "")
    return Signature(key, date, region, service.lower(), headers, signature, token, in_query=True)


def outlived(environ: Environ) -> bool:
    """Whether a presigned URL is past its X-Amz-Expires (S3: "Sharing objects with presigned URLs")."""
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
    try:
        made = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return datetime.now(UTC).timestamp() > made.timestamp() + int(query["X-Amz-Expires"])
    except (KeyError, ValueError):
        return False


def is_genuine(signature: Signature, secret: str, environ: Environ, body: Callable[[], bytes]) -> bool:
    """Whether `secret` signed this request; version 2 is believed. `body` is read only if need be."""
    if not signature.signature:
        return not signature.date
    request = _canonical_request(signature, environ, body)
    moment = _query_value(environ, "X-Amz-Date") if signature.in_query else environ.get("HTTP_X_AMZ_DATE", "")
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    digest = hashlib.sha256(request.encode("utf-8")).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.signature)


@lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_request(signature: Signature, environ: Environ, body: Callable[[], bytes]) -> str:
    names = signature.signed_headers.split(";")
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in names)
    return "\n".join(
        (
            str(environ["REQUEST_METHOD"]),
            _canonical_path(signature, environ),
            _canonical_query(signature, str(environ.get("QUERY_STRING", ""))),
            headers,
            signature.signed_headers,
            _payload_hash(signature, environ, body),
        )
    )


def _canonical_path(signature: Signature, environ: Environ) -> str:
    sent = environ.get(AS_SENT)
    path = sent[1] if isinstance(sent, tuple) else environ.get("RAW_URI") or environ.get("PATH_INFO") or "/"
    path = str(path).partition("?")[0]
    if path.lower().startswith(("http://", "https://")):
        path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
    # S3 signs its path as it is sent; the others encode it once more.
    return path if signature.service == "s3" else quote(path, safe="/-_.~")


def _canonical_query(signature: Signature, query: str) -> str:
    if not query:
        return ""
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = [(quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs]
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(encoded)
        if not (signature.in_query and name == "X-Amz-Signature")
    )


def _header(environ: Environ, name: str) -> str:
    sent = environ.get(AS_SENT) if name == "host" else None
    if isinstance(sent, tuple):
        return str(sent[0])
    if "_" in name:
        return _underscored(environ, name)
    key = name.upper().replace("-", "_")
    value = environ.get(key) if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else environ.get(f"HTTP_{key}")
    text = str(value or "").strip()
    if not text.isascii():  # WSGI holds header bytes as latin-1; they were signed as UTF-8
        text = text.encode("latin-1").decode("utf-8", "replace")
    return _SPACES.sub(" ", text) if "  " in text else text


def _underscored(environ: Environ, name: str) -> str:
    """S3's metadata may be called made_by as well as made-by; WSGI can't tell the two apart."""
    held = environ.get(UNDERSCORED)
    return ",".join(value for key, value in held if key.lower() == name) if isinstance(held, list) else ""


def _payload_hash(signature: Signature, environ: Environ, body: Callable[[], bytes]) -> str:
    given = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if given:
        return str(given)
    if signature.in_query and signature.service == "s3":
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(body()).hexdigest()


def _query_value(environ: Environ, name: str) -> str:
    return dict(parse_qsl(str(environ.get("QUERY_STRING", "")))).get(name, "")
