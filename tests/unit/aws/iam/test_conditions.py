"""Condition operators, case by case (IAM user guide, "Condition operators", "Multivalued context keys")."""

from typing import Any

import pytest

from labkit.aws.iam.conditions import parse_conditions


def holds(operator: str, wanted: Any, value: Any, key: str = "k") -> bool:
    context = {} if value is None else {"k": value}
    return all(condition.holds(context) for condition in parse_conditions({operator: {key: wanted}}))


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", None, False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "home/*", "home/ada/x", True),
        ("StringLike", "home/?", "home/ada", False),
        ("StringNotLike", "home/*", "other", True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", 10, "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericEquals", "10", "ten", False),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
        ("DateGreaterThan", "2030-01-01", "2026-01-01T00:00:00Z", False),
        ("DateEquals", "2026-01-01T00:00:00Z", "1767225600", True),
        ("DateNotEquals", "2026-01-01T00:00:00Z", "1767225601", True),
        ("DateLessThanEquals", "1767225600", "2026-01-01T00:00:00Z", True),
        ("DateGreaterThanEquals", "yesterday", "2026-01-01T00:00:00Z", False),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "false", "true", False),
        ("Bool", "false", None, False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
        ("BinaryEquals", "QmluYXJ5", "???", False),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "203.0.113.9", "203.0.113.9", True),
        ("IpAddress", "2001:db8::/32", "203.0.113.9", False),
        ("IpAddress", "nonsense", "203.0.113.9", False),
        ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], "198.51.100.7", False),
        ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", True),
        ("ArnEquals", "arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", True),
        ("ArnLike", "arn:aws:iam:*:role/x", "arn:aws:iam::1:role/x", False),
        ("ArnNotLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", False),
        ("ArnNotEquals", "arn:aws:s3:::x", "arn:aws:s3:::bucket", True),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("Null", "false", "a", True),
        ("Null", True, "a", False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("BoolIfExists", "false", None, True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAnyValue:StringEquals", ["a"], ("a", "c"), True),
        ("ForAnyValue:StringEquals", ["a"], ("b", "c"), False),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAnyValue:StringNotEquals", ["a"], ("a", "c"), True),
        ("ForAnyValue:StringNotEquals", ["a"], None, False),
        ("ForAllValues:StringNotLike", ["a*"], ("b", "ab"), False),
        ("StringEquals", "a", ("a", "c"), True),
        ("StringNotEquals", "a", ("a", "c"), False),
        ("Invented", "a", "a", False),
    ],
)
def test_operators(operator: str, wanted: Any, value: Any, expected: bool) -> None:
    assert holds(operator, wanted, value) is expected


def test_names_of_keys_and_operators_have_no_case() -> None:
    assert holds("stringequals", "a", "a", key="K")


def test_all_conditions_must_hold() -> None:
    conditions = parse_conditions({"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}})
    assert len(conditions) == 3


def test_variables_are_replaced_in_values() -> None:
    (condition,) = parse_conditions({"StringLike": {"s3:prefix": ["home/${aws:username}/*"]}})
    assert condition.holds({"s3:prefix": "home/ada/x", "aws:username": "ada"})
    assert not condition.holds({"s3:prefix": "home/bob/x", "aws:username": "ada"})
    assert not condition.holds({"s3:prefix": "home/bob/x"})


def test_conditions_that_are_no_object_say_nothing() -> None:
    assert parse_conditions(None) == ()
    assert parse_conditions({"StringEquals": "nonsense"}) == ()
