"""Attribute values: what is one, its normal form, its size, and how two compare.

A value is what the API calls AttributeValue, a dict of one member, in AWS's own JSON: {"S": "x"}, {"N": "1"}. An item
is a dict from names to values. Values are never changed in place.

What belongs here: rules about a value alone. What does not: where it stands in an item (paths).

AWS: developer guide, "Supported data types", "Service quotas", "Item sizes and formats".
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid, invalid_parameter, unexpected

Value = Mapping[str, Any]
Item = Mapping[str, Value]

#: an item's names and values together, in bytes
ITEM_BYTES = 400 * 1024
#: levels of lists and maps in each other
NESTING = 32
DIGITS = 38
_LARGEST, _SMALLEST = 125, -130  # exponents of the first digit
_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
#: sums of any two numbers are exact
_EXACT = Context(prec=300, Emax=1000, Emin=-1000)
_PLAIN_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]{0,36})(?:\.[0-9]{0,36}[1-9])?").fullmatch
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?").fullmatch
SETS = {"SS": "S", "NS": "N", "BS": "B"}


def normal_item(item: Any, nesting: int = 0) -> dict[str, Value]:
    """An item's normal form. Raises DynamoError for what is no item."""
    return {name: normal_value(value, nesting) for name, value in item.items()}


def normal_value(value: Any, nesting: int = 0) -> Value:
    """A value's normal form: numbers without needless digits. Raises DynamoError for what is no value."""
    if not isinstance(value, dict):
        raise unexpected(value, "Structure")
    if len(value) != 1:
        if not value:
            raise invalid(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
            )
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
        )
    ((kind, content),) = value.items()
    normal = _NORMAL.get(kind)
    if normal is None:
        raise invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    return normal(value, content, nesting)


def _string(value: Value, content: Any, _: int) -> Value:
    if not isinstance(content, str):
        raise unexpected(content, "String")
    return value


def _number(value: Value, content: Any, _: int) -> Value:
    if not isinstance(content, str):
        raise unexpected(content, "String")
    return value if _PLAIN_NUMBER(content) and len(content) < DIGITS else {"N": normal_number(content)}


def normal_number(text: str) -> str:
    """A number's text as DynamoDB gives it back. Raises DynamoError for what is none, or too long or large."""
    if not text.strip():
        raise invalid("The parameter cannot be converted to a numeric value")
    if not _NUMBER(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}") from None
    return number_text(number)


def number_text(number: Decimal) -> str:
    """The normal form of a number. Raises DynamoError when it has too many digits or is too large or small."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return "0"
    bare = text.rstrip("0")
    if len(bare) > DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    assert isinstance(exponent, int)  # no number without end gets here
    first = exponent + len(text) - 1
    if first > _LARGEST:
        raise invalid(_OVERFLOW)
    if first < _SMALLEST:
        raise invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    whole = Decimal((sign, tuple(map(int, bare)), exponent + len(text) - len(bare)))
    return format(whole, "f")


def _binary(value: Value, content: Any, _: int) -> Value:
    if not isinstance(content, str):
        raise unexpected(content, "Blob")
    decoded(content)
    return value


def decoded(content: str) -> bytes:
    """The bytes of a binary value. Raises DynamoError for what is no base64."""
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise DynamoError("SerializationException", "Invalid Base64 encoding") from None


def _boolean(value: Value, content: Any, _: int) -> Value:
    if not isinstance(content, bool):
        raise unexpected(content, "Boolean")
    return value


def _null(value: Value, content: Any, _: int) -> Value:
    if not isinstance(content, bool):
        raise unexpected(content, "Boolean")
    if not content:
        raise invalid_parameter("Null attribute value types must have the value of true")
    return value


def _list(_: Value, content: Any, nesting: int) -> Value:
    if not isinstance(content, list):
        raise unexpected(content, "List")
    _check_nesting(nesting)
    return {"L": [normal_value(each, nesting + 1) for each in content]}


def _map(_: Value, content: Any, nesting: int) -> Value:
    if not isinstance(content, dict):
        raise unexpected(content, "Map")
    _check_nesting(nesting)
    return {"M": normal_item(content, nesting + 1)}


def _check_nesting(nesting: int) -> None:
    if nesting >= NESTING:
        raise invalid(
            "Nesting Levels have exceeded supported limits: attributes are nested deeper than 32 levels"
        )


_EMPTY_SETS = {
    "SS": "An string set  may not be empty",
    "NS": "An number set  may not be empty",
    "BS": "Binary sets should not be empty",
}


def _set_of(kind: str) -> Callable[[Value, Any, int], Value]:
    member = SETS[kind]

    def normal(_: Value, content: Any, nesting: int) -> Value:
        if not isinstance(content, list):
            raise unexpected(content, "List")
        if not content:
            raise invalid_parameter(_EMPTY_SETS[kind])
        members = [_NORMAL[member]({member: each}, each, nesting)[member] for each in content]
        if len(set(members)) != len(members):
            raise invalid_parameter(f"Input collection [{', '.join(content)}] contains duplicates.")
        return {kind: members}

    return normal


_NORMAL: dict[str, Callable[[Value, Any, int], Value]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
}
_NORMAL |= {kind: _set_of(kind) for kind in SETS}


def kind_of(value: Value) -> str:
    """The data type descriptor of a value: S, N, B, BOOL, NULL, L, M, SS, NS or BS."""
    return next(iter(value))


# -- sizes ---------------------------------------------------------------------------------------------------


def item_size(item: Item) -> int:
    """What an item counts for limits and capacity, in bytes."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """What a value counts, in bytes."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        return _binary_size(content)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "L":
        return 3 + sum(1 + value_size(each) for each in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + value_size(each) for name, each in content.items())
    member = SETS[kind]
    return sum(value_size({member: each}) for each in content)


