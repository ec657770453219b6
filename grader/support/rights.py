"""Rights of roles, tried out: attempts as a role, and rights taken away for a moment.

What belongs here: what the checks of permissions share. What does not: what may be allowed (the checks).
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.grading.api import Lab, Refusal

_REFUSED = ("AccessDenied", "UnauthorizedOperation", "403", "Forbidden", "NotAuthorized")
_NAME = "grading-takes-this-away"


@dataclass(frozen=True)
class Attempt:
    """One thing tried as a role: in words, and the call."""

    words: str
    call: Callable[..., Any]
    arguments: Mapping[str, Any]

    def outcome(self, lab: Lab) -> Any:
        """What AWS answered: a value, or a Refusal."""
        return lab.aws(self.call, **self.arguments)

    def is_refused(self, lab: Lab) -> bool:
        """Whether AWS refused it for lack of permission; any other error means that permission was there."""
        return denied(self.outcome(lab))


def denied(outcome: Any) -> bool:
    """Whether an outcome is a refusal for lack of permission."""
    return isinstance(outcome, Refusal) and outcome.code.startswith(_REFUSED)


def deciding(lab: Lab, said: Refusal) -> list[str]:
    """What decided a refusal: action, resource, and the statement or the lack of one."""
    found = next((each for each in reversed(lab.denials()) if each["message"] == said.message), {})
    names = ("action", "resource", "reason", "policy", "statement")
    lines = [f"{name}: {found[name]}" for name in names if found.get(name)]
    return lines if found.get("statement") else [*lines, *_near(lab, found.get("action", ""))]


def _near(lab: Lab, action: str) -> Iterator[str]:
    """What the server's own policies do allow of this action: mostly the right action on the wrong ARN."""
    api, role = lab.clients.client("iam"), lab.server.role_arn.rsplit("/", 1)[-1]
    for name in api.list_role_policies(RoleName=role)["PolicyNames"]:
        statements = api.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"].get(
            "Statement", []
        )
        for number, each in enumerate(statements if isinstance(statements, list) else [statements], 1):
            if action and action in str(each.get("Action")):
                yield f"policy {name}, statement {number}: {each.get('Effect')} on {each.get('Resource')}"


@contextlib.contextmanager
def taken_away(lab: Lab, *actions: str) -> Iterator[None]:
    """The server's role without these actions while the body runs, by an explicit Deny."""
    api, role = lab.clients.client("iam"), lab.server.role_arn.rsplit("/", 1)[-1]
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    api.put_role_policy(RoleName=role, PolicyName=_NAME, PolicyDocument=document)
    try:
        yield
    finally:
        api.delete_role_policy(RoleName=role, PolicyName=_NAME)


def has_policies(lab: Lab, role_arn: str) -> bool:
    """Whether the role has any policy at all."""
    api, role = lab.clients.client("iam"), role_arn.rsplit("/", 1)[-1]
    inline = api.list_role_policies(RoleName=role)["PolicyNames"]
    attached = api.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return bool(inline or attached)
