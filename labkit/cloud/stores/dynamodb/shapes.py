"""The shape of a request, checked against AWS's own description of the API: types, required members, lengths, enums.

Attribute values are left to values, which knows more of them than the description does.

What belongs here: what holds for every operation alike. What does not: rules that only one operation has.

AWS: API reference; the words of "validation errors detected" and SerializationException as AWS's service answers them.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from labkit.aws.services import descriptions
from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid, unexpected

#: so many mistakes of a request are told
_SHOWN = 10
_VALUE = "AttributeValue"
_Check = Callable[[Any, str, list[str]], None]


def check_shape(operation: str, request: Mapping[str, Any]) -> None:
    """Raise DynamoError for a request that is not of its operation's shape."""
    mistakes: list[str] = []
    _input(operation)(request, "", mistakes)
    if mistakes:
        count = len(mistakes)
        plural = "s" if count > 1 else ""
        raise invalid(f"{count} validation error{plural} detected: {'; '.join(mistakes[:_SHOWN])}")


@functools.cache
def description(service: str) -> Mapping[str, Any]:
    """AWS's description of the API of `service`, dynamodb or dynamodbstreams, as botocore ships it."""
    return dict(descriptions().load_service_model(service, "service-2"))


@functools.lru_cache(maxsize=128)
def _input(operation: str) -> _Check:
    service = "dynamodb" if operation in description("dynamodb")["operations"] else "dynamodbstreams"
    known = description(service)["operations"][operation].get("input")
    return _check_of(known["shape"], service) if known else lambda value, path, mistakes: None


@functools.lru_cache(maxsize=512)
def _check_of(name: str, service: str = "dynamodb") -> _Check:
    if name == _VALUE:
        return lambda value, path, mistakes: None
    shape = description(service)["shapes"][name]
    return _KINDS[shape["type"]](shape, service)


def _structure(shape: Mapping[str, Any], service: str) -> _Check:
    required = shape.get("required", ())
    members = {name: member["shape"] for name, member in shape["members"].items()}

    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if not isinstance(value, dict):
            raise unexpected(value, "Structure")
        for name in required:
            if value.get(name) is None:
                mistakes.append(_mistake(None, _at(path, name), "Member must not be null"))
        for name, each in value.items():
            if each is not None and name in members:
                _check_of(members[name], service)(each, _at(path, name), mistakes)

    return check


def _at(path: str, member: str) -> str:
    member = member[:1].lower() + member[1:]
    return f"{path}.{member}" if path else member


def _list(shape: Mapping[str, Any], service: str) -> _Check:
    member = shape["member"]["shape"]

    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if not isinstance(value, list):
            raise unexpected(value, "List")
        _check_length(shape, len(value), value, path, mistakes)
        inner = _check_of(member, service)
        for number, each in enumerate(value, 1):
            if each is None:
                mistakes.append(_mistake(None, f"{path}.{number}.member", "Member must not be null"))
            else:
                inner(each, f"{path}.{number}.member", mistakes)

    return check


def _map(shape: Mapping[str, Any], service: str) -> _Check:
    key, member = shape["key"]["shape"], shape["value"]["shape"]

    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if not isinstance(value, dict):
            raise unexpected(value, "Map")
        _check_length(shape, len(value), value, path, mistakes)
        names = _check_of(key, service)
        for name, each in value.items():
            names(name, path, mistakes)
            if each is None:
                mistakes.append(_mistake(None, f"{path}.{name}.member", "Member must not be null"))
            elif member != _VALUE:
                _check_of(member, service)(each, f"{path}.{name}.member", mistakes)

    return check


def _string(shape: Mapping[str, Any], _: str) -> _Check:
    pattern = re.compile(shape["pattern"]).fullmatch if "pattern" in shape else None
    enum = shape.get("enum")

    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if not isinstance(value, str):
            raise unexpected(value, "String")
        if enum is not None and value not in enum:
            words = f"Member must satisfy enum value set: [{', '.join(enum)}]"
            mistakes.append(_mistake(value, path, words))
            return
        _check_length(shape, len(value), value, path, mistakes)
        if pattern and not pattern(value):
            words = f"Member must satisfy regular expression pattern: {shape['pattern']}"
            mistakes.append(_mistake(value, path, words))

    return check


def _check_length(shape: Mapping[str, Any], length: int, value: Any, path: str, mistakes: list[str]) -> None:
    if length < shape.get("min", 0):
        words = f"Member must have length greater than or equal to {shape['min']}"
        mistakes.append(_mistake(value, path, words))
    if length > shape.get("max", length):
        words = f"Member must have length less than or equal to {shape['max']}"
        mistakes.append(_mistake(value, path, words))


def _number(shape: Mapping[str, Any], _: str) -> _Check:
    whole = shape["type"] in ("integer", "long")
    name = {"integer": "Integer", "long": "Long"}.get(shape["type"], "Double")

    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise unexpected(value, name)
        if whole and not -(1 << 63) <= value < 1 << 63:
            raise unexpected(value, name)
        if value < shape.get("min", value):
            words = f"Member must have value greater than or equal to {shape['min']}"
            mistakes.append(_mistake(value, path, words))
        if value > shape.get("max", value):
            words = f"Member must have value less than or equal to {shape['max']}"
            mistakes.append(_mistake(value, path, words))

    return check


def _boolean(shape: Mapping[str, Any], _: str) -> _Check:
    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if not isinstance(value, bool):
            raise unexpected(value, "Boolean")

    return check


def _blob(shape: Mapping[str, Any], _: str) -> _Check:
    def check(value: Any, path: str, mistakes: list[str]) -> None:
        try:
            base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise DynamoError("SerializationException", "Invalid Base64 encoding") from None

    return check


def _timestamp(shape: Mapping[str, Any], _: str) -> _Check:
    def check(value: Any, path: str, mistakes: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise unexpected(value, "Timestamp")

    return check


_KINDS: Mapping[str, Callable[[Mapping[str, Any], str], _Check]] = {
    "structure": _structure, "list": _list, "map": _map, "string": _string, "boolean": _boolean, "blob": _blob,
    "integer": _number, "long": _number, "double": _number, "float": _number, "timestamp": _timestamp,
}  # fmt: skip


def _mistake(value: Any, path: str, words: str) -> str:
    shown = "null" if value is None else str(value)[:200]
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {words}".replace("'null'", "null")