def _number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def _binary_size(text: str) -> int:
    return len(text) // 4 * 3 - text[-2:].count("=")


# -- comparing -----------------------------------------------------------------------------------------------


def is_equal(one: Value | None, other: Value | None) -> bool:
    """Whether two values are the same; sets have no order. A value that is not there equals nothing."""
    if one is None or other is None:
        return False
    if one == other:
        return True
    kind = kind_of(one)
    if kind != kind_of(other):
        return False
    if kind in SETS:
        return set(one[kind]) == set(other[kind])
    if kind == "L":
        pairs = zip(one["L"], other["L"], strict=False)
        return len(one["L"]) == len(other["L"]) and all(is_equal(a, b) for a, b in pairs)
    if kind == "M":
        return one["M"].keys() == other["M"].keys() and all(
            is_equal(each, other["M"][name]) for name, each in one["M"].items()
        )
    return kind == "B" and decoded(one["B"]) == decoded(other["B"])


#: the types that have an order
ORDERED = ("S", "N", "B")


def order_key(value: Value) -> Any:
    """Something that sorts as values of one ordered type do."""
    ((kind, content),) = value.items()
    if kind == "S":
        return content.encode()
    return Decimal(content) if kind == "N" else decoded(content)


def compare(one: Value | None, other: Value | None, holds: Callable[[Any, Any], bool]) -> bool:
    """Whether `holds` (operator.lt and the like) for two values; never for different or unordered types."""
    if one is None or other is None:
        return False
    kind = kind_of(one)
    return kind == kind_of(other) and kind in ORDERED and holds(order_key(one), order_key(other))


def begins_with(value: Value | None, prefix: Value) -> bool:
    """Whether a text or bytes begin with others."""
    if value is None or (kind := kind_of(value)) != kind_of(prefix):
        return False
    if kind == "S":
        return bool(value["S"].startswith(prefix["S"]))
    return kind == "B" and decoded(value["B"]).startswith(decoded(prefix["B"]))


def contains(value: Value | None, wanted: Value | None) -> bool:
    """Whether a text holds another, or a set or list a member."""
    if value is None or wanted is None:
        return False
    ((kind, content),) = value.items()
    if kind == "L":
        return any(is_equal(each, wanted) for each in content)
    member = SETS.get(kind)
    if member:
        return any(is_equal({member: each}, wanted) for each in content)
    if kind != kind_of(wanted):
        return False
    if kind == "S":
        return wanted["S"] in content
    return kind == "B" and decoded(wanted["B"]) in decoded(content)


def size_of(value: Value) -> int | None:
    """What the function size() gives: characters, bytes or members; None for what has no size."""
    ((kind, content),) = value.items()
    if kind == "B":
        return _binary_size(content)
    return None if kind in ("N", "BOOL", "NULL") else len(content)


def add(one: str, other: str, sign: int = 1) -> str:
    """The sum of two numbers' texts, or with sign -1 their difference. Raises DynamoError."""
    total = _EXACT.fma(Decimal(sign), Decimal(other), Decimal(one))
    if len(total.normalize(_EXACT).as_tuple().digits) > DIGITS:
        raise invalid(_OVERFLOW)
    return number_text(total)


def joined(one: Iterable[str], other: Iterable[str]) -> list[str]:
    """The members of two sets, each once, in order."""
    return list(dict.fromkeys([*one, *other]))
