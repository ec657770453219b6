"""The same figures in every tier, in one run: what the lessons feel like where namespaces are refused.

What belongs here: the tiers, and which figures of bench.sections are repeated. What does not: how these are measured.
"""

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench import sections
from bench.measuring import Figure, figure, stopwatch, table
from labkit.base.errors import LabError
from labkit.sandbox.tiers import TIERS, VARIABLE


def tiers() -> list[Figure]:
    """Rows 3 to 8 of the table of figures for each tier that this machine gives: about three minutes; one lab in each."""
    figures: list[Figure] = []
    for tier in TIERS:
        with _forced(tier):
            try:
                found = [dataclasses.replace(each, name=f"{tier}: {each.name}") for each in _rows()]
            except LabError as error:
                print(f"{tier}: not measured: {error.message}", file=sys.stderr)
                continue
        print(table(found), file=sys.stderr)  # a long run shows what it has
        figures += found
    return figures


@contextmanager
def _forced(tier: str) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = tier
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _rows() -> list[Figure]:
    booted, saved, whole = list[float](), list[float](), list[float]()
    _round(booted, saved, whole)
    return [
        *sections.functions(), *sections.path(),
        figure("user data to its end", booted, aim="< 800 ms"),
        figure("server code saved to verdict", saved, aim="< 3 s"),
        figure("generate to destroy, all steps", whole, aim="< 12 s"),
    ]  # fmt: skip


def _round(booted: list[float], saved: list[float], whole: list[float]) -> None:
    """One lab: deployed, its server's code changed, deployed and checked again; then a whole one by the demo."""
    with sections.lab_cloud() as (places, local):
        sections.run(places, local, "01")
        sections.run(places, local, "03")
        context = sections.context_of(places, local)
        booted.append(1000 * float(local.instance(context.deployed().outputs["InstanceId"])["seconds"]))
        app = context.workspace.path / "flask_app.py"
        app.write_text(app.read_text() + "\n# changed\n")
        with stopwatch(saved):
            sections.run(places, local, "03")
            sections.run(places, local, "04")
    with stopwatch(whole):
        sections.quiet(["/bin/sh", str(sections.ROOT / "lab"), "demo"])
