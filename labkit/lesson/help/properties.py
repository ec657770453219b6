"""The properties of each of CloudFormation's resource types, from AWS's own schemas, without a network.

What belongs here: from a schema to lines of a card. What does not: the schemas, which cfn-lint ships
(labkit.cloud.cloudformation.schema), the lab's own cards (texts/cards.toml).
"""

import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from labkit.base.errors import UsageError
from labkit.cloud.cloudformation import schema
from labkit.lesson.help import rows

_SHOWN = 6
_WORDS = {"string": "text", "boolean": "true or false", "integer": "number", "number": "number"}


def is_asked_for(word: str) -> bool:
    """Whether a word is a resource type, or one of its properties: AWS::S3::Bucket, AWS::S3::Bucket.Tags."""
    return "::" in word


def card(word: str, region: str) -> list[tuple[str, str]]:
    """Lines (text, style) for a type, or for the property behind a dot after it, and so on downwards.

    Raises UsageError with the nearest names for one that does not exist.
    """
    name, *path = word.split(".")
    kind = _type(name, region)
    document = schema.load(kind, region).document
    node, at = document, kind
    for step in path:
        inner = _members(node, document)
        at += f".{_nearest(step, inner, f'property of {at}')}"
        node = inner[at.rpartition(".")[2]]
    return [*_head(at, node, document), *_properties(at, node, document, region)]


def _head(at: str, node: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield at, "strong"
    if text := _plain(str(_resolved(node, document).get("description") or node.get("description") or "")):
        yield from (
            (f"  {line}", "")
            for line in textwrap.wrap(textwrap.shorten(text, 300, placeholder=" …"), rows.WIDTH - 2)
        )


def _properties(
    at: str, node: Mapping[str, Any], document: Mapping[str, Any], region: str
) -> Iterator[tuple[str, str]]:
    members = _members(node, document)
    if not members:
        yield f"  it is {_kind(node, document)}", ""
        return
    owner = _owner(node, document)
    required = set(owner.get("required") or ())
    hidden = schema.load(at, region).read_only if "." not in at else frozenset()
    shown = [name for name in sorted(members) if name not in hidden]
    yield from rows.settable(
        {name: (name in required, _kind(members[name], document)) for name in shown}, members
    )
    yield from rows.given("!GetAtt gives", hidden)
    yield from rows.further(at, next((name for name in shown if _members(members[name], document)), ""))


def _type(name: str, region: str) -> str:
    if schema.known(name, region):
        return name
    types = {each.lower(): each for each in schema.names(region)}
    if found := types.get(name.lower()):
        return found
    near = difflib.get_close_matches(name.lower(), types, 3, 0.6)
    raise UsageError(
        f"CloudFormation has no resource type {name}.",
        hint=f"Perhaps: {', '.join(types[each] for each in near)}"
        if near
        else "They look like AWS::S3::Bucket.",
    )


def _nearest(name: str, names: Mapping[str, Any], what: str) -> str:
    found = {each.lower(): each for each in names}
    if name.lower() in found:
        return found[name.lower()]
    near = [found[each] for each in difflib.get_close_matches(name.lower(), found, 3, 0.5)]
    raise UsageError(
        f"There is no {what} called {name}.", hint=f"Perhaps: {', '.join(near or sorted(names)[:8])}"
    )


def _resolved(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node behind "$ref"s."""
    for _ in range(8):
        place = str(node.get("$ref", "")).removeprefix("#/").split("/")
        if place == [""]:
            return node
        node = document
        for step in place:
            node = node.get(step, {})
    return node


def _owner(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node that has the properties: behind references, inside a list, or one of several forms."""
    node = _resolved(node, document)
    if "items" in node:
        return _owner(node["items"], document)
    forms = [*node.get("oneOf", ()), *node.get("anyOf", ())]
    if "properties" not in node and forms:
        return next((found for each in forms if "properties" in (found := _owner(each, document))), node)
    return node


def _members(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _owner(node, document).get("properties") or {}
    return found


def _kind(node: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """What a value is, in words."""
    node = _resolved(node, document)
    if "enum" in node:
        return f"one of {', '.join(map(str, node['enum'][:12]))}"
    kinds = node.get("type")
    first = next(iter(kinds), "") if isinstance(kinds, list) else kinds
    if first == "array" or "items" in node:
        return f"list of: {_kind(node.get('items', {}), document)}"
    if members := _members(node, document):
        names = sorted(members)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"object: {', '.join(names[:_SHOWN])}{more}"
    if first == "object":
        return "object (JSON), or text" if isinstance(kinds, list) else "object with names of your own"
    return _WORDS.get(str(first), "text")


def _plain(text: str) -> str:
    """A description without Markdown's links and code marks."""
    return " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("``", "").split())
