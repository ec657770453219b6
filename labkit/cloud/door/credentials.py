"""What a request says about its signature: whose key, for what, made when.

What belongs here: reading it from the Authorization header, the query, or the form of an upload. What does not: whether
the signature is right (signing), still good (freshness), or who holds the key (authority).
AWS IAM user guide: "Create a signed AWS API request"; S3 API reference: "Authenticating requests".
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import parse_qsl

Environ = Mapping[str, object]
Fields = Mapping[str, str]

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
_IN_QUERY = ("X-Amz-Credential=", "X-Amz-Signature=", "X-Amz-Algorithm=", "AWSAccessKeyId=")
_NEEDED = ("Credential", "SignedHeaders", "Signature")
_NEEDED_IN_QUERY = ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")


@dataclass(frozen=True)
class Flaw:
    """Why a signature can't be read, in S3's code and words."""

    code: str
    message: str


@dataclass(frozen=True)
class Signature:
    """What a request says about its signature.

    `date`, `region` and `service` are its scope; `moment` is when it was made and `expires` how long it is good for (of
    version 2: until when), both as sent. `flaw`: why it can't be what it claims to be.
    """

    access_key_id: str = ""
    date: str = ""
    region: str = ""
    service: str = ""
    signed_headers: str = ""
    signature: str = ""
    token: str = ""
    moment: str = ""
    expires: str = ""
    place: Literal["header", "query", "form"] = "header"
    version: Literal[2, 4] = 4
    flaw: Flaw | None = None

    @property
    def scope(self) -> str:
        """The scope of a signature of version 4."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def read_signature(environ: Environ) -> Signature | None:
    """The signature in the header or the query of a request; None for a request that carries none."""
    header, query = str(environ.get("HTTP_AUTHORIZATION", "")), str(environ.get("QUERY_STRING", ""))
    in_query = "=" in query and any(name in query for name in _IN_QUERY)
    if header and in_query:
        words = (
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified"
        )
        return Signature(service="s3", flaw=Flaw("InvalidArgument", words))
    if header:
        return _from_header(header, environ)
    return _from_query(dict(parse_qsl(query, keep_blank_values=True))) if in_query else None


def from_form(fields: Fields) -> Signature | None:
    """The signature in the fields of S3's upload form (names in lower case); None where there is none."""
    token = fields.get("x-amz-security-token", "")
    if "awsaccesskeyid" in fields:
        if "signature" not in fields:
            words = "If it is specified, please check the order of the fields."
            flaw = Flaw("InvalidArgument", f"Bucket POST must contain a field named 'Signature'.  {words}")
            return Signature(service="s3", place="form", version=2, flaw=flaw)
        given = fields["signature"]
        return Signature(
            fields["awsaccesskeyid"], service="s3", signature=given, token=token, place="form", version=2
        )
    if "x-amz-credential" not in fields:
        return None
    credential = _scope(fields["x-amz-credential"])
    if credential is None or fields.get("x-amz-algorithm") != ALGORITHM:
        words = "the fields x-amz-algorithm and x-amz-credential are mal-formed"
        return Signature(service="s3", place="form", flaw=Flaw("InvalidArgument", words))
    given, moment = fields.get("x-amz-signature", ""), fields.get("x-amz-date", "")
    return Signature(*credential, "", given, token, moment, place="form")


def _from_header(header: str, environ: Environ) -> Signature:
    kind, _, rest = header.partition(" ")
    token = str(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    moment = str(environ.get("HTTP_X_AMZ_DATE", ""))
    if kind == "AWS":
        (key, _, given), date = rest.strip().rpartition(":"), str(environ.get("HTTP_DATE", ""))
        return Signature(key, service="s3", signature=given, token=token, moment=moment or date, version=2)
    if kind != ALGORITHM:
        return Signature(flaw=Flaw("InvalidArgument", "Unsupported Authorization Type"))
    parts = [part.strip().partition("=") for part in rest.split(",")]
    named = {name: value for name, _, value in parts}
    credential = _scope(named.get("Credential", ""))
    if len(named) != len(parts) or set(named) != set(_NEEDED) or credential is None:
        words = "The authorization header is malformed; it needs Credential, SignedHeaders and Signature, once each."
        return Signature(flaw=Flaw("AuthorizationHeaderMalformed", words))
    return Signature(
        *credential, named["SignedHeaders"], named["Signature"], token, moment or _basic_date(environ)
    )


def _basic_date(environ: Environ) -> str:
    """The header Date in the form in which it is signed; as it is where it is none."""
    date = str(environ.get("HTTP_DATE", ""))
    with contextlib.suppress(ValueError):
        return parsedate_to_datetime(date).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return date


def _from_query(query: Fields) -> Signature:
    token = query.get("X-Amz-Security-Token") or query.get("x-amz-security-token") or ""
    if "AWSAccessKeyId" in query:
        return _version_2_in_query(query, token)
    credential = _scope(query.get("X-Amz-Credential", ""))
    service = credential[3] if credential else "s3"
    flaw = _flaw_in_query(query, credential is not None)
    if flaw is not None or credential is None:
        return Signature(service=service, place="query", flaw=flaw)
    headers, given = query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
    return Signature(
        *credential, headers, given, token, query["X-Amz-Date"], query["X-Amz-Expires"], place="query"
    )


def _version_2_in_query(query: Fields, token: str) -> Signature:
    if "Signature" not in query or "Expires" not in query:
        words = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        return Signature(service="s3", place="query", version=2, flaw=Flaw("AccessDenied", words))
    return Signature(
        query["AWSAccessKeyId"],
        service="s3",
        signature=query["Signature"],
        token=token,
        expires=query["Expires"],
        place="query",
        version=2,
    )


def _flaw_in_query(query: Fields, has_scope: bool) -> Flaw | None:
    """The first rule of query authentication that the parameters break (S3: "Authenticating requests: using query parameters")."""
    words = ""
    if not all(f"X-Amz-{name}" in query for name in _NEEDED_IN_QUERY):
        names = [
            f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders")
        ]
        words = f"Query-string authentication version 4 requires the {', '.join(names)}, and X-Amz-Expires parameters."
    elif query["X-Amz-Algorithm"] != ALGORITHM:
        words = f'X-Amz-Algorithm only supports "{ALGORITHM}"'
    elif not has_scope:
        form = "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"
        words = (
            f'Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "{form}".'
        )
    return Flaw("AuthorizationQueryParametersError", words) if words else None


def _scope(credential: str) -> tuple[str, str, str, str] | None:
    """(key, date, region, service), None for what is none."""
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != TERMINATOR or not all(parts):
        return None
    key, date, region, service, _ = parts
    return (key, date, region, service.lower()) if len(date) == 8 and date.isdigit() else None
