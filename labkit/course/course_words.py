"""course.toml in sentences: what follows from each choice, consequences for the mark included.

What belongs here: words. What does not: refusing what can't be (labkit.course.course).
"""

from collections.abc import Iterator

from labkit.course.course import Course, Line, leaving, rubric, text_files
from labkit.course.course_file import NAME
from labkit.course.manifest import Manifest

_TOLD = {"name": "only its name", "reason": "the reason too", "all": "reason and inputs"}


def explain(manifest: Manifest, course: Course) -> list[str]:
    """What follows from the choices, one sentence each."""
    if course.path is None:
        return [f"There is no {NAME}: the full lab as lab.toml has it, 100 points."]
    return [
        *_about_lab(manifest, course),
        *_about_points(manifest, course),
        *_about_work(course),
        *_about_time(course),
        *_about_words(course),
        *_about_class(course),
    ]


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
        yield "Every line is still judged; marks and reports count them as said here."
    yield {
        "apart": "Bonus lines are shown beside the mark.",
        "added": "Bonus lines are added to the mark, which may pass what is full.",
        "capped": "Bonus lines are added to the mark, up to what is full.",
    }[course.data.get("points", {}).get("bonus", "apart")]


def _about_work(course: Course) -> Iterator[str]:
    free = "free" if not course.hint_cost else f"{course.hint_cost:g} points each"
    yield f"Hints have {course.hint_tiers} tiers, {free}; the example comes after {course.tier3_after} minutes."
    if course.hint_cost:
        yield "Each pack says how many hints were given; students are told the cost, and it is taken off the mark."
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
    if course.data.get("variants", {}).get("unit") == "group":
        yield "One id stands for a group: all of it type the same --student, and hand in one pack; the roster says who is in it."


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
        yield "`./lab` shows students the deadline; `./lab class` judges lateness by the time of each hand-in."
    if "grace" in dates:
        yield f"Up to {dates['grace']} after the deadline counts as in time."
    if "late" in dates:
        yield f"After that: minus {dates['late']}; per cent are of what was earned, a day that has begun counts."
    if "extensions" in dates:
        yield f"Own deadlines stand in {dates['extensions']}; the hand-out does not have it."


def _about_class(course: Course) -> Iterator[str]:
    """What `./lab class` does by it."""
    uploads, feedback = course.data.get("uploads", {}), course.data.get("feedback", {})
    grading, lms = course.data.get("grading", {}), course.data.get("lms", {})
    if "counts" in uploads:
        yield f"Of several hand-ins the {uploads['counts']} one counts."
    for key, when in (("hidden_lines", "before"), ("after_due", "after")):
        if key in feedback:
            yield f"Of a hidden line that fails, students are told {_TOLD[feedback[key]]} {when} the deadline."
    if "kit_versions" in grading:
        yield f"Packs made with kit {', '.join(map(str, grading['kit_versions']))} are taken; others wait for you."
    if "mode" in grading:
        yield "Marks come from a fresh cloud."
    if "tier" in grading:
        yield f"A class is graded in the sandbox {grading['tier']} or a better one, or not at all."
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
