"""course.toml: what the instructor changes without programming.

What belongs here: the record of the choices, reading it, refusing what does not fit together or into the kit.
What does not: which keys and values there are (course_file), explaining (course_words), marking
(labkit.grading).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from labkit.base.errors import ManifestError
from labkit.course import answers, course_file
from labkit.course.course_file import NAME, REPAIRABLE, refuse_unknown
from labkit.course.manifest import ENGINES, Manifest
from labkit.course.rubric import load as load_rubric
from labkit.course.toml_file import Table

#: gaps that the student writes; the others are given, that is: rendered solved
PRESETS: Mapping[str, tuple[str, ...]] = {
    "taster": ("server-door", "unit", "server-policy"),
    "session": ("lambda-network", "server-door", "unit", "lambda-call", "store", "server-policy"),
    "full": (),  # all
}
#: what a folder of texts may replace
TEXT_FILES = ("glossary.toml", "hints.toml", "cards.toml")


@dataclass(frozen=True)
class Line:
    """A line of the rubric as far as the course may change it."""

    id: str
    points: int
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """What the instructor has chosen; everything has a default. `data` is the whole file."""

    name: str = ""
    contact: str = ""
    preset: str = "full"
    given: tuple[str, ...] = ()
    engines: tuple[str, ...] = ENGINES
    points: Mapping[str, int] = field(default_factory=dict)
    scale_to: int = 100
    hint_tiers: int = 3
    hint_cost: float = 0.0
    tier3_after: int = 10
    pool: tuple[str, ...] = REPAIRABLE
    how_many: int = 2
    due: datetime | date | None = None
    questions: Path | None = None
    required: tuple[str, ...] = ()
    texts: Path | None = None
    path: Path | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def moment(self, value: datetime | date) -> datetime:
        """A date of the file with its time and zone: a date alone means its last minute."""
        from zoneinfo import ZoneInfo

        whole = value if isinstance(value, datetime) else datetime.combine(value, time(23, 59))
        zone = self.data.get("course", {}).get("timezone")
        return whole if whole.tzinfo or not zone else whole.replace(tzinfo=ZoneInfo(zone))


def load(manifest: Manifest) -> Course:
    """Read course.toml beside lab.toml; without one, the defaults.

    Raises ManifestError naming the key, for a key that is unknown, a value that can't be, a gap, engine,
    fault, question or file that does not exist, and points and dates that do not fit.
    """
    path = manifest.root / NAME
    if not path.exists():
        return Course()
    top, lines = course_file.read(manifest.root), rubric(manifest)
    refuse_unknown(top, [line.id for line in lines])
    course = _course(manifest, top, path)
    _refuse_unfit(top, course, manifest, lines)
    return course


def contact(root: Path) -> str:
    """Whom to ask, "" where no course says so or its file can't be read: for use beside other errors."""
    try:
        return course_file.read(root).table("course").optional_text("contact")
    except ManifestError:
        return ""


def text_files(folder: Path | None) -> list[Path]:
    """What the folder of texts holds, in order; not what a file manager hides there (.DS_Store)."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")] if folder else []


def _course(manifest: Manifest, top: Table, path: Path) -> Course:
    data = top.data
    lab, hints, breaking = data.get("lab", {}), data.get("hints", {}), data.get("break", {})
    asked, points, about = data.get("questions", {}), data.get("points", {}), data.get("course", {})
    folder, file = data.get("texts", {}).get("folder"), asked.get("file")
    return Course(
        name=about.get("name", ""), contact=about.get("contact", ""),
        preset=lab.get("preset", "full"), given=_given(manifest, top.table("lab")), engines=tuple(lab.get("engines", ENGINES)),
        points={k: v for k, v in points.items() if k not in ("scale_to", "bonus")}, scale_to=points.get("scale_to", 0),
        hint_tiers=hints.get("tiers", 3), hint_cost=float(hints.get("cost", 0)),
        tier3_after=hints.get("tier3_after", 10), pool=tuple(breaking.get("pool", Course.pool)),
        how_many=breaking.get("how_many", 2), due=data.get("dates", {}).get("due"),
        questions=path.parent / file if file else None, required=tuple(asked.get("required", ())),
        texts=path.parent / folder if folder else None, path=path, data=data,
    )  # fmt: skip


def rubric(manifest: Manifest) -> tuple[Line, ...]:
    """The rubric's lines in lab.toml."""
    names = {gap.name for gap in manifest.gaps}
    return tuple(
        Line(line.id, line.points, tuple(name for name in line.alone if name in names))
        for line in load_rubric(manifest.root).lines
    )


def leaving(lines: Sequence[Line], course: Course) -> list[Line]:
    """The lines that leave the rubric because every gap that they judge is given."""
    return [line for line in lines if line.gaps and set(line.gaps) <= set(course.given)]


