"""Line bucket-shut."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from grader.support.rights import denied
from grader.support.stated import infrastructure, is_true, properties, terraform_blocks
from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.iam.evaluator import Request, evaluate
from labkit.aws.iam.public import is_public
from labkit.aws.records import PolicyDocument, Principal
from labkit.grading.api import Failed, Lab, lost

_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_ANYBODY = Principal(
    "session",
    f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/anybody/grader",
    ACCOUNT_ID,
    role_arn=f"arn:aws:iam::{ACCOUNT_ID}:role/anybody",
)
_EVERYTHING = PolicyDocument(
    "everything", {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
_TERRAFORM = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


def check(lab: Lab) -> None:
    """Your bucket is shut to the public: four blocks stated in your code, plain HTTP refused, strangers refused.

    AWS shuts new buckets by itself; stated in code it stays so, whatever somebody clicks later.
    """
    _judge(lab, [*_read(lab), *_strangers(lab)])


def live(lab: Lab) -> None:
    """Your bucket is shut by what is set: four blocks stated in your code, a policy that refuses plain HTTP."""
    _judge(lab, [*_read(lab)])


def _judge(lab: Lab, open_to_all: list[tuple[bool, str]]) -> None:
    holding, missing = lost([*_blocks(lab), *_http(lab), *open_to_all])
    if holding < 1:
        raise Failed(
            missing, hint="gap bucket-protection: the four blocks, and a policy that denies without secure transport",
            expected="four blocks, plain HTTP denied, strangers refused", found=missing,
            final=not all(holds for holds, _ in open_to_all),
        )  # fmt: skip


def _blocks(lab: Lab) -> Iterator[tuple[bool, str]]:
    yield _stated(lab), "your code does not state all four public-access blocks"
    answer = lab.aws(lab.clients.client("s3").get_public_access_block, Bucket=lab.bucket.name)
    found = answer["PublicAccessBlockConfiguration"] if isinstance(answer, dict) else {}
    off = [name for name in _BLOCKS if not found.get(name)]
    yield not off, f"off: {', '.join(off)}"


def _stated(lab: Lab) -> bool:
    if lab.engine == "terraform":
        blocks = terraform_blocks(infrastructure(lab), "aws_s3_bucket_public_access_block")
        return any(all(name in block for name in _TERRAFORM) and "false" not in block for block in blocks)
    stated = [each.get("PublicAccessBlockConfiguration") or {} for each in properties(lab, "AWS::S3::Bucket")]
    return any(
        all(is_true(each.get(name)) for name in _BLOCKS) for each in stated if isinstance(each, Mapping)
    )


def _policy(lab: Lab) -> dict[str, Any]:
    answer = lab.aws(lab.clients.client("s3").get_bucket_policy, Bucket=lab.bucket.name)
    document: dict[str, Any] = json.loads(answer["Policy"]) if isinstance(answer, dict) else {}
    return document


def _read(lab: Lab) -> Iterator[tuple[bool, str]]:
    public = is_public(PolicyDocument(lab.bucket.name, _policy(lab)))
    yield not public, "the bucket's policy allows something to everybody"


def _http(lab: Lab) -> Iterator[tuple[bool, str]]:
    """What somebody who may do everything can do without TLS: the one evaluator is asked, as the door asks it."""
    policy = PolicyDocument(lab.bucket.name, _policy(lab))
    bucket = f"arn:aws:s3:::{lab.bucket.name}"
    picture = f"{bucket}/{lab.variant.prefix}/a.png"
    ways = {"s3:GetObject": picture, "s3:PutObject": picture, "s3:ListBucket": bucket}
    passing = [action for action, resource in ways.items() if not _denies_http(policy, action, resource)]
    words = f"the bucket's policy does not deny {' and '.join(passing)} over plain HTTP"
    yield not passing, words if len(passing) < len(ways) else "no policy of the bucket denies plain HTTP"


def _denies_http(policy: PolicyDocument, action: str, resource: str) -> bool:
    request = Request(_ANYBODY, action, (resource,), {"aws:securetransport": ("false",)})
    return evaluate(request, [_EVERYTHING], [policy]).reason == "explicit-deny"


def _strangers(lab: Lab) -> Iterator[tuple[bool, str]]:
    place = {"Bucket": lab.bucket.name, "Key": f"{lab.variant.prefix}/{lab.unique('try')}.png"}
    lab.clients.client("s3").put_object(**place, Body=b"for nobody")
    lab.cleanup(lab.clients.client("s3").delete_object, **place)
    world = lab.anonymous().client("s3")
    yield denied(lab.aws(world.get_object, **place)), "anybody may read your objects"
    yield denied(lab.aws(world.put_object, **place, Body=b"x")), "anybody may write into your bucket"
