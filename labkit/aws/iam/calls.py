"""One call of the AWS API, as authorization sees it.

What belongs here: plain records of what was asked for and what permissions that needs. What does
not: reading HTTP (labkit.cloud.door), and deciding (labkit.aws.iam.evaluator).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class ApiCall:
    """An operation and its input. `service` is the signing name, as in an ARN ("dynamodb", "s3").

    `parameters` are named as in the API reference. From query protocols they are flat
    ("InstanceId.1"), from JSON they are nested; from REST the path, query and headers come first.
    """

    service: str
    operation: str
    region: str
    account_id: str
    parameters: Mapping[str, object] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A parameter as text, "" where it is not given."""
        value = self.parameters.get(name)
        return value if isinstance(value, str) else ""

    def arn(self, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """The ARN of a resource of this service, in the call's region and account."""
        where = self.region if region is None else region
        owner = self.account_id if account is None else account
        return f"arn:aws:{self.service}:{where}:{owner}:{resource}"


@dataclass(frozen=True)
class Need:
    """A permission that a call needs: the action on each of the resources.

    `context` holds condition keys (lower case) that only this permission has.
    """

    action: str
    resources: Sequence[str] = ("*",)
    context: Mapping[str, str] = field(default_factory=dict)


class Known(Protocol):
    """What permissions depend on beyond the call itself."""

    def profile_role(self, profile: str) -> str | None:
        """The ARN of the role inside an instance profile, given by name or ARN; None where there is none."""
        ...

    def iam_path(self, kind: str, name: str) -> str:
        """The path of a role, user, group or instance profile by its name; "/" without such a one."""
        ...
