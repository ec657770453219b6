"""Bucket policies as documents: what S3 refuses in them.

What belongs here: their form. What does not: what they allow (labkit.aws.iam).
S3 API reference: "List of error codes" (MalformedPolicy); user guide: "Policies and permissions in Amazon S3".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from labkit.cloud.stores.s3.wire.errors import S3Error

#: bytes of a policy
LARGEST = 20 * 1024
_ELEMENTS = frozenset({"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
                       "Condition"})  # fmt: skip
_VERSIONS = ("2012-10-17", "2008-10-17")
_ACTION = re.compile(
    r"\*|(s3|s3express|s3-object-lambda|s3tables|s3-outposts):[A-Za-z*?]+", re.IGNORECASE
).fullmatch


def read_policy(bucket: str, data: bytes) -> Mapping[str, Any]:
    """The document. Raises S3Error (MalformedPolicy) for what S3 does not take."""
    if len(data) > LARGEST:
        raise _malformed("Normalized policy document exceeds the maximum allowed size of 20480 bytes.")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'") from None
    if not isinstance(document, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        raise _malformed(f"Unknown field {min(unknown)}")
    if document.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise _malformed("The policy must contain a valid version string")
    statements = document.get("Statement") or []
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise _malformed("Missing required field Statement")
    for statement in statements:
        _check(bucket, statement)
    return document


def _check(bucket: str, statement: Any) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Invalid policy syntax.")
    if unknown := set(statement) - _ELEMENTS:
        raise _malformed(f"Unknown field {min(unknown)}")
    for one, other in (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
        if one not in statement and other not in statement:
            raise _malformed(f"Missing required field {one}")
        if one in statement and other in statement:
            raise _malformed("Invalid policy syntax.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed(
            f"Invalid effect : {statement['Effect']}"
            if "Effect" in statement
            else "Missing required field Effect"
        )
    if statement["Effect"] == "Allow" and "NotPrincipal" in statement:
        raise _malformed("Allow with NotPrincipal is not allowed.")
    _check_principal(statement.get("Principal", statement.get("NotPrincipal")))
    for action in _texts(statement.get("Action", statement.get("NotAction"))):
        if not _ACTION(action):
            raise _malformed("Policy has invalid action")
    arn = f"arn:aws:s3:::{bucket}"
    for resource in _texts(statement.get("Resource", statement.get("NotResource"))):
        if resource != arn and not resource.startswith((f"{arn}/", f"{arn}*")):
            raise _malformed("Policy has invalid resource")
    _check_condition(statement.get("Condition"))


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal:
        raise _malformed("Invalid principal in policy")
    for kind, names in principal.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser") or not list(_texts(names)):
            raise _malformed("Invalid principal in policy")


def _check_condition(condition: Any) -> None:
    if condition is None:
        return
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        raise _malformed("Conditions do not apply to combination of actions and resources in statement")


def _texts(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str):
            raise _malformed("Invalid policy syntax.")
        yield each


def _malformed(why: str) -> S3Error:
    return S3Error("MalformedPolicy", why)
