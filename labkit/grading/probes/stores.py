"""What stands in the bucket and in the table: bytes and items as AWS gives them back.

What belongs here: reading both. What does not: whether they agree (grader/checks).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.deploy.targets import Clients
from labkit.grading.judging.failure import Failed


@dataclass(frozen=True)
class Stored:
    """An object as GetObject gives it."""

    key: str
    data: bytes
    content_type: str
    encryption: str
    version_id: str


@dataclass(frozen=True)
class Bucket:
    """The bucket `name`."""

    clients: Clients
    name: str

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of all objects, in S3's order. Raises Failed when the bucket is not to be read."""
        return list(self.tags(prefix))

    def tags(self, prefix: str = "") -> dict[str, str]:
        """Each object's entity tag by its key, in S3's order. Raises Failed when the bucket is not to be read."""
        pages = self.clients.client("s3").get_paginator("list_objects_v2")
        found = _told(lambda: list(pages.paginate(Bucket=self.name, Prefix=prefix)))
        entries = (entry for page in found for entry in page.get("Contents", []))
        return {entry["Key"]: entry["ETag"].strip('"') for entry in entries}

    def object(self, key: str) -> Stored | None:
        """One object; None when there is none. Raises Failed when it is not to be read."""
        from botocore.exceptions import ClientError

        try:
            got = self.clients.client("s3").get_object(Bucket=self.name, Key=key or " ")
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise _failed(error) from error
        return Stored(
            key,
            got["Body"].read(),
            str(got.get("ContentType", "")),
            str(got.get("ServerSideEncryption", "")),
            str(got.get("VersionId", "")),
        )

    def versions(self, key: str) -> list[str]:
        """The version ids of one key, newest first."""
        found = _told(lambda: self.clients.client("s3").list_object_versions(Bucket=self.name, Prefix=key))
        return [v["VersionId"] for v in found.get("Versions", []) if v["Key"] == key]


@dataclass(frozen=True)
class Table:
    """The table `name`."""

    clients: Clients
    name: str

    def rows(self) -> list[Mapping[str, Any]]:
        """All items, with DynamoDB's types: {"image_id": {"S": …}, "file_size": {"N": …}}."""
        pages = self.clients.client("dynamodb").get_paginator("scan")
        found = _told(lambda: list(pages.paginate(TableName=self.name, ConsistentRead=True)))
        return [item for page in found for item in page["Items"]]

    def row(self, image_id: str) -> Mapping[str, Any] | None:
        """The item with this key, None when there is none."""
        api = self.clients.client("dynamodb")
        key = {"image_id": {"S": image_id or " "}}
        answer = _told(lambda: api.get_item(TableName=self.name, Key=key, ConsistentRead=True))
        item: Mapping[str, Any] | None = answer.get("Item")
        return item


def _told(call: Any) -> Any:
    """The answer of AWS; its refusal is the student's (a policy, a key schema, a table that is not there)."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        raise _failed(error) from error


def _failed(error: Any) -> Failed:
    about = error.response.get("Error", {})
    return Failed(
        f"{error.operation_name} was refused: {about.get('Code', '')}",
        hint="does it exist under the name in your outputs, and does a policy of yours deny it?",
        found=str(about.get("Message", "")),
    )
