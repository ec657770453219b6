"""Writes: items, conditions, batches, transactions, streams, time to live."""

import time

import pytest

from labkit.cloud.stores.dynamodb.errors import DynamoError
from labkit.cloud.stores.dynamodb.service import DynamoDB
from labkit.cloud.stores.dynamodb.tables.expiry import Expiry
from tests.unit.cloud.stores.conftest import ACCOUNT, REGION, key_schema, make_simple_table, make_table

KEY = {"p": {"S": "one"}}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({}, "One or more parameter values were invalid: Missing the key p in the item"),
        ({"p": {"N": "1"}}, "One or more parameter values were invalid: Type mismatch for key p expected: S actual: N"),
        ({"p": {"S": ""}}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
         "contain an empty string value. Key: p"),
        ({"p": {"S": "x" * 2049}}, "One or more parameter values were invalid: Size of hashkey has exceeded"),
        ({"p": {"S": "x"}, "a": {"S": "y" * 409_600}}, "Item size has exceeded the maximum allowed size"),
    ],
    ids=["missing", "type", "empty", "long", "large"],
)  # fmt: skip
def test_an_item_that_the_table_can_not_hold_is_refused(ask, refusal, item, words):
    make_simple_table(ask)
    assert refusal("PutItem", TableName="simple", Item=item).startswith(f"ValidationException: {words}")


@pytest.mark.parametrize("key", [{"p": {"N": "1"}}, {"id": {"S": "1"}}, {**KEY, "more": {"S": "x"}}])
@pytest.mark.parametrize("operation", ["GetItem", "DeleteItem", "UpdateItem"])
def test_wrong_keys_are_refused(ask, refusal, operation, key):
    make_simple_table(ask)
    refused = refusal(operation, TableName="simple", Key=key)
    assert refused == "ValidationException: The provided key element does not match the schema"


def test_a_key_attribute_is_never_updated(ask, refusal):
    make_simple_table(ask)
    refused = refusal(
        "UpdateItem",
        TableName="simple",
        Key=KEY,
        AttributeUpdates={"p": {"Action": "PUT", "Value": {"S": "x"}}},
    )
    assert refused.endswith("Cannot update attribute p. This attribute is part of the key")


def test_a_condition_that_fails_writes_nothing_and_shows_the_item_when_asked(ask):
    make_simple_table(ask)
    ask("PutItem", TableName="simple", Item={**KEY, "n": {"N": "1"}})
    with pytest.raises(DynamoError) as refused:
        ask(
            "PutItem", TableName="simple", Item={**KEY, "n": {"N": "2"}},
            ConditionExpression="attribute_not_exists(p)", ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )  # fmt: skip
    assert (refused.value.code, refused.value.message) == (
        "ConditionalCheckFailedException", "The conditional request failed",
    )  # fmt: skip
    assert refused.value.members == {"Item": {**KEY, "n": {"N": "1"}}}
    assert ask("GetItem", TableName="simple", Key=KEY)["Item"]["n"] == {"N": "1"}


def test_an_update_with_a_key_alone_makes_the_item_and_one_that_only_removes_does_not(ask):
    make_simple_table(ask)
    for expression in ("REMOVE a", "REMOVE a.b, c[0]"):
        ask("UpdateItem", TableName="simple", Key=KEY, UpdateExpression=expression)
    assert "Item" not in ask("GetItem", TableName="simple", Key=KEY)
    ask("UpdateItem", TableName="simple", Key=KEY)
    assert ask("GetItem", TableName="simple", Key=KEY)["Item"] == KEY


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("NONE", None), ("ALL_OLD", {**KEY, "a": {"N": "1"}, "b": {"N": "1"}}), ("UPDATED_OLD", {"a": {"N": "1"}}),
     ("ALL_NEW", {**KEY, "a": {"N": "2"}, "b": {"N": "1"}}), ("UPDATED_NEW", {"a": {"N": "2"}})],
)  # fmt: skip
def test_return_values_are_what_was_asked(ask, wanted, expected):
    make_simple_table(ask)
    ask("PutItem", TableName="simple", Item={**KEY, "a": {"N": "1"}, "b": {"N": "1"}})
    told = ask(
        "UpdateItem", TableName="simple", Key=KEY, UpdateExpression="SET a = :v", ReturnValues=wanted,
        ExpressionAttributeValues={":v": {"N": "2"}},
    )  # fmt: skip
    assert told.get("Attributes") == expected


def puts(*names):
    return [{"PutRequest": {"Item": {"p": {"S": name}}}} for name in names]


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([*puts("a"), {"PutRequest": {"Item": {"p": {"N": "1"}}}}], "Type mismatch for key p"),
        (puts("a", "a"), "Provided list of item keys contains duplicates"),
        (puts(*map(str, range(26))), "Member must have length less than or equal to 25"),
        ([{}], "Supplied WriteRequest is empty"),
    ],
    ids=["mistake", "duplicate", "many", "empty"],
)
def test_a_batch_with_a_mistake_in_it_writes_nothing(ask, refusal, requests, words):
    make_simple_table(ask)
    assert words in refusal("BatchWriteItem", RequestItems={"simple": requests})
    assert ask("Scan", TableName="simple")["Count"] == 0


def test_a_transaction_is_done_whole_or_not_at_all_and_says_why(ask):
    make_simple_table(ask)
    ask("PutItem", TableName="simple", Item={"p": {"S": "there"}})
    with pytest.raises(DynamoError) as refused:
        ask(
            "TransactWriteItems",
            TransactItems=[
                {"Put": {"TableName": "simple", "Item": {"p": {"S": "new"}}}},
                {"Put": {"TableName": "simple", "Item": {"p": {"S": "there"}},
                         "ConditionExpression": "attribute_not_exists(p)"}},
            ],
        )  # fmt: skip
    assert refused.value.code == "TransactionCanceledException"
    assert [each["Code"] for each in refused.value.members["CancellationReasons"]] == [
        "None", "ConditionalCheckFailed",
    ]  # fmt: skip
    assert ask("Scan", TableName="simple")["Count"] == 1


