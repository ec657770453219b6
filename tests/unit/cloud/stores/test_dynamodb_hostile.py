"""Whatever is asked: an answer, or an error of DynamoDB's own; nothing else, and soon."""

import contextlib
import os
import random
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from labkit.cloud.stores.dynamodb.errors import DynamoError
from labkit.cloud.stores.dynamodb.service import DynamoDB
from labkit.cloud.stores.dynamodb.shapes import description
from tests.unit.cloud.stores.conftest import ACCOUNT, REGION, make_simple_table

WRONG = (
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    "",
    "x",
    "--1",
    "¹",
    "1" * 5000,
    "é" * 300,
    [],
    [None],
    ["x"],
    [{}],
    {},
    {"x": "y"},
    {"S": 1},
    {"": {"S": "x"}},
)
OPERATIONS = sorted([*description("dynamodb")["operations"], *description("dynamodbstreams")["operations"]])
DEPTH = 4
SEED = int(os.environ.get("LAB_TEST_SEED", "20261201"))


@pytest.fixture(scope="module")
def service():
    service = DynamoDB(ACCOUNT)
    make_simple_table(lambda operation, **request: service.answer(operation, REGION, request))
    yield service
    service.close()


def sample(service: str, name: str, depth: int) -> Any:
    """A value of a shape that looks right."""
    shape = description(service)["shapes"][name]
    kind = shape["type"]
    if name == "AttributeValue":
        return {"S": "x"}
    if kind == "structure":
        wanted = shape["members"] if depth else shape.get("required", ())
        return {each: sample(service, shape["members"][each]["shape"], max(0, depth - 1)) for each in wanted}
    if kind == "list":
        return [sample(service, shape["member"]["shape"], max(0, depth - 1))]
    if kind == "map":
        return {"p": sample(service, shape["value"]["shape"], max(0, depth - 1))}
    return {
        "string": shape.get("enum", ["simple"])[0], "boolean": True, "blob": "AAEC", "timestamp": 1, "integer": 1, "long": 1,
        "double": 1.0, "float": 1.0,
    }[kind]  # fmt: skip


def requests(operation: str) -> list[dict[str, Any]]:
    """A plausible request, and one for each parameter left out, or wrong in each way."""
    service = "dynamodb" if operation in description("dynamodb")["operations"] else "dynamodbstreams"
    shape = description(service)["operations"][operation].get("input")
    if shape is None:
        return [{}]
    members = description(service)["shapes"][shape["shape"]]["members"]
    least = sample(service, shape["shape"], 0)
    found = [{}, least, sample(service, shape["shape"], DEPTH)]
    for name, member in members.items():
        full = {**least, name: sample(service, member["shape"], DEPTH)}
        found += [full, {k: v for k, v in full.items() if k != name}]
        found += [{**least, name: value} for value in WRONG]
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_parameter_wrong_in_turn_is_answered_by_dynamodb(ask, operation):
    make_simple_table(ask)
    for request in requests(operation):
        with contextlib.suppress(DynamoError):
            assert isinstance(ask(operation, **request), dict)


TOKENS = (
    "a", "b.c", "l[0]", "#n", ":v", ":w", "(", ")", ",", "=", "<>", "<", ">=", "AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE",
    "ADD", "DELETE", "size", "contains", "begins_with", "attribute_exists", "attribute_type", "if_not_exists", "list_append", "+", "-",
    "[", "]", ".", "!", "é", "status", "0", "99999999999",
)  # fmt: skip


KINDS = (
    "FilterExpression",
    "ProjectionExpression",
    "UpdateExpression",
    "ConditionExpression",
    "KeyConditionExpression",
)
EXPRESSIONS = st.lists(st.one_of(st.sampled_from(TOKENS), st.text(max_size=3)), max_size=14)


def expression_request(tokens: list[str], kind: str, *, spaced: bool) -> tuple[str, dict[str, Any]]:
    """An operation with an expression of these tokens, and what belongs to it."""
    request: dict[str, Any] = {"TableName": "simple", kind: (" " if spaced else "").join(tokens)}
    operation = {KINDS[0]: "Scan", KINDS[1]: "Scan", KINDS[4]: "Query"}.get(kind, "UpdateItem")
    if operation == "UpdateItem":
        request["Key"] = {"p": {"S": "x"}}
    if "#n" in tokens:
        request["ExpressionAttributeNames"] = {"#n": "n"}
    values = {name: {"N": "1"} for name in (":v", ":w") if name in tokens}
    return operation, request | ({"ExpressionAttributeValues": values} if values else {})


@pytest.mark.slow
@pytest.mark.parametrize(
    "many", [400, pytest.param(20_000, marks=[pytest.mark.verify, pytest.mark.timeout(1200)])]
)
def test_any_expression_is_answered_by_dynamodb(service, many):
    @seed(SEED)
    @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(EXPRESSIONS, st.sampled_from(KINDS), st.booleans())
    def ask_with(tokens: list[str], kind: str, spaced: bool) -> None:
        try:
            operation, request = expression_request(tokens, kind, spaced=spaced)
            service.answer(operation, REGION, request)
        except DynamoError as error:
            if error.code not in ("ValidationException", "ConditionalCheckFailedException"):
                raise

    ask_with()


@pytest.mark.parametrize(
    "expression", ["(" * 4000, "NOT " * 1000 + "a = b", "a" + ".b" * 2000, "a = b OR " * 400 + "a = b"]
)
def test_a_long_expression_is_refused_at_once(service, expression):
    with pytest.raises(DynamoError, match="Invalid FilterExpression"):
        service.answer("Scan", REGION, {"TableName": "simple", "FilterExpression": expression})


def test_readers_and_writers_beside_each_other_lose_nothing(service):
    trouble: list[BaseException] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        try:
            for _ in range(60):
                key = {"p": {"S": f"counter-{draw.randrange(3)}"}}
                service.answer(
                    "UpdateItem", REGION,
                    {"TableName": "simple", "Key": key, "UpdateExpression": "ADD n :one",
                     "ExpressionAttributeValues": {":one": {"N": "1"}}},
                )  # fmt: skip
                service.answer("Scan", REGION, {"TableName": "simple"})
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble
    found = service.answer("Scan", REGION, {"TableName": "simple"})["Items"]
    assert sum(int(item["n"]["N"]) for item in found if item["p"]["S"].startswith("counter-")) == 360


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("PutItem", {"Item": {"p": {"S": "a"}, "": {"N": "1"}}}),
        ("GetItem", {"Key": {"p": {"S": "a"}}, "AttributesToGet": [""]}),
        ("UpdateItem", {"Key": {"p": {"S": "a"}}, "AttributeUpdates": {"": {"Value": {"N": "1"}}}}),
        ("DeleteItem", {"Key": {"p": {"S": "a"}}, "Expected": {"": {"Exists": False}}}),
        ("Scan", {"ScanFilter": {"": {"ComparisonOperator": "NULL"}}}),
    ],
)
def test_no_attribute_is_without_a_name(ask, refusal, operation, request_):
    """Developer guide, "Naming rules": attribute names must be at least one character long."""
    make_simple_table(ask)
    assert refusal(operation, TableName="simple", **request_).endswith("Empty attribute name")
