"""Refusals in AWS's words: which code and message each protocol and service uses.

What belongs here: errors that the door itself answers, on the wire and as records for people. What
does not: deciding. AWS IAM: "Troubleshoot access denied error messages"; S3 API reference: "Error
responses"; EC2 API reference: "Error codes"; "Common errors" of each service's API reference.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from labkit.aws.iam import Decision
from labkit.aws.records import Caller, Principal
from labkit.cloud.door import authorization_messages
from labkit.cloud.door.credentials import Flaw
from labkit.cloud.door.reading import Wire

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_SCOPE = "Credential should be scoped to a valid region."
_DENYING = {
    "resource": "a resource-based policy",
    "endpoint": "a VPC endpoint policy",
    "boundary": "a permissions boundary",
}
_LACKING = {"endpoint": "VPC endpoint policy", "boundary": "permissions boundary"}
_SPOKEN_OF = {"ec2": "You are not authorized to perform this operation. "}


@dataclass(frozen=True)
class Refusal:
    """A request that the door refused: who, what, and why. `at`: seconds since the epoch.

    `lacking`: condition keys in the policies that AWS has and the local cloud does not know.
    """

    at: float
    caller: Caller
    principal: str
    operation: str
    code: str
    message: str
    request_id: str
    action: str = ""
    resource: str = ""
    reason: str = ""
    kind: str = ""
    policy: str = ""
    statement: str = ""
    lacking: str = ""


class Refused(Exception):
    """The request is answered with an error; `decision` is there when policies made it.

    `details` are what S3 tells besides, by element.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        decision: Decision | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.decision = decision
        self.details = details or {}


def denied(wire: Wire, service: str, principal: Principal, decision: Decision) -> Refused:
    """A denial by policies."""
    code = {"ec2": "UnauthorizedOperation", "query": "AccessDenied", "rest-xml": "AccessDenied"}.get(
        wire, "AccessDeniedException"
    )
    status = 400 if wire in ("json", "cbor") else 403
    if principal.kind == "anonymous":
        return Refused(status, code, "Access Denied", decision)
    words = _denial(service, principal, decision)
    if service == "ec2":
        words += (
            f". Encoded authorization failure message: {authorization_messages.encode(principal, decision)}"
        )
    return Refused(status, code, words, decision)


def no_bucket(name: str) -> Refused:
    """There is no such bucket, which S3 tells everybody."""
    words = "The specified bucket does not exist"
    return Refused(404, "NoSuchBucket", words, details={"BucketName": name})


def no_key(key: str) -> Refused:
    """There is no such object, which S3 tells who may list its bucket."""
    return Refused(404, "NoSuchKey", "The specified key does not exist.", details={"Key": key})


def of_aws(principal: Principal, action: str, policy_arn: str) -> Refused:
    """A policy that AWS manages is nobody's to change."""
    message = f"User: {principal.arn} is not authorized to perform: {action} on resource: policy {policy_arn}"
    return Refused(403, "AccessDenied", message)


def _denial(service: str, principal: Principal, decision: Decision) -> str:
    if decision.action == "sts:AssumeRole" and principal.kind == "root":
        return "Roles may not be assumed by root accounts."
    about = (
        f' on resource: "{decision.resource}"' if service == "s3" else f" on resource: {decision.resource}"
    )
    if service == "ec2" and decision.resource == "*":
        about = ""
    return (
        f"{_SPOKEN_OF.get(service, '')}User: {principal.arn} is not authorized to perform: "
        f"{decision.action}{about}{_because(decision)}"
    )


def _because(decision: Decision) -> str:
    if decision.reason == "explicit-deny":
        return f" with an explicit deny in {_DENYING.get(decision.kind, 'an identity-based policy')}"
    if decision.action == "sts:AssumeRole":
        return ""
    return f" because no {_LACKING.get(decision.kind, 'identity-based policy')} allows the {decision.action} action"


_INVALID = "The security token included in the request is invalid."
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)


