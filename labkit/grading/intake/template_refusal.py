"""What CloudFormation would do with a template beyond making its resources, or a parser beyond reading it.

What belongs here: macros, custom resources, nested stacks, YAML that is made to grow. What does not: Terraform's files
(refusal), whether the template is right.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from labkit.grading.intake.untrusted import MOST_BYTES, Untrusted

#: events (keys, values, list items) of one template; far more than the lab's has
MOST_EVENTS = 20_000
DEEPEST = 40
_TYPES = (
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::ModuleVersion",
    "AWS::CloudFormation::Module",
)


def find(name: str, text: str) -> Iterator[Untrusted]:
    """What is refused in the template `text` of the file `name`."""
    bomb = _bomb(text)
    if bomb:
        yield Untrusted(name, bomb[0], "YAML", bomb[1])
        return
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # no YAML is the engine's to refuse
    for key, value, parent in _pairs(root, ""):
        why = _reason(str(key.value), value, parent)
        if why:
            yield Untrusted(name, key.start_mark.line + 1, _shown(key, value), why)
    for node in _nodes(root):
        if node.tag in ("!Transform", "!Include"):
            yield Untrusted(name, node.start_mark.line + 1, node.tag, "macros run code elsewhere")


def _bomb(text: str) -> tuple[int, str] | None:
    """Where the YAML is made to grow: aliases, depth, number of nodes. Line and reason."""
    if len(text) > MOST_BYTES:
        return 1, "it is far larger than a template may be"
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                return line, "aliases (*name) are not used here"
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or number > MOST_EVENTS:
                return line, "it is nested too deep or has too many parts"
    except (yaml.YAMLError, ValueError, RecursionError):
        return None  # no YAML is the engine's to refuse
    return None


def _pairs(node: Any, parent: str) -> Iterator[tuple[Any, Any, str]]:
    """(key, value, the key above) of every mapping."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key, value, parent
            yield from _pairs(value, str(getattr(key, "value", "")))
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _pairs(each, parent)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    children: Iterable[Any] = ()
    if isinstance(node, yaml.MappingNode):
        children = (each for pair in node.value for each in pair)
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    for child in children:
        yield from _nodes(child)


def _reason(key: str, value: Any, parent: str) -> str:
    """Why this pair is refused, "" when it is not."""
    text = str(value.value) if isinstance(value, yaml.ScalarNode) else ""
    if key in ("Transform", "Fn::Transform"):
        return "macros and transforms run code elsewhere"
    if key == "Type" and (text.startswith("Custom::") or text in _TYPES):
        return "custom resources, nested stacks and modules are code from elsewhere"
    if key == "ServiceToken":
        return "custom resources call code while deploying"
    if key == "TemplateURL":
        return "nested stacks are files from elsewhere"
    return ""


def _shown(key: Any, value: Any) -> str:
    text = value.value if isinstance(value, yaml.ScalarNode) else "…"
    return f"{key.value}: {str(text)[:60]}"
