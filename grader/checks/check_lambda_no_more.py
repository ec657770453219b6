"""Line lambda-no-more."""

from grader.support.rights import Attempt
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """Your function's role may write its logs and have a network interface, and nothing more.

    The function only calls the server: whoever takes it over should find nothing else in its hands.
    """
    allowed = [attempt.words for attempt in _attempts(lab) if not attempt.is_refused(lab)]
    if allowed:
        raise Failed(
            f"your function's role may also {', '.join(allowed)}",
            hint="take from FunctionRole what is not about logs or interfaces",
            expected="refused", found=f"allowed: {', '.join(allowed)}",
        )  # fmt: skip


def _attempts(lab: Lab) -> list[Attempt]:
    role, key = lab.as_role("function"), lab.unique("try")
    place = {"Bucket": lab.bucket.name, "Key": f"{lab.variant.prefix}/{key}"}
    item = {"image_id": {"S": key}}
    lab.cleanup(lab.clients.client("s3").delete_object, **place)
    lab.cleanup(lab.clients.client("dynamodb").delete_item, TableName=lab.table.name, Key=item)
    server = {"InstanceIds": [lab.server.instance_id]}
    return [
        Attempt("put objects into the bucket", role.client("s3").put_object, {**place, "Body": b"x"}),
        Attempt("list the bucket", role.client("s3").list_objects_v2, {"Bucket": lab.bucket.name}),
        Attempt("put items", role.client("dynamodb").put_item, {"TableName": lab.table.name, "Item": item}),
        Attempt("read the table", role.client("dynamodb").scan, {"TableName": lab.table.name}),
        Attempt("reboot the server", role.client("ec2").reboot_instances, {**server, "DryRun": True}),
        Attempt("list roles", role.client("iam").list_roles, {}),
    ]
