"""Gaps in a text, found by their markers.

What belongs here: the one reading of the comment lines `# >>> gap NAME` and `# <<< gap NAME`, each alone on its line.
What does not: what a gap asks for (lab.toml), what may stand in one (labkit.grading.systems.places).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.base.errors import WorkspaceError

_MARKER = re.compile(r"^[ \t]*# (?P<side>>>>|<<<) gap (?P<name>[a-z-]+)[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True)
class Region:
    """One gap in one text: its name, the line of its first marker (from 1), and where its body lies."""

    name: str
    line: int
    start: int
    end: int


def regions(text: str) -> dict[str, Region]:
    """The gaps of a text by name. Raises WorkspaceError when markers are missing, doubled, crossed or nested."""
    found: dict[str, Region] = {}
    opened: re.Match[str] | None = None
    for marker in _MARKER.finditer(text):
        if marker["side"] == ">>>" and opened is None and marker["name"] not in found:
            opened = marker
        elif marker["side"] == "<<<" and opened is not None and marker["name"] == opened["name"]:
            line = text.count("\n", 0, opened.start()) + 1
            found[marker["name"]] = Region(marker["name"], line, opened.end() + 1, marker.start())
            opened = None
        else:
            raise _broken(text, opened if opened is not None and marker["side"] == ">>>" else marker)
    if opened is not None:
        raise _broken(text, opened)
    return found


def _broken(text: str, marker: re.Match[str]) -> WorkspaceError:
    line = text.count("\n", 0, marker.start()) + 1
    return WorkspaceError(
        f"Line {line}: the marker {marker[0].strip()!r} has lost its partner.",
        hint="Put the two comment lines of this gap back, as in:  ./lab diff",
    )


def bodies(text: str) -> dict[str, str]:
    """What stands between the markers, by gap name. Raises WorkspaceError as `regions`."""
    return {name: text[region.start : region.end] for name, region in regions(text).items()}


def with_bodies(text: str, wanted: Mapping[str, str]) -> str:
    """`text` with these gaps' bodies replaced; others stay. Raises WorkspaceError as `regions`."""
    for region in sorted(regions(text).values(), key=lambda each: -each.start):
        body = wanted.get(region.name, text[region.start : region.end])
        text = text[: region.start] + body + text[region.end :]
    return text
