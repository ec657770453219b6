"""What EC2 tells of a denial in a form that only those who may can read: encoded, and decoded by STS.

What belongs here: making the message and reading it. What does not: the denial (authority), its words (refusals).

AWS: STS API reference, DecodeAuthorizationMessage; EC2 user guide, "Decode an encoded authorization message".
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import zlib
from xml.sax.saxutils import escape

from labkit.aws.iam import Decision
from labkit.aws.records import Principal

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
#: messages are this cloud's: those of another one can't be read
_KEY = secrets.token_bytes(32)
_MAC = 16
_LONGEST = 64 * 1024


def encode(principal: Principal, decision: Decision) -> str:
    """The message that goes with a denial."""
    matched = [{"policy": decision.policy, "statement": decision.statement}] if decision.statement else []
    told = {
        "allowed": False,
        "explicitDeny": decision.reason == "explicit-deny",
        "matchedStatements": {"items": matched},
        "failures": {"items": []},
        "context": {
            "principal": {"id": principal.user_id, "arn": principal.arn},
            "action": decision.action,
            "resource": decision.resource,
            "conditions": {"items": []},
        },
    }
    data = zlib.compress(json.dumps(told).encode(), 9)
    return base64.urlsafe_b64encode(_mac(data) + data).decode().rstrip("=")


def decode(message: str) -> str:
    """The text in a message. Raises ValueError for what this cloud did not write."""
    try:
        raw = base64.urlsafe_b64decode(message + "=" * (-len(message) % 4))
    except binascii.Error as error:
        raise ValueError("no message") from error
    if len(raw) > _LONGEST or not hmac.compare_digest(raw[:_MAC], _mac(raw[_MAC:])):
        raise ValueError("no message")
    return zlib.decompress(raw[_MAC:]).decode()


def answer(message: str, request_id: str) -> bytes:
    """DecodeAuthorizationMessage's answer. Raises ValueError as `decode` does."""
    return (
        f'<DecodeAuthorizationMessageResponse xmlns="{_NAMESPACE}"><DecodeAuthorizationMessageResult><DecodedMessage>'
        f"{escape(decode(message))}</DecodedMessage></DecodeAuthorizationMessageResult><ResponseMetadata><RequestId>{request_id}"
        "</RequestId></ResponseMetadata></DecodeAuthorizationMessageResponse>"
    ).encode()


def _mac(data: bytes) -> bytes:
    return hmac.new(_KEY, data, hashlib.sha256).digest()[:_MAC]
