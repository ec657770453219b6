"""course.toml: what the instructor changes without programming, and what follows from it, in sentences.

What belongs here: reading the file, refusing what does not fit together, explaining. What does not: the
kit's own manifest (labkit.manifest), marking (labkit.grading).
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from labkit.errors import ManifestError
from labkit.lesson import faults
from labkit.manifest import ENGINES, Manifest

NAME = "course.toml"
#: gaps that the student writes; the others are given, that is: rendered solved
PRESETS: Mapping[str, tuple[str, ...]] = {
    "taster": ("server-door", "unit", "server-policy"),
    "session": ("lambda-network", "server-door", "unit", "lambda-call", "store", "server-policy"),
    "full": (),  # all
}
_KNOWN: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "course": {"name": str, "term": str, "timezone": str, "contact": str, "language": str},
    "lab": {"preset": str, "given": list, "engines": list, "targets": list},
    "points": {"scale_to": int},
    "dates": {"release": (datetime, date), "due": (datetime, date), "grace": str, "late": str,
              "setup_due": (datetime, date), "extensions": str},
    "uploads": {"per_day": int, "counts": str},
    "hints": {"tiers": int, "cost": (int, float), "tier3_after": int},
    "feedback": {"hidden_lines": str, "after_due": str},
    "questions": {"file": str, "points": int, "required": list},
    "break": {"pool": list, "how_many": int},
    "variants": {"on": bool, "unit": str, "reuse_across_semesters": bool},
    "texts": {"folder": str, "logo": str},
    "grading": {"kit_versions": list, "mode": str, "tier": str, "time_limits": dict},
    "lms": {"gradescope_total": int, "canvas_column": str, "roster_id": str},
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line of the rubric as far as the course may change it."""

    id: str
    points: int
    gaps: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """What the instructor has chosen; everything has a default."""

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
    pool: tuple[str, ...] = faults.REPAIRABLE
    how_many: int = 2
    due: datetime | date | None = None
    path: Path | None = None


def load(manifest: Manifest) -> Course:
    """Read course.toml beside lab.toml; without one, the defaults.

    Raises ManifestError naming the key, for a key that is unknown, a value of the wrong kind, a gap, engine
    or fault that does not exist, and points that do not fit.
    """
    path = manifest.root / NAME
    if not path.exists():
        return Course()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(f"can't be read: {error}") from error
    return _course(manifest, data, path)


def _course(manifest: Manifest, data: Mapping[str, Any], path: Path) -> Course:
    lines = rubric(manifest)
    _refuse_unknown(data, {line.id for line in lines})
    lab, hints, breaking = data.get("lab", {}), data.get("hints", {}), data.get("break", {})
    course = Course(
        name=data.get("course", {}).get("name", ""), contact=data.get("course", {}).get("contact", ""),
        preset=lab.get("preset", "full"), given=_given(manifest, lab), engines=tuple(lab.get("engines", ENGINES)),
        points={k: v for k, v in data.get("points", {}).items() if k != "scale_to"},
        scale_to=data.get("points", {}).get("scale_to", 0), hint_tiers=hints.get("tiers", 3),
        hint_cost=float(hints.get("cost", 0)), tier3_after=hints.get("tier3_after", 10),
        pool=tuple(breaking.get("pool", Course.pool)), how_many=breaking.get("how_many", 2),
        due=data.get("dates", {}).get("due"), path=path,
    )  # fmt: skip
    _refuse_unfit(course, manifest, lines)
    return course


def rubric(manifest: Manifest) -> tuple[Line, ...]:
    """The rubric's lines in lab.toml; none where this copy has no rubric."""
    data = tomllib.loads((manifest.root / "lab.toml").read_text(encoding="utf-8"))
    names = {gap.name for gap in manifest.gaps}
    return tuple(
        Line(line["id"], line["points"], tuple(n for n in line.get("alone", ()) if n in names))
        for line in data.get("line", ())
    )


def _given(manifest: Manifest, lab: Mapping[str, Any]) -> tuple[str, ...]:
    """The gaps that are given: those outside the preset, and those named."""
    preset = lab.get("preset", "full")
    if preset not in PRESETS:
        raise _wrong(f"[lab] preset = {preset!r}; there are {', '.join(PRESETS)}")
    written = PRESETS[preset] or tuple(gap.name for gap in manifest.gaps)
    named = set(lab.get("given", ()))
    return tuple(g.name for g in manifest.gaps if g.name not in written or g.name in named)


