"""course.toml in sentences: what follows from each choice, consequences for the mark included.

What belongs here: words. What does not: refusing what can't be (labkit.lesson.course).
"""

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.errors import UsageError
from labkit.lesson.course import Course, Line, leaving, rubric, text_files
from labkit.lesson.course_file import NAME
from labkit.manifest import Manifest

_TOLD = {"name": "only its name", "reason": "the reason too", "all": "reason and inputs"}


def explain(manifest: Manifest, course: Course) -> list[str]:
    """What follows from the choices, one sentence each."""
    if course.path is None:
        return [f"There is no {NAME}: the full lab as lab.toml has it, 100 points."]
    return [
        *_about_lab(manifest, course), *_about_points(manifest, course), *_about_work(course),
        *_about_time(course), *_about_words(course), *_written_down(course),
    ]  # fmt: skip


def _about_lab(manifest: Manifest, course: Course) -> Iterator[str]:
    about = course.data.get("course", {})
    if course.name:
        yield f"The course is {course.name}{', ' + about['term'] if about.get('term') else ''}."
    written = [gap for gap in manifest.gaps if gap.name not in course.given]
    minutes = sum(gap.minutes for gap in written)
    yield (
        f"Students write {len(written)} of {len(manifest.gaps)} gaps (preset {course.preset}), about {minutes} "
        f"minutes: {', '.join(gap.name for gap in written)}."
    )
    if course.given:
        yield f"Given, that is solved in the hand-out that `make handout` makes: {', '.join(course.given)}."
    yield f"They deploy with {' or '.join(course.engines)}."
    if len(course.engines) == 1:
        yield "Step 08, which compares the two engines, falls away."
    if targets := course.data.get("lab", {}).get("targets"):
        yield f"They may deploy to: {', '.join(targets)}. That is told to them; the kit does not stop them."


def gone(manifest: Manifest, course: Course) -> list[Line]:
    """The rubric's lines that the course's given gaps take out of it."""
    return leaving(rubric(manifest), course)


def _about_points(manifest: Manifest, course: Course) -> Iterator[str]:
    lines = rubric(manifest)
    if not lines:
        yield "This copy has no rubric, so points are not checked."
        return
    without = gone(manifest, course)
    left = sum(course.points.get(line.id, line.points) for line in lines if line not in without)
    if without:
        yield f"Because of the given gaps these lines leave the rubric: {', '.join(line.id for line in without)}."
    for line in lines:
        if course.points.get(line.id, line.points) != line.points:
            yield f"{line.id} counts {course.points[line.id]} points instead of {line.points}."
    scale = course.scale_to or 100
    factor = f", scaled to {scale} (each counts {scale / left:.2f})" if left != scale else ""
    yield f"{left} points are left{factor}."
    if without or course.points:
        yield (
            "`lab grade` still judges every line and counts it as lab.toml does; `lab course check --results "
            "FOLDER --json` counts the results of a class as said here."
        )


def _about_work(course: Course) -> Iterator[str]:
    free = "free" if not course.hint_cost else f"{course.hint_cost:g} points each"
    yield f"Hints have {course.hint_tiers} tiers, {free}; the example comes after {course.tier3_after} minutes."
    if course.hint_cost:
        yield (
            "Each submission says how many hints were given (record/trouble.json); students are told the cost, and "
            "it is taken off where marks are entered: `lab grade` says what the lab is worth without it."
        )
    yield f"Step 06 puts {course.how_many} faults into each lab, from: {', '.join(course.pool)}."
    asked = course.data.get("questions", {})
    if course.questions is not None:
        yield f"The questions are those of {course.questions.name}."
    if course.required:
        yield f"Only these must be answered for a complete pack: {', '.join(course.required)}."
    if "points" in asked:
        yield f"A person gives up to {asked['points']} points for the prose, beside the {course.scale_to or 100}."
    yield from _about_variants(course)


def _about_variants(course: Course) -> Iterator[str]:
    chosen = course.data.get("variants", {})
    if chosen.get("on") is False:
        yield "Own values stay on all the same: files, checks and marks hang on them. Give all one id instead."
    if chosen.get("unit") == "group":
        yield "One id stands for a group: all of it type the same --student, and hand in one pack."
    if chosen.get("reuse_across_semesters") is False:
        yield "For values that no earlier term had, change `salt` in lab.toml: every student's values follow."


def _about_time(course: Course) -> Iterator[str]:
    dates, words = (
        course.data.get("dates", {}),
        {"release": "It is given out on", "setup_due": "Set-up is due on"},
    )
    for key, said in (*words.items(), ("due", "The deadline is")):
        if key in dates:
            zone = course.data.get("course", {}).get("timezone", "")
            moment = course.moment(dates[key])
            yield f"{said} {moment:%A, %d %B %Y %H:%M}{' ' + zone if zone else ''}."
    if "due" in dates:
        yield "`./lab` shows students the deadline; lateness is judged where they hand in, by that clock."