def _given(manifest: Manifest, lab: Table) -> tuple[str, ...]:
    """The gaps that are given: those outside the preset, and those named."""
    preset = lab.optional_text("preset") or "full"
    if preset not in PRESETS:
        raise lab.wrong("preset", f"= {preset!r}; there are {', '.join(PRESETS)}")
    named, known = lab.texts("given", optional=True), [gap.name for gap in manifest.gaps]
    _refuse_unknown_names(lab, "given", named, known)
    written = PRESETS[preset] or known
    return tuple(gap for gap in known if gap not in written or gap in named)


# ---- What does not fit ---------------------------------------------------------------------------------


def _refuse_unfit(top: Table, course: Course, manifest: Manifest, lines: Sequence[Line]) -> None:
    lab, breaking = top.table("lab"), top.table("break")
    _refuse_unknown_names(lab, "engines", course.engines, ENGINES)
    _refuse_unknown_names(breaking, "pool", course.pool, REPAIRABLE)
    if not course.engines:
        raise lab.wrong("engines", "is empty: nothing could be deployed")
    if len(course.given) == len(manifest.gaps):
        raise lab.wrong("given", "leaves no gap to write")
    if course.how_many > len(course.pool):
        raise breaking.wrong("how_many", f"= {course.how_many}; the pool has {len(course.pool)}")
    _refuse_points(top, course, lines)
    _refuse_dates(top.table("dates"), course)
    _refuse_files(top, course, manifest.root)


def _refuse_points(top: Table, course: Course, lines: Sequence[Line]) -> None:
    points, full = top.table("points"), course.scale_to or 100
    total = sum(course.points.get(line.id, line.points) for line in lines)
    if course.points and not course.scale_to and total != 100:
        raise points.wrong("", f"sums to {total}, not 100; change other lines, or say scale_to = 100")
    left = [line for line in lines if line not in leaving(lines, course)]
    if lines and not any(course.points.get(line.id, line.points) for line in left):
        raise points.wrong("", "leaves no points: every line that is judged counts 0; give one of them some")
    total = top.table("lms").data.get("gradescope_total", full)
    if total != full:
        what = f"= {total}, and the marks are out of {full}; say [points] scale_to = {total}"
        raise top.table("lms").wrong("gradescope_total", what)


def _refuse_unknown_names(table: Table, key: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise table.wrong(key, f"names {name!r}, which is none of {', '.join(sorted(known))}")


def _refuse_dates(dates: Table, course: Course) -> None:
    given = [name for name in ("release", "setup_due", "due") if name in dates.data]
    order = [(name, course.moment(dates.data[name])) for name in given]
    for (first, before), (second, after) in itertools.pairwise(order):
        if (before.tzinfo is None) != (after.tzinfo is None):
            raise dates.wrong(first, f"and {second}: give both a zone, or name [course] timezone")
        if before >= after:
            raise dates.wrong(first, f"is not before {second}")


def _refuse_files(top: Table, course: Course, root: Path) -> None:
    """Files that the course names must be in the lab's folder, and hold what is asked of them.

    The list of own deadlines is not in the hand-out, where nobody asks for it.
    """
    handed_out = not (root / "solution").is_dir()
    for table, key, must_be in (
        ("questions", "file", None),
        ("texts", "folder", None),
        ("texts", "logo", Path.is_file),
        ("dates", "extensions", None if handed_out else Path.is_file),
    ):
        _refuse_elsewhere(top.table(table), key, root, must_be)
    _refuse_texts(top.table("texts"), course.texts)
    asked = _questions(top.table("questions"), course)
    _refuse_unknown_names(
        top.table("questions"), "required", course.required, [question.id for question in asked]
    )


def _refuse_elsewhere(table: Table, key: str, root: Path, must_be: Callable[[Path], bool] | None) -> None:
    name = table.optional_text(key)
    path = (root / name).resolve()
    if key in table.data and (path == root.resolve() or not path.is_relative_to(root.resolve())):
        raise table.wrong(key, f"= {name!r} is not inside the lab's folder; put it beside {NAME}")
    if key in table.data and must_be and not must_be(path):
        raise table.wrong(key, f"= {name!r}: there is no such file beside {NAME}")


def _refuse_texts(texts: Table, folder: Path | None) -> None:
    if folder is None:
        return
    if not folder.is_dir():
        raise texts.wrong("folder", f"= {folder.name!r}: there is no such folder beside {NAME}")
    for path in text_files(folder):
        if not path.is_file() or (path.name not in TEXT_FILES and not path.match("step-[0-9][0-9].md")):
            known = ", ".join(TEXT_FILES)
            raise texts.wrong("folder", f": {path.name} replaces nothing; there are {known}, step-NN.md")


def _questions(table: Table, course: Course) -> Sequence[answers.Question]:
    asked = answers.questions(course.questions)
    wanted = {(q.id, q.number) for q in answers.questions() if q.number}
    if missing := wanted - {(q.id, q.number) for q in asked}:
        id_, number = sorted(missing)[0]
        raise table.wrong("file", f": question {id_} with number = {number!r} is marked by machine; keep it")
    return asked
