"""What a client of API Gateway would get of a function's answer.

API Gateway developer guide, "Output format of a Lambda function for proxy integration".
"""

import json
from typing import Any

import pytest

from labkit.grading.probes.function import Answer, read

META: dict[str, Any] = {"ResponseMetadata": {"RequestId": "r"}}
GOOD: dict[str, Any] = {
    "statusCode": 400,
    "headers": {"Content-Type": "application/json"},
    "body": '{"error": "no"}',
}


def answer(value: object) -> Answer:
    return read(json.dumps(value).encode(), META, 0.1)


@pytest.mark.parametrize("more", [{}, {"headers": None}, {"headers": {}}, {"isBase64Encoded": False}])
def test_a_proper_answer(more: dict[str, Any]) -> None:
    found = answer({**GOOD, **more})
    assert (found.status, found.body, found.problem) == (400, {"error": "no"}, "")


@pytest.mark.parametrize(
    "value",
    [
        {**GOOD, "body": {"error": "no"}},
        {**GOOD, "body": "no"},
        {**GOOD, "body": None},
        {**GOOD, "body": "[]"},
        {**GOOD, "headers": "Content-Type: application/json"},
        {**GOOD, "headers": {"Content-Type": ["application/json"]}},
        {**GOOD, "statusCode": "bad"},
        {**GOOD, "statusCode": True},
        {"body": "{}"},
        [GOOD],
        "no",
    ],
)
def test_what_api_gateway_makes_a_502_of_or_no_client_can_read(value: object) -> None:
    found = answer(value)
    assert found.problem
    assert found.body == {}