def unknown_key(wire: Wire, service: str) -> Refused:
    """The access key was never given out, or its session token is missing or wrong."""
    if service == "s3":
        message = "The AWS Access Key Id you provided does not exist in our records."
        return Refused(403, "InvalidAccessKeyId", message)
    if wire == "ec2":
        return Refused(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
    if wire == "query":
        return Refused(403, "InvalidClientTokenId", _INVALID)
    return Refused(_json_status(wire), "UnrecognizedClientException", _INVALID)


def invalid_token(wire: Wire, service: str) -> Refused:
    """The session token that came with the key is missing or not the key's."""
    if service == "s3":
        return Refused(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
    return unknown_key(wire, service)


def expired_token(wire: Wire, service: str) -> Refused:
    """The session has ended."""
    if service == "s3":
        return Refused(400, "ExpiredToken", "The provided token has expired.")
    if wire == "ec2":
        return Refused(400, "RequestExpired", "Request has expired.")
    if wire == "query":
        return Refused(403, "ExpiredToken", "The security token included in the request is expired")
    message = "The security token included in the request is expired"
    return Refused(_json_status(wire), "ExpiredTokenException", message)


def bad_signature(wire: Wire, service: str) -> Refused:
    """The secret that made the signature is not the key's."""
    if service == "s3":
        message = (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        )
        return Refused(403, "SignatureDoesNotMatch", message)
    return _not_genuine(wire, _MISMATCH)


def malformed_signature(wire: Wire, service: str, flaw: Flaw) -> Refused:
    """The signature can't be read."""
    if service == "s3":
        return Refused(403 if flaw.code == "AccessDenied" else 400, flaw.code, flaw.message)
    code = "IncompleteSignature" if wire in ("query", "ec2") else "IncompleteSignatureException"
    return Refused(400, code, flaw.message)


def out_of_scope(wire: Wire, why: str) -> Refused:
    """The signature is made for another place, day or time, in the words of everybody but S3."""
    return _not_genuine(wire, why)


def unsigned_header(wire: Wire, service: str, name: str) -> Refused:
    """A header that must be signed is not among the signed ones."""
    if service == "s3":
        message = "There were headers present in the request which were not signed"
        return Refused(403, "AccessDenied", message, details={"HeadersNotSigned": name})
    named = "'Host' or ':authority'" if name == "host" else f"'{name}'"
    return _not_genuine(wire, f"{named} must be a 'SignedHeader' in the AWS Authorization.")


def no_such_region(wire: Wire, service: str, region: str) -> Refused:
    """The signature's scope names a region that there is not (IAM user guide, "Troubleshoot signed requests")."""
    if service == "s3":
        message = (
            f"The authorization header is malformed; the region '{region}' is wrong; expecting 'us-east-1'"
        )
        return Refused(400, "AuthorizationHeaderMalformed", message)
    return _not_genuine(wire, _SCOPE)


def _not_genuine(wire: Wire, why: str) -> Refused:
    """The signature is not accepted, in the words of everybody but S3."""
    if wire == "ec2":
        return Refused(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
    if wire == "query":
        return Refused(403, "SignatureDoesNotMatch", why)
    return Refused(_json_status(wire), "InvalidSignatureException", why)


def missing_key(wire: Wire) -> Refused:
    """The request is not signed, and the service answers nobody unknown."""
    if wire in ("query", "ec2"):
        return Refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    return Refused(_json_status(wire), "MissingAuthenticationTokenException", "Missing Authentication Token")


def no_authorization_message() -> Refused:
    """What STS is to decode was never encoded here."""
    return Refused(400, "InvalidAuthorizationMessageException", "Message is not valid.")


#: the code by which each service says that it has failed itself; the other services' is InternalFailure
_FAILED = {
    "dynamodb": "InternalServerError",
    "s3": "InternalError",
    "ec2": "InternalError",
    "lambda": "ServiceException",
    "iam": "ServiceFailure",
    "logs": "ServiceUnavailableException",
}


def failed(service: str, operation: str) -> Refused:
    """The cloud itself has failed: nothing that is asked for would be refused so."""
    message = f"The local cloud itself has failed in {operation}; its log says in what:  ./lab cloud logs"
    return Refused(500, _FAILED.get(service, "InternalFailure"), message)


def _json_status(wire: Wire) -> int:
    return 400 if wire in ("json", "cbor") else 403


def respond(
    refused: Refused, wire: Wire, service: str, method: str, request_id: str, start: "StartResponse"
) -> Iterable[bytes]:
    """Answer with `refused` as the service would."""
    render = _RENDERERS.get("s3" if service == "s3" else wire, _query_xml)
    content_type, body = render(refused, service, request_id)
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    if service == "s3":
        headers += [("x-amz-request-id", request_id), ("x-amz-id-2", request_id)]
    else:
        headers.append(("x-amzn-RequestId", request_id))
    if wire in ("rest-json", "json"):
        headers.append(("x-amzn-ErrorType", refused.code))
    if wire == "cbor":
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    start(f"{refused.status} {HTTPStatus(refused.status).phrase}", headers)
    return [] if method == "HEAD" else [body]


_Rendered = tuple[str, bytes]


def _json(refused: Refused, service: str, request_id: str) -> _Rendered:
    kind = f"com.amazon.coral.service#{refused.code}" if service == "dynamodb" else refused.code
    version = "1.0" if service == "dynamodb" else "1.1"
    text = json.dumps({"__type": kind, "Message": refused.message})
    return f"application/x-amz-json-{version}", text.encode()


def _rest_json(refused: Refused, service: str, request_id: str) -> _Rendered:
    return "application/json", json.dumps({"Message": refused.message}).encode()


def _s3_xml(refused: Refused, service: str, request_id: str) -> _Rendered:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{refused.code}</Code>'
        f"<Message>{escape(refused.message)}</Message>"
        + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in refused.details.items())
        + f"<RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
    )
    return "application/xml", text.encode()


def _ec2_xml(refused: Refused, service: str, request_id: str) -> _Rendered:
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{refused.code}</Code>'
        f"<Message>{escape(refused.message)}</Message></Error></Errors>"
        f"<RequestID>{request_id}</RequestID></Response>"
    )
    return "text/xml", text.encode()


def _query_xml(refused: Refused, service: str, request_id: str) -> _Rendered:
    text = (
        f"<ErrorResponse><Error><Type>{'Receiver' if refused.status >= 500 else 'Sender'}</Type><Code>{refused.code}</Code>"
        f"<Message>{escape(refused.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return "text/xml", text.encode()


def _cbor(refused: Refused, service: str, request_id: str) -> _Rendered:
    parts = ("__type", refused.code, "message", refused.message)
    return "application/cbor", b"\xa2" + b"".join(map(_cbor_text, parts))


def _cbor_text(text: str) -> bytes:
    """RFC 8949, major type 3, with the length in two bytes."""
    data = text.encode()[:65535]
    return b"\x79" + len(data).to_bytes(2, "big") + data


_RENDERERS: dict[str, Callable[[Refused, str, str], _Rendered]] = {
    "json": _json,
    "rest-json": _rest_json,
    "s3": _s3_xml,
    "rest-xml": _query_xml,
    "ec2": _ec2_xml,
    "query": _query_xml,
    "cbor": _cbor,
}
