"""The whole lab once, with the reference solution, on a local cloud of its own.

What belongs here: the order of the demo and its proof that nothing is left. What does not: the steps.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

from labkit.base.errors import LabError
from labkit.base.events import Emit, Event
from labkit.base.state import exclusive
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import Manifest
from labkit.deploy.engines import TITLES
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.handing_in import recording
from labkit.lesson.model import Options, Places

STUDENT = "demo@lab.example"

STORY = {
    "generate": "First, a student's own files are made: names, network, port and token are this student's alone.",
    "deploy": "{engine} creates the network, the roles, the bucket, the table, the server and the function.",
    "process": "The function calls the server through the network; three real images go into S3, three rows into DynamoDB.",
    "destroy": "Everything is deleted, and a look into every service proves it.",
}


def run_demo(places: Places, manifest: Manifest, emit: Emit, engine: str = "cloudformation") -> bool:
    """Generate, deploy, process three images, destroy; True only if every check passed and nothing is left.

    Uses a folder and a local cloud of its own, so that a student's lab on the same machine is untouched.
    A copy without the reference solution shows a recorded run.
    """
    if not (places.root / "solution").is_dir():
        return recording.replay(manifest, emit)
    started = time.monotonic()
    with _own_place(places) as (own, leash):
        cloud = LocalCloud(own.state / "cloud", leash)
        options = Options(student=STUDENT, solution=True, engine=engine)
        try:
            passed = all(_step(Context(own, manifest, options, emit, cloud), number) for number in STORY)
        finally:
            cloud.stop()
        gone = cloud.running() is None
    seconds = time.monotonic() - started
    emit(Event("check", "the demo's local cloud is stopped, nothing is left", {"passed": gone}))
    if passed and gone:
        emit(Event("done", f"The whole lab went through in {seconds:.1f} s."))
    return passed and gone


@contextlib.contextmanager
def _own_place(places: Places) -> Iterator[tuple[Places, int]]:
    """An empty place for the demo, and a leash for its cloud: it ends with us, however we end.

    The place is always the same, so that the next demo removes what one that was killed has left.
    Raises BusyError while another demo runs.
    """
    own = Places(places.root, places.state / "demo")
    with exclusive(
        places.state / "demo.lock", busy="Another demo is running (in another terminal, perhaps)."
    ):
        _clear(own)
        reader, writer = os.pipe()
        try:
            yield own, reader
        finally:
            os.close(writer)
            os.close(reader)
            _clear(own)


def _clear(own: Places) -> None:
    LocalCloud(own.state / "cloud").stop()
    if own.base.exists():
        shutil.rmtree(own.base)


def _step(context: Context, number: str) -> bool:
    title = TITLES[context.options.engine or "cloudformation"]
    context.note(STORY[number].format(engine=title))
    try:
        return run_step(context, number).passed
    except LabError as error:
        context.emit(Event("check", f"step {number} went through: {error.message}", {"passed": False}))
        context.note(error.hint)
        return False
