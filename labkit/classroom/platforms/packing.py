"""What is uploaded to a platform, as files by name.

What belongs here: which files, which kit, what a platform gives and what that means for the mark. What does not: what they do
there (files/, running), trying it out (rehearsing).

Where students can read what is uploaded, there is no grader key, no solution and no hidden check: then it is a look. The
others hold them, for root alone.
"""

import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from labkit.base.errors import UsageError
from labkit.classroom import cluster
from labkit.classroom.platforms.running import KEY, PRIVATE, ROSTER
from labkit.classroom.roster import Roster
from labkit.course.rubric import Rubric

_FILES = Path(__file__).with_name("files")
_EPOCH = (1980, 1, 1, 0, 0, 0)
#: what of the kit makes its environment
_SET_UP = ("lab", "pyproject.toml", "requirements.lock", "requirements-build.lock")


@dataclass(frozen=True)
class Platform:
    """One platform. `gives`: which tier, and what it means for the mark. `marks`: whether students can't read what is
    uploaded. `programs`: names of those that are run as programs. `then`: what to do with the package."""

    name: str
    gives: str
    marks: bool
    then: str
    programs: tuple[str, ...] = ()


PLATFORMS: Mapping[str, Platform] = {each.name: each for each in (
    Platform(
        "gradescope",
        "Gradescope gives a container without namespaces, as root: tier landlock (posix on an old kernel), each program a user "
        "of its own. That makes marks; disk space is not kept apart, and posix keeps nobody's Terraform.",
        True, "Upload the zip as the assignment's autograder; set 1 processor, 1.5 GB (3 GB with Terraform) and 20 minutes.",
        ("setup.sh", "run_autograder"),
    ),
    Platform(
        "github",
        "GitHub's runners give a whole machine: tier namespaces. Students may change the workflow and read all of it: a look after "
        "every push, and no mark.",
        False, "Unpack it into the repository that students begin from; the mark:  ./lab class grade",
    ),
    Platform(
        "classroom50",
        "Classroom 50 judges on GitHub's runners: tier namespaces. What is published beside the autograder everybody can read: a "
        "look in whole points, and no mark.",
        False, "Unpack it into CLASSROOM/autograders/ASSIGNMENT/; the mark:  ./lab class grade",
    ),
    Platform(
        "prairielearn",
        "PrairieLearn gives a container without network and namespaces, as root: tier landlock, or posix. That makes marks. It "
        "does not tell who hands in: the pack's own word counts.",
        True, "Build and push image/, name it in question/info.json, put question/ into your course.",
        ("question/tests/run.sh",),
    ),
    Platform(
        "check50",
        "check50 runs where the student is, or in CS50's container: tier as the machine gives. Whoever runs it can read it: a look, "
        "and no mark.",
        False, "Put the files where your slug leads; the mark:  ./lab class grade",
    ),
)}  # fmt: skip


@dataclass(frozen=True)
class Content:
    """What a package is made from. `look`: the hand-out, where students can read it. `named`: files that course.toml names."""

    root: Path
    rubric: Rubric
    look: Mapping[str, bytes]
    named: tuple[Path, ...] = ()
    key: bytes = b""
    roster: Roster = field(default_factory=Roster)


def package(platform: Platform, content: Content) -> dict[str, bytes]:
    """The files by name. Raises UsageError where marks are made and there is no grader key."""
    if platform.marks and not content.key:
        raise UsageError(
            f"{platform.name} makes marks, and there is no grader key: hidden inputs could be foreseen.",
            hint="Make one:  openssl rand -hex 32 > grader.key   and add:  --key grader.key",
        )
    kit = zipped(_private(content) if platform.marks else content.look)
    return _LAYOUTS[platform.name](content, kit)


def _private(content: Content) -> dict[str, bytes]:
    """The kit that makes marks: solution, hidden checks, key, and the roster where there is one."""
    root = content.root
    paths = [*cluster.kit_files(root), *(root / name for name in _SET_UP), *content.named]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    files[f"{PRIVATE}/{KEY}"] = content.key
    if content.roster.people:
        people = [
            {"id": p.id, "name": p.name, "ids": dict(p.ids), "group": p.group} for p in content.roster.people
        ]
        files[f"{PRIVATE}/{ROSTER}"] = json.dumps({"people": people}).encode()
    return files


def zipped(files: Mapping[str, bytes], programs: tuple[str, ...] = ("lab",)) -> bytes:
    """A zip that is the same for the same content; programs stay executable, what is private its owner's."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            mode = 0o600 if name.startswith(f"{PRIVATE}/") else 0o755 if name in programs else 0o644
            entry.external_attr, entry.create_system = mode << 16, 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _text(name: str) -> bytes:
    return (_FILES / name).read_bytes()


def _gradescope(content: Content, kit: bytes) -> dict[str, bytes]:
    return {
        "setup.sh": _text("gradescope/setup.sh"),
        "run_autograder": _text("gradescope/run_autograder"),
        "kit.zip": kit,
    }


def _github(content: Content, kit: bytes) -> dict[str, bytes]:
    return {
        ".github/workflows/lab.yml": _text("github/lab.yml"),
        ".grader/run.sh": _text("github/run.sh"),
        ".grader/kit.zip": kit,
    }


def _classroom50(content: Content, kit: bytes) -> dict[str, bytes]:
    return {"autograder.py": _text("classroom50/autograder.py.txt"), "kit.zip": kit}


def _prairielearn(content: Content, kit: bytes) -> dict[str, bytes]:
    info = {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, content.rubric.lines[0].title)), "title": "The hybrid-cloud lab", "topic": "Cloud", "type": "v3", "gradingMethod": "External",
        "externalGradingOptions": {
            "enabled": True, "image": "YOUR-IMAGE", "entrypoint": "/grade/tests/run.sh", "timeout": 600, "enableNetworking": False,
        },
    }  # fmt: skip
    locks = {
        f"image/{name}": (content.root / name).read_bytes() for name in _SET_UP if name.endswith(".lock")
    }
    return {
        "question/info.json": (json.dumps(info, indent=2) + "\n").encode(),
        "question/question.html": _text("prairielearn/question.html"),
        "question/tests/run.sh": _text("prairielearn/run.sh"),
        "question/tests/kit.zip": kit,
        "image/Dockerfile": _text("prairielearn/Dockerfile"),
        **locks,
    }


def _check50(content: Content, kit: bytes) -> dict[str, bytes]:
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        _text("check50/checks.py.jinja").decode()
    )
    checks = template.render(lines=content.rubric.lines) + "\n"
    return {".cs50.yml": _text("check50/cs50.yml.txt"), "checks.py": checks.encode(), "kit.zip": kit}


_LAYOUTS = {
    "gradescope": _gradescope,
    "github": _github,
    "classroom50": _classroom50,
    "prairielearn": _prairielearn,
    "check50": _check50,
}
