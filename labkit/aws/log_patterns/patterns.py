"""A filter pattern, read once: terms, JSON selectors or fields between blanks.

What belongs here: which of the three a pattern is, and terms. What does not: conditions and what they compare (conditions).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from labkit.aws.log_patterns import conditions
from labkit.aws.log_patterns.conditions import Condition, InvalidPattern
from labkit.aws.log_patterns.values import Found, Regex, read_regex

#: CloudWatch Logs quotas: letters of a pattern, regular expressions in one
LONGEST, MOST_REGEXES = 1024, 2
_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|([^\s"]+))(?=\s|\Z)')
_PLAIN = re.compile(r"[A-Za-z0-9_]+").fullmatch
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')


@dataclass(frozen=True)
class Pattern:
    """`find` answers what an event holds by the pattern's own names ({} where it has none), None where it does not fit."""

    find: Callable[[str], Mapping[str, str] | None]

    def matches(self, message: str) -> bool:
        """Whether the pattern means the event."""
        return self.find(message) is not None


@lru_cache(maxsize=256)
def read_pattern(text: str) -> Pattern:
    """The pattern in `text`. Raises InvalidPattern in words for people."""
    if len(text) > LONGEST:
        raise InvalidPattern(f"A filter pattern has at most {LONGEST} letters.")
    bare = text.strip()
    if bare.startswith("{"):
        pattern, regexes = _json(bare)
    elif bare.startswith("["):
        pattern, regexes = _delimited(bare)
    else:
        pattern, regexes = _terms(bare)
    if regexes > MOST_REGEXES:
        raise InvalidPattern(f"A filter pattern has at most {MOST_REGEXES} regular expressions.")
    return pattern


# -- terms -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Term:
    sign: str
    text: str
    regex: Regex | None

    def among(self, message: str) -> bool:
        return self.regex.among(message) if self.regex else self.text in message


def _terms(text: str) -> tuple[Pattern, int]:
    terms, at = [], 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise InvalidPattern("Invalid character(s) in term '" + text[at:].strip()[:40] + "'")
        terms.append(_term(*found.groups()))
        at = found.end()
    must = [term for term in terms if term.sign == ""]
    never = [term for term in terms if term.sign == "-"]
    # one of several, but only where nothing else is asked ("If you combine … all ? terms get ignored")
    some = [term for term in terms if term.sign == "?"] if not (must or never) else []

    def find(message: str) -> Mapping[str, str] | None:
        fits = all(each.among(message) for each in must) and not any(each.among(message) for each in never)
        return {} if fits and (not some or any(each.among(message) for each in some)) else None

    return Pattern(find), sum(term.regex is not None for term in terms)


def _term(sign: str, quoted: str | None, regex: str | None, plain: str | None) -> _Term:
    if regex is not None:
        return _Term(sign, "", read_regex(regex))
    if quoted is not None:
        return _Term(sign, re.sub(r"\\(.)", r"\1", quoted), None)
    if not _PLAIN(plain or ""):
        raise InvalidPattern(f"Invalid character(s) in term '{plain}'")
    return _Term(sign, plain or "", None)


# -- JSON ------------------------------------------------------------------------------------------------


def _json(text: str) -> tuple[Pattern, int]:
    if not text.endswith("}"):
        raise InvalidPattern("The pattern begins with { and does not end with }.")
    condition, regexes = conditions.read(text[1:-1], conditions.read_selector)

    def find(message: str) -> Mapping[str, str] | None:
        try:
            event = json.loads(message)
        except ValueError:
            return None
        fits = isinstance(event, dict | list) and condition.holds(event)
        return (
            {name: _said(values[0]) for name, values in condition.values(event).items() if values}
            if fits
            else None
        )

    return Pattern(find), regexes


def _said(value: Found) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# -- fields between blanks -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    name: str
    condition: Condition | None


def _delimited(text: str) -> tuple[Pattern, int]:
    if not text.endswith("]"):
        raise InvalidPattern("The pattern begins with [ and does not end with ].")
    columns, regexes = [], 0
    for number, each in enumerate(_parted(text[1:-1]), 1):
        column, used = _column(each.strip(), number)
        columns.append(column)
        regexes += used
    if sum(column.name == "..." for column in columns) > 1:
        raise InvalidPattern("An ellipsis may stand once in a pattern.")
    return Pattern(lambda message: _find_columns(columns, message)), regexes


def _parted(text: str) -> list[str]:
    """The columns, at commas outside quotes, regular expressions and parentheses."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        quote = "" if letter == quote else quote or (letter if letter in '"%' else "")
        depth += (letter == "(") - (letter == ")") if not quote else 0
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _column(text: str, number: int) -> tuple[_Column, int]:
    if text == "...":
        return _Column("...", None), 0
    if text == "" or conditions.NAME.fullmatch(text):
        return _Column(text or str(number), None), 0
    name = conditions.NAME.match(text.lstrip("( "))
    if name is None:
        raise InvalidPattern(f"'{text}' is no field.")
    condition, regexes = conditions.read(text, lambda words, at: conditions.read_field(words, at, name[0]))
    return _Column(name[0], condition), regexes


def _find_columns(columns: Sequence[_Column], message: str) -> Mapping[str, str] | None:
    fields = [
        next((part for part in found if part is not None), "")
        for found in (m.groups() for m in _FIELD.finditer(message))
    ]
    pairs = _paired(columns, fields)
    if pairs is None or not all(
        column.condition is None or column.condition.holds(value) for column, value in pairs
    ):
        return None
    return {f"${column.name}": value for column, value in pairs}


def _paired(columns: Sequence[_Column], fields: Sequence[str]) -> list[tuple[_Column, str]] | None:
    """Each column with its field; None where there are not as many. An ellipsis stands for any number."""
    gap = next((at for at, column in enumerate(columns) if column.name == "..."), None)
    if gap is None:
        return list(zip(columns, fields, strict=True)) if len(columns) == len(fields) else None
    after = len(columns) - gap - 1
    if len(fields) < gap + after:
        return None
    last = list(zip(columns[gap + 1 :], fields[len(fields) - after :], strict=True)) if after else []
    return [*zip(columns[:gap], fields[:gap], strict=True), *last]
