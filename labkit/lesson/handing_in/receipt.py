"""The receipt of a pack, and the page that closes the lab: what was built, met and repaired, with one's own figures.

What belongs here: these texts, from records that are there. What does not: packing (pack), marking.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.deploy.engines import TITLES
from labkit.lesson import skipping
from labkit.lesson.context import Context
from labkit.lesson.faults import faults
from labkit.lesson.help.trouble import Trouble
from labkit.lesson.help.verdicts import Verdicts

Facts = tuple[tuple[str, str], ...]
_READ_NEXT = (
    ("security groups, connections tracked", "docs.aws.amazon.com/vpc/latest/userguide"),
    ("why a policy allows or denies", "docs.aws.amazon.com/IAM/latest/UserGuide"),
    ("designing for failure", "docs.aws.amazon.com/wellarchitected/latest/framework"),
)


def write(context: Context, pack: Path, names: list[str]) -> Facts:
    """Write the receipt beside the pack; gives its lines. Raises StateError when it can't be written."""
    data, now = pack.read_bytes(), datetime.now(UTC)
    facts = (
        ("Hand in", f"work/{pack.name}"),
        ("Made", f"{now.astimezone():%Y-%m-%d %H:%M:%S %Z} ({now:%H:%M:%S} UTC)"),
        ("SHA-256", hashlib.sha256(data).hexdigest()),
        ("In it", f"{len(names)} files, {len(data):,} bytes, and the list of them with their hashes"),
        ("Self-check", _self_check(context)),
    )
    path = pack.with_name(pack.name.replace("submission-", "receipt-").replace(".zip", ".txt"))
    listed = "".join(f"  {name}\n" for name in names)
    state.write_text(path, "".join(f"{label:<12}{value}\n" for label, value in facts) + f"Files\n{listed}")
    return (*facts, ("Receipt", f"work/{path.name}"))


def _self_check(context: Context) -> str:
    """The points so far, and the last whole self-check."""
    earned, tried, total = Verdicts(context).points()
    kept = state.read_json(
        context.places.state / "grading" / context.workspace.variant.student / "result.json"
    )
    whole = (
        f"; last ./lab grade: {kept['score']:g} points"
        if kept and isinstance(kept.get("score"), int | float)
        else ""
    )
    return f"{earned:g} of {tried} points tried with these files, of {total} in all{whole}"


def closing(context: Context) -> Iterator[tuple[str, str]]:
    """What the lab was, in a few lines, from one's own records."""
    workspace = context.workspace
    record = workspace.record
    yield (
        "You built",
        (
            f"a network, a server, a function, a bucket and a table that work together, as code, with {TITLES[record.engine]}"
        ),
    )
    if met := list(_faults(workspace.path)):
        yield "You repaired", "; ".join(met)
    if figures := _figures(workspace.path):
        yield "You measured", figures
    if skipped := skipping.skipped(workspace):
        yield "You skipped", ", ".join(skipped)
    yield "Hints", str(Trouble(workspace).given())
    for number, (what, where) in enumerate(_READ_NEXT):
        yield "" if number else "Read next", f"{what}: {where}"


def _faults(folder: Path) -> Iterator[str]:
    """Each fault that was repaired, with what it teaches."""
    for hunt in (state.read_json(folder / ".lab" / "break.json") or {}).get("hunts", ()):
        if hunt.get("repaired"):
            yield f"{hunt['name']} ({faults.by_name(hunt['name']).teaches})"


def _figures(folder: Path) -> str:
    value: dict[str, Any] = state.read_json(folder / "measurements" / "measurement.json") or {}
    layer = value.get("layers", {}).get("client", {})
    if not layer.get("count"):
        return ""
    return f"{layer['count']} images, median {layer['median']:.0f} ms, p95 {layer['p95']:.0f} ms, slowest {layer['maximum']:.0f} ms"
