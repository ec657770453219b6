"""What AWS would refuse in the middle of a deployment, said before it: from the files' text, and from the account itself.

What belongs here: what an account has no room or no right for. What does not: what is unwise but allowed (policy.py),
credentials (labkit.deploy.credentials), what AWS says all the same (labkit.deploy.troubles).

AWS: VPC user guide, "Amazon VPC quotas"; Lambda developer guide, "Understanding Lambda function scaling" (100 executions stay
unreserved, and of an account of 10 none can be reserved); a Learner Lab's own README.
"""

import re
from collections.abc import Iterator, Mapping

from labkit.aws.accounts import LEARNER_LAB
from labkit.deploy.model import Finding
from labkit.deploy.planning.policy import DECLARED_IN
from labkit.deploy.targets import Clients

VPCS_IN_A_REGION = 5
#: what Lambda leaves to functions that reserve nothing
_UNRESERVED = 100
_TYPE = re.compile(r"\b([a-z]+\d[a-z]*)\.(nano|micro|small|medium|large|\d*xlarge|metal[\w-]*)\b")
_RESERVED = re.compile(r"(?i)reserved_?concurrent_?executions\s*[:=]\s*(\d+)")
_DISK = re.compile(r"(?i)\bvolume_?size\s*[:=]\s*[\"']?(\d+)")
_DISK_TYPE = re.compile(r"(?i)\bvolume_?type\s*[:=]\s*[\"']?(io1|io2|st1)\b")
_ROLE = {
    "terraform": re.compile(r'(?ms)^resource "aws_iam_\w+".*?^}'),
    "cloudformation": re.compile(r"(?ms)^  \w+:\n    Type: AWS::IAM::.*?(?=^  \w|^\w|\Z)"),
}
_CONDITION = re.compile(r"(?m)^(  (count|for_each)\b|    Condition:)")
_COMMENT = re.compile(r"(?m)(^|\s)(#|//).*$")


def stated(
    files: Mapping[str, bytes], engine: str, *, learner_lab: bool, concurrency: int
) -> Iterator[Finding]:
    """What the files state that this account refuses; `concurrency` is its limit of Lambda, 0 for unknown."""
    name = DECLARED_IN[engine]
    texts = {
        each: _read(files.get(each, b""))
        for each in (name, "variables.tf")[: 2 if engine == "terraform" else 1]
    }
    for file, text in texts.items():
        for found in _RESERVED.finditer(text):
            if int(found[1]) > 0 and 0 < concurrency < int(found[1]) + _UNRESERVED:
                yield _at(
                    file,
                    text,
                    found.start(),
                    f"reserves {found[1]} executions of the {concurrency} that this account has; AWS keeps {_UNRESERVED} unreserved.",
                )
        if learner_lab:
            yield from _of_a_learner_lab(file, text, engine)


def _of_a_learner_lab(file: str, text: str, engine: str) -> Iterator[Finding]:
    for found in _TYPE.finditer(text):
        if "xlarge" in found[2] or found[2].startswith("metal"):
            yield _at(
                file, text, found.start(), f"{found[0]} is larger than a Learner Lab starts (nano to large)."
            )
    for found in _DISK.finditer(text):
        if int(found[1]) > 100:
            yield _at(
                file, text, found.start(), f"a disk of {found[1]} GB; a Learner Lab gives 100 at the most."
            )
    for found in _DISK_TYPE.finditer(text):
        yield _at(
            file,
            text,
            found.start(),
            f"a disk of the type {found[1]}; a Learner Lab has gp2, gp3, sc1 and standard.",
        )
    for found in _ROLE[engine].finditer(text):
        if not _CONDITION.search(found[0]):
            yield _at(
                file,
                text,
                found.start(),
                "an IAM resource that is always made; a Learner Lab lets nobody make one.",
            )


def _read(data: bytes) -> str:
    return _COMMENT.sub("", data.decode("utf-8", "replace"))


def _at(file: str, text: str, position: int, says: str) -> Finding:
    return Finding(says, file, text.count("\n", 0, position) + 1)


def concurrency(clients: Clients) -> int:
    """How many executions the account may have at once in this region; 0 where it does not say."""
    from botocore.exceptions import ClientError

    try:
        return int(clients.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    except (ClientError, KeyError):
        return 0


def room(clients: Clients, *, learner_lab: bool) -> Iterator[str]:
    """What the account has no room for, before anything of this lab stands in it."""
    ec2 = clients.client("ec2")
    vpcs = len(ec2.describe_vpcs()["Vpcs"])
    if vpcs >= VPCS_IN_A_REGION:
        yield f"{vpcs} VPCs stand in this region, and an account has {VPCS_IN_A_REGION} unless AWS gave it more."
    if not learner_lab:
        return
    live = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=live)
    running = sum(len(each["Instances"]) for page in pages for each in page["Reservations"])
    if running >= LEARNER_LAB.instances:
        yield f"{running} instances run in this region; a Learner Lab ends those beyond {LEARNER_LAB.instances}."
