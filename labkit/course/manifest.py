"""The kit's manifest, lab.toml, as frozen records: files, steps, gaps, sample images.

What belongs here: reading the file and refusing what is wrong in it. What does not: what a step does.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.base.errors import ManifestError

NAME = "lab.toml"
ENGINES = ("terraform", "cloudformation")


@dataclass(frozen=True)
class Step:
    """One numbered step. `needs` are the numbers of the steps that come before it; `optional`: may be left out."""

    number: str
    name: str
    title: str
    goal: str
    minutes: int
    needs: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Gap:
    """What the student writes: its place in each engine, where it fails first, what must hold.

    `step` is the number of the step in which it fails first; `hop` the hop of step 04, 0 for none. `resources` are
    the types of resources that its text may declare.
    """

    name: str
    title: str
    order: int
    step: str
    hop: int
    concept: str
    level: str
    minutes: int
    files: Mapping[str, str]
    fails: str
    holds: tuple[str, ...]
    cards: tuple[str, ...] = ()
    tries: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()

    @property
    def block(self) -> str:
        """The gap's name as a Jinja block: no hyphens."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Manifest:
    """All of lab.toml. `files` maps a template's path to the name of the student's file.

    `texts` are the files with the lesson's texts, by what they hold: glossary, hints, cards.
    """

    root: Path
    title: str
    region: str
    salt: str
    files: Mapping[str, str]
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]
    images: tuple[Path, ...]
    texts: Mapping[str, Path] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """The step of this name; raises KeyError for another."""
        return {step.name: step for step in self.steps}[name]

    def gap(self, name: str) -> Gap:
        """The gap of this name; raises KeyError for another."""
        return {gap.name: gap for gap in self.gaps}[name]


def load(root: Path) -> Manifest:
    """Read `root`/lab.toml.

    Raises ManifestError naming the line and the key that are wrong.
    """
    return parse(_text(root / NAME), root)


def parse(text: str, root: Path) -> Manifest:
    """The manifest in `text`; paths of images are taken from `root`. Raises ManifestError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _broken(f"is no valid TOML: {error}") from error
    top = _Table(text, "", 0, data)
    files = top.mapping("files")
    steps = tuple(_step(table) for table in top.tables("step"))
    gaps = tuple(_gap(table, order, set(files.values())) for order, table in enumerate(top.tables("gap"), 1))
    _unique(text, "step", [step.number for step in steps], "number")
    _unique(text, "step", [step.name for step in steps], "name")
    _unique(text, "gap", [gap.name for gap in gaps], "name")
    return Manifest(
        root=root, title=top.text("title"), region=top.text("region"), salt=top.text("salt"),
        files=files, steps=steps, gaps=gaps, images=tuple(root / image for image in top.texts("images")),
        texts={name: root / path for name, path in top.mapping("texts", optional=True).items()},
    )  # fmt: skip


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ManifestError(f"{path} can't be read: {reason}.", hint=_FRESH) from error


_FRESH = f"Restore {NAME}: it belongs to the kit, get a fresh copy."


def _broken(what: str) -> ManifestError:
    return ManifestError(f"{NAME} {what}.", hint=_FRESH)


@dataclass(frozen=True)
class _Table:
    """One table of the file, and where it stands, so that every refusal can name line and key."""

    source: str
    name: str
    index: int
    data: Mapping[str, Any]

    def text(self, key: str) -> str:
        value = self._get(key, str)
        if not value.strip():
            raise self.wrong(key, "is empty")
        return str(value)

    def number(self, key: str, *, default: int | None = None) -> int:
        if key not in self.data and default is not None:
            return default
        value = self._get(key, int)
        if isinstance(value, bool) or value < 0:
            raise self.wrong(key, "must be a whole number, 0 or more")
        return int(value)

    def flag(self, key: str) -> bool:
        if not isinstance(self.data.get(key, False), bool):
            raise self.wrong(key, "must be true or false")
        return bool(self.data.get(key, False))

    def texts(self, key: str, *, optional: bool = False) -> tuple[str, ...]:
        if optional and key not in self.data:
            return ()
        values = self._get(key, list)
        if not values or not all(isinstance(value, str) for value in values):
            raise self.wrong(key, "must be a list of texts, not empty")
        return tuple(values)

    def mapping(self, key: str, *, optional: bool = False) -> Mapping[str, str]:
        if optional and key not in self.data:
            return {}
        values = self._get(key, dict)
        if not values or not all(isinstance(value, str) for value in values.values()):
            raise self.wrong(key, "must map texts to texts, and not be empty")
        return dict(values)

    def tables(self, key: str) -> "list[_Table]":
        values = self._get(key, list)
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, f"must be tables, each begun by [[{key}]]")
        return [_Table(self.source, key, index, value) for index, value in enumerate(values)]

    def _get(self, key: str, kind: type) -> Any:
        if key not in self.data:
            raise self.wrong(key, "is missing")
        if not isinstance(self.data[key], kind):
            words = {str: "text", int: "a whole number", list: "a list", dict: "a table"}
            raise self.wrong(key, f"must be {words[kind]}")
        return self.data[key]

    def wrong(self, key: str, what: str) -> ManifestError:
        where = f"[[{self.name}]] number {self.index + 1}, " if self.name else ""
        return _broken(f"line {_line(self.source, self.name, self.index, key)}: {where}key {key!r} {what}")


def _line(source: str, table: str, index: int, key: str) -> int:
    """The line of `key` in the table, or of the table's head where the key is missing; from 1."""
    lines = source.splitlines()
    start = 0
    if table:
        heads = [number for number, line in enumerate(lines) if line.strip() == f"[[{table}]]"]
        start = heads[index] if index < len(heads) else 0
    for number in range(start + bool(table), len(lines)):
        if table and lines[number].startswith("["):
            break
        if re.match(rf'\s*"?{re.escape(key)}"?\s*=|\[+{re.escape(key)}\]+', lines[number]):
            return number + 1
    return start + 1


def _step(table: _Table) -> Step:
    number = table.text("number")
    if not re.fullmatch(r"\d\d", number):
        raise table.wrong("number", "must be two digits in quotes")
    return Step(
        number=number, name=table.text("name"), title=table.text("title"), goal=table.text("goal"),
        minutes=table.number("minutes"), needs=table.texts("needs", optional=True),
        optional=table.flag("optional"),
    )  # fmt: skip


def _gap(table: _Table, order: int, known: set[str]) -> Gap:
    name, files = table.text("name"), table.mapping("files")
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name):
        raise table.wrong("name", "must be lower-case words joined by hyphens")
    if set(files) != set(ENGINES) or not set(files.values()) <= known:
        raise table.wrong("files", f"must name one of the lab's files for each of {' and '.join(ENGINES)}")
    return Gap(
        name=name, title=table.text("title"), order=order, step=table.text("step"),
        hop=table.number("hop", default=0), concept=table.text("concept"), level=table.text("level"),
        minutes=table.number("minutes"), files=files, fails=table.text("fails"), holds=table.texts("holds"),
        cards=table.texts("cards", optional=True), tries=table.texts("tries", optional=True),
        resources=table.texts("resources", optional=True),
    )  # fmt: skip


def _unique(source: str, table: str, values: Sequence[str], key: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise _Table(source, table, index, {}).wrong(key, f"{value!r} is used twice")
