"""DynamoDB: keys must fit the table's schema. Each test shows plain moto's answer first."""

import pytest

MISMATCH = "ValidationException: The provided key element does not match the schema"


def table(aws):
    aws.dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "image_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "image_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.parametrize("key", [{"image_id": {"N": "1"}}, {"id": {"S": "1"}}], ids=["type", "name"])
@pytest.mark.parametrize("call", ["get_item", "delete_item", "update_item"])
def test_wrong_keys_are_refused(moto, refusal, call, key):
    """DynamoDB API reference, GetItem, DeleteItem, UpdateItem: ValidationException."""

    def scenario(aws):
        table(aws)
        more = {}
        if call == "update_item":
            more = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "x"}}}
        return refusal(getattr(aws.dynamodb, call), TableName="t", Key=key, **more)

    fault, right = moto.compare(scenario)
    assert right == MISMATCH
    assert (fault == MISMATCH) == ("id" in key)  # plain moto sees only that the name is wrong


def test_wrong_key_type_in_an_item_is_refused(aws, refusal):
    """DynamoDB API reference, PutItem."""
    table(aws)
    refused = refusal(aws.dynamodb.put_item, TableName="t", Item={"image_id": {"N": "1"}})
    assert refused == (
        "ValidationException: One or more parameter values were invalid: Type mismatch for key image_id "
        "expected: S actual: N"
    )


def test_right_keys_pass(aws):
    """DynamoDB developer guide, "Working with items"."""
    table(aws)
    aws.dynamodb.put_item(TableName="t", Item={"image_id": {"S": "1"}, "status": {"S": "pending"}})
    aws.dynamodb.update_item(
        TableName="t",
        Key={"image_id": {"S": "1"}},
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "processed"}},
    )
    item = aws.dynamodb.get_item(TableName="t", Key={"image_id": {"S": "1"}})["Item"]
    assert item["status"] == {"S": "processed"}
    old = aws.dynamodb.put_item(TableName="t", Item={"image_id": {"S": "1"}}, ReturnValues="ALL_OLD")
    assert old["Attributes"]["status"] == {"S": "processed"}
    aws.dynamodb.delete_item(TableName="t", Key={"image_id": {"S": "1"}})
    assert "Item" not in aws.dynamodb.get_item(TableName="t", Key={"image_id": {"S": "1"}})


def test_item_over_400_kb_is_refused(aws, refusal):
    """DynamoDB developer guide, "Quotas": 400 KB with the attribute names."""
    table(aws)
    fits = {"image_id": {"S": "1"}, "data": {"S": "x" * (409_600 - 13)}}
    aws.dynamodb.put_item(TableName="t", Item=fits)
    refused = refusal(
        aws.dynamodb.put_item, TableName="t", Item={**fits, "data": {"S": fits["data"]["S"] + "x"}}
    )
    assert refused == "ValidationException: Item size has exceeded the maximum allowed size"
