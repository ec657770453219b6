"""Query and Scan: ranges, pages, indexes, segments."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.cloud.stores.dynamodb.service import DynamoDB
from tests.unit.cloud.stores.conftest import ACCOUNT, REGION, key_schema, make_simple_table, make_table


def fill(ask, numbers, partition="a", **more):
    for number in numbers:
        ask("PutItem", TableName="table", Item={"p": {"S": partition}, "s": {"N": str(number)}, **more})


def numbers_of(found):
    return [float(item["s"]["N"]) for item in found["Items"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("s = :b", [0]), ("s < :b", [-10, -2.5]), ("s <= :b", [-10, -2.5, 0]), ("s > :b", [3, 20]), (":b < s", [3, 20]),
     ("s >= :b", [0, 3, 20]), ("s BETWEEN :c AND :b", [-2.5, 0])],
)  # fmt: skip
def test_a_query_reads_a_range_of_sort_keys_in_order(ask, condition, expected):
    make_table(ask)
    fill(ask, [20, -2.5, 3, 0, -10])
    fill(ask, [1], "another")
    values = {":a": {"S": "a"}, ":b": {"N": "0"}, ":c": {"N": "-3"}}
    values = {name: value for name, value in values.items() if name in f"p = :a AND {condition}"}
    request = {
        "TableName": "table", "KeyConditionExpression": f"p = :a AND {condition}", "ExpressionAttributeValues": values,
    }  # fmt: skip
    assert numbers_of(ask("Query", **request)) == expected
    assert numbers_of(ask("Query", **request, ScanIndexForward=False)) == expected[::-1]


def test_pages_follow_each_other_whatever_is_deleted_between_them(ask):
    make_table(ask)
    fill(ask, range(10))
    seen, start = [], {}
    while True:
        found = ask(
            "Query", TableName="table", KeyConditionExpression="p = :a",
            ExpressionAttributeValues={":a": {"S": "a"}}, Limit=3, **start,
        )  # fmt: skip
        seen += numbers_of(found)
        if "LastEvaluatedKey" not in found:
            break
        ask("DeleteItem", TableName="table", Key=found["LastEvaluatedKey"])
        start = {"ExclusiveStartKey": found["LastEvaluatedKey"]}
    assert seen == list(range(10))


def test_a_page_ends_at_one_megabyte(ask):
    make_table(ask)
    fill(ask, range(12), payload={"S": "x" * 200_000})
    found = ask("Scan", TableName="table")
    assert found["Count"] == 6
    assert "LastEvaluatedKey" in found
    rest = ask("Scan", TableName="table", ExclusiveStartKey=found["LastEvaluatedKey"])
    assert rest["Count"] == 6


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=30), st.integers(1, 7), st.integers(1, 5)
)
def test_segments_hold_every_item_once(names, segments, limit):
    service = DynamoDB(ACCOUNT)
    make_simple_table(lambda operation, **request: service.answer(operation, REGION, request))
    for name in names:
        service.answer("PutItem", REGION, {"TableName": "simple", "Item": {"p": {"S": name}}})
    seen = []
    for segment in range(segments):
        start = {}
        while True:
            found = service.answer(
                "Scan", REGION,
                {"TableName": "simple", "Segment": segment, "TotalSegments": segments, "Limit": limit, **start},
            )  # fmt: skip
            seen += [item["p"]["S"] for item in found["Items"]]
            if "LastEvaluatedKey" not in found:
                break
            start = {"ExclusiveStartKey": found["LastEvaluatedKey"]}
    service.close()
    assert sorted(seen) == sorted(names)


def indexed(ask):
    make_table(
        ask,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("p", "S"), ("s", "N"), ("colour", "S"), ("weight", "N"))
        ],
        LocalSecondaryIndexes=[
            {"IndexName": "by-weight", "KeySchema": key_schema("p", "weight"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-colour", "KeySchema": key_schema("colour", "weight"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["shape"]},
            }
        ],
    )  # fmt: skip
    rows = [(1, "red", 9), (2, "red", 3), (3, "blue", 5), (4, None, 7)]
    for number, colour, weight in rows:
        item = {
            "p": {"S": "a"},
            "s": {"N": str(number)},
            "weight": {"N": str(weight)},
            "shape": {"S": "round"},
        }
        more = {"colour": {"S": colour}} if colour else {}
        ask("PutItem", TableName="table", Item={**item, **more, "other": {"S": "x"}})


def test_a_global_index_holds_what_it_projects_of_items_that_have_its_keys(ask):
    indexed(ask)
    found = ask(
        "Query", TableName="table", IndexName="by-colour", KeyConditionExpression="colour = :c",
        ExpressionAttributeValues={":c": {"S": "red"}},
    )  # fmt: skip
    assert numbers_of(found) == [2, 1]
    assert set(found["Items"][0]) == {"p", "s", "colour", "weight", "shape"}
    assert ask("Scan", TableName="table", IndexName="by-colour")["Count"] == 3


def test_an_index_follows_changes_of_its_keys(ask):
    indexed(ask)
    key = {"p": {"S": "a"}, "s": {"N": "1"}}
    ask(
        "UpdateItem", TableName="table", Key=key, UpdateExpression="SET colour = :c",
        ExpressionAttributeValues={":c": {"S": "blue"}},
    )  # fmt: skip
    ask("DeleteItem", TableName="table", Key={"p": {"S": "a"}, "s": {"N": "3"}})
    colours = [item["colour"]["S"] for item in ask("Scan", TableName="table", IndexName="by-colour")["Items"]]
    assert sorted(colours) == ["blue", "red"]


def test_a_local_index_fetches_what_it_does_not_hold(ask):
    indexed(ask)
    request = {
        "TableName": "table", "IndexName": "by-weight", "KeyConditionExpression": "p = :a AND weight > :w",
        "ExpressionAttributeValues": {":a": {"S": "a"}, ":w": {"N": "4"}},
    }  # fmt: skip
    found = ask("Query", **request)
    assert numbers_of(found) == [3, 4, 1]
    assert set(found["Items"][0]) == {"p", "s", "weight"}
    assert "other" in ask("Query", **request, Select="ALL_ATTRIBUTES")["Items"][0]


def test_a_new_index_is_filled_from_what_is_there(ask):
    make_table(ask)
    fill(ask, range(5), colour={"S": "red"})
    fill(ask, [9], "b", colour={"N": "1"})
    ask(
        "UpdateTable", TableName="table", AttributeDefinitions=[{"AttributeName": "colour", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {"Create": {"IndexName": "late", "KeySchema": key_schema("colour"), "Projection": {"ProjectionType": "ALL"}}}
        ],
    )  # fmt: skip
    assert ask("Scan", TableName="table", IndexName="late")["Count"] == 5


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"KeyConditionExpression": "s = :a"}, "Query condition missed key schema element: p"),
        ({"KeyConditionExpression": "p < :a"}, "Query key condition not supported"),
        ({"KeyConditionExpression": "p = :a OR p = :a"},
         "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR"),
        ({"KeyConditionExpression": "p = :a", "FilterExpression": "s = :a"},
         "Filter Expression can only contain non-primary key attributes: Primary key attribute: s"),
        ({"KeyConditionExpression": "p = :a", "IndexName": "nosuch"},
         "The table does not have the specified index: nosuch"),
        ({"KeyConditionExpression": "p = :a", "Limit": 0}, "1 validation error detected: Value '0' at 'limit'"),
        ({"KeyConditionExpression": "p = :a", "ExclusiveStartKey": {"p": {"S": "a"}}},
         "The provided starting key is invalid: The provided key element does not match the schema"),
        ({"KeyConditionExpression": "p = :a", "Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or"),
        ({"KeyConditionExpression": "p = :a AND s = :a AND t = :a"}, "Conditions can be of length 1 or 2 only"),
        ({}, "ExpressionAttributeValues can only be specified when using expressions: KeyConditionExpression is null"),
    ],
)  # fmt: skip
def test_a_query_that_dynamodb_refuses_is_refused_in_its_words(ask, refusal, request_, words):
    make_table(ask)
    refused = refusal("Query", TableName="table", ExpressionAttributeValues={":a": {"S": "a"}}, **request_)
    assert refused.startswith(f"ValidationException: {words}")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"KeyConditionExpression": "p = :a AND s = :a"}, "Query key condition not supported"),
        ({"KeyConditionExpression": "p = :a", "ExclusiveStartKey": {"p": {"S": "a"}}},
         "The provided exclusive start key is invalid: ExclusiveStartKey: {p=AttributeValue: {S:a}}"),
    ],
)  # fmt: skip
def test_a_table_without_a_sort_key_has_neither_ranges_nor_pages(ask, refusal, request_, words):
    make_simple_table(ask)
    refused = refusal("Query", TableName="simple", ExpressionAttributeValues={":a": {"S": "a"}}, **request_)
    assert refused == f"ValidationException: {words}"


def test_capacity_is_counted_by_size_and_consistency(ask):
    make_simple_table(ask)
    item = {"p": {"S": "x"}, "payload": {"S": "y" * 6000}}
    put = ask("PutItem", TableName="simple", Item=item, ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"] == {"TableName": "simple", "CapacityUnits": 6.0}
    key = {"TableName": "simple", "Key": {"p": {"S": "x"}}, "ReturnConsumedCapacity": "TOTAL"}
    assert ask("GetItem", **key)["ConsumedCapacity"]["CapacityUnits"] == 1.0
    assert ask("GetItem", **key, ConsistentRead=True)["ConsumedCapacity"]["CapacityUnits"] == 2.0
    assert "ConsumedCapacity" not in ask("UpdateItem", TableName="simple", Key={"p": {"S": "x"}})


def test_a_scan_uses_a_unit_in_each_part_of_a_table(ask):
    """Developer guide: a new table on demand has four parts, one with provisioned capacity one."""
    make_simple_table(ask)
    throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    keys = {
        "KeySchema": key_schema("p"),
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
    }
    ask("CreateTable", TableName="provisioned", ProvisionedThroughput=throughput, **keys)

    def used(name, **more):
        answer = ask("Scan", TableName=name, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", **more)
        return answer["ConsumedCapacity"]["CapacityUnits"]

    for name, units in (("simple", 4.0), ("provisioned", 1.0)):
        ask("PutItem", TableName=name, Item={"p": {"S": "x"}})
        assert used(name) == units
    assert [used("simple", Segment=number, TotalSegments=4) for number in range(4)] == [1.0] * 4
