"""AWS's own managed policies: moto carries their documents and by default shows none of them.

Loading all 1,300 of them costs 0.15 s and 20 MB; a lab attaches three. So each is made when it is named.

What belongs here: that. What does not: attaching and evaluating policies.
"""

import functools
import json
from typing import Any

from labkit.aws.addresses import ACCOUNT_ID
from labkit.cloud.moto_seam.replacing import Replacements

PREFIX = "arn:aws:iam::aws:policy/"
#: methods of the backend that take a managed policy's ARN as their first argument
BY_ARN = (
    "attach_role_policy",
    "attach_user_policy",
    "attach_group_policy",
    "get_policy",
    "get_policy_version",
)


def correct_managed_policies(replacements: Replacements) -> None:
    """Let AWS's managed policies be attached, read and listed."""
    import moto.iam.models as iam

    for name in (*BY_ARN, "list_policy_versions"):
        _bring_before(replacements, iam.IAMBackend, name)

    @replacements.around(iam.IAMBackend, "list_policies")
    def list_policies(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("scope", "All") != "Local" and not kwargs.get("only_attached"):
            for arn in _documents():
                bring(self, arn)
        return original(self, *args, **kwargs)


def bring(backend: Any, policy_arn: str) -> None:
    """Make AWS's policy `policy_arn` known to moto's IAM, when AWS has one of that name."""
    found = _documents().get(policy_arn) if policy_arn.startswith(PREFIX) else None
    if found is None or policy_arn in backend.managed_policies:
        return
    from moto.iam.models import AWSManagedPolicy

    name, data = found
    policy = AWSManagedPolicy.from_data(name, ACCOUNT_ID, "us-east-1", data)
    backend.managed_policies[policy_arn] = policy


def _bring_before(replacements: Replacements, owner: Any, name: str) -> None:
    @replacements.around(owner, name)
    def with_policy(original: Any, self: Any, policy_arn: str, *args: Any, **kwargs: Any) -> Any:
        bring(self, policy_arn)
        return original(self, policy_arn, *args, **kwargs)


@functools.cache
def _documents() -> dict[str, tuple[str, dict[str, Any]]]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    data: dict[str, dict[str, Any]] = json.loads(aws_managed_policies_data)
    return {f"{PREFIX[:-1]}{policy.get('Path', '/')}{name}": (name, policy) for name, policy in data.items()}
