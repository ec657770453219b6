"""The text of httpd's configuration: directives, sections, included files."""

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

ROOT = "/etc/httpd"
_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|\'([^\']*)\'|(\S+)')
#: what is loaded, as far as <IfModule> asks
_MODULES = (
    "alias",
    "authz_core",
    "autoindex",
    "dir",
    "headers",
    "log_config",
    "mime",
    "proxy",
    "proxy_http",
    "unixd",
)


class Mistake(Exception):
    """What is wrong, in httpd's words; the text begins with file and line."""


@dataclass
class Directive:
    """One directive, or one section with what stands in it (`block`), and where it stands."""

    name: str
    words: list[str]
    line: int
    path: str
    block: "list[Directive] | None" = None

    def mistake(self, what: str) -> Mistake:
        """A mistake at this place."""
        return Mistake(f"AH00526: Syntax error on line {self.line} of {self.path}:\n{what}")


def read(path: str) -> list[Directive]:
    """The directives of a file, those of included files and of sections that hold in their place. Raises Mistake."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = _lines(file.read())
    except OSError as error:
        raise Mistake(f"httpd: Could not open configuration file {path}: {error.strerror}") from error
    found, rest = _block(list(lines), path, "")
    assert not rest
    return list(_opened(found))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, with those that a backslash continues put together."""
    held, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        began = began or number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        whole, held = (held + line).strip(), ""
        if whole and not whole.startswith("#"):
            yield began, whole
        began = 0


def _block(
    lines: list[tuple[int, str]], path: str, section: str
) -> tuple[list[Directive], list[tuple[int, str]]]:
    found: list[Directive] = []
    while lines:
        (number, text), lines = lines[0], lines[1:]
        if text.startswith("</"):
            if text[2:].rstrip("> ").lower() != section.lower():
                raise Directive(text, [], number, path).mistake(
                    f"{text} without matching <{text[2:-1]}> section"
                )
            return found, lines
        opens = text.startswith("<")
        name, *words = [match[1] or match[2] or match[3] or "" for match in _WORD.finditer(text.strip("<>"))]
        each = Directive(name, words, number, path)
        if opens:
            each.block, lines = _block(lines, path, name)
        found.append(each)
    if section:
        raise Mistake(f"AH00526: Syntax error in {path}:\n<{section}> was not closed.")
    return found, lines


def _opened(directives: list[Directive]) -> Iterator[Directive]:
    """The same with includes read, and with the contents of <IfModule> where it holds."""
    for each in directives:
        name = each.name.lower()
        if name in ("include", "includeoptional"):
            for path in sorted(glob.glob(os.path.join(ROOT, each.words[0]))):
                yield from read(path)
        elif name in ("ifmodule", "ifdefine", "ifversion"):
            yield from _opened(each.block or []) if _holds(each) else ()
        else:
            if each.block is not None:
                each.block = list(_opened(each.block))
            yield each


def _holds(each: Directive) -> bool:
    asked = each.words[0] if each.words else ""
    name = asked.lstrip("!").removeprefix("mod_").removesuffix(".c").removesuffix("_module")
    return (name in _MODULES and each.name.lower() == "ifmodule") != asked.startswith("!")
