"""A CloudFormation template as a tree.

What belongs here: YAML's nodes to ours. What does not: what the template means.
"""

import yaml

from labkit.dev.mutants.model import removal
from labkit.dev.mutants.tree import Element, Node, Tree, below


def read(text: str) -> Tree:
    """The template's tree."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    tree = _node(text, root, "", "")
    return Tree(text, tree, _kinds(tree, text))


def _node(text: str, node: yaml.Node, place: str, key: str) -> Node:
    start = node.start_mark.index
    if isinstance(node, yaml.MappingNode):
        members = [
            (name, _node(text, value, below(place, str(name.value)), str(name.value)))
            for name, value in node.value
        ]
        starts = [name.start_mark.index for name, _ in members]
        elements = tuple(
            Element(at, member.end, member, _cut(text, at, member.end, [*starts, None][number + 1]))
            for number, (at, (_, member)) in enumerate(zip(starts, members, strict=True))
        )
        return Node("mapping", place, key, start, _end(text, node, elements), elements=elements)
    if isinstance(node, yaml.SequenceNode):
        items = [_node(text, item, below(place, str(n)), key) for n, item in enumerate(node.value)]
        elements = tuple(
            Element(item.start, item.end, item, removal(text, item.start, item.end)) for item in items
        )
        return Node("list", place, key, start, _end(text, node, elements), elements=elements)
    end = _end(text, node, ())
    computed = not node.tag.startswith("tag:yaml.org") or "\n" in text[start:end]
    return Node("value", place, key, start, end, None if computed else str(node.value))


def _end(text: str, node: yaml.Node, elements: tuple[Element, ...]) -> int:
    """Where the node's own text ends: PyYAML's mark of a block is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and elements:
        return elements[-1].node.end
    return len(text[: node.end_mark.index].rstrip())


def _cut(text: str, start: int, end: int, following: int | None) -> tuple[int, int]:
    """As removal; of a mapping in a list the dash belongs to what follows."""
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip() == "-" and following is not None:
        return start, following
    return removal(text, start, end)


def _kinds(root: Node, text: str) -> dict[str, str]:
    """Parameters and resources by name, each with its type."""
    kinds: dict[str, str] = {}
    for section in root.elements:
        if section.node.key in ("Parameters", "Resources"):
            for named in section.node.elements:
                kind = next(e.node for e in named.node.elements if e.node.key == "Type")
                kinds[named.node.key] = text[kind.start : kind.end]
    return kinds
