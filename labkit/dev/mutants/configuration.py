"""Operators on configuration, CloudFormation's and Terraform's alike: each makes changes of one kind.

What belongs here: the operators. What does not: the words they use (vocabulary), reading files (the trees).
"""

import ipaddress
import json
import re
from collections.abc import Iterator

from labkit.dev.mutants.model import Change
from labkit.dev.mutants.tree import Element, Node, Tree
from labkit.dev.mutants.vocabulary import ALTERNATIVES, FURTHER_ACTIONS, Vocabulary

#: dropping a member of these is a kind of its own
_DROPPED = {
    "DependsOn": "depends-on-dropped",
    "depends_on": "depends-on-dropped",
    "Statement": "statement-deleted",
    "statement": "statement-deleted",
    "Action": "action-dropped",
    "actions": "action-dropped",
    "Tags": "tag-dropped",
    "tags": "tag-dropped",
}
#: CloudFormation's sections, whose members are whole resources, parameters, outputs
_SECTIONS = ("Parameters", "Conditions", "Resources", "Outputs")
_WORDS_FOR_PEOPLE = ("Description", "description", "GroupDescription", "error_message", "Sid")
_ACTION = re.compile(r"(?P<service>[a-z0-9]+):(?P<verb>[A-Z][a-z]+)\w*")


def changes(tree: Tree, words: Vocabulary) -> Iterator[Change]:
    """All changes of one file, in the order of its text."""
    for node in tree.root.walk():
        for element in node.elements:
            yield from _dropped(node, element)
            yield from _reopened(tree, element, words)
            yield from _inserted(tree, element, words)
        yield from _changed_policy(tree, node, words)
        yield from _changed_literal(tree, node)
        yield from _referring_elsewhere(tree, node, words)


def _replaced(operator: str, node: Node, new: str, detail: str = "") -> Change:
    return Change(operator, node.place, node.start, node.end, new, detail or f"{node.key} {new}")


# ---- Members ------------------------------------------------------------------------------------------------


def _dropped(parent: Node, element: Element) -> Iterator[Change]:
    """A property, a member of a list, a whole resource, statement, block."""
    node = element.node
    if node.place in _SECTIONS or parent.kind == "call":
        return
    if parent.place in _SECTIONS or (not parent.place and node.kind == "mapping"):
        operator = "resource-deleted"
    elif parent.kind == "list":
        operator = _DROPPED.get(parent.key, "item-dropped")
    else:
        operator = _DROPPED.get(node.key, "property-dropped")
    start, end = element.cut
    yield Change(operator, node.place, start, end, "", ".".join(node.place.split(".")[-2:]))


def _reopened(tree: Tree, element: Element, words: Vocabulary) -> Iterator[Change]:
    """A rule of a security group for more ports or other sources."""
    node, key = element.node, element.node.key
    for wanted, port in ((words.first_port, "0"), (words.last_port, "65535")):
        if key == wanted:
            yield _replaced("port-widened", node, port)
            yield _replaced("port-changed", node, "5000")
    if key == words.group_source:
        for source in words.sources:
            yield Change("source-widened", node.place, element.start, element.end, source, source)


def _inserted(tree: Tree, element: Element, words: Vocabulary) -> Iterator[Change]:
    """Something more, behind this element."""
    for insertion in words.insertions:
        if insertion.place == element.node.place:
            line_start = tree.text.rfind("\n", 0, element.start) + 1
            indent = re.match(" *", tree.text[line_start:])
            assert indent is not None
            text = insertion.text.replace("\n", f"\n{indent[0]}")
            yield Change(
                insertion.operator,
                insertion.place,
                element.end,
                element.end,
                f"\n{indent[0]}{text}",
                insertion.detail,
            )


# ---- Policies -------------------------------------------------------------------------------------------------


