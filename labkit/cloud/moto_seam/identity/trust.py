"""Which AWS service may assume which role: the roles' trust policies.

What belongs here: this one question. What does not: what a role may do (identities), sessions (sts_keys).
"""

import json
from typing import Any

from labkit.aws.iam.matching import matches
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.pace import Pace

_ACTION = "sts:assumerole"


def role_of(arn: str) -> Any | None:
    """Moto's role with this ARN, None when there is none."""
    return next((role for role in list(backend("iam").roles.values()) if role.arn == arn), None)


def is_new(made: Any, pace: Pace) -> bool:
    """Whether a role or an instance profile was made so lately that services don't find it yet.

    AWS: IAM user guide, "Changes that I make are not always immediately visible".
    """
    from moto.core.utils import utcnow

    new = made is not None and (utcnow() - made.create_date).total_seconds() < pace.role
    if new:
        pace.counts.add("role not there yet")
    return new


def trusts(role: Any, service: str) -> bool:
    """Whether the trust policy lets `service` ("ec2.amazonaws.com") assume the role.

    Conditions of an Allow are taken as met: what a service's own request carries is not known here.
    AWS: IAM user guide, "AWS JSON policy elements: Principal", "AWS service principals".
    """
    found = json.loads(role.assume_role_policy_document).get("Statement") or []
    effects = {
        each.get("Effect")
        for each in ([found] if isinstance(found, dict) else found)
        if _names(each.get("Principal"), service) and _is_about_assuming(each)
    }
    return "Allow" in effects and "Deny" not in effects


def _names(principal: Any, service: str) -> bool:
    return isinstance(principal, dict) and service in _texts(principal.get("Service"))


def _is_about_assuming(statement: Any) -> bool:
    return any(matches(pattern.lower(), _ACTION) for pattern in _texts(statement.get("Action")))


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
