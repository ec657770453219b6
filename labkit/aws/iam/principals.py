"""The Principal element of resource policies: whom a statement names.

What belongs here: matching a caller against the names in a policy. What does not: finding out who
calls. AWS IAM: "AWS JSON policy elements: Principal".
"""

from collections.abc import Mapping
from typing import Literal

from labkit.aws.records import Principal

#: "direct": the caller itself is named; "account": its account is, which leaves it to identity policies
Named = Literal["", "account", "direct"]


def named(element: object, principal: Principal) -> Named:
    """How the Principal element names `principal`: directly, through its account, or not at all."""
    names = _aws_names(element)
    if "*" in names:
        return "direct"
    if principal.kind == "anonymous":
        return ""
    if names & {principal.arn, principal.role_arn or principal.arn, principal.user_id or principal.arn}:
        return "direct"
    account = {principal.account_id, f"arn:aws:iam::{principal.account_id}:root"}
    return "account" if names & account else ""


def names_itself(element: object, principal: Principal) -> bool:
    """Whether the Principal element names the caller's own ARN: the user's or the session's, not the role's."""
    return principal.arn in _aws_names(element)


def names_everybody(element: object) -> bool:
    """Whether the Principal element names the whole world."""
    return "*" in _aws_names(element)


def _aws_names(element: object) -> set[str]:
    if element == "*":
        return {"*"}
    if not isinstance(element, Mapping):
        return set()
    return _texts(element.get("AWS"))


def _texts(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else {str(value)} if value else set()