def _written_down(course: Course) -> Iterator[str]:
    """What is agreed upon here and acted upon elsewhere."""
    agreed = [*_lateness(course.data.get("dates", {})), *_uploads(course), *_grading(course), *_lms(course)]
    if agreed:
        yield "Nothing in the kit acts on what follows. It is written down for whoever sets up the platform:"
        yield from (f"- {sentence}" for sentence in agreed)


def _lateness(dates: Mapping[str, Any]) -> Iterator[str]:
    if "grace" in dates:
        yield f"Up to {dates['grace']} after the deadline counts as in time."
    if "late" in dates:
        yield f"After that: minus {dates['late']}."
    if "extensions" in dates:
        yield f"Own deadlines stand in {dates['extensions']}; the hand-out does not have it."


def _uploads(course: Course) -> Iterator[str]:
    uploads, feedback = course.data.get("uploads", {}), course.data.get("feedback", {})
    if uploads:
        often = f"{uploads['per_day']} a day" if "per_day" in uploads else "as often as they like"
        yield f"Students may upload {often}; the {uploads.get('counts', 'best')} one counts."
    for key, when in (("hidden_lines", "before"), ("after_due", "after")):
        if key in feedback:
            yield f"Of a hidden line that fails, students are to be told {_TOLD[feedback[key]]} {when} the deadline."


def _grading(course: Course) -> Iterator[str]:
    grading = course.data.get("grading", {})
    if "kit_versions" in grading:
        yield f"Packs made with kit {', '.join(map(str, grading['kit_versions']))} are to be taken."
    if "mode" in grading:
        whence = {"fresh": "a fresh cloud, as `lab grade` makes it", "deployed": "a look at what stands"}
        yield f"Marks are to come from {whence[grading['mode']]}."
    if "tier" in grading:
        yield f"Grading needs the sandbox {grading['tier']}: run it with --require-tier {grading['tier']}."
    for engine, seconds in grading.get("time_limits", {}).items():
        yield f"A deployment with {engine} is to take {seconds} s at most."


def _lms(course: Course) -> Iterator[str]:
    lms = course.data.get("lms", {})
    if "gradescope_total" in lms:
        yield f"Gradescope's total is {lms['gradescope_total']}."
    if "canvas_column" in lms:
        yield f"Canvas has the mark in the column {lms['canvas_column']}."
    if "roster_id" in lms:
        yield f"Students stand in your roster by {lms['roster_id']}."


def _about_words(course: Course) -> Iterator[str]:
    if course.texts is not None:
        names = ", ".join(path.name for path in text_files(course.texts))
        yield f"Texts of yours stand in place of the kit's: {names or 'none yet'}."
    if logo := course.data.get("texts", {}).get("logo"):
        yield f"{logo} is in the hand-out."
    language = course.data.get("course", {}).get("language", "en")
    if language != "en":
        yield f"The kit speaks English; put what you have in {language} into [texts] folder."
    if course.contact:
        yield f"Errors tell students to ask {course.contact}."


# ---- A class, marked anew without running anything -----------------------------------------------------


def moved(manifest: Manifest, course: Course, results: Path) -> str:
    """Which marks of an earlier grading these choices would move, from its result.json files.

    Raises UsageError where there are none.
    """
    before, after = (marks(manifest, each, results) for each in (Course(), course))
    moving = [shift for name, mark in after.items() if (shift := abs(mark - before[name])) >= 0.005]
    if not moving:
        return f"None of {len(after)} marks would move."
    return (
        f"{len(moving)} of {len(after)} marks would move, the largest by {max(moving):.1f}, "
        f"the middle one by {statistics.median(moving):.1f}."
    )


def marks(manifest: Manifest, course: Course, results: Path) -> dict[str, float]:
    """Every mark as the course counts it, by the result's path below `results`. Raises UsageError for none."""
    found = {str(path.relative_to(results)): _read(path) for path in sorted(results.rglob("*.json"))}
    counted = {name: round(_mark(manifest, course, lines), 2) for name, lines in found.items() if lines}
    if not counted:
        raise UsageError(
            f"There are no results in {results}.", hint="Name the folder with the result.json of a class."
        )
    return counted


def _read(path: Path) -> Sequence[Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return [(line["id"], float(line["verdict"]["fraction"])) for line in value["lines"]]
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # some other file of that folder


def _mark(manifest: Manifest, course: Course, verdicts: Sequence[tuple[str, float]]) -> float:
    without = {line.id for line in gone(manifest, course)}
    points = {
        line.id: course.points.get(line.id, line.points)
        for line in rubric(manifest)
        if line.id not in without
    }
    earned = sum(fraction * points.get(name, 0) for name, fraction in verdicts)
    return (course.scale_to or 100) * earned / sum(points.values())
