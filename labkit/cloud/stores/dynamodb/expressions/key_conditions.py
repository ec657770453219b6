"""Which part of a partition a Query reads: KeyConditionExpression and KeyConditions.

What belongs here: conditions on key attributes, and the range of sort keys that they mean. What does not: conditions
on other attributes (conditions, legacy), reading (queries).

AWS: developer guide, "Key condition expressions for the Query operation in DynamoDB".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.cloud.stores.dynamodb import keys
from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid, invalid_parameter
from labkit.cloud.stores.dynamodb.expressions.binding import Binding
from labkit.cloud.stores.dynamodb.expressions.conditions import check_bounds
from labkit.cloud.stores.dynamodb.expressions.syntax import parse_condition
from labkit.cloud.stores.dynamodb.expressions.trees import (
    Call,
    Comparison,
    Condition,
    Logical,
    Path,
    Placeholder,
)
from labkit.cloud.stores.dynamodb.keys import KeyAttribute, KeySchema, sortable
from labkit.cloud.stores.dynamodb.values import Value, kind_of

KIND = "KeyConditionExpression"
_NOT_SUPPORTED = "Query key condition not supported"
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@dataclass(frozen=True)
class KeyTest:
    """One condition: an operator (=, <, <=, >, >=, BETWEEN, begins_with) and its one or two values."""

    name: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Span:
    """The rows of one partition between two sort keys; an end that is None is open."""

    hash: int
    partition: bytes
    low: bytes | None = None
    high: bytes | None = None
    with_low: bool = True
    with_high: bool = True


def read_expression(text: str, binding: Binding) -> list[KeyTest]:
    """The conditions of a KeyConditionExpression. Raises DynamoError."""
    tests = [_read(each, binding) for each in _parts(parse_condition(KIND, text))]
    if len({test.name for test in tests}) < len(tests):
        raise _error("KeyConditionExpressions must only contain one condition per key")
    return tests


def _error(words: str) -> DynamoError:
    return invalid(f"Invalid {KIND}: {words}")


def _parts(tree: Condition) -> Iterator[Comparison | Call]:
    if not isinstance(tree, Logical):
        yield tree
    elif tree.operator == "AND":
        for each in tree.conditions:
            yield from _parts(each)
    else:
        raise _error(f"Invalid operator used in {KIND}: {tree.operator}")


def _read(tree: Comparison | Call, binding: Binding) -> KeyTest:
    operator, operands = _operator(tree), tree.operands
    if isinstance(operands[0], Placeholder) and len(operands) == 2 and operator in _TURNED:
        operator, operands = _TURNED[operator], (operands[1], operands[0])
    path, *rest = operands
    if not isinstance(path, Path):
        if isinstance(path, Call):
            raise _error(f"{KIND}s cannot contain nested operations")
        raise _error(f"Invalid condition in {KIND}: {operator} operator must have the key attribute first")
    place = binding.place(KIND, path)
    if len(place) != 1:
        raise _error(f"{KIND}s cannot have conditions on nested attributes")
    if not all(isinstance(each, Placeholder) for each in rest):
        raise _error(f"Invalid condition in {KIND}: Multiple attribute names used in one condition")
    values = tuple(binding.value(KIND, each) for each in rest if isinstance(each, Placeholder))
    _check_values(operator, values)
    return KeyTest(str(place[0]), operator, values)


def _operator(tree: Comparison | Call) -> str:
    operator = tree.operator if isinstance(tree, Comparison) else tree.function
    if operator not in _TURNED and operator not in ("BETWEEN", "begins_with"):
        raise _error(f"Invalid operator used in {KIND}: {operator}")
    return operator


def _check_values(operator: str, values: Sequence[Value]) -> None:
    if operator == "begins_with" and kind_of(values[0]) not in ("S", "B"):
        words = "Incorrect operand type for operator or function; operator or function: begins_with"
        raise _error(f"{words}, operand type: {kind_of(values[0])}")
    if operator == "BETWEEN":
        check_bounds(f"Invalid {KIND}: The BETWEEN operator", *values)


_LEGACY = {
    "EQ": "=", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">", "BEGINS_WITH": "begins_with", "BETWEEN": "BETWEEN",
}  # fmt: skip


def read_legacy(conditions: Mapping[str, Any]) -> list[KeyTest]:
    """The conditions of the older parameter KeyConditions, whose values are in normal form. Raises DynamoError."""
    tests = []
    for name, condition in conditions.items():
        operator = _LEGACY.get(condition["ComparisonOperator"])
        if operator is None:
            raise invalid("Attempted conditional constraint is not an indexable operation")
        values = tuple(condition.get("AttributeValueList") or ())
        if operator == "BETWEEN":
            check_bounds(
                "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound; it",
                *values,
            )
        tests.append(KeyTest(name, operator, values))
    return tests


def span_of(schema: KeySchema, tests: Sequence[KeyTest]) -> Span:
    """What to read of an index or table with this key. Raises DynamoError where the conditions don't fit it."""
    by_name = {test.name: test for test in tests}
    for attribute in schema.partition:
        test = by_name.get(attribute.name)
        if test is None:
            raise _missing(attribute)
        if test.operator != "=":
            raise invalid(_NOT_SUPPORTED)
        _check_test(attribute, test)
    if len(tests) > 2 and len(schema.attributes) < 3:
        raise invalid("Conditions can be of length 1 or 2 only")
    ranged = [by_name[each.name] for each in schema.sort if each.name in by_name]
    for test in tests:
        if test.name not in schema.names:
            absent = next((each for each in schema.sort if each.name not in by_name), None)
            raise _missing(absent) if absent else invalid(_NOT_SUPPORTED)
    _check_order(schema, by_name)
    place = schema.place_of(
        {each.name: by_name[each.name].values[0] for each in schema.partition} | _filler(schema)
    )
    return _ranged(Span(place.hash, place.partition), schema.sort, ranged)


