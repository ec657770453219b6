"""Who may speak to the cloud's socket on this machine at all: decided from the headers, before a body is read.

What belongs here: hosts and foreign pages. What does not: who signed what (authority).
"""

from collections.abc import Mapping

from labkit.aws.network import names
from labkit.base import origins
from labkit.cloud.web.http1 import BadRequest


def admit(environ: Mapping[str, object]) -> None:
    """Raise BadRequest (403) for a host name that is not the cloud's, and for what another site's page sends.

    A link to a presigned URL may be followed: its signature is verified as any other, GET changes nothing but what
    was signed, and the answer is shown in a tab of its own.
    """

    def header(name: str) -> str:
        return str(environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    host = header("Host")
    if not origins.is_loopback(host) and names.parse(host.partition(":")[0]) is None:
        raise BadRequest(
            "403 Forbidden", "the local cloud is not called so: use 127.0.0.1, localhost or AWS's names"
        )
    why = origins.foreign_page(header)
    if why and not (_is_presigned(environ) and origins.is_navigation(header)):
        raise BadRequest("403 Forbidden", why)


def _is_presigned(environ: Mapping[str, object]) -> bool:
    query = str(environ.get("QUERY_STRING", ""))
    return environ.get("REQUEST_METHOD") == "GET" and "Signature=" in query
