"""AllowedPattern of parameters: Java's regular expressions, by an engine whose time is bounded.

What belongs here: which texts fit a pattern, and which patterns this cloud can't try. What does not: parameters.

RE2 takes time in proportion to the text, whatever the pattern is (docs/decisions/regular-expressions.md). What Java has
and RE2 has not, or takes for something else, is refused by name.
https://docs.oracle.com/javase/8/docs/api/java/util/regex/Pattern.html, https://github.com/google/re2/wiki/Syntax
"""

import re
from functools import lru_cache
from typing import Any

from labkit.aws.templates.errors import invalid, not_emulated

_MAX_MEMORY = 1 << 20
#: the pieces of a pattern that may mean something else to RE2; what stands between them does not matter
_PIECE = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\[pP]\{[^}]*\}|\\.|\(\?<?[=!]|\(\?>|\(\?P|\(\?[a-z]*[xduU]|\[\^?|\]|&&|[*+?}]\+",
    re.DOTALL,
)
_CATEGORY = re.compile(r"\\[pP]\{\^?[A-Z][a-z]?\}")
_OUTSIDE = {
    "(?=": "a lookahead", "(?!": "a lookahead", "(?<=": "a lookbehind", "(?<!": "a lookbehind",
    "(?>": "an atomic group", "*+": "a possessive quantifier", "++": "a possessive quantifier",
    "?+": "a possessive quantifier", "}+": "a possessive quantifier",
}  # fmt: skip
_ESCAPES = frozenset("hHRXvVGZNceCk123456789")


def check(pattern: str, whose: str, line: int | None) -> None:
    """Refuse a pattern that is none, or that this cloud can't try. Raises ApiError."""
    if foreign := _foreign(pattern):
        raise not_emulated(f"AllowedPattern of parameter {whose}: {foreign}", line)
    try:
        _compiled(pattern)
    except ValueError as error:
        raise invalid(f"Template format error: AllowedPattern of parameter {whose}: {error}", line) from error


def fits(pattern: str, text: str) -> bool:
    """Whether the whole of `text` fits a pattern that `check` lets pass."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """Raises ValueError in RE2's words."""
    import re2  # few templates have patterns

    options = re2.Options()
    options.max_mem, options.log_errors = _MAX_MEMORY, False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0]
        raise ValueError(words.decode() if isinstance(words, bytes) else str(words)) from error


def _foreign(pattern: str) -> str:
    """What RE2 has not, or reads otherwise, by name; "" where there is nothing of that kind."""
    inside = False
    for piece in _PIECE.findall(pattern):
        if piece.startswith("\\Q"):
            continue
        if piece.startswith(("\\p", "\\P")) and not _CATEGORY.fullmatch(piece):
            return f"the class {piece}"
        if piece.startswith("\\"):
            if piece[1] in _ESCAPES:
                return f"the escape {piece}"
        elif piece.startswith("["):
            if inside:
                return "a class inside a class"
            inside = True
        elif piece == "]":
            inside = False
        elif inside:
            if piece == "&&":
                return "an intersection of classes"
        elif piece in _OUTSIDE:
            return _OUTSIDE[piece]
        elif piece.startswith("(?"):
            return f"the group {piece}"
    return ""
