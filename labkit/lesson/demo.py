"""The whole lab once, with the reference solution, on a local cloud of its own.

What belongs here: the order of the demo and its proof that nothing is left. What does not: the steps.
"""

import tempfile
import time
from pathlib import Path

from labkit.cloud.lifecycle import LocalCloud
from labkit.errors import LabError
from labkit.events import Emit, Event
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places
from labkit.manifest import Manifest

STUDENT = "demo@lab.example"

STORY = {
    "01": "First, a student's own files are made: names, network, port and token are this student's alone.",
    "03": "CloudFormation creates the network, the roles, the bucket, the table, the server and the function.",
    "05": "The function calls the server through the network; three real images go into S3, three rows into DynamoDB.",
    "10": "Everything is deleted, and a look into every service proves it.",
}


def run_demo(places: Places, manifest: Manifest, emit: Emit) -> bool:
    """Generate, deploy, process three images, destroy; True only if every check passed and nothing is left.

    Uses a folder and a local cloud of its own, so that a student's lab on the same machine is untouched.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lab-demo-") as folder:
        own = Places(places.root, Path(folder))
        cloud = LocalCloud(own.state / "cloud")
        try:
            passed = all(_step(own, manifest, cloud, emit, number) for number in STORY)
        finally:
            cloud.stop()
        gone = cloud.running() is None
    seconds = time.monotonic() - started
    emit(Event("check", "the demo's local cloud is stopped, nothing is left", {"passed": gone}))
    if passed and gone:
        emit(Event("done", f"The whole lab went through in {seconds:.1f} s."))
    return passed and gone


def _step(places: Places, manifest: Manifest, cloud: LocalCloud, emit: Emit, number: str) -> bool:
    options = Options(student=STUDENT, solution=True)
    context = Context(places, manifest, options, emit, cloud)
    emit(Event("note", STORY[number]))
    try:
        return run_step(context, number).passed
    except LabError as error:
        emit(Event("check", f"step {number} went through: {error.message}", {"passed": False}))
        emit(Event("note", error.hint))
        return False
