"""The values that conditions of filter patterns compare with: numbers, texts with wildcards, regular expressions.

What belongs here: reading them and comparing. What does not: what is compared (conditions).
"""

import re
from dataclasses import dataclass
from typing import Any

#: a value of an event: JSON's, or a field's text
Found = Any
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"&|(){}\[\],]+)')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?").fullmatch
#: what a regular expression may hold ("Supported regular expression syntax"): no groups, no alternatives in them
_REGEX = re.compile(
    r"(?:[A-Za-z0-9:_#=@/;,\- ^$?\[\]{}|*+.]|\\[dDsSwW^$?\[\]{}|\\*+.\-/]|\\x[0-9A-Fa-f]{2})+"
).fullmatch


class InvalidPattern(Exception):
    """What is wrong with a filter pattern."""


@dataclass(frozen=True)
class Regex:
    """A regular expression of the restricted kind, by an engine whose time is bounded."""

    compiled: Any

    def among(self, text: str) -> bool:
        """Whether some part of `text` fits."""
        return self.compiled.search(text) is not None


def read_regex(text: str) -> Regex:
    """Raises InvalidPattern for what CloudWatch Logs does not take."""
    import re2  # few patterns have expressions

    if not _REGEX(text):
        raise InvalidPattern(f"Invalid regular expression: %{text}%")
    options = re2.Options()
    options.max_mem, options.log_errors = 1 << 20, False
    try:
        return Regex(re2.compile(text, options))
    except re2.error:
        raise InvalidPattern(f"Invalid regular expression: %{text}%") from None


@dataclass(frozen=True)
class Value:
    """One of the three: a number, a text (`*` stands for anything in it), a regular expression."""

    text: str
    number: float | None = None
    regex: Regex | None = None

    def equals(self, found: Found) -> bool:
        """Whether a value of an event is this one."""
        if found is None or isinstance(found, dict | list):
            return False
        text = str(found).lower() if isinstance(found, bool) else str(found)
        if self.regex is not None:
            return self.regex.among(text)
        if self.number is not None:
            other = _as_number(found)
            return other is not None and other == self.number
        return _wildcard(self.text, text)


def read_value(text: str, at: int) -> tuple[Value, int]:
    """The value that begins at `at`, and the position after it. Raises InvalidPattern."""
    found = _VALUE.match(text, at)
    if found is None:
        raise InvalidPattern("After an operator a value is missing.")
    quoted, regex, plain = found.groups()
    if regex is not None:
        return Value("", regex=read_regex(regex)), found.end()
    if quoted is not None:
        return Value(re.sub(r"\\(.)", r"\1", quoted)), found.end()
    return Value(plain, float(plain) if _NUMBER(plain) else None), found.end()


@dataclass(frozen=True)
class Comparison:
    """An operator and the value at its right."""

    operator: str
    value: Value

    def holds(self, found: Found) -> bool:
        """Whether the comparison holds for a value of an event."""
        if self.operator in ("=", "!="):
            return self.value.equals(found) == (self.operator == "=")
        one, other = _as_number(found), self.value.number
        if one is None or other is None:
            return False
        return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[self.operator]


def _as_number(found: Found) -> float | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, int | float):
        return float(found)
    return float(found) if isinstance(found, str) and _NUMBER(found) else None


def _wildcard(pattern: str, text: str) -> bool:
    """Whether `text` is the pattern; each `*` stands for any letters. In time that grows with both, and no more."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first) or len(text) < len(first) + len(rest[-1]) or not text.endswith(rest[-1]):
        return False
    at, end = len(first), len(text) - len(rest[-1])
    for part in rest[:-1]:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
