"""Configuration of either language as one tree of nodes with their exact places in the text.

What belongs here: the records. What does not: reading a language (yaml_tree, hcl_tree), changing it (configuration).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Node:
    """A value: its text stands from `start` to `end`.

    `place` is the path of keys and numbers that leads to it, `key` the last key on it. `value` is what a literal says,
    None where it is computed or not a single value. `elements` are the members of a mapping or list, the arguments of
    a call.
    """

    kind: Literal["mapping", "list", "call", "value"]
    place: str
    key: str
    start: int
    end: int
    value: str | None = None
    elements: tuple["Element", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, in the order of the text."""
        yield self
        for element in self.elements:
            yield from element.node.walk()


@dataclass(frozen=True)
class Element:
    """A member of a node: its own text from `start` (that of its key) to `end`; `cut` is what to take away."""

    start: int
    end: int
    node: Node
    cut: tuple[int, int]


@dataclass(frozen=True)
class Tree:
    """One file. `kinds` says of each name that can be referred to of which kind it is."""

    text: str
    root: Node
    kinds: Mapping[str, str] = field(default_factory=dict)

    def source(self, node: Node) -> str:
        """The node's own text."""
        return self.text[node.start : node.end]


def below(place: str, key: str) -> str:
    """The place of what `key` leads to."""
    return f"{place}.{key}" if place else key
