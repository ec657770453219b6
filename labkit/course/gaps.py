"""The gaps in a student's files: where they stand, whether they are written, and how to begin one anew.

What belongs here: the text of a gap in a workspace. What does not: finding markers (labkit.course.markers), what
a gap asks for (lab.toml), whether its text is right (the steps' checks).
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labkit.base.errors import UsageError, WorkspaceError
from labkit.course.manifest import Gap, Manifest
from labkit.course.markers import bodies, regions, with_bodies


@dataclass(frozen=True)
class Place:
    """Where a gap stands in a student's file, and whether its text is still the starter's."""

    gap: Gap
    file: str
    line: int
    body: str
    written: bool


def body_of(text: str, gap: str) -> str | None:
    """What stands between the markers of `gap`; None where the text has no such gap."""
    return bodies(text).get(gap)


def with_body(text: str, gap: str, body: str) -> str:
    """`text` with another body in `gap`. Raises WorkspaceError when the gap is not there."""
    if gap not in regions(text):
        raise WorkspaceError(
            f"The markers of the gap {gap!r} are gone from your file.",
            hint="Put the comment lines '# >>> gap' and '# <<< gap' back; ./lab diff shows them.",
        )
    return with_bodies(text, {gap: body})


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
    raise UsageError(f"There is no gap {name!r}.", hint=f"The gaps are: {known}")


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
