"""The demo as a recorded run, for copies of the kit that do not have the solution.

What belongs here: reading and replaying it. What does not: making it (labkit.lesson.handing_in.handout).
"""

import json

from labkit.base.errors import LabError
from labkit.base.events import Emit, Event
from labkit.course.manifest import Manifest

RECORDING = "texts/demo.json"


def replay(manifest: Manifest, emit: Emit) -> bool:
    """Emit the events of the recorded run; False when it had not passed.

    Raises LabError when this copy has no recorded run.
    """
    path = manifest.root / RECORDING
    try:
        events = [Event(**event) for event in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise LabError(
            "The reference solution is not in this copy of the lab, and no recorded run either.",
            hint="Begin with your own files:  ./lab generate --student ada@uni.edu",
        ) from error
    emit(Event("note", "A recorded run: the reference solution is not in your copy."))
    for event in events:
        emit(event)
    return all(event.data.get("passed", True) for event in events if event.kind == "check")
