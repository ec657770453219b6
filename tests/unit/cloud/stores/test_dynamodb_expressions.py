"""Expressions: grammar, placeholders, what they mean for an item, and AWS's words for what is wrong."""

import re

import pytest

from tests.unit.cloud.stores.conftest import make_simple_table

ITEM = {
    "p": {"S": "one"},
    "n": {"N": "5"},
    "t": {"S": "hello"},
    "list": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]},
    "map": {"M": {"a": {"M": {"b": {"S": "deep"}}}}},
    "set": {"SS": ["x", "y"]},
    "bytes": {"B": "AAEC"},
}


@pytest.fixture
def table(ask):
    make_simple_table(ask)
    ask("PutItem", TableName="simple", Item=ITEM)
    return ask


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("n = :v", {"v": {"N": "5.0"}}, True),
        ("n <> :v", {"v": {"S": "5"}}, True),
        ("n < :v", {"v": {"S": "9"}}, False),
        ("n BETWEEN :a AND :b", {"a": {"N": "1"}, "b": {"N": "5"}}, True),
        ("t IN (:a, :b)", {"a": {"S": "no"}, "b": {"S": "hello"}}, True),
        ("attribute_exists(map.a.b)", {}, True),
        ("attribute_not_exists(map.a.c)", {}, True),
        ("attribute_type(list, :t)", {"t": {"S": "L"}}, True),
        ("begins_with(t, :v)", {"v": {"S": "he"}}, True),
        ("begins_with(bytes, :v)", {"v": {"B": "AAE="}}, True),
        ("contains(t, :v)", {"v": {"S": "ell"}}, True),
        ("contains(set, :v)", {"v": {"S": "x"}}, True),
        ("contains(list, :v)", {"v": {"N": "2"}}, True),
        ("size(list) = :v", {"v": {"N": "3"}}, True),
        ("size(nothing) = :v", {"v": {"N": "0"}}, False),
        ("NOT n = :v AND n = :v", {"v": {"N": "5"}}, False),
        ("n = :v OR n = :w AND t = :w", {"v": {"N": "5"}, "w": {"S": "no"}}, True),
        ("(n = :v OR n = :w) AND t = :w", {"v": {"N": "5"}, "w": {"S": "no"}}, False),
        ("list[1] > list[0]", {}, True),
        ("n = NoSuch", {}, False),
    ],
)
def test_conditions_hold_as_documented(table, expression, values, expected):
    names = {f"#{name}": name for name in ("list", "map", "set", "bytes")}
    for name in names.values():
        expression = re.sub(rf"\b{name}\b", f"#{name}", expression)
    found = table(
        "Scan", TableName="simple", FilterExpression=expression,
        **({"ExpressionAttributeNames": used} if (used := {k: v for k, v in names.items() if k in expression}) else {}),
        **({"ExpressionAttributeValues": {f":{n}": v for n, v in values.items()}} if values else {}),
    )  # fmt: skip
    assert (found["Count"] == 1) == expected


VALUE = {":v": {"N": "1"}}
PREFIX = "ValidationException: Invalid FilterExpression: "


@pytest.mark.parametrize(
    ("expression", "more", "words"),
    [
        ("n == :v", {"ExpressionAttributeValues": VALUE}, 'Syntax error; token: "=", near: "== :v"'),
        ("n != :v", {"ExpressionAttributeValues": VALUE}, 'Syntax error; token: "!", near: "n !="'),
        ("n", {}, 'Syntax error; token: "<EOF>", near: "n"'),
        ("", {}, "The expression can not be empty;"),
        ("n = :x", {"ExpressionAttributeValues": VALUE},
         "An expression attribute value used in expression is not defined; attribute value: :x"),
        ("#x = :v", {"ExpressionAttributeValues": VALUE},
         "An expression attribute name used in the document path is not defined; attribute name: #x"),
        ("status = :v", {"ExpressionAttributeValues": VALUE},
         "Attribute name is a reserved keyword; reserved keyword: status"),
        ("attribute_exist(n)", {}, "Invalid function name; function: attribute_exist"),
        ("attribute_exists(n, t)", {},
         "Incorrect number of operands for operator or function; operator or function: attribute_exists, "
         "number of operands: 2"),
        ("size(n)", {}, "The function is not allowed to be used this way in an expression; function: size"),
        ("begins_with(n, :v)", {"ExpressionAttributeValues": VALUE},
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"),
        ("((n = :v))", {"ExpressionAttributeValues": VALUE}, "The expression has redundant parentheses;"),
        ("n BETWEEN :v AND :w", {"ExpressionAttributeValues": {**VALUE, ":w": {"N": "0"}}},
         "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
         "lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {N:0}"),
        ("n = n", {}, "The first operand must be distinct from the remaining operands for this operator or function; "
         "operator: =, first operand: [n]"),
        ("n = :v" + " OR n = :v" * 200, {"ExpressionAttributeValues": VALUE},
         "The expression contains too many operators; operator count: 301"),
        ("n" + " " * 4096, {}, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
    ],
    ids=lambda case: case[:20] if isinstance(case, str) else "",
)  # fmt: skip
def test_a_wrong_expression_is_told_in_awss_words(table, refusal, expression, more, words):
    refused = refusal("Scan", TableName="simple", FilterExpression=expression, **more)
    assert refused.startswith(PREFIX + words.rstrip('"')), refused


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ExpressionAttributeValues": {":v": {"N": "1"}, ":w": {"N": "1"}}},
         "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"),
        ({"ExpressionAttributeValues": VALUE, "ExpressionAttributeNames": {"#x": "x"}},
         "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"),
        ({"ExpressionAttributeValues": {}}, "ExpressionAttributeValues must not be empty"),
        ({"ExpressionAttributeValues": {"v": {"N": "1"}}}, "ExpressionAttributeValues contains invalid key"),
    ],
)  # fmt: skip
def test_placeholders_must_fit_the_expressions(table, refusal, more, words):
    refused = refusal("Scan", TableName="simple", FilterExpression="n = :v", **more)
    assert refused.startswith(f"ValidationException: {words}")


