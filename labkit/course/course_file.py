"""The keys of course.toml: which there are, of which kind, and which values can be.

What belongs here: refusing a table, key or value, naming it and what would do. What does not: what the choices
mean together (labkit.course.course), their words (labkit.course.course_words).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from labkit.course import toml_file
from labkit.course.toml_file import Table

NAME = "course.toml"
TIERS = ("namespaces", "landlock", "posix")
#: faults of step 06 that may be in the pool: those that a student can mend (their making is in labkit.lesson.faults)
REPAIRABLE = (
    "rule-revoked", "route-gone", "answers-denied", "no-concurrency", "service-stopped", "not-enabled", "table-renamed",
    "explicit-deny", "key-type",
)  # fmt: skip
#: "10 % a day, 3 days": what a late hand-in loses, and for how long one is taken
LATE = re.compile(r"(\d+(?:\.\d+)?) ?% a day, (\d+) days?")
GRACE = re.compile(r"(\d+) ?(min|minutes?|h|hours?|days?)")

#: says what a value must be, "" when it is fine
Rule = Callable[[Any], str]


def _kind(words: str, *kinds: type) -> Rule:
    def rule(value: Any) -> str:
        fits = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
        return "" if fits else f"is of the wrong kind; it must be {words}"

    return rule


def _one_of(*names: str) -> Rule:
    return lambda value: "" if value in names else f"must be one of {', '.join(names)}"


def _some_of(*names: str) -> Rule:
    def rule(value: Any) -> str:
        if said := _names(value):
            return said
        unknown = [entry for entry in value if entry not in names]
        return f"has {unknown[0]!r}; there are {', '.join(names)}" if unknown else ""

    return rule


def _names(value: Any) -> str:
    if not isinstance(value, list):
        return "is of the wrong kind; it must be a list"
    twice = next((entry for entry in value if value.count(entry) > 1), None)
    return "" if twice is None else f"names {twice!r} twice; once is enough, and counts as one"


def _between(low: float, high: float, *kinds: type) -> Rule:
    def rule(value: Any) -> str:
        if not isinstance(value, kinds or (int,)) or isinstance(value, bool):
            return "is of the wrong kind; it must be a number"
        return "" if low <= float(str(value)) <= high else f"must be {low:g} to {high:g}"

    return rule


def _like(pattern: re.Pattern[str], example: str) -> Rule:
    def rule(value: Any) -> str:
        return "" if isinstance(value, str) and pattern.fullmatch(value) else f"must be like {example!r}"

    return rule


def _zone(value: Any) -> str:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, TypeError, ValueError, OSError):
        return "is no time zone; it must be a name like 'Asia/Kolkata'"
    return ""


def _but(rule: Rule, refused: Mapping[object, str]) -> Rule:
    """The rule, and of what it lets through these values refused, each with the reason."""
    return lambda value: rule(value) or refused.get(value, "")


def _never(why: str) -> Rule:
    """Nothing in the kit could act on it, so it is not taken."""
    return lambda _: f"is not taken: {why}"


_TEXT, _FLAG = _kind("text", str), _kind("true or false", bool)
_DATE = _kind("a date or a date with time", datetime, date)

KEYS: Mapping[str, Mapping[str, Rule]] = {
    "course": {"name": _TEXT, "term": _TEXT, "timezone": _zone, "contact": _TEXT, "language": _TEXT},
    "lab": {"preset": _TEXT, "given": _names, "engines": _names,
            "targets": _never("students deploy where they like; tell them where they may")},
    "points": {"scale_to": _between(1, 1000), "bonus": _one_of("apart", "added", "capped")},
    "dates": {"release": _DATE, "due": _DATE, "setup_due": _DATE, "extensions": _TEXT,
              "grace": _like(GRACE, "30 min"), "late": _like(LATE, "10 % a day, 3 days")},
    "uploads": {"per_day": _never("the platform counts uploads; set it there"), "counts": _one_of("best", "last")},
    "hints": {"tiers": _between(1, 3), "cost": _between(0, 10, int, float), "tier3_after": _between(0, 600)},
    "feedback": {"hidden_lines": _one_of("name", "reason", "all"), "after_due": _one_of("name", "reason", "all")},
    "questions": {"file": _TEXT, "points": _between(0, 100), "required": _names},
    "break": {"pool": _names, "how_many": _between(2, 10)},
    "variants": {
        "on": _but(_FLAG, {False: "is not taken: files, checks and marks hang on own values; give all one id instead"}),
        "unit": _one_of("student", "group"),
        "reuse_across_semesters": _never("for values that no earlier term had, change `salt` in lab.toml")},
    "texts": {"folder": _TEXT, "logo": _TEXT},
    "grading": {
        "kit_versions": _names, "tier": _one_of(*TIERS),
        "mode": _but(_one_of("fresh", "deployed"), {"deployed": "is not taken: marks come from a fresh cloud"}),
        "time_limits": _never("the engines' own limits hold for everybody")},
    "lms": {"gradescope_total": _between(1, 1000), "canvas_column": _TEXT,
            "roster_id": _one_of("email", "login", "sis", "lms", "github", "student")},
}  # fmt: skip


def read(root: Path) -> Table:
    """The tables of `root`/course.toml. Raises ManifestError where it can't be read or is no TOML."""
    return toml_file.read(root / NAME, "docs/instructor.md lists every key. Check: ./lab course check")


def refuse_unknown(top: Table, lines: Sequence[str]) -> None:
    """Raise ManifestError for a table, a key or a value that can't be; `lines` are the rubric's."""
    for name, values in top.data.items():
        if name not in KEYS or not isinstance(values, dict):
            raise top.file.wrong(
                f"line {top.line(name)}: there is no table [{name}]; there are {', '.join(KEYS)}"
            )
        for key, value in values.items():
            rule = _between(0, 100) if name == "points" and key in lines else KEYS[name].get(key)
            if rule is None:
                more = ["a line of the rubric"] if name == "points" else []
                known = ", ".join([*sorted(KEYS[name]), *more])
                raise top.table(name).wrong(key, f"is not known; there are {known}")
            if said := rule(value):
                raise top.table(name).wrong(key, f"= {value!r} {said}")
