"""The older parameters: Expected, QueryFilter, ScanFilter and AttributeUpdates.

What belongs here: their checks, and the tests and updates that they mean. What does not: expressions.

AWS: developer guide, "Legacy conditional parameters".
"""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from labkit.cloud.stores.dynamodb import values
from labkit.cloud.stores.dynamodb.errors import invalid, invalid_parameter
from labkit.cloud.stores.dynamodb.expressions.conditions import ORDERINGS, Test
from labkit.cloud.stores.dynamodb.expressions.paths import REMOVED
from labkit.cloud.stores.dynamodb.expressions.updates import Change, Update, add_to, apply, delete_from
from labkit.cloud.stores.dynamodb.keys import KeySchema
from labkit.cloud.stores.dynamodb.values import SETS, Value, kind_of, normal_value

_ORDERED = {"LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
#: comparison operators with the least and most numbers of values
_COUNTS = {
    "EQ": (1, 1), "NE": (1, 1), "LT": (1, 1), "LE": (1, 1), "GT": (1, 1), "GE": (1, 1), "NOT_NULL": (0, 0),
    "NULL": (0, 0), "CONTAINS": (1, 1), "NOT_CONTAINS": (1, 1), "BEGINS_WITH": (1, 1), "IN": (1, 10**6),
    "BETWEEN": (2, 2),
}  # fmt: skip


def check_names(names: Collection[str]) -> None:
    """Whether each is the name of an attribute. Raises DynamoError."""
    if "" in names:
        raise invalid_parameter("Empty attribute name")


def check_together(conditions: Mapping[str, Any] | None, together: str | None) -> None:
    """Whether there is something for ConditionalOperator to join. Raises DynamoError."""
    if together is None:
        return
    if conditions is None:
        raise invalid("ConditionalOperator cannot be used without Filter or Expected")
    if len(conditions) < 2:
        raise invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")


def normal_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """A condition with its values in normal form, counted and fit for its operator. Raises DynamoError."""
    name = condition.get("ComparisonOperator")
    if name is None:
        raise invalid_parameter("ComparisonOperator is a required parameter")
    given = [normal_value(each) for each in condition.get("AttributeValueList") or ()]
    least, most = _COUNTS[name]
    if not least <= len(given) <= most:
        raise invalid_parameter(f"Invalid number of argument(s) for the {name} ComparisonOperator")
    for value in given:
        _check_operand(name, value)
    if name == "IN" and len({kind_of(each) for each in given}) > 1:
        raise invalid_parameter("AttributeValues inside AttributeValueList must all be of the same type")
    if name == "BETWEEN":
        _check_between(*given)
    return {"ComparisonOperator": name, "AttributeValueList": given}


def _check_operand(name: str, value: Value) -> None:
    kind = kind_of(value)
    allowed: Sequence[str] = values.ORDERED
    if name in ("EQ", "NE", "NOT_NULL", "NULL"):
        return
    if name == "BEGINS_WITH":
        allowed = ("S", "B")
    if name in ("CONTAINS", "NOT_CONTAINS"):
        allowed = ("S", "N", "B", "BOOL", "NULL")
    if kind not in allowed:
        raise invalid_parameter(f"ComparisonOperator {name} is not valid for {kind} AttributeValue type")


def _check_between(low: Value, high: Value) -> None:
    if kind_of(low) != kind_of(high):
        raise invalid_parameter("AttributeValues inside AttributeValueList must be of same type")
    if values.compare(high, low, operator.lt):
        raise invalid(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )


def make_filter(conditions: Mapping[str, Mapping[str, Any]], together: str | None) -> Test:
    """The test that conditions in normal form mean together; `together` is AND or OR."""
    check_names(conditions)
    tests = [
        _test(name, each["ComparisonOperator"], each["AttributeValueList"])
        for name, each in conditions.items()
    ]
    combine = any if together == "OR" else all
    return lambda item: combine(test(item) for test in tests)


def _test(name: str, comparison: str, given: Sequence[Value]) -> Test:
    holds = _TESTS[comparison]
    return lambda item: holds(item.get(name), given)


def _ordered(sign: str) -> Callable[[Value | None, Sequence[Value]], bool]:
    holds = ORDERINGS[sign]
    return lambda held, given: values.compare(held, given[0], holds)


_TESTS: dict[str, Callable[[Value | None, Sequence[Value]], bool]] = {
    "EQ": lambda held, given: values.is_equal(held, given[0]),
    "NE": lambda held, given: not values.is_equal(held, given[0]),
    "NOT_NULL": lambda held, _: held is not None,
    "NULL": lambda held, _: held is None,
    "CONTAINS": lambda held, given: values.contains(held, given[0]),
    "NOT_CONTAINS": lambda held, given: held is not None and not values.contains(held, given[0]),
    "BEGINS_WITH": lambda held, given: values.begins_with(held, given[0]),
    "IN": lambda held, given: any(values.is_equal(held, each) for each in given),
    "BETWEEN": lambda held, given: (
        values.compare(held, given[0], operator.ge) and values.compare(held, given[1], operator.le)
    ),
    **{name: _ordered(sign) for name, sign in _ORDERED.items()},
}


def make_expected(expected: Mapping[str, Any], together: str | None) -> Test:
    """The test that the parameter Expected means. Raises DynamoError."""
    return make_filter({name: _expected(name, each) for name, each in expected.items()}, together)


def _expected(name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    if "ComparisonOperator" in each:
        if "Exists" in each:
            raise invalid_parameter(
                "Exists and ComparisonOperator cannot be used together for Attribute: " + name
            )
        if "Value" in each and "AttributeValueList" in each:
            raise invalid_parameter(
                "Value and AttributeValueList cannot be used together for Attribute: " + name
            )
        listed = [each["Value"]] if "Value" in each else each.get("AttributeValueList")
        return normal_condition(
            {"ComparisonOperator": each["ComparisonOperator"], "AttributeValueList": listed}
        )
    if "AttributeValueList" in each:
        raise invalid_parameter(
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: " + name
        )
    return _exists(name, each)


def _exists(name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    exists = each.get("Exists", True)
    if not exists:
        if "Value" in each:
            raise invalid_parameter("Value cannot be used when Exists is set to false for Attribute: " + name)
        return {"ComparisonOperator": "NULL", "AttributeValueList": []}
    if "Value" not in each:
        shown = "true" if "Exists" in each else "null"
        raise invalid_parameter(f"Value must be provided when Exists is {shown} for Attribute: {name}")
    return {"ComparisonOperator": "EQ", "AttributeValueList": [normal_value(each["Value"])]}


def make_update(updates: Mapping[str, Any], key: KeySchema) -> Update:
    """The update that AttributeUpdates mean. Raises DynamoError."""
    check_names(updates)
    changes = [((name,), _change_of(name, each, key)) for name, each in updates.items()]
    creates = not updates or any(each.get("Action", "PUT") != "DELETE" for each in updates.values())
    return Update(lambda item: apply(item, changes), tuple(place for place, _ in changes), creates)


def _change_of(name: str, each: Mapping[str, Any], key: KeySchema) -> Change:
    make = _action(name, each, key)
    return lambda item: make(item.get(name))


def _action(name: str, each: Mapping[str, Any], key: KeySchema) -> Callable[[Value | None], Value | None]:
    if name in key.names:
        raise invalid_parameter(f"Cannot update attribute {name}. This attribute is part of the key")
    action = each.get("Action", "PUT")
    if "Value" not in each:
        if action != "DELETE":
            raise invalid_parameter("Only DELETE action is allowed when no attribute value is specified")
        return lambda held: REMOVED
    value = normal_value(each["Value"])
    kind = kind_of(value)
    if action == "PUT":
        return lambda held: value
    if action == "DELETE":
        if kind not in SETS:
            raise invalid_parameter(f"DELETE action with value is not supported for the type {kind}")
        return lambda held: delete_from(_same(held, kind), value)
    if kind != "N" and kind != "L" and kind not in SETS:
        raise invalid_parameter(f"ADD action is not supported for the type {kind}")
    if kind == "L":
        return lambda held: {"L": [*(_same(held, kind) or {"L": []})["L"], *value["L"]]}
    return lambda held: add_to(_same(held, kind), value)


def _same(held: Value | None, kind: str) -> Value | None:
    if held is not None and kind_of(held) != kind:
        raise invalid("Type mismatch for attribute to update")
    return held
