"""A CloudFormation template's text as plain values, with references resolved as far as is known.

What belongs here: reading the text, for checks of what is *stated*. What does not: deploying it, or resolving
everything (labkit.deploy.stated.resolving).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_REFERENCE = re.compile(r"\$\{([^}!]+)\}")


@dataclass(frozen=True)
class Declared:
    """One resource of a template: its logical id, type, and properties with references resolved."""

    name: str
    kind: str
    properties: Mapping[str, Any]


#: the one written in C is ten times as fast, where libyaml is there
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc]
    """YAML with CloudFormation's short forms, which become their long forms."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


def load(text: str) -> Mapping[str, Any]:
    """The template as plain values, short forms written out. Raises yaml.YAMLError."""
    value = yaml.load(text, Loader=_Loader)
    return value if isinstance(value, Mapping) else {}


def declared(text: str, physical: Mapping[str, str], parameters: Mapping[str, str]) -> Mapping[str, Declared]:
    """The resources of the template by logical id; {} when it is no YAML."""
    try:
        template = load(text)
    except yaml.YAMLError:
        return {}
    defaults = {
        name: str(about.get("Default", ""))
        for name, about in (template.get("Parameters") or {}).items()
        if isinstance(about, Mapping)
    }
    known = {**defaults, **parameters, **physical}
    return {
        str(name): Declared(
            str(name), str(about.get("Type", "")), resolved(about.get("Properties") or {}, known)
        )
        for name, about in (template.get("Resources") or {}).items()
        if isinstance(about, Mapping)
    }


def resolved(value: Any, known: Mapping[str, str]) -> Any:
    """`value` with Ref, Sub and Join replaced where `known` tells what they stand for."""
    if isinstance(value, list):
        return [resolved(each, known) for each in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        (name, argument), *_ = value.items()
        if name == "Ref":
            return known.get(str(argument), value)
        if name == "Fn::Sub" and isinstance(argument, str):
            return _REFERENCE.sub(lambda match: known.get(match[1], match[0]), argument)
        if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
            parts = resolved(argument[1], known)
            if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
                return str(argument[0]).join(parts)
    return {key: resolved(each, known) for key, each in value.items()}
