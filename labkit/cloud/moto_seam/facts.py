"""What access control asks about resources, answered from moto's state.

What belongs here: ports.Facts over moto. What does not: deciding (labkit.cloud.door, labkit.aws.iam).
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import InstanceRecord, PolicyDocument
from labkit.cloud.moto_seam.backends import backend, in_use
from labkit.cloud.moto_seam.ec2.ec2_records import instances
from labkit.cloud.moto_seam.ec2.ec2_templates import flat, template_data

#: where moto keeps what has a path
_KEPT_IN = {"role": "roles", "user": "users", "group": "groups", "instance-profile": "instance_profiles"}


class MotoFacts:
    """Knows IAM's paths, instance profiles, launch templates and, by asking their store, tables."""

    def __init__(
        self,
        partition_key: Callable[[str, str], str | None],
        table_tags: Callable[[str, str], Mapping[str, str]],
    ) -> None:
        self._partition_key, self._table_tags = partition_key, table_tags

    def profile_role(self, profile: str) -> str | None:
        """The ARN of the role in an instance profile, given by name or ARN; None without one."""
        from moto.iam.models import iam_backends

        name = profile.rsplit("/", 1)[-1]
        for known in iam_backends[ACCOUNT_ID]["aws"].instance_profiles.values():
            if known.name == name and known.roles:
                return str(known.roles[0].arn)
        return None

    def iam_path(self, kind: str, name: str) -> str:
        """The path of a role, user, group or instance profile by its name; "/" without such a one."""
        from moto.iam.models import iam_backends

        known = getattr(iam_backends[ACCOUNT_ID]["aws"], _KEPT_IN[kind])
        return next((str(one.path or "/") for one in known.values() if one.name == name), "/")

    def launch_template(self, region: str, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """What a launch template gives to RunInstances, in the query protocol's names; empty without it."""
        from moto.core.exceptions import ServiceException

        try:
            return dict(flat(template_data(backend("ec2", region), wanted)))
        except ServiceException:
            return {}  # EC2 itself answers with the error

    def partition_key(self, region: str, table: str) -> str | None:
        """The name of a table's partition key, the table given by name or ARN; None without such a table."""
        return self._partition_key(region, table)

    def endpoint_policy(self, endpoint_id: str) -> PolicyDocument | None:
        """The policy of a VPC endpoint in any region; None without such an endpoint."""
        for _, ec2 in in_use("ec2"):
            found = ec2.vpc_end_points.get(endpoint_id)
            if found is not None:
                return PolicyDocument(endpoint_id, _parsed(found.policy_document))
        return None

    def role_tags(self, role_arn: str) -> Mapping[str, str]:
        """A role's tags; none without such a role."""
        roles = list(backend("iam").roles.values())
        return next((_tags(role.get_tags()) for role in roles if role.arn == role_arn), {})

    def table_tags(self, region: str, table: str) -> Mapping[str, str]:
        """A table's tags, the table given by name or ARN; none without such a table."""
        return self._table_tags(region, table)

    def instance(self, instance_id: str) -> InstanceRecord | None:
        """An instance of any region; None without such a one."""
        return next((each for each in instances() if each.instance_id == instance_id), None)


def _tags(pairs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {str(pair["Key"]): str(pair["Value"]) for pair in pairs}


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Mapping[str, object]:
    document: Mapping[str, object] = json.loads(text)
    return document
