"""Another run laid beside this one: of another place, or with one thing changed.

What belongs here: reading a file that somebody hands over, and the rows of the comparison. What does not:
measuring, drawing.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.base.errors import UsageError
from labkit.lesson.measuring.measuring import LAYERS

_MARKS = ("median", "p95")
Rows = tuple[tuple[str, str], ...]


def measurement(path: Path) -> Mapping[str, Any]:
    """A measurement.json of somebody. Raises UsageError for a file that is none, saying why."""
    value = read(path, "a measurement.json; each run leaves one in work/<id>/measurements/")
    layers, about = value.get("layers"), value.get("about")
    if not isinstance(layers, dict) or not isinstance(about, dict):
        raise _no(path, "it has no layers", "Name a measurement.json.")
    for layer, numbers in layers.items():
        whole = isinstance(numbers, dict) and all(isinstance(n, int | float) for n in numbers.values())
        if not whole:
            raise _no(path, f"the layer {layer} holds no numbers", "Name a measurement.json.")
    return value


def read(path: Path, what: str) -> Mapping[str, Any]:
    """A JSON object in a file. Raises UsageError naming `what` is needed."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _no(path, error.strerror or str(error), f"Name {what}.") from error
    except ValueError as error:
        raise _no(path, f"it is no JSON ({error})", f"Name {what}.") from error
    if not isinstance(value, dict):
        raise _no(path, "it is no JSON object", f"Name {what}.")
    return value


def _no(path: Path, why: str, hint: str) -> UsageError:
    return UsageError(f"{path} can't be laid beside your run: {why}.", hint=hint)


def rows(mine: Mapping[str, Any], other: Mapping[str, Any]) -> Rows:
    """Layer by layer: here, there, and how many times as long it took there."""
    return (("beside it", place(other)), *_rows(mine["layers"], other["layers"]))


def _rows(mine: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "ms", "  ".join(f"{mark:>8} here {'there':>9} {'':>6}" for mark in _MARKS).rstrip()
    for layer in LAYERS:
        numbers = mine.get(layer, {})
        if numbers.get("count"):
            cells = [_cell(numbers.get(mark), other.get(layer, {}).get(mark)) for mark in _MARKS]
            yield layer, "  ".join(cells).rstrip()


def _cell(here: float | None, there: float | None) -> str:
    times = f"x {there / here:.2g}" if here and there and here > 0 and there > 0 else ""
    return f"{_number(here):>13} {_number(there):>9} {times:<6}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def place(value: Mapping[str, Any]) -> str:
    """Where and when a run was: "learner-lab, us-east-1, 2026-11-28"."""
    about = value.get("about", {})
    like = f" like {about['like']}" if about.get("like") else ""
    parts = (f"{about.get('target', '?')}{like}", about.get("region", ""), str(about.get("at", ""))[:16])
    return ", ".join(str(part) for part in parts if part)
