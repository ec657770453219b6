"""A template's text (JSON or YAML) as plain values, with the line on which each stands.

What belongs here: reading text and short forms (`!Ref`). What does not: what a template means.

moto's own reader keeps no lines, evaluates any YAML tag (Python objects included) and turns dates
and numbers with leading zeros into other values; so the text is read here, event by event, with a
limit on nesting.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from labkit.aws.templates.errors import invalid

Path = tuple[str | int, ...]

MAX_DEPTH = 100
_FULL_NAMES = {"Ref": "Ref", "Condition": "Condition"}
_SHORT_FORMS = frozenset(
    [
        "And",
        "Base64",
        "Cidr",
        "Condition",
        "Equals",
        "FindInMap",
        "ForEach",
        "GetAZs",
        "GetAtt",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "Ref",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
    ]
)
_LONGEST_NUMBER = 300
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Source:
    """The values of a template, and where in its text they stand."""

    text: str
    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int | None:
        """The line (from 1) of the value at `path`, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read(text: str) -> Source:
    """Read `text`, JSON when it begins with a brace and YAML otherwise.

    Raises ApiError(ValidationError) naming line and column where the text is not well-formed.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    """
    if not text.lstrip().startswith("{"):
        return _read_yaml(text)
    data = _read_json(text)
    # JSON has no tabs inside strings, so they may all become blanks, which YAML's reader wants
    return Source(text, data, _read_yaml(text.replace("\t", " ")).lines)


def _read_json(text: str) -> Any:
    try:
        data = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_number)
        json.dumps(data, ensure_ascii=False).encode()  # half a character, by an escape, is no text
        return data
    except json.JSONDecodeError as error:
        message = f"Template format error: JSON not well-formed. (line {error.lineno}, column {error.colno})"
        raise invalid(message) from error
    except UnicodeEncodeError as error:
        raise invalid("Template format error: JSON not well-formed. It holds half a character.") from error
    except RecursionError as error:
        raise invalid("Template format error: JSON is nested too deeply.") from error


def _is_tab(text: str, line: int, column: int) -> bool:
    return any(each[column : column + 1] == "\t" for each in text.splitlines()[line : line + 1])


def _read_yaml(text: str) -> Source:
    try:
        reader = _Reader(yaml.parse(text, Loader=_Loader))
        return Source(text, reader.document(), reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = f": {error.problem}" if error.problem else ""
        tab = ". It is a tab: YAML takes spaces only" if mark and _is_tab(text, mark.line, mark.column) else ""
        raise invalid(f"Template format error: YAML not well-formed.{where}{problem}{tab}") from error
    except yaml.YAMLError as error:
        raise invalid(f"Template format error: YAML not well-formed. {error}") from error


class _Reader:
    """Builds values from YAML's events, remembering the line of each."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.lines: dict[Path, int] = {}
        self._events = events

    def document(self) -> Any:
        for event in self._events:
            if not isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
                break
        return None if isinstance(event, yaml.StreamEndEvent) else self._value(event, ())

    def _value(self, event: Any, path: Path) -> Any:
        line = event.start_mark.line + 1
        self.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            message = "Template format error: YAML aliases are not allowed in CloudFormation templates"
            raise invalid(message, line)
        if len(path) > MAX_DEPTH:
            raise invalid("Template format error: YAML is nested too deeply.", line)
        function = _function(event, line)
        if function is None:
            return self._plain(event, path)
        value = self._plain(event, (*path, function), plain_text=True)
        if function == "Fn::GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {function: value}

    def _plain(self, event: Any, path: Path, plain_text: bool = False) -> Any:
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        return event.value if plain_text or event.style else _scalar(event.value)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise invalid("Template format error: YAML not well-formed. A key must be text", line)
            if event.value in items:
                raise invalid(f"Template format error: duplicate key {event.value}", line)
            self.lines[(*path, event.value)] = line
            items[event.value] = self._value(next(self._events), (*path, event.value))
        return items


def _function(event: Any, line: int) -> str | None:
    tag = getattr(event, "tag", None)
    if not tag or tag == "!" or tag.startswith("tag:yaml.org,2002:"):
        return None
    short = tag.removeprefix("!")
    if short not in _SHORT_FORMS:
        raise invalid(f"Template format error: YAML tag {tag} is not a CloudFormation function", line)
    return _FULL_NAMES.get(short, f"Fn::{short}")


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text) else text


def _number(text: str) -> Any:
    """The number; one that is too long or too large for any stays text."""
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    return number if math.isfinite(number := float(text)) else text


def _no_number(word: str) -> Any:
    raise invalid(f"Template format error: JSON not well-formed. {word} is not JSON.")
