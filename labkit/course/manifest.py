"""The kit's manifest, lab.toml, as frozen records: files, steps, gaps, sample images.

What belongs here: the records and refusing what can't be one. What does not: reading TOML (labkit.course.toml_file),
what a step does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.course import toml_file
from labkit.course.toml_file import Table

NAME = "lab.toml"
ENGINES = ("terraform", "cloudformation")
#: what to do when a file of the kit itself is wrong
FRESH = f"Restore {NAME}: it belongs to the kit, get a fresh copy."


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

    `texts` are the files with the lesson's texts, by what they hold: glossary, hints, cards. `cost_limit_cents`: what a lab
    may cost an hour on AWS (US cents; 0: no limit).
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
    cost_limit_cents: int = 0

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
    return _manifest(read(root), root)


def read(root: Path) -> Table:
    """The tables of `root`/lab.toml, for whoever needs another part of it. Raises ManifestError."""
    return toml_file.read(root / NAME, FRESH)


def parse(text: str, root: Path) -> Manifest:
    """The manifest in `text`; paths of images are taken from `root`. Raises ManifestError."""
    return _manifest(toml_file.parse(text, NAME, FRESH), root)


def _manifest(top: Table, root: Path) -> Manifest:
    files, steps, gaps = top.mapping("files"), top.tables("step"), top.tables("gap")
    for tables, key in ((steps, "number"), (steps, "name"), (gaps, "name")):
        refuse_twice(tables, key)
    return Manifest(
        root=root,
        title=top.text("title"),
        region=top.text("region"),
        salt=top.text("salt"),
        files=files,
        steps=tuple(map(_step, steps)),
        images=tuple(root / image for image in top.texts("images")),
        gaps=tuple(_gap(table, order, set(files.values())) for order, table in enumerate(gaps, 1)),
        texts={name: root / path for name, path in top.mapping("texts", optional=True).items()},
        cost_limit_cents=top.number("cost_limit_cents", default=0),
    )


def _step(table: Table) -> Step:
    number = table.text("number")
    if not re.fullmatch(r"\d\d", number):
        raise table.wrong("number", "must be two digits in quotes")
    return Step(
        number=number,
        name=table.text("name"),
        title=table.text("title"),
        goal=table.text("goal"),
        minutes=table.number("minutes"),
        needs=table.texts("needs", optional=True),
        optional=table.flag("optional"),
    )


def _gap(table: Table, order: int, known: set[str]) -> Gap:
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


def refuse_twice(tables: Sequence[Table], key: str) -> None:
    """Raise ManifestError where two of the tables have one value of `key`."""
    values = [table.text(key) for table in tables]
    for index, (table, value) in enumerate(zip(tables, values, strict=True)):
        if value in values[:index]:
            raise table.wrong(key, f"{value!r} is used twice")
