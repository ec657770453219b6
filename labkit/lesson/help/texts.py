"""What the lesson says: glossary, hints and resource cards, read from the files that lab.toml names.

What belongs here: reading and choosing texts, filling in the student's own values. What does not: the
texts themselves (texts/*.toml), or when they are shown.
"""

import difflib
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.errors import ManifestError, UsageError, WorkspaceError
from labkit.course import course, toml_file
from labkit.course.manifest import Manifest
from labkit.course.toml_file import Table
from labkit.course.variant import make_variant
from labkit.lesson.context import Context

_VALUE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Term:
    """A word of the glossary: one sentence, an own value, and what it is not."""

    name: str
    says: str
    own: str
    unlike: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A resource on one card: what it is, its arguments in words, where AWS describes it."""

    name: str
    terraform: str
    cloudformation: str
    says: str
    arguments: Mapping[str, str]
    document: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hint:
    """Three tiers for one failing check: a question, the idea, an example on another thing.

    `symptom` "" is for every check of the gap that has no hint of its own.
    """

    gap: str
    symptom: str
    tiers: tuple[str, str, str]


@dataclass(frozen=True)
class Texts:
    """All texts of the lesson, each file read at its first use."""

    manifest: Manifest

    @functools.cached_property
    def terms(self) -> tuple[Term, ...]:
        """The glossary, in its own order."""
        return tuple(
            Term(
                t.text("name"),
                t.text("says"),
                t.optional_text("own"),
                t.optional_text("unlike"),
                t.texts("aliases", optional=True),
            )
            for t in self._tables("glossary", "term")
        )

    @functools.cached_property
    def cards(self) -> tuple[Card, ...]:
        """The cards, in their own order."""
        return tuple(
            Card(
                c.text("name"),
                c.optional_text("terraform"),
                c.optional_text("cloudformation"),
                c.text("says"),
                c.mapping("arguments"),
                c.text("document"),
                c.texts("aliases", optional=True),
            )
            for c in self._tables("cards", "card")
        )

    @functools.cached_property
    def hints(self) -> tuple[Hint, ...]:
        """The hints."""
        return tuple(map(_hint, self._tables("hints", "hint")))

    def term(self, word: str) -> Term:
        """The glossary's entry for `word`, by name or alias. Raises UsageError with the nearest names."""
        found: Term = _named(self.terms, word, "word", "./lab what")
        return found

    def card(self, word: str) -> Card:
        """The card of a resource, by its name or either engine's. Raises UsageError with the nearest."""
        wanted = _plain(word)
        for card in self.cards:
            if wanted in map(_plain, (card.terraform, card.cloudformation)):
                return card
        found: Card = _named(self.cards, word, "card", "./lab card")
        return found

    def hint(self, gap: str, symptom: str = "") -> Hint | None:
        """The hint for a failing check: for its symptom in this gap or in any, else for its gap, else None."""
        wanted = ((gap, symptom), ("", symptom), (gap, "")) if symptom else ((gap, ""),)
        by_place = {(h.gap, h.symptom): h for h in self.hints}
        return next((by_place[place] for place in wanted if place in by_place), None)

    def _tables(self, which: str, table: str) -> list[Table]:
        path = self.manifest.texts.get(which)
        if path is None:
            raise ManifestError(
                f"lab.toml names no {which} below [texts].", hint="Get a fresh copy of the kit."
            )
        own = course.load(self.manifest).texts
        replaced = own / path.name if own else path
        return _read(replaced if replaced.is_file() else path).tables(table, optional=True)


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with {name} replaced by the student's value; what has no value yet becomes its name in brackets: <bucket_name>."""
    return _VALUE.sub(lambda match: values.get(match[1], f"<{match[1]}>"), text)


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", "-", word.strip().lower())


def _named(entries: tuple[Any, ...], word: str, kind: str, command: str) -> Any:
    by_name = {_plain(name): entry for entry in entries for name in (entry.name, *entry.aliases)}
    wanted = _plain(word)
    for candidate in (wanted, wanted.removesuffix("s"), wanted.removesuffix("es")):
        if candidate in by_name:
            return by_name[candidate]
    near = dict.fromkeys(by_name[n].name for n in difflib.get_close_matches(wanted, by_name, n=5, cutoff=0.5))
    names = ", ".join([*near][:3]) or ", ".join(sorted(e.name for e in entries))
    raise UsageError(f"There is no {kind} {word!r}.", hint=f"Perhaps: {names}   (all: {command})")


@functools.cache
def _read(path: Path) -> Table:
    return toml_file.read(path, f"Mend {path.name}; texts/ has the kit's own, to compare with.")


def _hint(table: Table) -> Hint:
    tiers = table.texts("tiers")
    if len(tiers) != 3:
        raise table.wrong("tiers", f"has {len(tiers)} texts; a hint has three")
    return Hint(table.optional_text("gap"), table.optional_text("symptom"), (tiers[0], tiers[1], tiers[2]))


def own_values(context: Context) -> dict[str, str]:
    """What `fill` fills in: the student's own values; examples where there is no workspace yet."""
    try:
        workspace = context.workspace
    except WorkspaceError:
        return dict(make_variant(context.manifest.salt, "ada@uni.edu").values())
    outputs = dict(workspace.standing.deployed.get("outputs", {}))
    return {**workspace.variant.values(), **{_snake(name): value for name, value in outputs.items()}}


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
