"""The gaps in a student's files: where they stand, whether they are written, and how to begin one anew.

What belongs here: the text between the markers `# >>> gap NAME` and `# <<< gap NAME`. What does not: what
a gap asks for (lab.toml), whether its text is right (the steps' checks).
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labkit.errors import UsageError, WorkspaceError
from labkit.manifest import Gap, Manifest

_MARKER = re.compile(r"^[ \t]*# (?P<side>>>>|<<<) gap (?P<name>[a-z-]+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Region:
    """One gap in one text: its name, the line of its first marker (from 1), and where its body lies."""

    name: str
    line: int
    start: int
    end: int


@dataclass(frozen=True)
class Place:
    """Where a gap stands in a student's file, and whether its text is still the starter's."""

    gap: Gap
    file: str
    line: int
    body: str
    written: bool


def regions(text: str) -> dict[str, Region]:
    """The gaps of a text by name. Raises WorkspaceError when markers are missing, doubled or crossed."""
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
            raise _broken(text, marker)
    if opened is not None:
        raise _broken(text, opened)
    return found


def _broken(text: str, marker: re.Match[str]) -> WorkspaceError:
    line = text.count("\n", 0, marker.start()) + 1
    return WorkspaceError(
        f"Line {line}: the marker {marker[0].strip()!r} has lost its partner.",
        hint="Put the two comment lines of this gap back, as in:  ./lab diff",
    )


def body_of(text: str, gap: str) -> str | None:
    """What stands between the markers of `gap`; None where the text has no such gap."""
    region = regions(text).get(gap)
    return text[region.start : region.end] if region else None


def with_body(text: str, gap: str, body: str) -> str:
    """`text` with another body in `gap`. Raises WorkspaceError when the gap is not there."""
    region = regions(text).get(gap)
    if region is None:
        raise WorkspaceError(
            f"The markers of the gap {gap} are gone from your file.",
            hint="Put the comment lines '# >>> gap' and '# <<< gap' back; ./lab diff shows them.",
        )
    return text[: region.start] + body + text[region.end :]


def find(manifest: Manifest, name: str) -> Gap:
    """The gap of this name or with this number; the beginning of one gap's name will do.

    Raises UsageError listing the names.
    """
    exact = [gap for gap in manifest.gaps if name in (gap.name, str(gap.order))]
    begun = [gap for gap in manifest.gaps if name and gap.name.startswith(name)]
    for found in (exact, begun):
        if len(found) == 1:
            return found[0]
    known = ", ".join(gap.name for gap in manifest.gaps)
    raise UsageError(f"There is no gap {name}.", hint=f"The gaps are: {known}")


def place(gap: Gap, files: Mapping[str, bytes], starter: Mapping[str, bytes], engine: str) -> Place:
    """Where `gap` stands in `files` for this engine. A file without it gives line 0 and an empty body."""
    name = gap.files.get(engine, "")
    text = files.get(name, b"").decode(errors="replace")
    region = regions(text).get(gap.name)
    if region is None:
        return Place(gap, name, 0, "", False)
    body = text[region.start : region.end]
    first = body_of(starter[name].decode(), gap.name)
    return Place(gap, name, region.line, body, body != first)


def reset(gap: Gap, files: Mapping[str, bytes], starter: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files in which `gap` stands, with the starter's text in it; whatever else is in them stays."""
    changed = {}
    for name in dict.fromkeys(gap.files.values()):
        body = body_of(starter[name].decode(), gap.name) if name in starter else None
        if body is None or name not in files:
            continue
        new = with_body(files[name].decode(errors="replace"), gap.name, body).encode()
        if new != files[name]:
            changed[name] = new
    return changed


def carry(files: Mapping[str, bytes], templates: Mapping[str, bytes]) -> dict[str, bytes]:
    """New templates with the text that `files` have in each gap: how an update keeps what was written."""
    result = {}
    for name, template in templates.items():
        text = template.decode()
        mine = files.get(name, b"").decode(errors="replace")
        for gap in regions(text):
            body = body_of(mine, gap)
            text = with_body(text, gap, body) if body is not None else text
        result[name] = text.encode()
    return result


def differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    """The lines of a unified diff over all files that differ."""
    for name in sorted({*old, *new}):
        before = old.get(name, b"").decode(errors="replace").splitlines()
        after = new.get(name, b"").decode(errors="replace").splitlines()
        yield from difflib.unified_diff(before, after, f"starter/{name}", f"yours/{name}", lineterm="", n=2)
