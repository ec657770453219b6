"""A small class as the tests of a class need it: a rubric, results, people, hand-ins, a ledger."""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import labkit
from labkit.course import manifest, rubric
from labkit.course.course import Course
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.grading.model import Result, Verdict, empty

ROOT = Path(labkit.__file__).resolve().parent.parent
LAB = manifest.load(ROOT)
RUBRIC = rubric.load(ROOT)
COURSE = Course()


def result(
    student: str = "ada@uni.edu",
    *,
    lost: Mapping[str, float] | None = None,
    keyed: bool = True,
    **about: object,
) -> Result:
    """All lines judged: passed, but for those in `lost`, with the fraction that they keep; None: not judged."""
    said = {
        "student": student, "variant": "abc123", "engine": "cloudformation", "kit": labkit.__version__, "target": "fresh",
        "only": [], "gap": "", "rubric": "ff", "reference": True, "self_check": not keyed, **about,
    }  # fmt: skip
    made = empty(RUBRIC, said)
    for line in made.all:
        kept = (lost or {}).get(line.id, 1.0)
        passed = kept == 1
        made = made.with_line(
            line.id,
            Verdict(
                "passed" if passed else "failed",
                kept,
                "" if passed else f"{line.id} does not hold",
                way="as submitted",
            ),
        )
    return replace(made, complete=True, when={"graded": "2027-02-01T08:00:00+00:00"})


def pack(
    path: Path,
    student: str,
    *,
    engine: str = "cloudformation",
    kit: str = labkit.__version__,
    more: Mapping[str, str] | None = None,
) -> Path:
    """A pack as `./lab submit` makes it, of somebody who has only generated."""
    import json

    values = make_variant(LAB.salt, student).values()
    files = {**Renderer(LAB.root, LAB.files).render(values), **(more or {})}
    told = {"format": 1, "kit": kit, "student": student, "engine": engine, "steps": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**files, "manifest.json": json.dumps(told)}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return path
