"""The Condition element of a statement.

What belongs here: condition operators and how they treat missing and many values. What does not:
where the values of condition keys come from. AWS IAM: "IAM JSON policy elements: Condition operators"
and "Multivalued context keys".
"""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from labkit.aws.iam.matching import Context, expand, matches, matches_arn, plain

_Test = Callable[[str, str], bool]


@dataclass(frozen=True)
class Condition:
    """One operator on one key; `wanted` are the policy's values, of which one must match."""

    operator: str
    quantifier: Literal["", "forallvalues", "foranyvalue"]
    if_exists: bool
    key: str
    wanted: tuple[str, ...]

    def holds(self, context: Context, *, variables: bool = True) -> bool:
        """Whether the request's `context` (keys in lower case) satisfies the condition."""
        found = context.get(self.key)
        values = (found,) if isinstance(found, str) else tuple(found or ())
        if self.operator == "null":
            return (not values) == (self.wanted[:1] == ("true",))
        test, negated = _OPERATORS.get(self.operator, (_never, False))
        if not values:
            return self._holds_without(negated)
        wanted = [expand(text, context) for text in self.wanted] if variables else list(self.wanted)
        verdicts = [
            any(text is not None and test(value, text) for text in wanted) != negated for value in values
        ]
        every = self.quantifier == "forallvalues" or (negated and not self.quantifier)
        return all(verdicts) if every else any(verdicts)

    def _holds_without(self, negated: bool) -> bool:
        if self.quantifier == "forallvalues":
            return True
        return self.if_exists or (negated and not self.quantifier)


def parse_conditions(element: object) -> tuple[Condition, ...]:
    """The conditions of a statement's Condition element; all of them must hold."""
    if not isinstance(element, Mapping):
        return ()
    return tuple(
        _condition(str(operator), str(key), wanted)
        for operator, keys in element.items()
        if isinstance(keys, Mapping)
        for key, wanted in keys.items()
    )


def _condition(operator: str, key: str, wanted: object) -> Condition:
    name = operator.lower()
    quantifier: Literal["", "forallvalues", "foranyvalue"] = ""
    if name.startswith("forallvalues:"):
        quantifier, name = "forallvalues", name.partition(":")[2]
    elif name.startswith("foranyvalue:"):
        quantifier, name = "foranyvalue", name.partition(":")[2]
    if_exists = name.endswith("ifexists")
    values = wanted if isinstance(wanted, list) else [wanted]
    return Condition(
        name.removesuffix("ifexists"), quantifier, if_exists, key.lower(), tuple(map(_text, values))
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _never(_: str, __: str) -> bool:
    return False  # an operator that IAM does not know matches nothing


def _equals(value: str, wanted: str) -> bool:
    return value == plain(wanted)


def _equals_ignoring_case(value: str, wanted: str) -> bool:
    return value.lower() == plain(wanted).lower()


def _like(value: str, wanted: str) -> bool:
    return matches(wanted, value)


def _arn_like(value: str, wanted: str) -> bool:
    return matches_arn(wanted, value)


def _bool(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _binary(value: str, wanted: str) -> bool:
    try:
        return base64.b64decode(value, validate=True) == base64.b64decode(wanted, validate=True)
    except binascii.Error:
        return False


def _ip(value: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _numeric(compare: Callable[[Decimal, Decimal], bool]) -> _Test:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(Decimal(value), Decimal(plain(wanted)))
        except InvalidOperation:
            return False

    return test


def _dated(compare: Callable[[datetime, datetime], bool]) -> _Test:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(_date(value), _date(plain(wanted)))
        except (ValueError, OverflowError):
            return False

    return test


def _date(text: str) -> datetime:
    """ISO 8601, or seconds since the epoch."""
    if text.lstrip("-").isdigit() and len(text) > 4:
        return datetime.fromtimestamp(int(text), UTC)
    date = datetime.fromisoformat(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


#: operator → test of one value against one wanted value, and whether its result is turned round
_OPERATORS: dict[str, tuple[_Test, bool]] = {
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_ignoring_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "arnequals": (_arn_like, False),
    "arnlike": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnnotlike": (_arn_like, True),
    "bool": (_bool, False),
    "binaryequals": (_binary, False),
    "ipaddress": (_ip, False),
    "notipaddress": (_ip, True),
    "numericequals": (_numeric(lambda a, b: a == b), False),
    "numericnotequals": (_numeric(lambda a, b: a == b), True),
    "numericlessthan": (_numeric(lambda a, b: a < b), False),
    "numericlessthanequals": (_numeric(lambda a, b: a <= b), False),
    "numericgreaterthan": (_numeric(lambda a, b: a > b), False),
    "numericgreaterthanequals": (_numeric(lambda a, b: a >= b), False),
    "dateequals": (_dated(lambda a, b: a == b), False),
    "datenotequals": (_dated(lambda a, b: a == b), True),
    "datelessthan": (_dated(lambda a, b: a < b), False),
    "datelessthanequals": (_dated(lambda a, b: a <= b), False),
    "dategreaterthan": (_dated(lambda a, b: a > b), False),
    "dategreaterthanequals": (_dated(lambda a, b: a >= b), False),
}
