"""What the server's role may do beyond what an image needs, read in its policies: nothing is tried.

What belongs here: what is needed, and what more the policies allow. What does not: reading policies (labkit.aws.iam), the
attempts of the grade, whose inputs nobody knows before the deadline.
"""

import itertools
from collections.abc import Mapping, Sequence

from labkit.aws.iam.analysis import Excess, Needed, excesses
from labkit.aws.iam.catalog import spelt
from labkit.aws.iam.role_policies import policies_of
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult
from labkit.lesson.path.diagnosis import role_of
from labkit.lesson.screens import where

#: what the lab needs; elsewhere than on the own resources, each is a right to write where nothing is to be written
OBJECTS = ("s3:putobject", "s3:abortmultipartupload")
ITEMS = ("dynamodb:putitem", "dynamodb:updateitem")
_GAP, _SHOWN = "server-policy", 3


def needed(bucket: str, prefix: str, table: str) -> Sequence[Needed]:
    """The own prefix and table, whatever region and account the policy leaves open."""
    arn = f"arn:aws:dynamodb:*:*:table/{table}"
    return (
        Needed(OBJECTS, (f"arn:aws:s3:::{bucket}/{prefix}/*",)),
        Needed(ITEMS, (arn, f"{arn}/index/*")),
    )


def check(context: Context, outputs: Mapping[str, str]) -> CheckResult:
    """Whether the role allows what an image needs, and nothing more."""
    policies = policies_of(context.clients, role_of(context.clients, outputs), outputs["InstanceId"])
    wanted = needed(outputs["BucketName"], context.workspace.variant.prefix, outputs["TableName"])
    more = list(itertools.islice((each for each in excesses(policies, wanted) if each.decided), _SHOWN))
    name = "your server's role may do what an image needs, and nothing more (read, not tried)"
    if not more:
        return CheckResult(name, True)
    return CheckResult(
        name, False, f"it may also do {_words(more[0])}", where(context, _GAP), "nothing else", _words(more[0]), _GAP,
        "excess", tuple(f"also     {_words(each)}"[:76] for each in more[1:]),
    )  # fmt: skip


def _words(excess: Excess) -> str:
    return (
        f"{spelt(excess.action)} on {excess.resource} (policy {excess.policy}, statement {excess.statement})"
    )