def _changed_policy(tree: Tree, node: Node, words: Vocabulary) -> Iterator[Change]:
    if node.key in ("Action", "actions"):
        yield from _changed_action(tree, node)
    elif node.key == "Effect" and node.value in ("Allow", "Deny"):
        yield _replaced(
            "effect-flipped", node, _written(tree, node, "Deny" if node.value == "Allow" else "Allow")
        )
    elif node.key == "Resource" and node.kind == "value" and node.value != "*":
        yield _replaced("resource-widened", node, '"*"')
        source = tree.source(node)
        for shorter in ("/*", ""):
            if words.prefix_in_resource in source:
                yield _replaced("resource-changed", node, source.replace(words.prefix_in_resource, shorter))
        if source.rstrip('"').endswith("/*"):
            yield _replaced("resource-changed", node, re.sub(r'/\*("?)$', r"\1", source))


def _changed_action(tree: Tree, node: Node) -> Iterator[Change]:
    match = _ACTION.fullmatch(node.value or "")
    if match is not None:
        wider = {f"{match['service']}:*", f"{match['service']}:{match['verb']}*", "*"}
        for action in sorted(wider - {node.value}):
            yield _replaced("action-widened", node, json.dumps(action))
        if match["verb"] in ("Put", "Update"):
            other = str(node.value).replace(match["verb"], "Get")
            yield _replaced("action-changed", node, _written(tree, node, other))
    if node.kind == "list" or (match is not None and not node.place.rpartition(".")[2].isdigit()):
        items = [element.node.value for element in node.elements] or [node.value]
        service = str(items[0]).partition(":")[0]
        for further in FURTHER_ACTIONS.get(service, ()):
            yield _replaced("action-added", node, json.dumps([*items, further]), f"Action {further}")


# ---- Literals and references ----------------------------------------------------------------------------------


def _changed_literal(tree: Tree, node: Node) -> Iterator[Change]:
    """Another value in the place of a literal one."""
    value = node.value
    if value is None or node.key in (
        "Type",
        "Action",
        "Version",
        "AWSTemplateFormatVersion",
        *_WORDS_FOR_PEOPLE,
    ):
        return
    for operator, other in _others(value):
        yield _replaced(operator, node, _written(tree, node, other))


def _others(value: str) -> Iterator[tuple[str, str]]:
    """Operators and other values, for a literal value."""
    alternatives = ALTERNATIVES.get(value, ())
    yield from (("value-changed", other) for other in alternatives)
    if value in ("true", "false"):
        yield "boolean-flipped", "false" if value == "true" else "true"
    elif re.fullmatch(r"\d+", value):
        numbers = {str(int(value) + 1), str(int(value) * 10), "0"} - {value, *alternatives}
        yield from (("number-changed", number) for number in sorted(numbers, key=int))
    elif re.fullmatch(r"[\d.]+/\d+", value):
        yield from (("range-changed", other) for other in _other_ranges(value))
    elif value and not alternatives and value not in ("*", "Allow", "Deny"):
        yield "name-changed", f"{value}x"


def _other_ranges(value: str) -> Iterator[str]:
    network = ipaddress.ip_network(value)
    if network.prefixlen == 0:
        yield from ("10.0.0.0/8", "203.0.113.0/24")
        return
    yield "0.0.0.0/0"
    yield str(next(network.subnets()))
    yield str(ipaddress.ip_network((int(network.broadcast_address) + 1, network.prefixlen)))


def _referring_elsewhere(tree: Tree, node: Node, words: Vocabulary) -> Iterator[Change]:
    """A reference to another thing of the same kind."""
    if node.kind != "value" or node.value is not None:
        return
    for match in re.finditer(words.reference, tree.source(node)):
        same_kind = [name for name, kind in tree.kinds.items() if kind == tree.kinds.get(match["name"])]
        if len(same_kind) > 1:
            other = same_kind[(same_kind.index(match["name"]) + 1) % len(same_kind)]
            start = node.start + match.start("name")
            yield Change(
                "reference-replaced",
                node.place,
                start,
                start + len(match["name"]),
                other,
                f"{node.key} {match['name']}->{other}",
            )


def _written(tree: Tree, node: Node, value: str) -> str:
    """A literal as it is written where this one stands: in quotes if this one is, or if it has to be."""
    quoted = tree.source(node).startswith('"') or not re.fullmatch(r"[\w./][\w./-]*(:\w+)?", value)
    return json.dumps(value) if quoted else value
