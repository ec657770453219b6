"""A DynamoDB in memory, asked as the door asks it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labkit.cloud.stores.dynamodb.errors import DynamoError
from labkit.cloud.stores.dynamodb.service import DynamoDB

ACCOUNT, REGION = "123456789012", "ap-south-1"
Ask = Callable[..., Any]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """What does one operation, its parameters given by name."""
    service = DynamoDB(ACCOUNT)
    yield lambda operation, **request: service.answer(operation, REGION, request)
    service.close()


@pytest.fixture
def refusal(ask: Ask) -> Callable[..., str]:
    """Code and words of what an operation is refused with, "" when it is not."""

    def refused(operation: str, **request: Any) -> str:
        try:
            ask(operation, **request)
        except DynamoError as error:
            return f"{error.code}: {error.message}"
        return ""

    return refused


def key_schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": n, "KeyType": kind} for n, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def make_table(ask: Ask, name: str = "table", **more: Any) -> None:
    """A table with the keys p (S) and s (N)."""
    request = {
        "TableName": name,
        "KeySchema": key_schema("p", "s"),
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    ask("CreateTable", **{**request, **more})


def make_simple_table(ask: Ask, name: str = "simple") -> None:
    """A table with the key p (S)."""
    definitions = [{"AttributeName": "p", "AttributeType": "S"}]
    make_table(ask, name, KeySchema=key_schema("p"), AttributeDefinitions=definitions)
