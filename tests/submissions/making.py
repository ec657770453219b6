"""The submissions that the grader is proved with, by name, as files.

What belongs here: which there are, and making one for a student. What does not: grading them (tests/functional).
"""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import labkit
from labkit.course import manifest
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant

ROOT = Path(labkit.__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "submissions"
STUDENTS = ("ada@uni.edu", "grace.hopper@uni.edu", "edsger42")


def beside(name: str) -> ModuleType:
    """A module beside the diffs; they import the checks' own formats."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    spec = importlib.util.spec_from_file_location(f"lab_submissions_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


handed_in, evidence = beside("handed_in"), beside("evidence")
CASES = {path.stem: handed_in.read(path) for path in sorted(FOLDER.glob("*/*.diff"))}


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write a submission's files into the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())


def files_of(student: str, kind: str) -> dict[str, str]:
    """What this submission consists of."""
    if kind == "empty":
        return {}
    lab = manifest.load(ROOT)
    variant = make_variant(lab.salt, student)
    rendered = dict(Renderer(lab.root, lab.files).render(variant.values(), solution=kind != "starter"))
    if kind == "starter":
        return rendered
    whole = {**rendered, **evidence.files(variant)}
    values = {**variant.values(), **evidence.placeholders(variant)}
    return handed_in.applied(CASES[kind], whole, values) if kind in CASES else whole
