"""DynamoDB's refusals.

What belongs here: the exception and its usual codes. What does not: when each is raised.
"""

from collections.abc import Mapping
from typing import Any


class DynamoError(Exception):
    """An answer that is an error: `code` as in the API reference, more members of its shape in `members`."""

    def __init__(self, code: str, message: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.members = dict(members or {})


class ItemError(DynamoError):
    """An item or a key is not as its table wants it: alone a ValidationException, in a transaction a reason to cancel."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


def invalid(message: str) -> DynamoError:
    """The request breaks a rule of its operation."""
    return DynamoError("ValidationException", message)


def invalid_parameter(message: str) -> DynamoError:
    """A ValidationException with the words that begin most of them."""
    return invalid(f"One or more parameter values were invalid: {message}")


def condition_failed(item: Mapping[str, Any] | None = None) -> DynamoError:
    """The condition of a write does not hold; `item` where the request asked to be shown it."""
    members = {"Item": item} if item else {}
    return DynamoError("ConditionalCheckFailedException", "The conditional request failed", members)


def not_found(message: str) -> DynamoError:
    """No such table, index or tag holder."""
    return DynamoError("ResourceNotFoundException", message)


def no_table(name: str) -> DynamoError:
    """A table's description is asked for, and there is none."""
    return not_found(f"Requested resource not found: Table: {name} not found")


def not_emulated(what: str) -> DynamoError:
    """The local cloud lacks it, and says so."""
    return DynamoError("UnsupportedOperation", f"The local cloud does not emulate {what}.")


def unexpected(value: Any, wanted: str) -> DynamoError:
    """A JSON value of another type than the API's."""
    if isinstance(value, dict):
        words = "Start of structure or map found where not expected"
    elif isinstance(value, list):
        words = "Start of list found where not expected"
    elif wanted in ("Structure", "Map", "List"):
        words = "Unexpected field type"
    else:
        words = f"{_json_kind(value)} cannot be converted to {wanted}"
    return DynamoError("SerializationException", words)


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    return "NUMBER_VALUE" if isinstance(value, int) else "DECIMAL_VALUE"
