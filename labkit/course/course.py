"""course.toml: what the instructor changes without programming.

What belongs here: the record of the choices, reading it, refusing what does not fit together or into the kit.
What does not: which keys and values there are (course_file), explaining (course_words), marking
(labkit.grading).
"""

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from labkit.course import answers
from labkit.course.course_file import NAME, REPAIRABLE, refuse_unknown, wrong
from labkit.course.manifest import ENGINES, Manifest

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
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise wrong(f"can't be read: {error}") from error
    lines = rubric(manifest)
    refuse_unknown(data, [line.id for line in lines])
    course = _course(manifest, data, path)
    _refuse_unfit(course, manifest, lines)
    return course


def contact(root: Path) -> str:
    """Whom to ask, "" where no course says so or its file can't be read: for use beside other errors."""
    try:
        data = tomllib.loads((root / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    table = data.get("course", {})
    return str(table.get("contact", "")) if isinstance(table, dict) else ""


def text_files(folder: Path | None) -> list[Path]:
    """What the folder of texts holds, in order; not what a file manager hides there (.DS_Store)."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")] if folder else []


def _course(manifest: Manifest, data: Mapping[str, Any], path: Path) -> Course:
    lab, hints, breaking = data.get("lab", {}), data.get("hints", {}), data.get("break", {})
    asked, points, about = data.get("questions", {}), data.get("points", {}), data.get("course", {})
    folder, file = data.get("texts", {}).get("folder"), asked.get("file")
    return Course(
        name=about.get("name", ""), contact=about.get("contact", ""),
        preset=lab.get("preset", "full"), given=_given(manifest, lab), engines=tuple(lab.get("engines", ENGINES)),
        points={k: v for k, v in points.items() if k not in ("scale_to", "bonus")}, scale_to=points.get("scale_to", 0),
        hint_tiers=hints.get("tiers", 3), hint_cost=float(hints.get("cost", 0)),
        tier3_after=hints.get("tier3_after", 10), pool=tuple(breaking.get("pool", Course.pool)),
        how_many=breaking.get("how_many", 2), due=data.get("dates", {}).get("due"),
        questions=path.parent / file if file else None, required=tuple(asked.get("required", ())),
        texts=path.parent / folder if folder else None, path=path, data=data,
    )  # fmt: skip


def rubric(manifest: Manifest) -> tuple[Line, ...]:
    """The rubric's lines in lab.toml; none where this copy has no rubric."""
    data = tomllib.loads((manifest.root / "lab.toml").read_text(encoding="utf-8"))
    names = {gap.name for gap in manifest.gaps}
    return tuple(
        Line(line["id"], line["points"], tuple(n for n in line.get("alone", ()) if n in names))
        for line in data.get("line", ())
    )


def leaving(lines: Sequence[Line], course: Course) -> list[Line]:
    """The lines that leave the rubric because every gap that they judge is given."""
    return [line for line in lines if line.gaps and set(line.gaps) <= set(course.given)]


def _given(manifest: Manifest, lab: Mapping[str, Any]) -> tuple[str, ...]:
    """The gaps that are given: those outside the preset, and those named."""
    preset = lab.get("preset", "full")
    if preset not in PRESETS:
        raise wrong(f"[lab] preset = {preset!r}; there are {', '.join(PRESETS)}")
    named, known = lab.get("given", ()), [gap.name for gap in manifest.gaps]
    _all_known("[lab] given", named, known)
    written = PRESETS[preset] or known
    return tuple(gap for gap in known if gap not in written or gap in named)


# ---- What does not fit ---------------------------------------------------------------------------------


def _refuse_unfit(course: Course, manifest: Manifest, lines: Sequence[Line]) -> None:
    _all_known("[lab] engines", course.engines, ENGINES)
    _all_known("[break] pool", course.pool, REPAIRABLE)
    if not course.engines:
        raise wrong("[lab] engines is empty: nothing could be deployed")
    if len(course.given) == len(manifest.gaps):
        raise wrong("[lab] given leaves no gap to write")
    if course.how_many > len(course.pool):
        raise wrong(f"[break] how_many = {course.how_many}; the pool has {len(course.pool)}")
    total = sum(course.points.get(line.id, line.points) for line in lines)
    if course.points and not course.scale_to and total != 100:
        raise wrong(f"[points] sums to {total}, not 100; change other lines, or say scale_to = 100")
    left = [line for line in lines if line not in leaving(lines, course)]
    if lines and not any(course.points.get(line.id, line.points) for line in left):
        raise wrong("[points] leaves no points: every line that is judged counts 0; give one of them some")
    total = course.data.get("lms", {}).get("gradescope_total")
    if total is not None and total != (course.scale_to or 100):
        raise wrong(
            f"[lms] gradescope_total = {total}, and the marks are out of {course.scale_to or 100}; say [points] scale_to = {total}"
        )
    _refuse_dates(course)
    _refuse_files(course, manifest)


def _all_known(where: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise wrong(f"{where}: there is no {name!r}; there are {', '.join(sorted(known))}")


def _refuse_dates(course: Course) -> None:
    dates = course.data.get("dates", {})
    order = [(name, course.moment(dates[name])) for name in ("release", "setup_due", "due") if name in dates]
    for (first, before), (second, after) in itertools.pairwise(order):
        if (before.tzinfo is None) != (after.tzinfo is None):
            raise wrong(f"[dates] {first} and {second}: give both a zone, or name [course] timezone")
        if before >= after:
            raise wrong(f"[dates] {first} is not before {second}")


def _refuse_files(course: Course, manifest: Manifest) -> None:
    """Files that the course names must be in the lab's folder, and hold what is asked of them.

    The list of own deadlines is not in the hand-out, where nobody asks for it.
    """
    for table, key in (
        ("questions", "file"),
        ("texts", "folder"),
        ("texts", "logo"),
        ("dates", "extensions"),
    ):
        name = course.data.get(table, {}).get(key)
        if name is not None:
            _refuse_elsewhere(manifest.root, name, f"[{table}] {key} = {name!r}")
    handed_out = not (manifest.root / "solution").is_dir()
    for table, key in (("texts", "logo"), *([] if handed_out else [("dates", "extensions")])):
        name = course.data.get(table, {}).get(key)
        if name is not None and not (manifest.root / name).is_file():
            raise wrong(f"[{table}] {key} = {name!r}: there is no such file beside {NAME}")
    _refuse_texts(course.texts)
    asked = _questions(course)
    _all_known("[questions] required", course.required, [question.id for question in asked])


def _refuse_elsewhere(root: Path, name: str, what: str) -> None:
    path = (root / name).resolve()
    if path == root.resolve() or not path.is_relative_to(root.resolve()):
        raise wrong(f"{what} is not inside the lab's folder; put it beside {NAME}")


def _refuse_texts(folder: Path | None) -> None:
    if folder is None:
        return
    if not folder.is_dir():
        raise wrong(f"[texts] folder = {folder.name!r}: there is no such folder beside {NAME}")
    for path in text_files(folder):
        if not path.is_file() or (path.name not in TEXT_FILES and not path.match("step-[0-9][0-9].md")):
            known = ", ".join(TEXT_FILES)
            raise wrong(f"[texts] folder: {path.name} replaces nothing; there are {known}, step-NN.md")


def _questions(course: Course) -> Sequence[answers.Question]:
    if course.questions is None:
        return answers.questions()
    try:
        asked = answers.questions(course.questions)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise wrong(f"[questions] file = {course.questions.name!r} can't be read: {error}") from error
    wanted = {(q.id, q.number) for q in answers.questions() if q.number}
    if missing := wanted - {(q.id, q.number) for q in asked}:
        id_, number = sorted(missing)[0]
        raise wrong(
            f"[questions] file: question {id_} with number = {number!r} is marked by machine; keep it"
        )
    return asked
