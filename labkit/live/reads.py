"""What live grading may ask of AWS: one list, which clients are held to and of which the instructor's policy is made.

What belongs here: the operations, clients that send no others, and the policy. What does not: the role that has it (access.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.aws.iam.actions import needs
from labkit.aws.iam.calls import ApiCall
from labkit.base.errors import LabError
from labkit.deploy.targets import Clients

#: by service, as boto3 names both
READS: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("DescribeStacks", "ListStackResources"),
    "dynamodb": ("ListTables", "Scan"),
    "ec2": (
        *("DescribeInstanceAttribute", "DescribeInstances", "DescribeInternetGateways", "DescribeNatGateways"),
        *("DescribeNetworkAcls", "DescribeRouteTables", "DescribeSecurityGroups"),
        *("DescribeSubnets", "DescribeVpcEndpoints", "DescribeVpcs", "GetConsoleOutput"),
    ),
    "lambda": ("GetFunction", "GetFunctionConfiguration", "ListFunctions", "ListTags"),
    "logs": ("DescribeLogGroups", "FilterLogEvents"),
    "s3": (
        *("GetBucketEncryption", "GetBucketPolicy", "GetBucketTagging", "GetBucketVersioning", "GetObject"),
        *("GetPublicAccessBlock", "ListBuckets", "ListObjectsV2"),
    ),
    # who we are, which needs no permission
    "sts": ("GetCallerIdentity",),
}  # fmt: skip
#: what lists everything, which no policy can narrow (service authorization reference; of DescribeLogGroups it says otherwise than
#: what accounts are told, so it is not narrowed either)
_EVERYTHING = {"DescribeLogGroups", "ListBuckets", "ListFunctions", "ListTables"}
#: any student's lab
_OWN: Mapping[str, str] = {
    **dict.fromkeys(("Bucket", "FunctionName", "StackName", "TableName"), "hybrid-*"),
    "Key": "*",
    "Resource": "arn:aws:lambda:*:*:function:hybrid-*",
    "logGroupName": "/aws/lambda/hybrid-*",
}


class Unread(LabError):
    """A check wanted more of AWS than reading what is listed here; nothing was sent."""


@dataclass(frozen=True)
class Reading(Clients):
    """Clients that send nothing but READS. `asked`: what they sent, "ec2 DescribeVpcs"."""

    asked: set[str] = field(default_factory=set, compare=False)

    def client(self, service: str, *, read_timeout: float = 60) -> Any:
        """As Clients.client. Its calls raise Unread for every other operation."""
        made = super().client(service, read_timeout=read_timeout)
        made.meta.events.register("before-call", self._refuse_others, unique_id="reading")
        return made

    def _refuse_others(self, model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        if model.name not in READS.get(service, ()):
            raise Unread(
                f"Live grading asks for nothing like {service} {model.name}, so it was not sent.",
                hint="Tell whoever keeps this lab's checks.",
            )
        self.asked.add(f"{service} {model.name}")


def policy() -> dict[str, Any]:
    """The IAM policy that allows READS, on things that are called as a lab's are where AWS lets one say so."""
    allowed: dict[str, set[str]] = {}
    for action, resource in sorted(set(_needed())):
        allowed.setdefault(resource, set()).add(action)
    statements = [
        {"Effect": "Allow", "Action": sorted(actions), "Resource": resource}
        for resource, actions in sorted(allowed.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _needed() -> Iterator[tuple[str, str]]:
    for service, operations in READS.items():
        for operation in operations:
            given = {} if operation in _EVERYTHING else _OWN
            for need in needs(ApiCall(service, operation, "*", "*", given), _Nobody()):
                yield from ((need.action, _pattern(resource)) for resource in need.resources)


def _pattern(resource: str) -> str:
    """A lab's things and what is in them; everything where no name of a lab's is in it."""
    before, own, _ = resource.partition("hybrid-")
    return f"{before}{own}*" if own else "*"


class _Nobody:
    """Of roles and paths no read depends on any."""

    def profile_role(self, profile: str) -> str | None:
        """See labkit.aws.iam.calls.Known."""
        return None

    def iam_path(self, kind: str, name: str) -> str:
        """See labkit.aws.iam.calls.Known."""
        return "/"
