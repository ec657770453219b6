"""Line server-writes."""

from grader.support.rights import Attempt, deciding
from labkit.grading.api import Failed, Lab, Refusal


def check(lab: Lab) -> None:
    """Your server's role may write what it must: objects into your bucket, items into your table.

    An ARN of a bucket is not the ARN of the objects in it: compare the two in the refusal.
    """
    name = lab.unique("try")
    objects, items = _objects(lab, name), _items(lab, name)
    refused = [
        (attempt, said) for attempt in (*objects, *items) if isinstance(said := attempt.outcome(lab), Refusal)
    ]
    if refused:
        attempt, said = refused[0]
        halves = {"objects" if attempt in objects else "items" for attempt, _ in refused}
        raise Failed(
            f"your server's role may not {attempt.words}: {said.code}", fraction=1 - len(halves) / 2,
            hint="gap server-policy: which action, and on which ARN? Compare it with the one in the refusal",
            expected="allowed", found=said.message,
            evidence=[*deciding(lab, said), *(f"{a.words}: {s.message}" for a, s in refused)],
        )  # fmt: skip


def _objects(lab: Lab, name: str) -> tuple[Attempt, ...]:
    key = f"{lab.variant.prefix}/{name}.png"
    place = {"Bucket": lab.bucket.name, "Key": key}
    lab.cleanup(lab.clients.client("s3").delete_object, **place)
    put = lab.as_role("server").client("s3").put_object
    return (Attempt("put an object into your bucket", put, {**place, "Body": lab.images.make("png", 500)}),)


def _items(lab: Lab, name: str) -> tuple[Attempt, ...]:
    key = {"image_id": {"S": name}}
    lab.cleanup(lab.clients.client("dynamodb").delete_item, TableName=lab.table.name, Key=key)
    role = lab.as_role("server").client("dynamodb")
    update = {
        "TableName": lab.table.name, "Key": key, "UpdateExpression": "SET #s = :s",
        "ExpressionAttributeNames": {"#s": "status"}, "ExpressionAttributeValues": {":s": {"S": "tried"}},
    }  # fmt: skip
    return (
        Attempt("put an item into your table", role.put_item, {"TableName": lab.table.name, "Item": key}),
        Attempt("update an item of your table", role.update_item, update),
    )
