"""The list of mutants that may lose nothing (allowed.toml), each with the reason why it is no mistake.

What belongs here: reading the list, finding the entry of a mutant. What does not: grading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from labkit.course import toml_file
from labkit.course.toml_file import Table
from labkit.dev.mutants.model import Mutant

PATH = Path(__file__).with_name("allowed.toml")


@dataclass(frozen=True)
class Entry:
    """Mutants by patterns (those of file names; any of several fits) and why they are no mistakes."""

    operators: tuple[str, ...]
    files: tuple[str, ...]
    places: tuple[str, ...]
    details: tuple[str, ...]
    why: str

    def fits(self, mutant: Mutant) -> bool:
        """Whether this entry speaks of the mutant."""
        change = mutant.change
        return (
            _any(self.operators, change.operator)
            and _any(self.files, mutant.file)
            and _any(self.places, change.place)
            and _any(self.details, change.detail)
        )


def load(path: Path = PATH) -> tuple[Entry, ...]:
    """All entries. Raises ManifestError for one without a reason or with a key that there is not."""
    return tuple(map(_entry, toml_file.read(path, "Mend the entry.").tables("mutant")))


def entry_of(mutant: Mutant, entries: Sequence[Entry]) -> Entry | None:
    """The first entry that speaks of the mutant."""
    return next((entry for entry in entries if entry.fits(mutant)), None)


def _entry(table: Table) -> Entry:
    table.refuse_others(("operator", "file", "place", "detail", "why"))
    operators, files, places, details = (
        _patterns(table, name) for name in ("operator", "file", "place", "detail")
    )
    return Entry(operators, files, places, details, table.text("why"))


def _patterns(table: Table, key: str) -> tuple[str, ...]:
    """One pattern or several; without the key all there is."""
    if isinstance(table.data.get(key, "*"), str):
        return (table.data.get(key, "*"),)
    return table.texts(key)


def _any(patterns: tuple[str, ...], text: str) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
