"""The policies of S3's upload forms, written by whoever signed the form.

What belongs here: whether a form keeps to its policy. What does not: who signed it (signing), what the signer may
(authority). S3 API reference: "Browser-based uploads using POST", "Creating a POST policy".
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from labkit.cloud.door.forms import Form
from labkit.cloud.door.refusals import Refused

#: fields that no condition need name
_FREE = ("x-amz-signature", "signature", "awsaccesskeyid", "file", "policy", "x-ignore-", "x-amz-checksum-",
         "bucket")  # fmt: skip


def check(form: Form, bucket: str, now: float) -> None:
    """Raise Refused where the form breaks its policy, or that is over at `now` (seconds since the epoch)."""
    policy = _policy(form.fields.get("policy", ""))
    if _end(policy) <= now:
        raise _invalid("Policy expired.")
    fields = {**form.fields, "bucket": bucket, "key": form.key}
    named: set[str] = set()
    for operator, name, value in _conditions(policy):
        if operator == "content-length-range":
            _check_length(form.size, name, value)
            continue
        named.add(name)
        given = fields.get(name, "")
        if not (given == value if operator == "eq" else given.startswith(value)):
            raise _invalid(f'Policy Condition failed: ["{operator}", "${name}", "{value}"]')
    extra = [name for name in form.fields if name not in named and not name.startswith(_FREE)]
    if extra:
        raise _invalid(f"Extra input fields: {extra[0]}")


def _policy(text: str) -> Mapping[str, object]:
    try:
        policy = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise Refused(400, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON.")
    return policy


def _end(policy: Mapping[str, object]) -> float:
    text = str(policy.get("expiration", ""))
    try:
        end = datetime.fromisoformat(text if "T" in text else "")
    except ValueError:
        raise Refused(400, "InvalidPolicyDocument", "Invalid Policy: Invalid 'expiration' value.") from None
    return (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()


def _conditions(policy: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """(operator, field in lower case, value); for content-length-range (operator, least, most)."""
    listed = policy.get("conditions")
    if not isinstance(listed, list):
        raise Refused(400, "InvalidPolicyDocument", "Invalid Policy: Policy missing 'conditions'.")
    for condition in listed:
        if isinstance(condition, dict) and len(condition) == 1:
            yield from (("eq", str(name).lower(), str(value)) for name, value in condition.items())
        elif isinstance(condition, list) and len(condition) == 3:
            operator, name, value = (str(part) for part in condition)
            operator = operator.lower()
            if operator not in ("eq", "starts-with", "content-length-range"):
                raise _no_condition(condition)
            yield operator, name.removeprefix("$").lower(), value
        else:
            raise _no_condition(condition)


def _check_length(size: int, least: str, most: str) -> None:
    if not (re.fullmatch(r"[0-9]{1,18}", least) and re.fullmatch(r"[0-9]{1,18}", most)):
        raise _no_condition(["content-length-range", least, most])
    if size > int(most):
        sizes = {"ProposedSize": str(size), "MaxSizeAllowed": most}
        raise Refused(
            400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", details=sizes
        )
    if size < int(least):
        sizes = {"ProposedSize": str(size), "MinSizeAllowed": least}
        words = "Your proposed upload is smaller than the minimum allowed size"
        raise Refused(400, "EntityTooSmall", words, details=sizes)


def _no_condition(condition: object) -> Refused:
    words = f"Invalid Policy: Invalid Simple-Condition: {json.dumps(condition)[:200]}."
    return Refused(400, "InvalidPolicyDocument", words)


def _invalid(why: str) -> Refused:
    return Refused(403, "AccessDenied", f"Invalid according to Policy: {why}")
