"""The kinds of AWS account that a local cloud can be: `full`, and an AWS Academy Learner Lab.

What belongs here: who holds the account, what comes with it, and its quotas, as plain records. What does not:
putting them into the cloud (moto_seam.account), and deciding with them (labkit.aws.iam, moto_seam.quotas).

The Learner Lab is the one that its own README and classes describe; its terms are "subject to change".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import Principal
from labkit.base.errors import UsageError

Statement = Mapping[str, object]


@dataclass(frozen=True)
class Role:
    """A role that comes with the account; with `profile` also an instance profile that holds it."""

    name: str
    trusted: Mapping[str, object]
    statements: tuple[Statement, ...]
    profile: str = ""


@dataclass(frozen=True)
class Account:
    """One kind of account. `holder`: who the keys of its owner belong to (labkit.cloud.server.owner).

    `regions`: those that can be used, the usual one first; none means all. `concurrency` is Lambda's quota and
    `unreserved` what reservations must leave of it; `vcpus` may run at once in a region, and of `instances` that
    run the newest beyond that number are terminated; 0 means no limit.
    """

    name: str
    holder: Principal
    concurrency: int
    unreserved: int
    regions: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    vcpus: int = 0
    instances: int = 0
    key_pairs: Mapping[str, tuple[str, ...]] | None = None

    def region(self, wanted: str) -> str:
        """`wanted`, or the account's usual region where that one can't be used."""
        return self.regions[0] if self.regions and wanted not in self.regions else wanted

    @property
    def role(self) -> str:
        """The role that a lab must use here instead of its own; "" where it may make roles."""
        return next((role.name for role in self.roles if role.profile), "")


_SIZES = ["nano", "micro", "small", "medium", "large"]
_LAB_REGIONS = ("us-east-1", "us-west-2")
_LAB_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/LabRole"
_SERVICES = [
    *("s3", "dynamodb", "lambda", "ec2", "logs", "ssm", "cloudformation", "cloudwatch", "events", "tag"),
    *("resource-groups", "kms", "sns", "sqs", "states", "apigateway", "secretsmanager"),
]
#: services without a region, whose calls count as us-east-1's or as those of no region
_GLOBAL = ["iam:*", "sts:*", "s3:ListAllMyBuckets", "s3:GetBucketLocation"]

_MAY: tuple[Statement, ...] = (
    {"Sid": "Services", "Effect": "Allow", "Action": [f"{name}:*" for name in _SERVICES], "Resource": "*"},
    {
        "Sid": "Looking",
        "Effect": "Allow",
        "Action": ["iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy", "sts:GetCallerIdentity"],
        "Resource": "*",
    },
    {"Sid": "LabRoleOnly", "Effect": "Allow", "Action": "iam:PassRole", "Resource": _LAB_ROLE},
    {
        "Sid": "TwoRegions",
        "Effect": "Deny",
        "NotAction": _GLOBAL,
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": list(_LAB_REGIONS)}},
    },
)
_LINKED: Statement = {
    "Sid": "ServiceLinkedRoles",
    "Effect": "Allow",
    "Action": ["iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole"],
    "Resource": f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/*",
}
_LIMITS: tuple[Statement, ...] = (
    {
        "Sid": "SmallInstances",
        "Effect": "Deny",
        "Action": "ec2:RunInstances",
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringNotLike": {"ec2:InstanceType": [f"*.{size}" for size in _SIZES]}},
    },
    {
        "Sid": "SmallInstancesLater",
        "Effect": "Deny",
        "Action": "ec2:ModifyInstanceAttribute",
        "Resource": "*",
        "Condition": {
            "StringNotLikeIfExists": {"ec2:Attribute/InstanceType": [f"*.{size}" for size in _SIZES]},
            "Null": {"ec2:Attribute/InstanceType": "false"},
        },
    },
    {
        "Sid": "OnDemandOnly",
        "Effect": "Deny",
        "Action": "ec2:RunInstances",
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringEquals": {"ec2:InstanceMarketType": "spot"}},
    },
    {
        "Sid": "SmallVolumes",
        "Effect": "Deny",
        "Action": ["ec2:RunInstances", "ec2:CreateVolume"],
        "Resource": "arn:aws:ec2:*:*:volume/*",
        "Condition": {"NumericGreaterThan": {"ec2:VolumeSize": "100"}},
    },
    {
        "Sid": "PlainVolumes",
        "Effect": "Deny",
        "Action": ["ec2:RunInstances", "ec2:CreateVolume"],
        "Resource": "arn:aws:ec2:*:*:volume/*",
        "Condition": {"ForAnyValue:StringNotEquals": {"ec2:VolumeType": ["gp2", "gp3", "sc1", "standard"]}},
    },
)
_TRUSTED = [
    f"{name}.amazonaws.com"
    for name in ("ec2", "lambda", "cloudformation", "ssm", "events", "states", "apigateway", "s3")
]

FULL = Account(
    "full",
    Principal("root", f"arn:aws:iam::{ACCOUNT_ID}:root", ACCOUNT_ID, ACCOUNT_ID),
    concurrency=1000,
    unreserved=100,
)
LEARNER_LAB = Account(
    "learner-lab",
    Principal(
        "session",
        f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/voclabs/user3141592=Lab_Student",
        ACCOUNT_ID,
        "AROAVOCLABSLOCALCLOUD:user3141592=Lab_Student",
        f"arn:aws:iam::{ACCOUNT_ID}:role/voclabs",
    ),
    concurrency=10,
    unreserved=10,
    regions=_LAB_REGIONS,
    roles=(
        Role("voclabs", {"AWS": "arn:aws:iam::246810121416:root"}, (*_MAY, _LINKED, *_LIMITS)),
        Role("LabRole", {"Service": _TRUSTED}, (*_MAY, *_LIMITS), profile="LabInstanceProfile"),
    ),
    vcpus=32,
    instances=9,
    key_pairs={"us-east-1": ("vockey",)},
)
ALL = {account.name: account for account in (FULL, LEARNER_LAB)}


def by_name(name: str) -> Account:
    """The account of this name. Raises UsageError for another."""
    if name not in ALL:
        raise UsageError(f"There is no account {name!r}.", hint=f"One of: {', '.join(ALL)}")
    return ALL[name]
