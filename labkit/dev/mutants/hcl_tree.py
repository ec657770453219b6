"""A Terraform file as a tree.

What belongs here: HCL's blocks and expressions to our nodes. What does not: lexing (labkit.grading.intake.hcl).
"""

from collections.abc import Iterator, Sequence

from labkit.dev.mutants.model import removal
from labkit.dev.mutants.tree import Element, Node, Tree, below
from labkit.grading.intake import hcl
from labkit.grading.intake.hcl import Attribute, Block, Token

_PAIRS = {"{": "}", "[": "]", "(": ")"}


def read(text: str) -> Tree:
    """The file's tree. Raises hcl.Unreadable."""
    reader = _Reader(text)
    whole = hcl.read(text)
    root = Node("mapping", "", "", 0, len(text), elements=reader.members(whole, ""))
    return Tree(text, root, dict(_kinds(whole)))


def _kinds(whole: Block) -> Iterator[tuple[str, str]]:
    """What can be referred to: resources by type and name, variables by their type."""
    for block in whole.blocks:
        if block.kind == "resource":
            yield ".".join(block.labels), block.labels[0]
        if block.kind == "variable":
            kinds = [each.tokens[0].text for each in block.attributes if each.name == "type"]
            yield f"var.{block.labels[0]}", f"variable of type {kinds[0] if kinds else 'any'}"


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0, *(n + 1 for n, letter in enumerate(text) if letter == "\n")]

    def members(self, block: Block, place: str) -> tuple[Element, ...]:
        """Attributes and blocks, in the order of the text."""
        found = [self._attribute(each, place) for each in block.attributes]
        found += [self._block(each, place) for each in block.blocks]
        return tuple(sorted(found, key=lambda element: element.start))

    def _start(self, line: int) -> int:
        start = self._lines[line - 1]
        return start + len(self._text[start:]) - len(self._text[start:].lstrip(" \t"))

    def _attribute(self, attribute: Attribute, place: str) -> Element:
        node = self._expression(attribute.tokens, below(place, attribute.name), attribute.name)
        return self._element(self._start(attribute.line), attribute.tokens[-1].end, node)

    def _block(self, block: Block, place: str) -> Element:
        kind = () if block.kind == "resource" else (block.kind,)
        own = below(place, ".".join((*kind, *block.labels)))
        start, end = self._start(block.line), block.end
        node = Node("mapping", own, block.kind, start, end, elements=self.members(block, own))
        return self._element(start, end, node)

    def _element(self, start: int, end: int, node: Node) -> Element:
        return Element(start, end, node, removal(self._text, start, end))

    def _expression(self, tokens: Sequence[Token], place: str, key: str) -> Node:
        first, start, end = tokens[0], tokens[0].start, tokens[-1].end
        if first.text == "{" and _closes(tokens, 0):
            elements = tuple(self._entry(part, place) for part in _parts(tokens[1:-1], by_lines=True))
            return Node("mapping", place, key, start, end, elements=elements)
        if first.text == "[" and _closes(tokens, 0):
            return Node("list", place, key, start, end, elements=self._items(tokens[1:-1], place, key))
        if first.kind == "name" and len(tokens) > 3 and tokens[1].text == "(" and _closes(tokens, 1):
            arguments = self._items(tokens[2:-1], place, key)
            if len(arguments) == 1:  # jsonencode and the like: the argument is what matters
                return self._expression(tokens[2:-1], place, key)
            return Node("call", place, key, start, end, elements=arguments)
        return Node("value", place, key, start, end, _literal(tokens))

    def _entry(self, tokens: Sequence[Token], place: str) -> Element:
        key = tokens[0].text
        node = self._expression(tokens[2:], below(place, key), key)
        return self._element(tokens[0].start, tokens[-1].end, node)

    def _items(self, tokens: Sequence[Token], place: str, key: str) -> tuple[Element, ...]:
        parts = [part for part in _parts(tokens, by_lines=False) if part]
        nodes = [self._expression(part, below(place, str(number)), key) for number, part in enumerate(parts)]
        return tuple(
            self._element(part[0].start, part[-1].end, node) for part, node in zip(parts, nodes, strict=True)
        )


def _literal(tokens: Sequence[Token]) -> str | None:
    only = tokens[0]
    if len(tokens) > 1 or only.inner or (only.kind == "name" and only.text not in ("true", "false")):
        return None
    return only.text


def _closes(tokens: Sequence[Token], opening: int) -> bool:
    """Whether the bracket that opens at `opening` is closed by the last of the tokens."""
    depth = 0
    for number, token in enumerate(tokens[opening:], opening):
        depth += _step(token)
        if depth == 0:
            return number == len(tokens) - 1
    return False


def _step(token: Token) -> int:
    if token.kind != "mark":
        return 0
    return (token.text in _PAIRS) - (token.text in _PAIRS.values())


def _parts(tokens: Sequence[Token], *, by_lines: bool) -> list[list[Token]]:
    """The tokens between commas; in an object a new line is one, too."""
    parts: list[list[Token]] = []
    depth, line, fresh = 0, 0, True
    for token in tokens:
        if depth == 0 and token.text == "," and token.kind == "mark":
            fresh = True
            continue
        if fresh or (by_lines and depth == 0 and token.line > line and _step(token) == 0):
            parts.append([])
        parts[-1].append(token)
        depth, fresh = depth + _step(token), False
        line = token.line
    return parts
