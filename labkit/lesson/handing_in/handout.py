"""The hand-out: this kit without solution, hidden checks and tests, with the course's given gaps solved.

What belongs here: which files go in, how given gaps are filled in, the proof that no solution words are left.
What does not: what students do with it.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from labkit.base import state
from labkit.base.errors import LabError
from labkit.base.events import Event
from labkit.course.course import Course, text_files
from labkit.course.manifest import Gap, Manifest
from labkit.lesson.handing_in import secrecy
from labkit.lesson.handing_in.recording import RECORDING

FOLDERS = (
    "labkit",
    "steps",
    "templates",
    "texts",
    "images",
    "docs",
    "grader/checks",
    "grader/support",
    ".devcontainer",
)
FILES = (
    "STEPS.md", "LICENSE", "CHANGELOG.md", "lab", "lab.cmd", "lab.toml", "course.toml", "pyproject.toml", ".gitignore",
    ".gitattributes", "requirements.lock", "requirements-build.lock",
)  # fmt: skip
#: for instructors and maintainers alone: files, and folders by their beginning
_WITHHELD = (
    "docs/instructor.md",
    "texts/README.handout.md",
    "labkit/lesson/handing_in/handout.py",
    "labkit/dev/",
)
_README, _MAKEFILE = "texts/README.handout.md", "Makefile"
_TARGETS = ("help", "setup", "demo", "grade", "clean")
_SKIPPED = re.compile(r"(^|/)(__pycache__|\.[a-z_]+_cache)(/|$)|\.pyc$|\.egg-info(/|$)")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def content(manifest: Manifest, course: Course, demo: list[Event]) -> dict[str, bytes]:
    """Every file of the hand-out by its path.

    Raises LabError naming file and words when one of them says what the solution says.
    """
    root = manifest.root
    found = {name: (root / name).read_bytes() for name in _names(root)}
    found["README.md"] = (root / _README).read_bytes()
    found[_MAKEFILE] = _makefile((root / _MAKEFILE).read_text()).encode()
    found |= _course_files(root, course)
    found["STEPS.md"] = _steps(found["STEPS.md"].decode(), course).encode()
    found[RECORDING] = (json.dumps([asdict(e) for e in demo], ensure_ascii=False) + "\n").encode()
    given = [manifest.gap(name) for name in course.given]
    found |= _solved(root, found, given)
    found = {name: data for name, data in found.items() if not _is_extensions(root / name, root, course)}
    _refuse_leaks(root, found, given)
    return found


def _names(root: Path) -> Iterator[str]:
    for name in FILES:
        if (root / name).is_file():
            yield name
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not _SKIPPED.search(name) and not name.startswith(_WITHHELD):
                yield name


def _course_files(root: Path, course: Course) -> dict[str, bytes]:
    """What course.toml names: questions, texts and logo."""
    paths = [course.questions, *text_files(course.texts)]
    if logo := course.data.get("texts", {}).get("logo"):
        paths.append(root / logo)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path is not None}


def _is_extensions(path: Path, root: Path, course: Course) -> bool:
    """Whether this is the list of own deadlines, which says who has one: it is nobody's to read."""
    name = course.data.get("dates", {}).get("extensions")
    return name is not None and path.resolve() == (root / name).resolve()


def _steps(text: str, course: Course) -> str:
    """STEPS.md with the sections that the course has written itself (step-NN.md)."""
    for path in sorted(course.texts.glob("step-[0-9][0-9].md")) if course.texts else ():
        own = path.read_text(encoding="utf-8").rstrip() + "\n\n"
        section = re.search(rf"(?ms)^## Step {path.stem[-2:]}: .*?(?=^## |\Z)", text)
        text = text[: section.start()] + own + text[section.end() :] if section else text
    return text


def _makefile(text: str) -> str:
    """The Makefile with the targets that work without solution and tests."""
    head, *parts = re.split(r"(?m)^(?=[a-z]+:.*## )", text)
    kept = [part for part in parts if part.partition(":")[0] in _TARGETS]
    head = re.sub(r"(?m)^\.PHONY:.*$", f".PHONY: {' '.join(_TARGETS)}", head)
    return head + "".join(kept)


# ---- Given gaps -----------------------------------------------------------------------------------------

_BLOCK = r"(?ms)^[ \t]*#> block {name}\n(?P<body>.*?)^[ \t]*#> endblock\n"


def _solved(root: Path, files: Mapping[str, bytes], given: list[Gap]) -> dict[str, bytes]:
    """The templates in which given gaps stand, with the solution's text in them."""
    changed: dict[str, bytes] = {}
    for path in sorted((root / "solution").rglob("*")):
        name = f"templates/{path.relative_to(root / 'solution').as_posix()}"
        if not path.is_file() or name not in files:
            continue
        text, solution = files[name].decode(), path.read_text()
        for gap in given:
            text = _with_block(text, solution, gap.block)
        changed[name] = text.encode()
    return changed


def _with_block(text: str, solution: str, block: str) -> str:
    pattern = re.compile(_BLOCK.format(name=block))
    answer, place = pattern.search(solution), pattern.search(text)
    if answer is None or place is None:
        return text
    return text[: place.start("body")] + answer["body"] + text[place.end("body") :]


# ---- The proof ------------------------------------------------------------------------------------------


def _refuse_leaks(root: Path, files: Mapping[str, bytes], given: list[Gap]) -> None:
    """No text of the hand-out may say what the solution says in a gap that is not given."""
    solution = [p.read_text() for p in sorted((root / "solution").rglob("*")) if p.is_file()]
    known = [data.decode(errors="replace") for name, data in files.items() if name.startswith("templates/")]
    texts = [_without(text, given) for text in solution]
    lengths = (secrecy.TOO_MANY, secrecy.TOO_MANY_IN_CODE)
    hidden = {length: secrecy.secret(texts, known, length) for length in lengths}
    for name, data in files.items():
        length = lengths[name.startswith(("labkit/", "grader/"))]
        words = (
            secrecy.leaks(data.decode(errors="replace"), hidden[length], length) if b"\0" not in data else ""
        )
        if words:
            raise LabError(
                f"{name} says words of the solution: {words}",
                hint="Say it in other words, or on another example; then: make handout",
            )


def _without(text: str, given: list[Gap]) -> str:
    for gap in given:
        text = re.sub(_BLOCK.format(name=gap.block), "", text)
    return text


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the hand-out as a zip that is the same for the same content; programs stay executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(f"hybrid-lab/{name}", _EPOCH)
            entry.external_attr = (0o755 if data.startswith(b"#!") else 0o644) << 16
            entry.create_system = 3
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    state.write_bytes(path, buffer.getvalue())