def test_a_deep_expression_is_refused_and_harms_nobody(table, refusal):
    refused = refusal("Scan", TableName="simple", FilterExpression="(" * 4000)
    assert refused.startswith("ValidationException: Invalid FilterExpression")


UPDATES = [
    ("SET n = n + :v", {":v": {"N": "2"}}, {"n": {"N": "7"}}),
    ("SET n = if_not_exists(absent, :v) - n", {":v": {"N": "2"}}, {"n": {"N": "-3"}}),
    ("SET #list = list_append(:v, #list)", {":v": {"L": [{"N": "0"}]}},
     {"list": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}]}}),
    ("REMOVE #list[1] SET #list[9] = :v", {":v": {"N": "9"}}, {"list": {"L": [{"N": "1"}, {"N": "3"}, {"N": "9"}]}}),
    ("REMOVE #list[0], #list[2]", None, {"list": {"L": [{"N": "2"}]}}),
    ("SET #map.a.b = t REMOVE t", None, {"map": {"M": {"a": {"M": {"b": {"S": "hello"}}}}}, "t": None}),
    ("ADD n :v, #set :w", {":v": {"N": "1"}, ":w": {"SS": ["z"]}}, {"n": {"N": "6"}, "set": {"SS": ["x", "y", "z"]}}),
    ("DELETE #set :w", {":w": {"SS": ["x", "y"]}}, {"set": None}),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "values", "changes"), UPDATES, ids=[each[0] for each in UPDATES])
def test_updates_change_what_they_name_all_at_once(table, expression, values, changes):
    names = {f"#{name}": name for name in ("list", "map", "set") if f"#{name}" in expression}
    table(
        "UpdateItem", TableName="simple", Key={"p": {"S": "one"}}, UpdateExpression=expression,
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": values} if values else {}),
    )  # fmt: skip
    wanted = {name: value for name, value in {**ITEM, **changes}.items() if value is not None}
    assert table("GetItem", TableName="simple", Key={"p": {"S": "one"}})["Item"] == wanted


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("SET n = :v SET t = :v", 'The "SET" section can only be used once in an update expression;'),
        ("SET n = :v REMOVE n", "Two document paths overlap with each other; must remove or rewrite one of these "
         "paths; path one: [n], path two: [n]"),
        ("SET x.y = :v, x[1] = :v", "Two document paths conflict with each other"),
        ("SET n = size(t)", "The function is not allowed in an update expression; function: size"),
        ("SET x = list_append(list_append(t, t), t)",
         "The function is not allowed to be used this way in an expression; function: list_append"),
        ("ADD n = :v", 'Syntax error; token: "="'),
        ("SET n = :v + t.", "Syntax error"),
    ],
)  # fmt: skip
def test_a_wrong_update_is_told_in_awss_words(table, refusal, expression, words):
    refused = refusal(
        "UpdateItem", TableName="simple", Key={"p": {"S": "one"}}, UpdateExpression=expression,
        ExpressionAttributeValues=VALUE,
    )  # fmt: skip
    assert refused.startswith(f"ValidationException: Invalid UpdateExpression: {words}")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("SET n = absent", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET t = t + n", "An operand in the update expression has an incorrect data type"),
        ("SET absent.x = n", "The document path provided in the update expression is invalid for update"),
        ("SET p = n", "One or more parameter values were invalid: Cannot update attribute p. "
         "This attribute is part of the key"),
    ],
)  # fmt: skip
def test_an_update_that_the_item_does_not_bear_changes_nothing(table, refusal, expression, words):
    refused = refusal("UpdateItem", TableName="simple", Key={"p": {"S": "one"}}, UpdateExpression=expression)
    assert refused == f"ValidationException: {words}"
    assert table("GetItem", TableName="simple", Key={"p": {"S": "one"}})["Item"] == ITEM


def test_a_projection_keeps_the_way_to_its_parts(table):
    found = table(
        "GetItem", TableName="simple", Key={"p": {"S": "one"}}, ProjectionExpression="#m.a.b, #l[2], n",
        ExpressionAttributeNames={"#m": "map", "#l": "list"},
    )  # fmt: skip
    assert found["Item"] == {
        "map": {"M": {"a": {"M": {"b": {"S": "deep"}}}}}, "list": {"L": [{"N": "3"}]}, "n": {"N": "5"},
    }  # fmt: skip
