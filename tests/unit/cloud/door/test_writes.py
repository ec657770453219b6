"""Writes to buckets and tables are told with their caller and what they touched."""

from collections.abc import Mapping

import pytest

from labkit.aws.records import Caller, Principal
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.writes import writes_of

SERVER = Caller("instance", "i-1")
ROLE = Principal("session", "arn:aws:sts::123456789012:assumed-role/server/i-1", "123456789012")
ITEM = {"image_id": {"S": "one"}, "status": {"S": "pending"}}


def touched(service: str, operation: str, parameters: Mapping[str, object]) -> list[str]:
    asked = Asked("json", service, operation, "ap-south-1", parameters)
    return [write.resource for write in writes_of(asked, SERVER, ROLE)]


@pytest.mark.parametrize(
    ("operation", "parameters", "resources"),
    [
        ("PutItem", {"TableName": "t", "Item": ITEM}, ["t/one"]),
        ("UpdateItem", {"TableName": "t", "Key": {"image_id": {"S": "one"}}}, ["t/one"]),
        ("BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Item": ITEM}}]}}, ["t/one"]),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "t", "Item": ITEM}}]}, ["t/one"]),
        ("CreateTable", {"TableName": "t"}, ["t"]),
        ("GetItem", {"TableName": "t", "Key": ITEM}, []),
        ("Scan", {"TableName": "t"}, []),
    ],
)
def test_tables(operation: str, parameters: Mapping[str, object], resources: list[str]) -> None:
    assert touched("dynamodb", operation, parameters) == resources


def test_objects() -> None:
    assert touched("s3", "PutObject", {"Bucket": "b", "Key": "a/c.png"}) == ["b/a/c.png"]
    assert touched("s3", "GetObject", {"Bucket": "b", "Key": "a"}) == []
    assert touched("s3", "CreateBucket", {"Bucket": "b"}) == ["b"]


def test_other_services_are_not_told() -> None:
    assert touched("ec2", "RunInstances", {}) == []


def test_who_wrote() -> None:
    asked = Asked("json", "dynamodb", "PutItem", "ap-south-1", {"TableName": "t", "Item": ITEM})
    (write,) = writes_of(asked, SERVER, ROLE)
    assert (write.place, write.name, write.principal) == ("instance", "i-1", ROLE.arn)
    assert write.operation == "dynamodb:PutItem"