def _refuse_unknown(data: Mapping[str, Any], lines: set[str]) -> None:
    for table, values in data.items():
        if table not in _KNOWN or not isinstance(values, dict):
            raise _wrong(f"has no table [{table}]; there are {', '.join(_KNOWN)}")
        for key, value in values.items():
            if table == "points" and key in lines:
                kind: type | tuple[type, ...] = int
            elif key in _KNOWN[table]:
                kind = _KNOWN[table][key]
            else:
                known = sorted(_KNOWN[table]) + (["a line of the rubric"] if table == "points" else [])
                raise _wrong(f"[{table}] has no key {key!r}; there are {', '.join(known)}")
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
                raise _wrong(f"[{table}] {key} = {value!r} is of the wrong kind")


def _refuse_unfit(course: Course, manifest: Manifest, lines: Sequence[Line]) -> None:
    gaps = {gap.name for gap in manifest.gaps}
    raw = tomllib.loads((course.path or Path()).read_text(encoding="utf-8")).get("lab", {})
    _all_known("[lab] given", raw.get("given", ()), gaps)
    _all_known("[lab] engines", course.engines, set(ENGINES))
    _all_known("[break] pool", course.pool, set(faults.REPAIRABLE))
    if not course.engines:
        raise _wrong("[lab] engines is empty: nothing could be deployed")
    if not 1 <= course.how_many <= len(course.pool):
        raise _wrong(f"[break] how_many = {course.how_many}; the pool has {len(course.pool)}")
    if not 1 <= course.hint_tiers <= 3:
        raise _wrong(f"[hints] tiers = {course.hint_tiers}; there are 1 to 3")
    total = sum(course.points.get(line.id, line.points) for line in lines)
    if course.points and not course.scale_to and total != 100:
        raise _wrong(f"[points] sums to {total}, not 100; change other lines, or say scale_to = 100")


def _all_known(where: str, names: Sequence[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise _wrong(f"{where}: there is no {name!r}; there are {', '.join(sorted(known))}")


def _wrong(what: str) -> ManifestError:
    return ManifestError(
        f"{NAME} {what}.", hint="docs/instructor.md lists every key. Check: ./lab course check"
    )


# ---- Explaining ---------------------------------------------------------------------------------------


def explain(manifest: Manifest, course: Course) -> list[str]:
    """What follows from the choices, one sentence each, consequences for the mark included."""
    if course.path is None:
        return [f"There is no {NAME}: the full lab as lab.toml has it, 100 points."]
    return [*_about_lab(manifest, course), *_about_points(manifest, course), *_about_rest(course)]


def _about_lab(manifest: Manifest, course: Course) -> Iterator[str]:
    if course.name:
        yield f"The course is {course.name}."
    written = [gap for gap in manifest.gaps if gap.name not in course.given]
    minutes = sum(gap.minutes for gap in written)
    yield (
        f"Students write {len(written)} of {len(manifest.gaps)} gaps (preset {course.preset}), about {minutes} "
        f"minutes: {', '.join(gap.name for gap in written)}."
    )
    if course.given:
        yield f"Given, that is solved in the hand-out that `make handout` makes: {', '.join(course.given)}."
    yield f"They deploy with {' or '.join(course.engines)}."


def _about_points(manifest: Manifest, course: Course) -> Iterator[str]:
    lines = rubric(manifest)
    if not lines:
        yield "This copy has no rubric, so points are not checked."
        return
    gone = [line for line in lines if line.gaps and set(line.gaps) <= set(course.given)]
    left = sum(course.points.get(line.id, line.points) for line in lines if line not in gone)
    if gone:
        yield f"Because of the given gaps these lines leave the rubric: {', '.join(line.id for line in gone)}."
    for line in lines:
        if course.points.get(line.id, line.points) != line.points:
            yield f"{line.id} counts {course.points[line.id]} points instead of {line.points}."
    scale = course.scale_to or 100
    factor = f", scaled to {scale} (each counts {scale / left:.2f})" if left != scale else ""
    yield f"{left} points are left{factor}."


def _about_rest(course: Course) -> Iterator[str]:
    free = "free" if not course.hint_cost else f"{course.hint_cost:g} points each"
    yield f"Hints have {course.hint_tiers} tiers, {free}; the example comes after {course.tier3_after} minutes."
    yield f"Step 06 puts {course.how_many} faults into each lab, from: {', '.join(course.pool)}."
    if course.due:
        clock = " %H:%M" if isinstance(course.due, datetime) else ""
        yield f"The deadline is {course.due:%A, %d %B %Y}{course.due.strftime(clock)}."
    if course.contact:
        yield f"Errors tell students to ask {course.contact}."
