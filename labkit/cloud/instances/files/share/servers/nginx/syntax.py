"""The text of a configuration: words, blocks, includes."""

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"\s+|#[^\n]*|(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|([{};])|((?:\\.|\$\{\w+\}|[^\s{};\"'#\\])+)"
)


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[1])


class Mistake(Exception):
    """What is wrong, in nginx's words; the text ends with file and line."""


@dataclass
class Directive:
    """One directive: its name and arguments, its block where it has one, and where it stands."""

    name: str
    words: list[str]
    where: str
    block: list["Directive"] | None = None


@dataclass
class _Reader:
    path: str
    text: str
    tokens: list[tuple[str, bool, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        line, at = 1, 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise Mistake(f"unexpected character in {self.path}:{line}")
            if match[1]:
                self.tokens.append((re.sub(r"\\(.)", _escaped, match[1][1:-1]), True, line))
            elif match[2] or match[3]:
                self.tokens.append((match[2] or match[3], False, line))
            line += match[0].count("\n")
            at = match.end()

    def block(self, *, top: bool) -> list[Directive]:
        """The directives up to the closing brace, or to the end of the file."""
        found: list[Directive] = []
        words: list[str] = []
        while self.tokens:
            text, quoted, line = self.tokens.pop(0)
            where = f"{self.path}:{line}"
            if quoted or text not in "{};":
                words.append(text)
            elif text == "}":
                if words or top:
                    raise Mistake(f'unexpected "}}" in {where}')
                return found
            elif not words:
                raise Mistake(f'unexpected "{text}" in {where}')
            else:
                block = self.block(top=False) if text == "{" else None
                found.append(Directive(words[0], words[1:], where, block))
                words = []
        if words or not top:
            raise Mistake(f'unexpected end of file, expecting ";" or "}}" in {self.path}')
        return found


def read(path: str) -> list[Directive]:
    """The directives of a file, those of included files in their place. Raises Mistake."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        raise Mistake(f'open() "{path}" failed ({error.errno}: {error.strerror})') from error
    return list(_included(_Reader(path, text).block(top=True)))


def _included(directives: list[Directive]) -> Iterator[Directive]:
    for each in directives:
        if each.name == "include":
            pattern = os.path.join("/etc/nginx", each.words[0])
            names = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
            for name in names:
                yield from read(name)
        else:
            if each.block is not None:
                each.block = list(_included(each.block))
            yield each
