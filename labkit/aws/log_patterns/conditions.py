"""Conditions of filter patterns: comparisons joined by && and ||, read into a tree.

What belongs here: the grammar, selectors of JSON, which values a condition looks at. What does not: comparing (values).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.aws.log_patterns.values import Comparison, Found, InvalidPattern, read_value

__all__ = ["NAME", "Condition", "InvalidPattern", "read", "read_field", "read_selector"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d+")
#: parentheses in parentheses
_DEEPEST = 32
_BLANK = re.compile(r"\s*")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+|\*)|\.?\[\s*(\d+|\*)\s*\]|\.?\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]")
_OPERATOR = re.compile(r"\s*(!=|<=|>=|=|<|>|IS\s+NULL\b|IS\s+TRUE\b|IS\s+FALSE\b|NOT\s+EXISTS\b|EXISTS\b)")

#: finds the values that one comparison looks at, in an event or a field
Look = Callable[[Any], Sequence[Found]]
#: reads what a comparison looks at: (text, position) → its name, how to find it, the position after it
Reader = Callable[[str, int], tuple[str, Look, int]]


@dataclass(frozen=True)
class Condition:
    """Comparisons, joined. `holds` decides for an event; `values` are what its selectors find, by name."""

    holds: Callable[[Any], bool]
    looks: Mapping[str, Look]

    def values(self, event: Any) -> Mapping[str, Sequence[Found]]:
        """What each selector finds."""
        return {name: look(event) for name, look in self.looks.items()}


def read(text: str, reader: Reader) -> tuple[Condition, int]:
    """The whole of `text` as one condition, and how many regular expressions it has. Raises InvalidPattern."""
    parser = _Parser(text, reader)
    found = parser.any_of(0)
    if parser.rest():
        raise InvalidPattern(f"'{parser.rest()[:40]}' was not expected.")
    return found, parser.regexes


class _Parser:
    def __init__(self, text: str, reader: Reader) -> None:
        self._text, self._reader, self._at, self.regexes = text, reader, 0, 0

    def rest(self) -> str:
        return self._text[self._at :].strip()

    def any_of(self, depth: int) -> Condition:
        found = [self._all_of(depth)]
        while self._takes("||"):
            found.append(self._all_of(depth))
        return (
            found[0]
            if len(found) == 1
            else Condition(lambda e: any(c.holds(e) for c in found), _looks(found))
        )

    def _all_of(self, depth: int) -> Condition:
        found = [self._one(depth)]
        while self._takes("&&"):
            found.append(self._one(depth))
        return (
            found[0]
            if len(found) == 1
            else Condition(lambda e: all(c.holds(e) for c in found), _looks(found))
        )

    def _one(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise InvalidPattern("The pattern is nested too deeply.")
        if self._takes("("):
            found = self.any_of(depth + 1)
            if not self._takes(")"):
                raise InvalidPattern("A parenthesis is not closed.")
            return found
        return self._comparison()

    def _comparison(self) -> Condition:
        name, look, self._at = self._reader(self._text, self._skipped())
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            raise InvalidPattern(f"After {name} an operator is missing.")
        self._at = operator.end()
        words = " ".join(operator[1].split())
        if words[0].isalpha():
            return Condition(lambda event: _state_holds(words, look(event)), {name: look})
        value, self._at = read_value(self._text, self._skipped())
        self.regexes += value.regex is not None
        comparison = Comparison(words, value)
        return Condition(lambda event: any(map(comparison.holds, look(event))), {name: look})

    def _skipped(self) -> int:
        found = _BLANK.match(self._text, self._at)
        return found.end() if found else self._at

    def _takes(self, sign: str) -> bool:
        at = self._skipped()
        if not self._text.startswith(sign, at):
            return False
        self._at = at + len(sign)
        return True


def _looks(found: Sequence[Condition]) -> Mapping[str, Look]:
    return {name: look for condition in found for name, look in condition.looks.items()}


def _state_holds(words: str, found: Sequence[Found]) -> bool:
    if words == "NOT EXISTS":
        return not found
    wanted: Mapping[str, object] = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False}
    return bool(found) if words == "EXISTS" else any(value is wanted[words] for value in found)


def read_selector(text: str, at: int) -> tuple[str, Look, int]:
    """$.a.b[0].* and the like. Raises InvalidPattern."""
    if not text.startswith("$", at):
        raise InvalidPattern(f"'{text[at : at + 20]}' is no selector: it begins with $.")
    steps: list[str | int] = []
    end = at + 1
    while step := _STEP.match(text, end):
        name, index, single, double = step.groups()
        steps.append(int(index) if index and index != "*" else name or index or single or double or "")
        end = step.end()
    if not steps:
        raise InvalidPattern("A selector names a property:  $.name")
    return text[at:end], lambda event: tuple(_reach(event, steps)), end


def _reach(value: Any, steps: Sequence[str | int]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    first, rest = steps[0], steps[1:]
    if first == "*":
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for each in below:
            yield from _reach(each, rest)
    elif isinstance(first, int):
        if isinstance(value, list) and first < len(value):
            yield from _reach(value[first], rest)
    elif isinstance(value, dict) and first in value:
        yield from _reach(value[first], rest)


def read_field(text: str, at: int, name: str) -> tuple[str, Look, int]:
    """The column's own name, which every comparison of it repeats. Raises InvalidPattern."""
    found = NAME.match(text, at)
    if found is None or found[0] != name:
        raise InvalidPattern(f"A condition of the field {name} speaks of {name}.")
    return f"${name}", lambda field: (field,), found.end()
