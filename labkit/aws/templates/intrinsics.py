"""Evaluates a template's functions: Ref, Fn::GetAtt, Fn::Sub, Fn::If and the others.

What belongs here: the meaning of each function. What does not: where values come from (passed in).

moto's parser can't be used: it evaluates lazily against its own resource objects, which this local
cloud does not make, and knows no dynamic references and no AWS::NoValue inside lists.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from labkit.aws.templates.errors import invalid
from labkit.aws.templates.references import SUBSTITUTION, function_of, in_condition
from labkit.base.text import whole

_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^{}]*)\}\}")


class _Marker:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: what Ref of AWS::NoValue gives: the property or list item is left out
NO_VALUE: Final = _Marker("AWS::NoValue")
#: a value that only carrying out the plan will tell
UNKNOWN: Final = _Marker("(known after apply)")


#: characters that one value of a template may come to: as many as the largest template has bytes
MAX_EVALUATED = 1_000_000


class Room:
    """What the functions of one value may still write, in characters."""

    def __init__(self, characters: int = MAX_EVALUATED) -> None:
        self._left = characters

    def require(self, characters: int) -> None:
        """Raises ApiError where so much more is too much."""
        if characters > self._left:
            raise invalid(
                f"Template error: the functions of one value write more than {MAX_EVALUATED} characters"
            )

    def take(self, result: Any) -> Any:
        """`result`, whose texts are counted. Raises ApiError where they are too much."""
        if isinstance(result, list):
            return [self.take(item) for item in result]
        if isinstance(result, str):
            self.require(len(result))
            self._left -= len(result)
        return result


@dataclass(frozen=True)
class Environment:
    """Where the values of references come from."""

    values: Mapping[str, Any]  # parameters and pseudo parameters
    mappings: Mapping[str, Any]
    conditions: Mapping[str, bool]
    reference: Callable[[str], Any]  # Ref of a resource
    attribute: Callable[[str, str], Any]
    zones: Callable[[str], list[str]]
    imported: Callable[[str], str]
    dynamic: Callable[[str, str], str]  # (ssm, name) of {{resolve:ssm:name}}
    room: Room = field(default_factory=Room)


def evaluate(value: Any, env: Environment) -> Any:
    """`value` with every function replaced by its result.

    Raises ApiError in AWS's words when a function's arguments make no sense, and when what the functions write
    comes to more than MAX_EVALUATED characters.
    """
    return _evaluate(value, replace(env, room=Room()))


def _evaluate(value: Any, env: Environment) -> Any:
    function = function_of(value)
    if function:
        return _call(function, value[function], env)
    if isinstance(value, dict):
        items = ((key, _evaluate(item, env)) for key, item in value.items())
        return {key: item for key, item in items if item is not NO_VALUE}
    if isinstance(value, list):
        return [item for item in (_evaluate(item, env) for item in value) if item is not NO_VALUE]
    return _dynamic(value, env) if isinstance(value, str) else value


def _call(function: str, argument: Any, env: Environment) -> Any:
    if function == "Ref":
        return env.room.take(_reference(str(argument), env))
    if function == "Fn::If":
        return _choose(argument, env)
    if function == "Fn::Sub":
        return env.room.take(_substitute(argument, env))
    if function == "Fn::GetAtt":
        return env.room.take(_attribute(argument, env))
    resolved = _evaluate(argument, env)
    if contains_unknown(resolved):
        return UNKNOWN
    result = _FUNCTIONS[function](resolved, env)
    return env.room.take(_dynamic(result, env) if isinstance(result, str) else result)


def contains_unknown(value: Any) -> bool:
    """Whether UNKNOWN stands anywhere in `value`."""
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return value is UNKNOWN


def _reference(name: str, env: Environment) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    return env.values[name] if name in env.values else env.reference(name)


def _attribute(argument: Any, env: Environment) -> Any:
    resource, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return env.attribute(resource, str(_evaluate(attribute, env)))


def _choose(argument: Any, env: Environment) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        raise invalid("Template error: Fn::If requires a list argument with three elements")
    return _evaluate(argument[1] if env.conditions[str(argument[0])] else argument[2], env)


def _substitute(argument: Any, env: Environment) -> Any:
    text, given = argument if isinstance(argument, list) else (argument, {})
    variables = {name: _evaluate(value, env) for name, value in given.items()}
    unknown = False

    def value_of(match: re.Match[str]) -> str:
        nonlocal unknown
        value = _substitution(match[1], variables, env)
        unknown = unknown or value is UNKNOWN
        return as_text(value)

    result = _replaced(SUBSTITUTION, value_of, text, env.room)
    return UNKNOWN if unknown else _dynamic(result, env)


def _substitution(name: str, variables: Mapping[str, Any], env: Environment) -> Any:
    if name.startswith("!"):
        return "${" + name[1:] + "}"
    if name in variables:
        return variables[name]
    resource, _, attribute = name.strip().partition(".")
    return env.attribute(resource, attribute) if attribute else _reference(resource, env)


def as_text(value: Any) -> str:
    """A scalar as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        raise invalid("Template error: a list or object stands where a string is needed")
    return str(value)


