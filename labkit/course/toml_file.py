"""The one reader of the kit's TOML files: tables whose every refusal names file, line and key.

What belongs here: reading a file, taking values of a kind, the line of a key. What does not: which keys there are
(manifest, rubric, course_file, answers) and what they mean.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.errors import ManifestError

_KINDS = {str: "text", int: "a whole number", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class TomlFile:
    """A file's name, its text, and what to do when it is wrong."""

    name: str
    source: str
    hint: str

    def wrong(self, what: str) -> ManifestError:
        """The refusal of the file: `what` is the wrong with it, without a full stop."""
        return ManifestError(f"{self.name} {what}.", hint=self.hint)


@dataclass(frozen=True)
class Table:
    """One table of a file, and where it stands.

    `name` is "" for the file itself; `index` counts the tables of one [[name]] from 0 and is None for a [name].
    """

    file: TomlFile
    data: Mapping[str, Any]
    name: str = ""
    index: int | None = None

    def text(self, key: str) -> str:
        """A text that is not empty. Like all of these, raises ManifestError for another value, or for none."""
        value = self._get(key, str)
        if not value.strip():
            raise self.wrong(key, "is empty")
        return str(value)

    def optional_text(self, key: str) -> str:
        """A text, "" where there is none."""
        return str(self._get(key, str)) if key in self.data else ""

    def number(self, key: str, *, default: int | None = None, least: int = 0) -> int:
        """A whole number of `least` or more."""
        if key not in self.data and default is not None:
            return default
        value = self._get(key, int)
        if isinstance(value, bool) or value < least:
            raise self.wrong(key, f"must be a whole number, {least} or more")
        return int(value)

    def flag(self, key: str) -> bool:
        """True or false; false where it is not said."""
        if not isinstance(self.data.get(key, False), bool):
            raise self.wrong(key, "must be true or false")
        return bool(self.data.get(key, False))

    def texts(self, key: str, *, optional: bool = False) -> tuple[str, ...]:
        """A list of texts, not empty; () where there is none and it is optional."""
        if optional and key not in self.data:
            return ()
        values = self._get(key, list)
        if not values or not all(isinstance(value, str) for value in values):
            raise self.wrong(key, "must be a list of texts, not empty")
        return tuple(values)

    def mapping(self, key: str, *, optional: bool = False) -> Mapping[str, str]:
        """Texts by names, not empty; {} where there are none and it is optional."""
        if optional and key not in self.data:
            return {}
        values = self._get(key, dict)
        if not values or not all(isinstance(value, str) for value in values.values()):
            raise self.wrong(key, "must map texts to texts, and not be empty")
        return dict(values)

    def tables(self, key: str, *, optional: bool = False) -> "list[Table]":
        """The tables begun by [[key]], in order; none where there are none and they are optional."""
        if optional and key not in self.data:
            return []
        values = self._get(key, list)
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, f"must be tables, each begun by [[{key}]]")
        return [Table(self.file, value, key, index) for index, value in enumerate(values)]

    def table(self, key: str) -> "Table":
        """The table [key]; an empty one where there is none."""
        return Table(self.file, self._get(key, dict) if key in self.data else {}, key)

    def refuse_others(self, known: Sequence[str]) -> None:
        """Raise ManifestError for a key that is none of these."""
        for key in self.data:
            if key not in known:
                raise self.wrong(key, f"is not known; there are {', '.join(sorted(known))}")

    def _get(self, key: str, kind: type) -> Any:
        if key not in self.data:
            raise self.wrong(key, "is missing")
        if not isinstance(self.data[key], kind):
            raise self.wrong(key, f"must be {_KINDS[kind]}")
        return self.data[key]

    def wrong(self, key: str, what: str) -> ManifestError:
        """The refusal of a key's value, of its absence, or (key "") of the table."""
        if self.index is not None:
            where = f"[[{self.name}]] number {self.index + 1}, key {key!r}"
        else:
            where = f"[{self.name}] {key}".rstrip() if self.name else f"key {key!r}"
        return self.file.wrong(f"line {self.line(key)}: {where} {what}")

    def line(self, key: str) -> int:
        """The line of `key` in this table, or of the table's head where the key is missing; from 1."""
        lines = self.file.source.splitlines()
        head = f"[{self.name}]" if self.index is None else f"[[{self.name}]]"
        heads = [number for number, line in enumerate(lines) if line.partition("#")[0].strip() == head]
        start = heads[min(self.index or 0, len(heads) - 1)] if self.name and heads else 0
        for number in range(start + bool(self.name), len(lines) if key else 0):
            if self.name and lines[number].startswith("["):
                break
            if re.match(rf'\s*"?{re.escape(key)}"?\s*=|\[+{re.escape(key)}\]+', lines[number]):
                return number + 1
        return start + 1


def read(path: Path, hint: str) -> Table:
    """The file `path`; `hint` is the next thing to do when it is wrong.

    Raises ManifestError where it can't be read, or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ManifestError(f"{path} can't be read: {reason}.", hint=hint) from error
    return parse(text, path.name, hint)


def parse(text: str, name: str, hint: str) -> Table:
    """The tables in `text`, which stands in the file `name`. Raises ManifestError where it is no TOML."""
    file = TomlFile(name, text, hint)
    try:
        return Table(file, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise file.wrong(f"is no valid TOML: {error}") from error
