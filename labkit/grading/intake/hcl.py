"""The blocks and attributes of Terraform's language, read without running anything: for who looks over files.

What belongs here: HCL's tokens and the shape of its bodies (HCL: "Native Syntax Specification"). What does not: what
Terraform would do with them, values of expressions. What is not plain HCL is not read at all: to read something
otherwise than Terraform does would be a way around whoever looks.
"""

import bisect
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

#: templates in templates; files that people write have two or three
DEEPEST = 20
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_-]*"
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]|\r(?!\n)")
#: bytes that are no UTF-8, as whoever decoded them has replaced them: Terraform sees something else
_REPLACED = "\ufffd"
_SIMPLE = re.compile(
    rf"(?P<blank>[ \t\r]+|\#[^\n]*|//[^\n]*)|(?P<newline>\n)|(?P<name>{_IDENTIFIER})|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<heredoc><<-?(?P<mark>{_IDENTIFIER})\r?\n)|(?P<mark_of>.)",
    re.DOTALL,
)
_QUOTED_PIECE = re.compile(r'[^"\\$%\n]+|\\[^\n]|\$\$\{|%%\{|[$%]\{|["\n]|.', re.DOTALL)
_HEREDOC_PIECE = re.compile(r"[^$%\n]+|\$\$\{|%%\{|[$%]\{|\n|.", re.DOTALL)  # a backslash is one there
_VISIBLE = re.compile(r"[\x21-\x7e]")
_OPENING, _CLOSING = "([{", ")]}"


class Unreadable(Exception):
    """It is not plain HCL, whatever Terraform may make of it; `line` from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@dataclass(frozen=True)
class Token:
    """A name, number, string, newline or one character. `inner`: the tokens of a string's interpolations.

    It stands in the text from `start` to `end`, quotes included.
    """

    kind: str
    text: str
    line: int
    inner: tuple["Token", ...] = ()
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Attribute:
    """A name and the tokens of its expression; line ends mean nothing in it."""

    name: str
    line: int
    tokens: tuple[Token, ...]


@dataclass
class Block:
    """A block with its labels, bare or quoted; the whole file is one without a kind. `end` is behind its brace."""

    kind: str
    labels: tuple[str, ...]
    line: int
    end: int = 0
    attributes: list[Attribute] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)


def read(text: str) -> Block:
    """The file's blocks and attributes. Raises Unreadable."""
    text = text.removeprefix("\ufeff")
    if odd := _ODD.search(text):
        raise Unreadable(_Lexer(text).line_of(odd.start()), "it holds control characters")
    body, tokens = Block("", (), 1), list(_Lexer(text).tokens())
    if (end := _read_body(tokens, 0, body, 0)) <= len(tokens):
        raise Unreadable(tokens[end - 1].line, "a brace closes nothing")
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
                if end < 0:
                    raise Unreadable(self.line_of(start), "a comment does not end")
                self._at = end + 2
            elif character == '"':
                yield self._string(start, None)
            elif match["heredoc"]:
                yield self._string(start, match["mark"])
            elif character == "}" and inside and not open_braces:
                return
            elif not match["blank"]:
                if not match[0].isascii() or (character == "<" and self._text.startswith("<", self._at)):
                    raise Unreadable(self.line_of(start), f"there can be no {match[0]!r} here")
                open_braces += (character == "{") - (character == "}")
                kind = "mark" if character else str(match.lastgroup)
                yield Token(kind, match[0], self.line_of(start), start=start, end=self._at)

    def _string(self, start: int, heredoc: str | None) -> Token:
        """A quoted string, or a here-document up to the line that holds only its mark."""
        inner: list[Token] = []
        begun, at_line_start = self._at, heredoc is not None
        pattern = _HEREDOC_PIECE if heredoc else _QUOTED_PIECE
        while match := pattern.match(self._text, self._at):
            end, piece = self._at, match[0]
            if heredoc and at_line_start and self._is_end(heredoc):
                break
            self._at = match.end()
            at_line_start = piece == "\n"
            if piece in ("${", "%{"):
                inner += self._interpolation()
            elif heredoc is None and piece == '"':
                break
            elif (heredoc is None and piece == "\n") or _REPLACED in piece:
                raise Unreadable(self.line_of(end), "a text holds what can't be in one")
        else:
            raise Unreadable(self.line_of(start), "a text does not end")
        text = self._text[begun:end]
        return Token("string", text, self.line_of(start), tuple(inner), start, self._at)

    def _is_end(self, heredoc: str) -> bool:
        """Whether this line is the mark. HCL drops all of Unicode's blanks around it; here only plain ones may be."""
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line = self._text[self._at : end]
        if line.strip(" \t\r") != heredoc:
            if heredoc in line and not _VISIBLE.search(line.replace(heredoc, "", 1)):
                raise Unreadable(
                    self.line_of(self._at), "odd blanks stand beside the mark of a here-document"
                )
            return False
        self._at = end
        return True

    def _interpolation(self) -> list[Token]:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unreadable(self.line_of(self._at), "templates are nested too deep")
        found = _within_expression(self.tokens(inside=True))
        self._depth -= 1
        return found


def _read_body(tokens: Sequence[Token], at: int, body: Block, depth: int) -> int:
    """Fill `body` with the statements from `at` on; returns the place after its closing brace."""
    if depth > DEEPEST:
        raise Unreadable(tokens[at - 1].line, "blocks are nested too deep")
    while at < len(tokens) and not _is(tokens[at], "}"):
        token = tokens[at]
        at += 1
        if token.kind == "newline":
            continue
        labels = at
        while labels < len(tokens) and tokens[labels].kind in ("name", "string"):
            labels += 1
        following = tokens[labels] if labels < len(tokens) else token
        if token.kind == "name" and _is(following, "{"):
            if any("\\" in each.text or each.inner for each in tokens[at:labels]):
                raise Unreadable(token.line, "a label is a plain text")
            block = Block(token.text, tuple(each.text for each in tokens[at:labels]), token.line)
            body.blocks.append(block)
            at = _read_body(tokens, labels + 1, block, depth + 1)
            block.end = tokens[min(at, len(tokens)) - 1].end
        elif token.kind == "name" and _is(following, "=") and labels == at:
            end = _end_of_expression(tokens, at + 1)
            body.attributes.append(
                Attribute(token.text, token.line, tuple(_within_expression(tokens[at + 1 : end])))
            )
            at = end
        else:
            raise Unreadable(token.line, "this is neither a block nor an attribute")
    return at + 1


def _within_expression(tokens: Iterable[Token]) -> list[Token]:
    return [token for token in tokens if token.kind != "newline"]


def _is(token: Token, mark: str) -> bool:
    return token.kind == "mark" and token.text == mark


def _end_of_expression(tokens: Sequence[Token], at: int) -> int:
    """An expression goes to the end of its line, or of the line in which its last bracket closes. Raises Unreadable.

    Where brackets do not match, Terraform and we would go on reading at different places.
    """
    open_brackets: list[str] = []
    while at < len(tokens):
        token = tokens[at]
        if not open_brackets and (token.kind == "newline" or _is(token, "}")):
            break
        if token.kind == "mark" and token.text in _OPENING:
            open_brackets.append(_CLOSING[_OPENING.index(token.text)])
        elif token.kind == "mark" and token.text in _CLOSING and [token.text] != open_brackets[-1:]:
            raise Unreadable(token.line, f"a {token.text!r} closes nothing")
        elif token.kind == "mark" and token.text in _CLOSING:
            open_brackets.pop()
        at += 1
    if open_brackets:
        raise Unreadable(tokens[-1].line, f"{open_brackets[-1]!r} is missing")
    return at
