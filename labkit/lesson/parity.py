"""Proof that both engines create the same: each deploys the reference on a fresh local cloud, then compare.

What belongs here: the order of the proof. What does not: reading and comparing (labkit.deploy).
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit.cloud.lifecycle import LocalCloud
from labkit.deploy.engines import NAMES, TITLES
from labkit.deploy.parity import Difference, compare
from labkit.errors import DeployError
from labkit.events import Emit, Event, ignore
from labkit.lesson import drift
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places
from labkit.manifest import Manifest

STUDENT = "parity@lab.example"


def run_parity(places: Places, manifest: Manifest, emit: Emit) -> list[Difference]:
    """What differs between what the two engines create (left: the first of NAMES); empty: nothing.

    Takes about a minute, most of it waits of Terraform's provider. Leaves nothing behind. Raises DeployError
    when one of them does not deploy.
    """
    found = []
    for name in NAMES:
        emit(Event("note", f"{TITLES[name]} deploys the reference solution on a local cloud of its own …"))
        with deployed(places, manifest, name) as context:
            found.append(drift.existing(context))
        emit(Event("note", f"{len(found[-1])} things exist."))
    return compare(*found)


@contextlib.contextmanager
def deployed(places: Places, manifest: Manifest, engine: str) -> Iterator[Context]:
    """The reference solution, deployed by `engine` in a folder and a cloud of its own while the body runs."""
    with tempfile.TemporaryDirectory(prefix="lab-parity-") as folder:
        own = Places(places.root, Path(folder))
        cloud = LocalCloud(own.state / "cloud")
        context = Context(own, manifest, Options(STUDENT, solution=True, engine=engine), ignore, cloud)
        try:
            for step in ("01", "03"):
                failed = [check for check in run_step(context, step).checks if not check.passed]
                if failed:
                    raise DeployError(f"{TITLES[engine]}: {failed[0].name}: {failed[0].reason}")
            yield context
        finally:
            cloud.stop()
