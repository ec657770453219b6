"""Skipping a gap for good: the reference's text stands in for it, its points are gone, everything after it can be learnt.

What belongs here: where that text comes from, its record, and the code that carries it where no reference is. What does not:
taking the points (labkit.grading.grade, by the same record).

A code is no secret and no key: it is the text of one gap for one student, packed so that it can be pasted.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.course import gaps
from labkit.course.manifest import Gap
from labkit.course.variant import make_variant
from labkit.course.workspace import Workspace
from labkit.grading.skipped import FILE
from labkit.lesson.context import Context

_LONGEST = 1 << 16


def skip(context: Context, gap: Gap, code: str = "") -> dict[str, str]:
    """Write the reference's text into the gap and remember it; gives the backup of each file that changed.

    Raises UsageError where this copy has no reference and no code was given, or the code is another's.
    """
    workspace = context.workspace
    bodies = (
        _decoded(code, gap, workspace.variant.code)
        if code
        else _bodies(context, gap, workspace.variant.student)
    )
    files, backups = workspace.files(), {}
    for name, body in bodies.items():
        new = gaps.with_body(files.get(name, b"").decode("utf-8", "replace"), gap.name, body).encode()
        if new != files.get(name):
            backups[name] = workspace.write(name, new)
    state.write_json(workspace.path / ".lab" / FILE, {"gaps": sorted({*skipped(workspace), gap.name})})
    return backups


def skipped(workspace: Workspace) -> tuple[str, ...]:
    """The gaps that were skipped in this workspace."""
    return tuple((state.read_json(workspace.path / ".lab" / FILE) or {}).get("gaps", ()))


def code_for(context: Context, gap: Gap, student: str) -> str:
    """What an instructor sends to one student, whose copy has no reference. Raises UsageError where this one has none."""
    variant = make_variant(context.manifest.salt, student)
    told = {"gap": gap.name, "code": variant.code, "files": _bodies(context, gap, student)}
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(told).encode(), 9)).decode().rstrip("=")


def _bodies(context: Context, gap: Gap, student: str) -> dict[str, str]:
    """The reference's text of the gap, by file."""
    from labkit.course.rendering import Renderer

    renderer = Renderer(context.manifest.root, context.manifest.files)
    if not renderer.has_solution:
        raise UsageError(
            f"This copy of the lab has no reference to stand in for {gap.name}.",
            hint=f"Ask your instructor for a code, then:  ./lab skip {gap.name} --code CODE",
        )
    texts = renderer.render(make_variant(context.manifest.salt, student).values(), solution=True)
    names = dict.fromkeys(gap.files.values())
    return {name: body for name in names if (body := gaps.body_of(texts[name], gap.name)) is not None}


def _decoded(code: str, gap: Gap, mine: str) -> Mapping[str, str]:
    wrong = UsageError(
        "This code can't be read.", hint="Paste it whole, in quotes, as your instructor sent it."
    )
    text = "".join(code.split())
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        told = json.loads(zlib.decompressobj().decompress(packed, _LONGEST))
        about, files = (str(told["gap"]), str(told["code"])), dict(told["files"])
    except (ValueError, KeyError, TypeError, zlib.error, binascii.Error) as error:
        raise wrong from error
    if about != (gap.name, mine):
        raise UsageError(
            f"This code is for the gap {about[0]} of another student."
            if about[1] != mine
            else f"This code is for the gap {about[0]}.",
            hint="Each code brings one gap for one student.",
        )
    if not all(name in gap.files.values() and isinstance(body, str) for name, body in files.items()):
        raise wrong
    return files
