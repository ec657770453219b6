"""Which bucket a request to S3 is for: path style and virtual host style made one.

What belongs here: hosts and paths of S3. What does not: what is done with the bucket.
S3 user guide: "Virtual hosting of general purpose buckets".
"""

import ipaddress
import re
from functools import lru_cache

Environ = dict[str, object]

#: where the host and path stand that the client sent, and signed
AS_SENT = "lab.as_sent"
#: [bucket.]s3[.dualstack][.region or -region].amazonaws.com
_AWS = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack|fips))*(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?"
    r"\.amazonaws\.com"
).fullmatch
_LOCAL = re.compile(r"(?P<bucket>.+?)\.(?:s3\.)?localhost").fullmatch


def to_path_style(environ: Environ, region: str) -> None:
    """Put a virtual host's bucket into the path, and a host there that says nothing of a bucket.

    So that the door and whoever answers behind it read one and the same bucket.
    """
    host = str(environ.get("HTTP_HOST", "")).lower()
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if _is_address(name):
        return
    match = _AWS(name) or _LOCAL(name)
    bucket = match["bucket"] if match else None
    environ[AS_SENT] = (
        environ.get("HTTP_HOST", ""),
        environ.get("RAW_URI") or environ.get("PATH_INFO") or "/",
    )
    environ["HTTP_HOST"] = f"s3.{region}.amazonaws.com"
    if bucket:
        environ["PATH_INFO"] = f"/{bucket}{environ.get('PATH_INFO', '')}"
        for raw in ("RAW_URI", "REQUEST_URI"):
            if str(environ.get(raw, "")).startswith("/"):
                environ[raw] = f"/{bucket}{environ[raw]}"


def region_of_host(environ: Environ) -> str:
    """The region that the host of an unsigned request names, or ""."""
    match = _AWS(str(environ.get("HTTP_HOST", "")).lower().rsplit(":", 1)[0])
    return (match["region"] or "") if match else ""


@lru_cache(maxsize=256)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
