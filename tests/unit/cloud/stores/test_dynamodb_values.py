"""Attribute values: types, numbers, sizes, order."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cloud.stores.dynamodb.errors import DynamoError
from labkit.cloud.stores.dynamodb.keys import sortable_number
from labkit.cloud.stores.dynamodb.values import add, item_size, normal_number, normal_value, value_size
from tests.unit.cloud.stores.conftest import make_simple_table

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=8)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0012.50", "12.5"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("1E-3", "0.001"),
        ("+5", "5"),
        (".5", "0.5"),
        ("100", "100"),
    ],
)
def test_numbers_have_a_normal_form(text, normal):
    assert normal_number(text) == normal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1" * 39, "more than 38 significant digits"),
        ("1E126", "Number overflow"),
        ("1E-131", "Number underflow"),
        ("abc", "cannot be converted to a numeric value: abc"),
        ("", "cannot be converted to a numeric value"),
        ("NaN", "cannot be converted to a numeric value: NaN"),
        ("1_000", "cannot be converted to a numeric value: 1_000"),
        ("１", "cannot be converted to a numeric value"),
    ],
)
def test_what_is_no_number_is_refused(text, words):
    with pytest.raises(DynamoError, match=words) as refused:
        normal_number(text)
    assert refused.value.code == "ValidationException"


@given(NUMBERS, NUMBERS)
def test_the_sorting_form_of_numbers_sorts_as_numbers_do(one, other):
    forms = [sortable_number(normal_number(str(each))) for each in (one, other)]
    assert (forms[0] < forms[1]) == (one < other)
    assert (forms[0] == forms[1]) == (one == other)


@given(NUMBERS, NUMBERS)
def test_sums_are_exact(one, other):
    texts = [normal_number(str(each)) for each in (one, other)]
    assert Fraction(add(*texts)) == Fraction(one) + Fraction(other)
    assert Fraction(add(*texts, -1)) == Fraction(one) - Fraction(other)


def test_a_sum_that_needs_more_digits_is_refused():
    with pytest.raises(DynamoError, match="Number overflow"):
        add("1" + "0" * 50, "1")


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ({}, "ValidationException", "Supplied AttributeValue is empty"),
        ({"S": "a", "N": "1"}, "ValidationException", "more than one datatypes set"),
        ({"X": "a"}, "ValidationException", "Supplied AttributeValue is empty"),
        ({"S": 1}, "SerializationException", "NUMBER_VALUE cannot be converted to String"),
        ({"S": ["a"]}, "SerializationException", "Start of list found"),
        ({"BOOL": "true"}, "SerializationException", "STRING_VALUE cannot be converted to Boolean"),
        ({"NULL": False}, "ValidationException", "Null attribute value types must have the value of true"),
        ({"B": "no base64!"}, "SerializationException", "Invalid Base64"),
        ({"SS": []}, "ValidationException", "may not be empty"),
        ({"SS": ["a", "a"]}, "ValidationException", "Input collection [a, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, "ValidationException", "contains duplicates"),
        ("text", "SerializationException", "Unexpected field type"),
    ],
)
def test_what_is_no_value_is_refused(value, code, words):
    with pytest.raises(DynamoError) as refused:
        normal_value(value)
    assert refused.value.code == code
    assert words in refused.value.message


def nested(levels):
    value = {"S": "x"}
    for level in range(levels):
        value = {"L": [value]} if level % 2 else {"M": {"a": value}}
    return value


def test_values_nest_32_levels_deep_and_no_more():
    assert normal_value(nested(32)) == nested(32)
    with pytest.raises(DynamoError, match="Nesting Levels"):
        normal_value(nested(33))


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2),
        ({"B": "AAEC"}, 3),
        ({"BOOL": True}, 1),
        ({"L": []}, 3),
        ({"M": {"ab": {"S": "c"}}}, 7),
    ],
)
def test_sizes_are_those_of_the_developer_guide(value, size):
    assert value_size(value) == size


def test_an_items_size_counts_its_names():
    assert item_size({"name": {"S": "value"}}) == 9


def test_a_text_that_is_no_unicode_is_refused(ask, refusal):
    make_simple_table(ask)
    assert refusal("PutItem", TableName="simple", Item={"p": {"S": "\ud800"}}).startswith(
        "SerializationException"
    )
