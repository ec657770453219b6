"""The blocks and attributes of Terraform's language, read without running anything: for who looks over files.

What belongs here: HCL's tokens and the shape of its bodies (HCL: "Native Syntax Specification"). What does not: what
Terraform would do with them, values of expressions. A broken file is read as far as it goes: Terraform refuses it.
"""

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

#: templates in templates; files that people write have two or three
DEEPEST = 20
_IDENTIFIER = r"[^\W\d][\w-]*"
_SIMPLE = re.compile(
    rf"(?P<blank>[ \t\r\ufeff]+|\#[^\n]*|//[^\n]*)|(?P<newline>\n)|(?P<name>{_IDENTIFIER})|(?P<number>\d[\w.]*)"
    rf"|(?P<heredoc><<-?(?P<mark>{_IDENTIFIER})\r?\n)|(?P<mark_of>.)",
    re.DOTALL,
)
_QUOTED_PIECE = re.compile(r'[^"\\$%\n]+|\\.|\$\$\{|%%\{|[$%]\{|["\n]|.', re.DOTALL)
_HEREDOC_PIECE = re.compile(r"[^$%\n]+|\$\$\{|%%\{|[$%]\{|\n|.", re.DOTALL)  # a backslash is one there
_OPENING, _CLOSING = "([{", ")]}"


class Unreadable(Exception):
    """Nobody writes such a thing by accident; `line` from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@dataclass(frozen=True)
class Token:
    """A name, number, string, newline or one character. `inner`: the tokens of a string's interpolations."""

    kind: str
    text: str
    line: int
    inner: tuple["Token", ...] = ()


@dataclass(frozen=True)
class Attribute:
    """A name and the tokens of its expression."""

    name: str
    line: int
    tokens: tuple[Token, ...]


@dataclass
class Block:
    """A block with its labels, bare or quoted; the whole file is one without a kind."""

    kind: str
    labels: tuple[str, ...]
    line: int
    attributes: list[Attribute] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)

    def everything(self) -> Iterator["Block"]:
        """This block and all blocks in it."""
        yield self
        for block in self.blocks:
            yield from block.everything()


def read(text: str) -> Block:
    """The file's blocks and attributes. Raises Unreadable for what is nested without end."""
    body = Block("", (), 1)
    _read_body(list(_Lexer(text).tokens()), 0, body, 0)
    return body


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        lengths = (len(line) + 1 for line in text.split("\n"))
        self._ends = list(itertools.accumulate(lengths))

    def line_of(self, position: int) -> int:
        return bisect.bisect_right(self._ends, position) + 1

    def tokens(self, *, inside: bool = False) -> Iterator[Token]:
        """To the end of the text, or to the brace that closes an interpolation."""
        open_braces = 0
        while match := _SIMPLE.match(self._text, self._at):
            start, character = self._at, match["mark_of"] or ""
            self._at = match.end()
            if character == "/" and self._text.startswith("*", self._at):
                end = self._text.find("*/", self._at + 1)
                self._at = len(self._text) if end < 0 else end + 2
            elif character == '"':
                yield self._string(start, None)
            elif match["heredoc"]:
                yield self._string(start, match["mark"])
            elif character == "}" and inside and not open_braces:
                return
            elif not match["blank"]:
                open_braces += (character == "{") - (character == "}")
                kind = "mark" if character else str(match.lastgroup)
                yield Token(kind, match[0], self.line_of(start))

    def _string(self, start: int, heredoc: str | None) -> Token:
        """A quoted string, or a here-document up to the line that holds only its mark."""
        inner: list[Token] = []
        begun, at_line_start = self._at, heredoc is not None
        pattern, end = _HEREDOC_PIECE if heredoc else _QUOTED_PIECE, self._at
        while match := pattern.match(self._text, self._at):
            if heredoc and at_line_start and self._is_end(heredoc):
                break
            end, piece = self._at, match[0]
            self._at = match.end()
            at_line_start = piece == "\n"
            if piece in ("${", "%{"):
                inner += self._interpolation()
            elif heredoc is None and piece in ('"', "\n"):
                break
            end = self._at
        return Token("string", self._text[begun:end], self.line_of(start), tuple(inner))

    def _is_end(self, heredoc: str) -> bool:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        if self._text[self._at : end].strip() != heredoc:
            return False
        self._at = end
        return True

    def _interpolation(self) -> list[Token]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unreadable(self.line_of(self._at), "templates are nested too deep")
        found = list(self.tokens(inside=True))
        self._depth -= 1
        return found


def _read_body(tokens: Sequence[Token], at: int, body: Block, depth: int) -> int:
    """Fill `body` with the statements from `at` on; returns the place after its closing brace."""
    if depth > DEEPEST:
        raise Unreadable(tokens[at - 1].line, "blocks are nested too deep")
    while at < len(tokens) and tokens[at].text != "}":
        token = tokens[at]
        at += 1
        if token.kind not in ("name", "string"):
            continue
        labels = at
        while labels < len(tokens) and tokens[labels].kind in ("name", "string"):
            labels += 1
        following = tokens[labels].text if labels < len(tokens) else ""
        if following == "{" and tokens[labels].kind == "mark":
            block = Block(token.text, tuple(each.text for each in tokens[at:labels]), token.line)
            body.blocks.append(block)
            at = _read_body(tokens, labels + 1, block, depth + 1)
        elif following == "=" and labels == at:
            end = _end_of_expression(tokens, at + 1)
            body.attributes.append(Attribute(token.text, token.line, tuple(tokens[at + 1 : end])))
            at = end
    return at + 1


def _end_of_expression(tokens: Sequence[Token], at: int) -> int:
    """An expression goes to the end of its line, or of the line in which its last bracket closes."""
    brackets = 0
    while at < len(tokens):
        token = tokens[at]
        is_mark = token.kind == "mark"
        if brackets == 0 and (token.kind == "newline" or (is_mark and token.text == "}")):
            break
        brackets += is_mark and token.text in _OPENING
        brackets -= is_mark and token.text in _CLOSING
        at += 1
    return at
