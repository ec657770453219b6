"""DynamoDB as a client meets it, through the door. What it does in detail: tests/unit/cloud/stores."""

import json
import zlib

import pytest
import urllib3
from botocore.exceptions import ClientError

MISMATCH = "ValidationException: The provided key element does not match the schema"


@pytest.fixture(scope="module")
def table(live):
    name = live.name("table")
    live.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "image_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "image_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.mark.parametrize("key", [{"image_id": {"N": "1"}}, {"id": {"S": "1"}}], ids=["type", "name"])
@pytest.mark.parametrize("call", ["get_item", "delete_item", "update_item"])
def test_wrong_keys_are_refused(live, aids, table, call, key):
    """DynamoDB API reference, GetItem, DeleteItem, UpdateItem: ValidationException."""
    assert aids.refused(getattr(live.dynamodb, call), TableName=table, Key=key)[:2] == tuple(
        MISMATCH.split(": ", 1)
    )


def test_wrong_key_type_in_an_item_is_refused(live, aids, table):
    """DynamoDB API reference, PutItem."""
    refused = aids.refused(live.dynamodb.put_item, TableName=table, Item={"image_id": {"N": "1"}})
    assert refused[:2] == (
        "ValidationException",
        "One or more parameter values were invalid: Type mismatch for key image_id expected: S actual: N",
    )


def test_right_keys_pass(live, table):
    """DynamoDB developer guide, "Working with items"."""
    dynamodb, key = live.dynamodb, {"image_id": {"S": "1"}}
    dynamodb.put_item(TableName=table, Item={**key, "status": {"S": "pending"}})
    dynamodb.update_item(
        TableName=table, Key=key, UpdateExpression="SET #s = :s", ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "processed"}},
    )  # fmt: skip
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["status"] == {"S": "processed"}
    put = dynamodb.put_item(TableName=table, Item={"image_id": {"S": "2"}})
    assert put["ResponseMetadata"]["HTTPHeaders"]["content-length"] == "2", "JSON without members is {}"
    old = dynamodb.put_item(TableName=table, Item=key, ReturnValues="ALL_OLD")
    assert old["Attributes"]["status"] == {"S": "processed"}
    dynamodb.delete_item(TableName=table, Key=key)
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key)


def test_item_over_400_kb_is_refused(live, aids, table):
    """DynamoDB developer guide, "Quotas": 400 KB with the attribute names."""
    fits = {"image_id": {"S": "1"}, "data": {"S": "x" * (409_600 - 13)}}
    live.dynamodb.put_item(TableName=table, Item=fits)
    larger = {**fits, "data": {"S": fits["data"]["S"] + "x"}}
    refused = aids.refused(live.dynamodb.put_item, TableName=table, Item=larger)
    assert refused[:2] == ("ValidationException", "Item size has exceeded the maximum allowed size")


def test_a_wrong_expression_is_named(live, aids, table):
    """DynamoDB API reference, UpdateItem: ValidationException, never a failure of the service."""
    refused = aids.refused(
        live.dynamodb.update_item, TableName=table, Key={"image_id": {"S": "1"}},
        UpdateExpression="SET status = :s", ExpressionAttributeValues={":s": {"S": "x"}},
    )  # fmt: skip
    assert refused[:2] == (
        "ValidationException",
        "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status",
    )


def test_a_cancelled_transaction_tells_its_reasons(live, table):
    """DynamoDB API reference, TransactWriteItems: TransactionCanceledException, CancellationReasons."""
    write = {
        "Put": {
            "TableName": table,
            "Item": {"image_id": {"S": "t"}},
            "ConditionExpression": "attribute_exists(x)",
        }
    }
    with pytest.raises(ClientError) as refused:
        live.dynamodb.transact_write_items(TransactItems=[write])
    assert refused.value.response["CancellationReasons"] == [
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    ]


def test_partiql_is_refused_by_name(live, aids):
    """The local cloud's own: nothing is taken and ignored."""
    refused = aids.refused(live.dynamodb.execute_statement, Statement='SELECT * FROM "t"')
    assert refused[:2] == (
        "UnsupportedOperation",
        "The local cloud does not emulate ExecuteStatement of DynamoDB.",
    )


@pytest.mark.parametrize(
    ("accepted", "packing"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip;q=0", None),
        ("gzip, deflate", "gzip"),
        ("deflate", "deflate"),
        ("*", "gzip"),
    ],
)
def test_long_answers_are_packed_where_the_caller_takes_it(live, table, accepted, packing):
    """DynamoDB developer guide, "HTTP"; RFC 9110, 12.5.3: it packs answers of more than 4 KB, and says who it is by `Server`."""
    live.dynamodb.put_item(TableName=table, Item={"image_id": {"S": "long"}, "text": {"S": "x" * 5000}})
    body = json.dumps({"TableName": table, "Key": {"image_id": {"S": "long"}}}).encode()
    asked = {
        "X-Amz-Target": "DynamoDB_20120810.GetItem",
        "Content-Type": "application/x-amz-json-1.0",
        "Accept-Encoding": accepted,
    }
    headers = live.signed("dynamodb", "POST", "/", body, asked)
    answer = urllib3.request(
        "POST", live.clients.target.endpoint_url, body=body, headers=headers, decode_content=False
    )
    assert answer.headers.get("Content-Encoding") == packing
    assert answer.headers["Server"] == "Server"
    assert answer.headers["x-amz-crc32"] == str(zlib.crc32(answer.data))
    data = zlib.decompress(answer.data, 32 + zlib.MAX_WBITS) if packing else answer.data
    assert json.loads(data)["Item"]["text"] == {"S": "x" * 5000}
