"""Requests signed by botocore, as the door gets them: over the wire, and read by the kit's own server.

What belongs here: the oracle. What does not: what is expected of the door.
"""

import io
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from labkit.cloud.web.http1 import HttpLimits, read_request

SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))
KEY, SECRET, REGION = "AKIAOWNER", "sesame", "ap-south-1"
Environ = dict[str, Any]
Signer = Callable[[], Any]


def header(service: str, secret: str = SECRET, token: str | None = None) -> Any:
    """Botocore's signer of a service, in the Authorization header."""
    kind = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
    return kind(Credentials(KEY, secret, token), service, REGION)


def query(service: str, seconds: int = 60, secret: str = SECRET) -> Any:
    """Botocore's signer of URLs."""
    kind = auth.S3SigV4QueryAuth if service == "s3" else auth.SigV4QueryAuth
    return kind(Credentials(KEY, secret), service, REGION, expires=seconds)


def version_2(seconds: int | None = None, secret: str = SECRET) -> Any:
    """Botocore's signer of version 2: of URLs that are good for some seconds, or of the header."""
    keys = Credentials(KEY, secret)
    return auth.HmacV1Auth(keys) if seconds is None else auth.HmacV1QueryAuth(keys, expires=seconds)


def request(
    signer: Any,
    method: str = "GET",
    path: str = "/",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> AWSRequest:
    """A request that botocore signed."""
    made = AWSRequest(method, f"http://127.0.0.1:4566{path}", dict(headers or {}), body)
    signer.add_auth(made)
    return made


def environ(made: AWSRequest, *, host: str = "127.0.0.1:4566", body: bytes | None = None) -> Environ:
    """What the door gets of it; `body` is what is sent instead of the one that was signed."""
    sent = made.body if body is None else body
    data = sent.encode() if isinstance(sent, str) else bytes(sent or b"")
    parts = urlsplit(made.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{made.method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(data)}"]
    lines += [
        f"{name}: {value}"
        for name, value in made.headers.items()
        if name.lower() not in ("host", "content-length")
    ]
    raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + data
    read = read_request(
        io.BufferedReader(io.BytesIO(raw)), limits=HttpLimits(), started=lambda: None, ask=lambda: None
    )  # type: ignore[arg-type]
    return read.environ
