"""What a gap's text may hold: only what belongs in its place, read as its file's language reads it.

What belongs here: pure functions on texts: YAML, HCL and Python as trees, a shell script as words. What does not:
whether the text is right (the checks), where gaps stand (labkit.course.markers).

A tree without what begins in the gap must be that of the reference: then nothing outside was swallowed, overridden or
moved. What begins in the gap must hang where the reference's own text of this gap hangs.
"""

import ast
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from labkit.course.markers import regions, with_bodies
from labkit.grading.intake import hcl

if TYPE_CHECKING:
    from yaml import Node

_Path = tuple[object, ...]


class _Unreadable(Exception):
    """The file with this text is none of its language."""


@dataclass(frozen=True)
class _Added:
    """Something that begins in the gap: below what, what it is called, the type of resource that it declares."""

    below: _Path
    name: str
    kind: str = ""


@dataclass
class _Outline:
    """A tree without what begins on the gap's lines (from 1), which stands apart."""

    first: int
    last: int
    added: list[_Added] = field(default_factory=list)
    rest: object = None

    def holds(self, line: int) -> bool:
        """Whether a line is one of the gap's."""
        return self.first <= line <= self.last


def misplaced(file: str, reference: str, gap: str, body: str, resources: Collection[str]) -> str:
    """Why `body` may not stand in the gap of `reference`, the text of `file`; "" where it may.

    `resources` are the types of resources that it may declare where resources stand.
    """
    read = _READERS.get(PurePath(file).suffix)
    if read is None:
        return ""
    try:
        wanted = _outline(reference, gap, read)
        found = _outline(with_bodies(reference, {gap: body}), gap, read)
    except _Unreadable as error:
        return f"it can't be read in its place: {error}"
    if found.rest != wanted.rest:
        return "it changes what stands outside the gap"
    places = {each.below for each in wanted.added}
    for each in found.added:
        if each.kind and each.kind not in resources:
            return f"it adds {each.name}, a {each.kind}"
        if not each.kind and each.below not in places:
            return f"it adds {each.name}, which has its place elsewhere"
    return ""


def _outline(text: str, gap: str, read: Callable[[str, "_Outline"], None]) -> _Outline:
    region = regions(text)[gap]
    outline = _Outline(region.line, text.count("\n", 0, region.end) + 1)
    read(text, outline)
    return outline


# ---- CloudFormation -----------------------------------------------------------------------------------


def _read_yaml(text: str, outline: _Outline) -> None:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 2 - outline.first} of the gap: " if mark else ""
        raise _Unreadable(f"{where}{getattr(error, 'problem', None) or 'no YAML'}") from error
    outline.rest = _yaml(node, (), outline)


def _yaml(node: "Node | None", path: _Path, outline: _Outline) -> object:
    from yaml import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, MappingNode):
        return node.tag, tuple(_pairs(node, path, outline))
    if isinstance(node, SequenceNode):
        inside = [each for each in node.value if not outline.holds(each.start_mark.line + 1)]
        outline.added += [_Added(path, "an entry")] * (len(node.value) - len(inside))
        return node.tag, tuple(_yaml(each, (*path, place), outline) for place, each in enumerate(inside))
    return (node.tag, node.value) if isinstance(node, ScalarNode) else None


def _pairs(node: Any, path: _Path, outline: _Outline) -> Iterator[object]:
    """The pairs outside the gap. A key of the gap that is there already, or merges others in, is a change of those."""
    kept = [pair for pair in node.value if not outline.holds(pair[0].start_mark.line + 1)]
    names = {str(key.value) for key, _ in kept}
    for key, value in node.value:
        name = str(key.value)
        if outline.holds(key.start_mark.line + 1):
            outline.added.append(_Added(path, name, _type_of(value) if path == ("Resources",) else ""))
            if name in names or key.tag.endswith(":merge"):
                yield "overridden", name
    for key, value in kept:
        yield str(key.value), _yaml(value, (*path, str(key.value)), outline)


def _type_of(resource: Any) -> str:
    pairs = resource.value if isinstance(resource.value, list) else []
    named = (v for pair in pairs if isinstance(pair, tuple) for k, v in [pair] if k.value == "Type")
    return str(getattr(next(named, None), "value", "")) or "resource without a type"


# ---- Terraform ----------------------------------------------------------------------------------------

#: blocks that make and change nothing by themselves
_HARMLESS = ("data", "locals")


def _read_hcl(text: str, outline: _Outline) -> None:
    try:
        outline.rest = _block(hcl.read(text), (), outline)
    except hcl.Unreadable as error:
        raise _Unreadable(f"line {error.line - outline.first} of the gap: {error}") from error