def _missing(attribute: KeyAttribute) -> DynamoError:
    return invalid(f"Query condition missed key schema element: {attribute.name}")


def _filler(schema: KeySchema) -> dict[str, Value]:
    """Sort key attributes of any value, for the place of a partition."""
    empty: dict[str, Value] = {"S": {"S": ""}, "N": {"N": "0"}, "B": {"B": ""}}
    return {each.name: empty[each.kind] for each in schema.sort}


def _check_order(schema: KeySchema, by_name: Mapping[str, KeyTest]) -> None:
    """Sort key attributes are given from the left, all but the last with equality."""
    given = [each for each in schema.sort if each.name in by_name]
    for expected, attribute in zip(schema.sort, given, strict=False):
        if expected != attribute:
            raise _missing(expected)
        _check_test(attribute, by_name[attribute.name])
    for attribute in given[:-1]:
        if by_name[attribute.name].operator != "=":
            raise invalid(
                f"{_NOT_SUPPORTED}: all but the last RANGE key attribute need an equality condition"
            )


def _check_test(attribute: KeyAttribute, test: KeyTest) -> None:
    for value in test.values:
        if kind_of(value) != attribute.kind:
            raise invalid_parameter("Condition parameter type does not match schema type")
        keys.check_key(KeySchema((attribute,)), {attribute.name: value})


def _ranged(span: Span, sort: Sequence[KeyAttribute], tests: Sequence[KeyTest]) -> Span:
    """The span narrowed by the conditions on the sort key."""
    if not tests:
        return span
    several = len(sort) > 1
    prefix = b"".join(_part(test.values[0], several) for test in tests[:-1])
    last, whole = tests[-1], len(tests) == len(sort)
    ends = [prefix + _part(value, several) for value in last.values]
    if last.operator == "begins_with":
        begin = prefix + (_escaped(last.values[0]) if several else sortable(last.values[0]))
        return Span(span.hash, span.partition, begin, after(begin), True, False)
    if last.operator == "=" and not several:
        return Span(span.hash, span.partition, ends[0], ends[0])
    low, high = (prefix or None), (after(prefix) if prefix else None)
    low_in, high_in = True, False
    if last.operator in ("=", ">=", "BETWEEN", ">"):
        low, low_in = (ends[0], True) if last.operator != ">" else _behind(ends[0], several)
    if last.operator in ("=", "<=", "BETWEEN"):
        high, high_in = (after(ends[-1]), False) if several or not whole else (ends[-1], True)
    if last.operator == "<":
        high, high_in = ends[0], False
    return Span(span.hash, span.partition, low, high, low_in, high_in)


def _behind(end: bytes, several: bool) -> tuple[bytes | None, bool]:
    return (after(end), True) if several else (end, False)


def _escaped(value: Value) -> bytes:
    return sortable(value).replace(b"\0", b"\0\xff")


def _part(value: Value, several: bool) -> bytes:
    return _escaped(value) + b"\0\0" if several else sortable(value)


def after(prefix: bytes) -> bytes | None:
    """The smallest bytes that are larger than all which begin with `prefix`; None where there are none."""
    bare = prefix.rstrip(b"\xff")
    return bare[:-1] + bytes([bare[-1] + 1]) if bare else None
