"""The command `lab class pack`: what is uploaded to a platform, and trying it out here.

What belongs here: its options and what it shows. What does not: the packages (labkit.classroom.platforms).
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import labkit
from labkit.base import state
from labkit.base.text import printable, shortened
from labkit.cli.classroom import Classroom
from labkit.cli.console import Console
from labkit.cli.grade_command import KEY_VARIABLE, grader_key

if TYPE_CHECKING:
    from labkit.classroom.platforms.packing import Content, Platform

_NAMES = ("gradescope", "github", "classroom50", "prairielearn", "check50")
#: whose reference solution is judged where nobody names a submission
_STUDENT = "rehearsal@lab.example"
#: it needs nothing that the platform would have to download, and fits into 768 MB
_ENGINE = "cloudformation"


def add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the class's actions."""
    pack = add("pack", "what a platform runs: an autograder, a workflow", _pack)
    pack.add_argument("platform", choices=_NAMES, metavar="PLATFORM", help=", ".join(_NAMES))
    pack.add_argument("--to", default="", metavar="FILE", help="the zip (default: dist/PLATFORM.zip)")
    pack.add_argument(
        "--key",
        metavar="FILE",
        help=f"the grader key, which goes in where marks are made (default: ${KEY_VARIABLE})",
    )
    pack.add_argument(
        "--rehearse",
        nargs="?",
        const="",
        metavar="ZIP",
        help="try it here with this submission (none: the reference solution), and show what the student sees",
    )


def _pack(room: Classroom, arguments: argparse.Namespace, console: Console) -> int:
    from labkit.classroom.platforms import packing

    platform = packing.PLATFORMS[arguments.platform]
    console.line(platform.gives, style="strong")
    files = packing.package(platform, _content(room, arguments, platform))
    target = Path(arguments.to or f"dist/{platform.name}.zip")
    state.write_bytes(target, packing.zipped(files, platform.programs), mode=0o600)
    console.line(f"✓ {target}: {', '.join(sorted(files))}", style="good")
    if platform.marks:
        console.line(
            "! It holds the grader key and the solution: give it to nobody but the platform.", style="warn"
        )
    console.hint(platform.then)
    status = 0
    if arguments.rehearse is not None:
        status = _rehearse(room, platform, files, arguments.rehearse, console)
    console.result(
        {"file": str(target), "files": sorted(files), "platform": platform.name, "marks": platform.marks}
    )
    return status


def _content(room: Classroom, arguments: argparse.Namespace, platform: "Platform") -> "Content":
    from labkit.classroom.platforms.packing import Content
    from labkit.course import rubric
    from labkit.course.course import text_files
    from labkit.grading.grade import SELF_CHECK_KEY
    from labkit.lesson.handing_in import handout

    root, course = room.places.root, room.course
    lines = rubric.load(root)
    if not platform.marks:
        return Content(root, lines, handout.content(room.lab, course, []))
    key = grader_key(arguments.key)
    data = course.data
    others = (data.get("dates", {}).get("extensions"), data.get("texts", {}).get("logo"))
    named = [course.questions, *text_files(course.texts), *(root / name for name in others if name)]
    return Content(
        root,
        lines,
        {},
        tuple(path for path in named if path),
        b"" if key == SELF_CHECK_KEY else key,
        room.ledger.roster(),
    )


def _rehearse(
    room: Classroom, platform: "Platform", files: dict[str, bytes], wanted: str, console: Console
) -> int:
    """0 when it was judged there."""
    from labkit.classroom.platforms import rehearsing

    with tempfile.TemporaryDirectory(prefix="lab-rehearsed-") as folder:
        submission = Path(wanted) if wanted else _reference(room, Path(folder))
        console.line()
        console.line(f"The rehearsal of {submission.name}, as {platform.name} runs it …", style="dim")
        done = rehearsing.rehearse(platform, files, submission)
    held = "; ".join(done.limited) or "no limits"
    console.line(f"It took {done.seconds:.0f} s with {held}, at most {done.peak_mb} MB.", style="strong")
    for each in done.unlimited:
        console.line(f"! Not as there: {each}", style="warn")
    console.line(
        "The packages came from here: what the platform downloads for its image was not tried.", style="dim"
    )
    console.line("What the student sees:", style="strong")
    for line in done.view:
        console.line(f"  {shortened(printable(line), 160)}")
    if done.status:
        console.line(
            f"✗ It ended with status {done.status}: {shortened(printable(done.errors), 600)}", style="bad"
        )
    return 1 if done.status else 0


def _reference(room: Classroom, folder: Path) -> Path:
    """The reference solution as a pack of somebody who is in nobody's class, or of the first of this one's."""
    from labkit.classroom.platforms.packing import zipped
    from labkit.course.rendering import Renderer
    from labkit.course.variant import make_variant

    people = room.ledger.roster().people
    student = people[0].known_as()[0] if people else _STUDENT
    values = make_variant(room.lab.salt, student).values()
    texts, engines = (
        Renderer(room.lab.root, room.lab.files).render(values, solution=True),
        room.course.engines,
    )
    told = {
        "format": 1,
        "kit": labkit.__version__,
        "student": student,
        "engine": _ENGINE if _ENGINE in engines else engines[0],
        "steps": {},
    }
    files = {name: text.encode() for name, text in texts.items()} | {
        "manifest.json": json.dumps(told).encode()
    }
    path = folder / "reference.zip"
    path.write_bytes(zipped(files))
    return path