@pytest.mark.parametrize(
    "action",
    [
        {"Put": {"TableName": "simple", "Item": {"p": {"N": "1"}}}},
        {"Put": {"TableName": "simple", "Item": {"id": {"S": "x"}}}},
        {"Put": {"TableName": "simple", "Item": {**KEY, "a": {"S": "x" * 409_600}}}},
        {"Delete": {"TableName": "simple", "Key": {"id": {"S": "x"}}}},
    ],
    ids=["type", "missing", "large", "key"],
)
def test_the_first_item_that_its_table_can_not_hold_cancels_a_transaction(ask, action):
    make_simple_table(ask)
    fine = {"Put": {"TableName": "simple", "Item": {"p": {"S": "new"}}}}
    with pytest.raises(DynamoError) as refused:
        ask("TransactWriteItems", TransactItems=[fine, action, action])
    reasons = refused.value.members["CancellationReasons"]
    assert [each["Code"] for each in reasons] == ["None", "ValidationError", "None"]
    assert [sorted(each) for each in reasons] == [["Code"], ["Code", "Message"], ["Code"]]
    assert refused.value.message.endswith("[None, ValidationError, None]")
    assert ask("Scan", TableName="simple")["Count"] == 0


def test_a_transaction_sent_again_with_its_token_is_done_once(ask, refusal):
    make_simple_table(ask)
    add = {
        "TableName": "simple", "Key": KEY, "UpdateExpression": "ADD n :v", "ExpressionAttributeValues": {":v": {"N": "1"}},
    }  # fmt: skip
    for _ in range(2):
        ask("TransactWriteItems", TransactItems=[{"Update": add}], ClientRequestToken="token")
    assert ask("GetItem", TableName="simple", Key=KEY)["Item"]["n"] == {"N": "1"}
    other = {**add, "ExpressionAttributeValues": {":v": {"N": "2"}}}
    refused = refusal("TransactWriteItems", TransactItems=[{"Update": other}], ClientRequestToken="token")
    assert refused.startswith("IdempotentParameterMismatchException")


def test_a_stream_tells_each_change_once_and_no_change_not_at_all(ask):
    make_table(
        ask, "streamed", KeySchema=key_schema("p"), AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )  # fmt: skip
    for item in ({**KEY, "n": {"N": "1"}}, {**KEY, "n": {"N": "1.0"}}, {**KEY, "n": {"N": "2"}}):
        ask("PutItem", TableName="streamed", Item=item)
    ask("DeleteItem", TableName="streamed", Key=KEY)
    ask("DeleteItem", TableName="streamed", Key=KEY)
    arn = ask("DescribeTable", TableName="streamed")["Table"]["LatestStreamArn"]
    shard = ask("DescribeStream", StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = ask("GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    found = ask("GetRecords", ShardIterator=iterator["ShardIterator"])
    assert [each["eventName"] for each in found["Records"]] == ["INSERT", "MODIFY", "REMOVE"]
    assert found["Records"][1]["dynamodb"]["OldImage"]["n"] == {"N": "1"}
    assert ask("GetRecords", ShardIterator=found["NextShardIterator"])["Records"] == []


@pytest.mark.parametrize("wrong", [{"Limit": 101}, {"ExclusiveStartStreamArn": "x" * 40}])
def test_streams_are_listed_within_awss_bounds(ask, refusal, wrong):
    assert ask("ListStreams", Limit=100) == {"Streams": []}
    assert refusal("ListStreams", **wrong).startswith("ValidationException: ")


def test_items_whose_time_has_come_are_deleted():
    service = DynamoDB(ACCOUNT)

    def ask(operation, **request):
        return service.answer(operation, REGION, request)

    make_simple_table(ask)
    ask(
        "UpdateTimeToLive",
        TableName="simple",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "end"},
    )
    now = int(time.time())
    for name, end in (("past", now - 60), ("future", now + 60), ("long ago", now - 6 * 365 * 86400)):
        ask("PutItem", TableName="simple", Item={"p": {"S": name}, "end": {"N": str(end)}})
    ask("PutItem", TableName="simple", Item={"p": {"S": "text"}, "end": {"S": "1"}})
    table = service.tables.find(REGION, "simple")
    Expiry(service._storage, service.tables).sweep(table, time.time())
    left = {item["p"]["S"] for item in ask("Scan", TableName="simple")["Items"]}
    service.close()
    assert left == {"future", "long ago", "text"}


def test_a_transaction_sends_no_more_than_4_mb(ask, refusal):
    """API reference, TransactWriteItems: the size of what is sent counts, not of the items that go."""
    make_simple_table(ask)
    large = "x" * 399_000
    keys = [{"p": {"S": str(number)}} for number in range(11)]
    puts = [{"Put": {"TableName": "simple", "Item": {**key, "a": {"S": large}}}} for key in keys]
    words = "ValidationException: Transaction payload size cannot exceed 4MB. Payload Size: "
    assert refusal("TransactWriteItems", TransactItems=puts).startswith(words)
    for half in (puts[:6], puts[6:]):
        ask("TransactWriteItems", TransactItems=half)
    ask("TransactWriteItems", TransactItems=[{"Delete": {"TableName": "simple", "Key": key}} for key in keys])
    assert ask("Scan", TableName="simple")["Count"] == 0
