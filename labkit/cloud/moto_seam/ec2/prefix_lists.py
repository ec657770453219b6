"""AWS's own prefix lists: they name the addresses that S3 and DynamoDB have in this cloud.

What belongs here: the entries of those lists. What does not: who routes to them.

AWS: Amazon VPC user guide, "AWS-managed prefix lists".
"""

from typing import Any

from labkit.aws.network.names import prefix_list
from labkit.cloud.moto_seam.replacing import Replacements


def correct_prefix_lists(replacements: Replacements) -> None:
    """Give the lists of S3 and DynamoDB the addresses that their names resolve to here."""
    from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend

    replacements.around(ManagedPrefixListBackend, "_create_aws_managed_prefix_list")(_create)


def _create(original: Any, self: Any, name: str, address_family: str, entries: list[dict[str, str]]) -> None:
    own = prefix_list(name)
    original(self, name, address_family, [{"Cidr": own, "Description": "default"}] if own else entries)
