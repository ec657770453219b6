"""Conditions on one item: ConditionExpression and FilterExpression.

What belongs here: turning a tree into a function of an item, and the checks of its operands. What does not: the
grammar (syntax), key conditions (key_conditions).

AWS: developer guide, "Condition and filter expressions, operators, and functions".
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from labkit.cloud.stores.dynamodb import values
from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid
from labkit.cloud.stores.dynamodb.expressions.binding import Binding, Place
from labkit.cloud.stores.dynamodb.expressions.paths import find, text_of
from labkit.cloud.stores.dynamodb.expressions.syntax import parse_condition
from labkit.cloud.stores.dynamodb.expressions.trees import (
    Call,
    Comparison,
    Condition,
    Logical,
    Operand,
    Path,
    Placeholder,
)
from labkit.cloud.stores.dynamodb.values import Item, Value, kind_of

#: whether an item is as wanted
Test = Callable[[Item], bool]
#: an operand's value in an item
Read = Callable[[Item], Value | None]

ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")


def make_test(kind: str, text: str, binding: Binding) -> Test:
    """The test that an expression is; `kind` is the parameter's name. Raises DynamoError."""
    return _Maker(kind, binding).test(parse_condition(kind, text))


class _Maker:
    """Makes the tests of one expression."""

    def __init__(self, kind: str, binding: Binding) -> None:
        self._kind = kind
        self._binding = binding

    def test(self, tree: Condition) -> Test:
        if isinstance(tree, Logical):
            return self._logical(tree.operator, [self.test(each) for each in tree.conditions])
        if isinstance(tree, Call):
            return self._predicate(tree)
        self._check_distinct(tree)
        if tree.operator == "BETWEEN":
            return self._between(*tree.operands)
        if tree.operator == "IN":
            return self._is_one_of(*tree.operands)
        return self._comparison(tree.operator, *tree.operands)

    @staticmethod
    def _logical(word: str, tests: list[Test]) -> Test:
        if word == "NOT":
            (test,) = tests
            return lambda item: not test(item)
        together = all if word == "AND" else any
        return lambda item: together(test(item) for test in tests)

    def _comparison(self, sign: str, left: Operand, right: Operand) -> Test:
        one, other = self._read(left), self._read(right)
        if sign == "=":
            return lambda item: values.is_equal(one(item), other(item))
        if sign == "<>":
            return lambda item: not values.is_equal(one(item), other(item))
        for each in (left, right):
            self._check_type(sign, each, values.ORDERED, "operator")
        holds = ORDERINGS[sign]
        return lambda item: values.compare(one(item), other(item), holds)

    def _between(self, operand: Operand, low: Operand, high: Operand) -> Test:
        for each in (operand, low, high):
            self._check_type("BETWEEN", each, values.ORDERED, "operator")
        if isinstance(low, Placeholder) and isinstance(high, Placeholder):
            bounds = [self._binding.value(self._kind, each) for each in (low, high)]
            check_bounds(f"Invalid {self._kind}: The BETWEEN operator", *bounds)
        one, lowest, highest = self._read(operand), self._read(low), self._read(high)
        return lambda item: (
            values.compare(lowest(item), one(item), operator.le)
            and values.compare(one(item), highest(item), operator.le)
        )

    def _is_one_of(self, operand: Operand, *members: Operand) -> Test:
        one, others = self._read(operand), [self._read(each) for each in members]
        return lambda item: any(values.is_equal(one(item), other(item)) for other in others)

    # -- functions -----------------------------------------------------------------------------------------

    def _predicate(self, call: Call) -> Test:
        return _PREDICATES[call.function](self, call)

    def _exists(self, call: Call) -> Test:
        place = self._path(call, 0)
        if call.function == "attribute_exists":
            return lambda item: find(item, place) is not None
        return lambda item: find(item, place) is None

    def _has_type(self, call: Call) -> Test:
        read, wanted = self._read(call.operands[0]), call.operands[1]
        if not isinstance(wanted, Placeholder):
            raise self._wrong_operand(call.function, "path" if isinstance(wanted, Path) else "function")
        value = self._binding.value(self._kind, wanted)
        self._check_kind(call.function, value, ("S",), "operator or function")
        if value["S"] not in _TYPES:
            words = (
                f"Invalid attribute type name found; type: {value['S']}, valid types: {{{','.join(_TYPES)}}}"
            )
            raise self._error(words)
        name = value["S"]
        return lambda item: (found := read(item)) is not None and kind_of(found) == name

    def _begins(self, call: Call) -> Test:
        for each in call.operands:
            self._check_type(call.function, each, ("S", "B"), "operator or function")
        self._check_distinct(call)
        one, prefix = (self._read(each) for each in call.operands)
        return lambda item: (begin := prefix(item)) is not None and values.begins_with(one(item), begin)

    def _contains(self, call: Call) -> Test:
        self._check_distinct(call)
        one, wanted = (self._read(each) for each in call.operands)
        return lambda item: values.contains(one(item), wanted(item))

    # -- operands ------------------------------------------------------------------------------------------

    def _read(self, operand: Operand) -> Read:
        if isinstance(operand, Path):
            place = self._binding.place(self._kind, operand)
            return lambda item: find(item, place)
        if isinstance(operand, Placeholder):
            value = self._binding.value(self._kind, operand)
            return lambda item: value
        assert isinstance(operand, Call)  # the grammar has sums in updates only
        if operand.function != "size":
            words = "The function is not allowed to be used this way in an expression; function:"
            raise self._error(f"{words} {operand.function}")
        self._check_type(
            "size", operand.operands[0], ("S", "B", "SS", "NS", "BS", "L", "M"), "operator or function"
        )
        inner = self._read(operand.operands[0])
        return lambda item: _size(inner(item))

    def _path(self, call: Call, index: int) -> Place:
        operand = call.operands[index]
        if not isinstance(operand, Path):
            raise self._wrong_operand(call.function, "function")
        return self._binding.place(self._kind, operand)

    def _wrong_operand(self, function: str, kind: str) -> DynamoError:
        words = "Operator or function requires a document path; operator or function:"
        return self._error(
            f"{words} {function}" if kind != "path" else f"{words} {function} operand type: {kind}"
        )

    def _check_type(self, what: str, operand: Operand, kinds: tuple[str, ...], noun: str) -> None:
        if isinstance(operand, Placeholder):
            self._check_kind(what, self._binding.value(self._kind, operand), kinds, noun)

    def _check_kind(self, what: str, value: Value, kinds: tuple[str, ...], noun: str) -> None:
        if kind_of(value) not in kinds:
            words = f"Incorrect operand type for operator or function; {noun}: {what}"
            raise self._error(f"{words}, operand type: {kind_of(value)}")

    def _check_distinct(self, tree: Comparison | Call) -> None:
        first, *rest = tree.operands
        if isinstance(first, Path) and first in rest:
            what = tree.operator if isinstance(tree, Comparison) else tree.function
            words = "The first operand must be distinct from the remaining operands for this operator or function;"
            place = text_of(self._binding.place(self._kind, first))
            raise self._error(f"{words} operator: {what}, first operand: {place}")

    def _error(self, words: str) -> DynamoError:
        return invalid(f"Invalid {self._kind}: {words}")


_PREDICATES: Mapping[str, Callable[[_Maker, Call], Test]] = {
    "attribute_exists": _Maker._exists,
    "attribute_not_exists": _Maker._exists,
    "attribute_type": _Maker._has_type,
    "begins_with": _Maker._begins,
    "contains": _Maker._contains,
}


def _size(value: Value | None) -> Value | None:
    if value is None or (size := values.size_of(value)) is None:
        return None
    return {"N": str(size)}


def check_bounds(what: str, low: Value, high: Value) -> None:
    """Raise DynamoError when two bounds are of different types or the wrong way round."""
    shown = f"lower bound operand: {told(low)}, upper bound operand: {told(high)}"
    if kind_of(low) != kind_of(high):
        raise invalid(f"{what} requires same data type for lower and upper bounds; {shown}")
    if values.compare(high, low, operator.lt):
        raise invalid(f"{what} requires upper bound to be greater than or equal to lower bound; {shown}")


def told(value: Value) -> str:
    """A value as AWS's messages show it."""
    ((kind, content),) = value.items()
    return f"AttributeValue: {{{kind}:{content}}}"
