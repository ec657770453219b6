"""A CloudFormation template before anything exists: its values, with what is known put in place of references.

What belongs here: where values come from when nothing stands yet, or when only some of it is known. What does not: the
template language (labkit.aws.templates evaluates it, here as in the local cloud), what resources mean (stated.cloudformation).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from labkit.aws.templates.errors import ApiError
from labkit.aws.templates.intrinsics import UNKNOWN, Environment, conditions, contains_unknown, evaluate
from labkit.aws.templates.references import function_of
from labkit.aws.templates.source import read
from labkit.base.errors import DeployError

#: (logical id, attribute; "" for Ref) → value
Physical = Callable[[str, str], Any]


@dataclass(frozen=True)
class Declared:
    """One resource of a template: its logical id, type, and properties with references resolved."""

    name: str
    kind: str
    properties: Mapping[str, Any]


def load(text: str) -> Mapping[str, Any]:
    """The template as plain values, short forms written out. Raises DeployError where it is not well-formed."""
    try:
        value = read(text).data
    except ApiError as error:
        raise DeployError(error.message) from error
    return value if isinstance(value, Mapping) else {}


def environment(
    template: Mapping[str, Any], parameters: Mapping[str, Any], physical: Physical, zones: Sequence[str] = ()
) -> Environment:
    """What the template's functions are evaluated with: `parameters` are the pseudo parameters too.

    Dynamic references stay as they are written. Raises DeployError for conditions that can't be decided.
    """
    undecided = Environment(
        values=parameters,
        mappings=template.get("Mappings") or {},
        conditions={},
        reference=lambda name: physical(name, ""),
        attribute=physical,
        zones=lambda _: list(zones),
        imported=_refuse_import,
        dynamic=lambda kind, name: f"{{{{resolve:{kind}:{name}}}}}",
    )
    try:
        return replace(undecided, conditions=conditions(template.get("Conditions") or {}, undecided))
    except (ApiError, LookupError, TypeError, ValueError) as error:
        raise _unresolved(error) from error


def resolve(value: Any, known: Environment) -> Any:
    """`value` with every function replaced. Raises DeployError where one can't be evaluated before anything exists."""
    try:
        return evaluate(value, known)
    except (ApiError, LookupError, TypeError, ValueError) as error:
        raise _unresolved(error) from error


def _refuse_import(name: str) -> NoReturn:
    raise ValueError(f"Fn::ImportValue of {name}")


def _unresolved(error: Exception) -> DeployError:
    return DeployError(
        f"The template can't be resolved before anything exists: {error}.",
        hint="Compare what is deployed instead:  ./lab parity",
    )


def defaults(template: Mapping[str, Any]) -> dict[str, str]:
    """The defaults of the template's parameters; "" where one has none."""
    declared = (template.get("Parameters") or {}).items()
    return {name: str(about.get("Default", "")) for name, about in declared if isinstance(about, Mapping)}


def declared(text: str, physical: Mapping[str, str], parameters: Mapping[str, str]) -> Mapping[str, Declared]:
    """The resources of the template by logical id; {} when it is not well-formed or its conditions are not.

    `physical` are the ids of what exists, `parameters` the pseudo parameters and those that were given; what they do not
    tell stays as it is written.
    """
    try:
        template = load(text)
        known = environment(template, defaults(template) | dict(parameters), _known_ids(physical))
    except DeployError:
        return {}
    return {
        name: Declared(name, str(about.get("Type", "")), _partly(about.get("Properties") or {}, known))
        for name, about in (template.get("Resources") or {}).items()
        if isinstance(about, Mapping)
    }


def _known_ids(physical: Mapping[str, str]) -> Physical:
    return lambda name, attribute: UNKNOWN if attribute else physical.get(name, UNKNOWN)


def _partly(value: Any, known: Environment) -> Any:
    """`value` with every function replaced that can be evaluated; the others stay."""
    if function_of(value):
        try:
            found = resolve(value, known)
        except DeployError:
            return value
        return value if contains_unknown(found) else found
    if isinstance(value, Mapping):
        return {key: _partly(each, known) for key, each in value.items()}
    return [_partly(each, known) for each in value] if isinstance(value, list) else value