def _dynamic(text: str, env: Environment) -> str:
    if "{{resolve:" not in text:
        return text
    return _replaced(_DYNAMIC, lambda match: env.dynamic(match[1], match[2]), text, env.room)


def _replaced(
    pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str, room: Room
) -> str:
    """As re.sub; what is too long is refused before it is written."""
    length = len(text)

    def counted(match: re.Match[str]) -> str:
        nonlocal length
        result = replacement(match)
        length += len(result)
        room.require(length)
        return result

    return pattern.sub(counted, text)


def _join(argument: Any, env: Environment) -> str:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[1], list):
        raise invalid(
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and "
            "(2) a list of strings to be joined or a function that returns a list of strings"
        )
    delimiter, items = as_text(argument[0]), [as_text(item) for item in argument[1]]
    env.room.require(sum(map(len, items)) + len(delimiter) * max(0, len(items) - 1))
    return delimiter.join(items)


def _select(argument: Any, _: Environment) -> Any:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[1], list):
        raise invalid("Template error: Fn::Select requires a list argument with two elements")
    index = whole(str(argument[0]))
    if index is None or not 0 <= index < len(argument[1]):
        raise invalid(f"Template error: Fn::Select cannot select nonexistent value at index {argument[0]}")
    return argument[1][index]


def _split(argument: Any, _: Environment) -> list[str]:
    if not isinstance(argument, list) or len(argument) != 2 or not argument[0]:
        raise invalid(
            "Template error: every Fn::Split object requires two parameters, a delimiter and a string"
        )
    return as_text(argument[1]).split(as_text(argument[0]))


def _find_in_map(argument: Any, env: Environment) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        raise invalid("Template error: every Fn::FindInMap object requires three parameters")
    name, top, second = (as_text(item) for item in argument)
    try:
        return env.mappings[name][top][second]
    except (KeyError, TypeError) as error:
        raise invalid(f"Template error: Unable to get mapping for {name}::{top}::{second}") from error


def _zones(argument: Any, env: Environment) -> list[str]:
    return env.zones(as_text(argument) or env.values["AWS::Region"])


def _base64(argument: Any, _: Environment) -> str:
    return base64.b64encode(as_text(argument).encode()).decode()


def _cidr(argument: Any, _: Environment) -> list[str]:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html."""
    try:
        block, count, *bits = argument
        if not 1 <= int(count) <= 256:
            raise ValueError("the count must lie between 1 and 256")
        network = ipaddress.ip_network(as_text(block))
        prefix = network.max_prefixlen - int(bits[0] if bits else 8)
        subnets = network.subnets(new_prefix=prefix)
        return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
    except (ValueError, TypeError) as error:
        raise invalid(f"Template error: Fn::Cidr: {error}") from error


def _import(argument: Any, env: Environment) -> str:
    return env.imported(as_text(argument))


_FUNCTIONS: Mapping[str, Callable[[Any, Environment], Any]] = {
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _zones,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::ImportValue": _import,
}


def conditions(declared: Mapping[str, Any], env: Environment) -> dict[str, bool]:
    """The truth of every condition of a template. Raises ApiError for conditions that go round."""
    needs = {
        name: [each.name for each in in_condition(value, ()) if each.kind == "Condition"]
        for name, value in declared.items()
    }
    known: dict[str, bool] = {}
    try:
        for name in TopologicalSorter(needs).static_order():
            known[name] = _test(declared[name], env, known.__getitem__)
    except CycleError as error:
        raise invalid(
            f"Template error: circular dependency between conditions: {', '.join(error.args[1])}"
        ) from error
    return {name: known[name] for name in declared}


def _test(value: Any, env: Environment, named: Callable[[str], bool]) -> bool:
    if isinstance(value, dict) and set(value) == {"Condition"}:
        return named(str(value["Condition"]))
    function = function_of(value)
    items = value[function] if function else []
    if function == "Fn::Equals" and isinstance(items, list) and len(items) == 2:
        left, right = (evaluate(item, env) for item in items)
        return bool(_comparable(left) == _comparable(right))
    if function in ("Fn::And", "Fn::Or") and isinstance(items, list) and 2 <= len(items) <= 10:
        return (all if function == "Fn::And" else any)([_test(item, env, named) for item in items])
    if function == "Fn::Not" and isinstance(items, list) and len(items) == 1:
        return not _test(items[0], env, named)
    raise invalid(
        "Template format error: Every Condition must use Fn::And, Fn::Equals, Fn::Not or Fn::Or correctly"
    )


def _comparable(value: Any) -> Any:
    return value if isinstance(value, (dict, list)) else as_text(value)
