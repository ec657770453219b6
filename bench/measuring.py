"""How things are timed and shown.

What belongs here: clocks, medians, the table. What does not: what is measured.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing: its median over `runs`, the floor in the same unit (None: no floor), the aim."""

    name: str
    unit: str
    median: float
    worst: float
    runs: int
    floor: float | None = None
    aim: str = ""


def timed(act: Callable[[], object], runs: int) -> list[float]:
    """Milliseconds of each of `runs` calls."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - started))
    return times


def paired(
    act: Callable[[], object], floor: Callable[[], object], runs: int
) -> tuple[list[float], list[float]]:
    """As timed, for both in turn, so that a drift of the machine's speed meets both alike."""
    mine, floors = [], []
    for _ in range(runs):
        mine += timed(act, 1)
        floors += timed(floor, 1)
    return mine, floors


def figure(name: str, times: list[float], *, floor: list[float] | None = None, aim: str = "") -> Figure:
    """A Figure in milliseconds from single times."""
    return Figure(
        name, "ms", statistics.median(times), max(times), len(times),
        statistics.median(floor) if floor else None, aim,
    )  # fmt: skip


@contextmanager
def stopwatch(into: list[float]) -> Iterator[None]:
    """Append the milliseconds that the body took."""
    started = time.perf_counter()
    yield
    into.append(1000 * (time.perf_counter() - started))


def table(figures: list[Figure]) -> str:
    """All figures as text, 80 columns wide."""
    lines = [f"{'what':<38}{'median':>10}{'worst':>10}{'floor':>9}{'runs':>5}  aim"]
    for f in figures:
        floor = f"{f.floor:.2f}" if f.floor is not None else "-"
        lines.append(
            f"{f.name:<38}{f.median:>7.2f} {f.unit:<2}{f.worst:>10.2f}{floor:>9}{f.runs:>5}  {f.aim}"
        )
    return "\n".join(lines)
