"""Intrinsic functions of a CloudFormation template, resolved before anything exists.

What belongs here: parameters, conditions, references. What does not: what resources mean (stated.cloudformation).

CloudFormation user guide, "Intrinsic function reference". A reference to a resource gives what `physical` says it
will be called, so that the same template always resolves to the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.base.errors import DeployError

#: what Ref gives where there is nothing
NO_VALUE = "AWS::NoValue"
_VARIABLE = re.compile(r"\$\{([^}!]+)\}|\$\{!([^}]+)\}")


@dataclass(frozen=True)
class Names:
    """What references stand for: parameters and pseudo parameters, zones, and resources."""

    parameters: Mapping[str, Any]
    zones: tuple[str, ...]
    conditions: Mapping[str, Any]
    #: (logical id, attribute; "" for Ref) → value
    physical: Callable[[str, str], Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)


def resolve(value: Any, names: Names) -> Any:
    """`value` with every intrinsic function replaced. Raises DeployError for a function that is not known here."""
    if isinstance(value, list):
        return [each for each in (resolve(entry, names) for entry in value) if each != NO_VALUE]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        (function, argument), *_ = value.items()
        if function == "Ref" or str(function).startswith("Fn::"):
            return _call(str(function), argument, names)
    resolved = {key: resolve(entry, names) for key, entry in value.items()}
    return {key: entry for key, entry in resolved.items() if entry != NO_VALUE}


def holds(condition: Any, names: Names) -> bool:
    """Whether a condition (by name, or written out) is true."""
    if isinstance(condition, str):
        return holds(names.conditions[condition], names)
    (function, argument), *_ = condition.items()
    match function:
        case "Condition":
            return holds(argument, names)
        case "Fn::Equals":
            left, right = resolve(argument, names)
            return str(left) == str(right)
        case "Fn::Not":
            return not holds(argument[0], names)
        case "Fn::And":
            return all(holds(each, names) for each in argument)
        case "Fn::Or":
            return any(holds(each, names) for each in argument)
    raise _unknown(function)


def _call(function: str, argument: Any, names: Names) -> Any:
    match function:
        case "Ref":
            return (
                names.parameters[argument] if argument in names.parameters else names.physical(argument, "")
            )
        case "Fn::GetAtt":
            logical, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
            return names.physical(logical, attribute)
        case "Fn::Sub":
            text, values = (argument, {}) if isinstance(argument, str) else argument
            return _substituted(text, {key: resolve(entry, names) for key, entry in values.items()}, names)
        case "Fn::If":
            return resolve(argument[1 if holds(argument[0], names) else 2], names)
        case "Fn::Join":
            return argument[0].join(map(str, resolve(argument[1], names)))
        case "Fn::Select":
            return resolve(argument[1], names)[int(argument[0])]
        case "Fn::Split":
            return str(resolve(argument[1], names)).split(argument[0])
        case "Fn::FindInMap":
            table, first, second = (resolve(each, names) for each in argument[:3])
            return names.mappings[table][first][second]
        case "Fn::GetAZs":
            return list(names.zones)
        case "Fn::Base64":  # EC2 decodes what this encodes: the text itself is what is compared
            return resolve(argument, names)
    raise _unknown(function)


def _substituted(text: str, values: Mapping[str, Any], names: Names) -> str:
    def one(match: re.Match[str]) -> str:
        if match[2] is not None:
            return f"${{{match[2]}}}"
        name = match[1].strip()
        if name in values:
            return str(values[name])
        return str(_call(*(("Fn::GetAtt", name) if "." in name else ("Ref", name)), names))

    return _VARIABLE.sub(one, text)


def _unknown(function: object) -> DeployError:
    return DeployError(
        f"{function} can't be resolved before anything exists.",
        hint="Compare what is deployed instead:  ./lab parity",
    )
