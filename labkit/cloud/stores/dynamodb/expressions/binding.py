"""What the placeholders of a request stand for: #names and :values, each of which must be used.

What belongs here: ExpressionAttributeNames and ExpressionAttributeValues, reserved words, the check that nothing is
left over. What does not: what the expressions mean.

AWS: developer guide, "Expression attribute names", "Expression attribute values", "Reserved words".
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid
from labkit.cloud.stores.dynamodb.expressions.trees import Path, Placeholder
from labkit.cloud.stores.dynamodb.values import Value, normal_value

#: where something lies in an item, names put in
Place = tuple[str | int, ...]

_IS_NAME = re.compile(r"#[A-Za-z0-9_]+").fullmatch
_IS_VALUE = re.compile(r":[A-Za-z0-9_]+").fullmatch
_LONGEST = 255


@functools.lru_cache(maxsize=1)
def reserved_words() -> frozenset[str]:
    """The words that no expression may use as a name, in capitals."""
    return frozenset(File(__file__).with_name("reserved.txt").read_text(encoding="ascii").split())


class Binding:
    """The placeholders of one request, and which of them its expressions have used. Raises DynamoError."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = request.get("ExpressionAttributeNames") or {}
        values = request.get("ExpressionAttributeValues") or {}
        _check_names(request.get("ExpressionAttributeNames"))
        _check_values(request.get("ExpressionAttributeValues"))
        self._values: dict[str, Value] = {name: _value(name, value) for name, value in values.items()}
        self._used: set[str] = set()
        #: the names with which the paths of each kind of expression begin
        self.roots: dict[str, list[str]] = {}

    def place(self, kind: str, path: Path) -> Place:
        """The document path with its names put in; `kind` is the expression's."""
        place = tuple(
            element if isinstance(element, int) else self._name(kind, element) for element in path.elements
        )
        self.roots.setdefault(kind, []).append(str(place[0]))
        return place

    def _name(self, kind: str, name: str) -> str:
        if not name.startswith("#"):
            if name.upper() in reserved_words():
                words = "Attribute name is a reserved keyword; reserved keyword:"
                raise invalid(f"Invalid {kind}: {words} {name}")
            return name
        self._used.add(name)
        if name not in self._names:
            words = "An expression attribute name used in the document path is not defined; attribute name:"
            raise invalid(f"Invalid {kind}: {words} {name}")
        return self._names[name]

    def value(self, kind: str, placeholder: Placeholder) -> Value:
        """The value that a placeholder stands for."""
        self._used.add(placeholder.name)
        if placeholder.name not in self._values:
            words = "An expression attribute value used in expression is not defined; attribute value:"
            raise invalid(f"Invalid {kind}: {words} {placeholder.name}")
        return self._values[placeholder.name]

    def check_all_used(self) -> None:
        """Raise DynamoError for placeholders that no expression of the request has used."""
        for member, given in (("Values", self._values), ("Names", self._names)):
            unused = [name for name in given if name not in self._used]
            if unused:
                raise invalid(
                    f"Value provided in ExpressionAttribute{member} unused in expressions: "
                    f"keys: {{{', '.join(unused)}}}"
                )


def _check_names(names: Mapping[str, str] | None) -> None:
    if names is None:
        return
    if not names:
        raise invalid("ExpressionAttributeNames must not be empty")
    for name, meant in names.items():
        if not _IS_NAME(name):
            raise invalid(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{name}"')
        _check_length(name)
        if not meant:
            raise invalid(
                f"ExpressionAttributeNames contains invalid value: Empty attribute name for key {name}"
            )


def _check_length(name: str) -> None:
    if len(name.encode()) > _LONGEST:
        raise invalid(
            "Expression attribute placeholder is too long; "
            f"Member must have length less than or equal to {_LONGEST}: {name[:20]}…"
        )


def _check_values(values: Mapping[str, Any] | None) -> None:
    if values is None:
        return
    if not values:
        raise invalid("ExpressionAttributeValues must not be empty")
    for name in values:
        if not _IS_VALUE(name):
            raise invalid(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{name}"')
        _check_length(name)


def _value(name: str, value: Any) -> Value:
    try:
        return normal_value(value)
    except DynamoError as error:
        if error.code != "ValidationException":
            raise
        words = f"ExpressionAttributeValues contains invalid value: {error.message} for key {name}"
        raise invalid(words) from None
