"""Line server-no-more."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from grader.support import user_data
from grader.support.rights import Attempt, beyond, note_undecided, shown, told
from labkit.aws.iam.analysis import Policies, allows
from labkit.aws.iam.role_policies import policies_of
from labkit.grading.api import Failed, Lab, lost
from labkit.lesson.path import privileges

_TRIED_OF_EACH = 4
_HINT = "gap server-policy: which actions, and on which ARNs, does writing an image really need?"


def check(lab: Lab) -> None:
    """Your server's role may write images and rows, and nothing more: all that its policies say is read, and tried.

    Whoever takes over your server has its role. What the role may not do, they can't.
    """
    if not lab.server.role_arn:
        raise Failed(
            "your server has no instance profile with a role in it: there is nothing to judge",
            hint="give your server its IamInstanceProfile (Terraform: iam_instance_profile)",
            expected="an instance profile with the server's role", found="none",
        )  # fmt: skip
    policies, prefix = (
        policies_of(lab.clients, lab.server.role_arn, lab.server.instance_id),
        user_data.prefix(lab),
    )
    needed = privileges.needed(lab.bucket.name, prefix, lab.table.name)
    if not _may_what_it_must(lab, policies, prefix):
        raise Failed(
            "your server's role may neither put objects below your prefix nor write items: there is nothing to judge",
            hint="gap server-policy", expected="the rights that writing an image needs", found="none of them",
        )  # fmt: skip
    found = beyond(policies, needed, dict.fromkeys((*privileges.OBJECTS, *privileges.ITEMS), "elsewhere"))
    note_undecided(lab, "your server's role", found)
    tried = {"elsewhere": _elsewhere(lab), "changing": _changing(lab), "looking": _looking(lab)}
    allowed = {
        what: told(found[what])
        if what in found
        else _allowed(lab, lab.random.sample(attempts, _TRIED_OF_EACH))
        for what, attempts in tried.items()
    }
    holding, missing = lost((not words, words) for words in allowed.values())
    if holding < 1:
        raise Failed(
            f"your server's role may also {missing}", fraction=holding, hint=_HINT, final=True,
            expected="refused", found=f"allowed: {missing}", evidence=shown(each for sort in tried for each in found.get(sort, [])[:3]),
        )  # fmt: skip


def _may_what_it_must(lab: Lab, policies: Policies, prefix: str) -> bool:
    table = f"arn:aws:dynamodb:{lab.region}:{policies.principal.account_id}:table/{lab.table.name}"
    images = [f"arn:aws:s3:::{lab.bucket.name}/{prefix}/try.{kind}" for kind in ("png", "jpg")]
    return any(allows(policies, "s3:PutObject", each) for each in images) or any(
        allows(policies, action, table) for action in ("dynamodb:PutItem", "dynamodb:UpdateItem")
    )


def _allowed(lab: Lab, attempts: list[Attempt]) -> str:
    return next((each.words for each in attempts if not each.is_refused(lab)), "")


def _elsewhere(lab: Lab) -> list[Attempt]:
    """Writing where it has nothing to write."""
    name = lab.unique("elsewhere")
    admin, role = lab.clients.client, lab.as_role("server").client
    where = (
        {} if lab.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": lab.region}}
    )
    admin("s3").create_bucket(Bucket=name, **where)
    lab.cleanup(admin("s3").delete_bucket, Bucket=name)
    lab.cleanup(lab.aws, admin("s3").delete_object, Bucket=name, Key="x.png")
    admin("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "image_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "image_id", "AttributeType": "S"}],
    )  # fmt: skip
    lab.cleanup(admin("dynamodb").delete_table, TableName=name)
    key, values = {"image_id": {"S": "x"}}, {":s": {"S": "x"}}
    beside = {"Bucket": lab.bucket.name, "Key": f"{name}/x.png"}
    lab.cleanup(lab.aws, admin("s3").delete_object, **beside)
    update = {"Key": key, "UpdateExpression": "SET a = :s", "ExpressionAttributeValues": values}
    return [
        Attempt(
            "write into another bucket", role("s3").put_object, {"Bucket": name, "Key": "x.png", "Body": b"x"}
        ),
        Attempt("write into another table", role("dynamodb").put_item, {"TableName": name, "Item": key}),
        Attempt("change items of another table", role("dynamodb").update_item, {"TableName": name, **update}),
        Attempt("write beside your prefix", role("s3").put_object, {**beside, "Body": b"x"}),
    ]


def _changing(lab: Lab) -> list[Attempt]:
    """Destroying and changing what is there; what is named does not exist, so that nothing is lost where it is allowed."""
    bucket, table = {"Bucket": lab.bucket.name}, {"TableName": lab.table.name}
    key, role = lab.unique("never"), lab.as_role("server").client
    own = {"InstanceIds": [lab.server.instance_id]}
    return [
        Attempt("delete objects", role("s3").delete_object, {**bucket, "Key": f"{lab.variant.prefix}/{key}"}),
        Attempt("delete items", role("dynamodb").delete_item, {**table, "Key": {"image_id": {"S": key}}}),
        Attempt("change the bucket's tags", *_same_tags(lab, bucket)),
        Attempt("change the bucket's policy", *_same_policy(lab, bucket)),
        Attempt("stop servers", role("ec2").stop_instances, {**own, "DryRun": True}),
    ]


def _same_tags(lab: Lab, bucket: Mapping[str, str]) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    found = lab.aws(lab.clients.client("s3").get_bucket_tagging, **bucket)
    tags = found["TagSet"] if isinstance(found, dict) else []
    return lab.as_role("server").client("s3").put_bucket_tagging, {**bucket, "Tagging": {"TagSet": tags}}


def _same_policy(lab: Lab, bucket: Mapping[str, str]) -> tuple[Callable[..., Any], Mapping[str, Any]]:
    found = lab.aws(lab.clients.client("s3").get_bucket_policy, **bucket)
    policy = found["Policy"] if isinstance(found, dict) else json.dumps(_harmless(bucket["Bucket"]))
    return lab.as_role("server").client("s3").put_bucket_policy, {**bucket, "Policy": policy}


def _harmless(bucket: str) -> Mapping[str, Any]:
    refuse = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/never/*",
    }  # fmt: skip
    return {"Version": "2012-10-17", "Statement": [refuse]}


def _looking(lab: Lab) -> list[Attempt]:
    """Reading what is not its business."""
    bucket, table = {"Bucket": lab.bucket.name}, {"TableName": lab.table.name}
    role = lab.as_role("server").client
    return [
        Attempt("list the bucket", role("s3").list_objects_v2, bucket),
        Attempt("read the whole table", role("dynamodb").scan, table),
        Attempt("read the bucket's policy", role("s3").get_bucket_policy, bucket),
        Attempt("describe the table", role("dynamodb").describe_table, table),
        Attempt("read the table's time to live", role("dynamodb").describe_time_to_live, table),
        Attempt("list roles", role("iam").list_roles, {}),
        Attempt(
            "read the function's settings", role("lambda").get_function, {"FunctionName": lab.function.name}
        ),
    ]