def _block(block: hcl.Block, path: _Path, outline: _Outline) -> object:
    where = (*path, block.kind, *block.labels)
    kept = {each.name for each in block.attributes if not outline.holds(each.line)}
    content: list[object] = []
    for attribute in block.attributes:
        if not outline.holds(attribute.line):
            content.append((attribute.name, _texts(attribute.tokens)))
            continue
        outline.added.append(_Added(where, attribute.name))
        content += [("overridden", attribute.name)] if attribute.name in kept else []
    for each in block.blocks:
        if outline.holds(each.line):
            outline.added += _declared(each, where, top=not path)
        else:
            content.append(_block(each, where, outline))
    return block.kind, block.labels, tuple(content)


def _declared(block: hcl.Block, where: _Path, *, top: bool) -> list[_Added]:
    if top and block.kind in _HARMLESS:
        return []
    name = " ".join((block.kind, *block.labels))
    kind = block.labels[0] if block.kind == "resource" and block.labels else f"block {block.kind}"
    return [_Added(where, name, kind if top else "")]


def _texts(tokens: Sequence[hcl.Token]) -> tuple[object, ...]:
    return tuple((each.kind, each.text, _texts(each.inner)) for each in tokens if each.kind != "newline")


# ---- Python -------------------------------------------------------------------------------------------


def _read_python(text: str, outline: _Outline) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
        outline.rest = _tree(tree, (), outline)
    except SyntaxError as error:
        line = (error.lineno or outline.first) - outline.first
        raise _Unreadable(f"line {line} of the gap: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _Unreadable("it is no Python") from error


def _tree(node: ast.AST, path: _Path, outline: _Outline) -> object:
    """A node, statements of the gap left out of its lists of statements."""
    return type(node).__name__, tuple(
        (name, _value(value, (*path, type(node).__name__, getattr(node, "name", "")), outline))
        for name, value in ast.iter_fields(node)
    )


def _value(value: object, path: _Path, outline: _Outline) -> object:
    if isinstance(value, ast.AST):
        return _tree(value, path, outline)
    if not isinstance(value, list):
        return value
    kept = []
    for each in value:
        if isinstance(each, ast.stmt) and outline.holds(each.lineno):
            outline.added.append(_Added(path, getattr(each, "name", "a statement")))
        else:
            kept.append(_value(each, path, outline))
    return tuple(kept)


# ---- The boot script ----------------------------------------------------------------------------------

_SHELL = re.compile(
    r"(?P<comment>(?:(?<=[\s;&|()])|^)\#[^\n]*)|(?P<escape>\\.)|(?P<single>'[^']*')|(?P<double>\"(?:[^\"\\]|\\.)*\")"
    r"|<<<|<<(?P<dash>-?)[ \t]*(?P<mark>'[^'\n]+'|\"[^\"\n]+\"|[^\s;&|<>()]+)|(?P<newline>\n)|(?P<open>['\"])|.",
    re.DOTALL | re.MULTILINE,
)


def _read_shell(text: str, outline: _Outline) -> None:
    """A script has no tree here: what counts is that its text in the gap ends with everything closed."""
    lines = text.split("\n")
    _close_shell("\n".join(lines[outline.first : outline.last - 1]) + "\n")


def _close_shell(body: str) -> None:
    """Raises _Unreadable where a quotation, a here-document or a line of `body` goes on behind it."""
    at, marks = 0, list[tuple[str, bool]]()
    if re.search(r"(?<!\\)(?:\\\\)*\\\n\Z", body):
        raise _Unreadable("its last line goes on behind the gap")
    while match := _SHELL.match(body, at):
        at = match.end()
        if match["open"]:
            raise _Unreadable(f"the quotation mark {match['open']} is never closed")
        if match["mark"]:
            marks.append((re.sub(r"[\\'\"]", "", match["mark"]), bool(match["dash"])))
        while match["newline"] and marks:
            at = _behind(body, at, *marks.pop(0))


def _behind(body: str, at: int, mark: str, tabs: bool) -> int:
    """Where the here-document that begins at `at` has ended."""
    for line in body[at:].splitlines(keepends=True):
        at += len(line)
        if (line.lstrip("\t") if tabs else line).rstrip("\n") == mark:
            return at
    raise _Unreadable(f"the here-document {mark} never ends")


_READERS: Mapping[str, Callable[[str, _Outline], None]] = {
    ".yaml": _read_yaml,
    ".tf": _read_hcl,
    ".py": _read_python,
    ".sh": _read_shell,
}
