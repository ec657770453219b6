"""What runs on a platform: python -m labkit.classroom.platforms.running PLATFORM …; one submission in, the platform's document out.

What belongs here: who handed in and when as the platform tells it, judging, writing the document whatever happens. What does
not: the documents' forms (labkit.classroom.exports.documents), what is uploaded (packing).
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import labkit
from labkit.base import state
from labkit.base.errors import LabError
from labkit.base.text import printable
from labkit.classroom import handins, marks, notes, places, rules
from labkit.classroom.exports import documents
from labkit.classroom.exports.model import Given
from labkit.classroom.handins import HandIn
from labkit.classroom.marks import Facts, Rules
from labkit.classroom.places import Place, utc
from labkit.classroom.roster import Person, Roster, folded
from labkit.classroom.standing import Standing
from labkit.course.course import Course
from labkit.course.course import load as load_course
from labkit.course.manifest import Manifest
from labkit.course.manifest import load as load_lab
from labkit.grading.grade import SELF_CHECK_KEY, Request, grade
from labkit.grading.intake import identity
from labkit.grading.model import Result
from labkit.grading.reports import markdown, words
from labkit.sandbox import tiers

JUDGED, NOT_JUDGED = 0, 75
#: beside the kit, for root alone
PRIVATE, ROSTER, KEY = "private", "roster.json", "grader.key"
_PENDING = "Not judged: the grading did not come to its end. That is not your fault; tell your instructor."

Grade = Callable[[Request], Result]


@dataclass(frozen=True)
class Told:
    """What the platform tells: ids of who handed in, when (ISO 8601 in UTC, "" unknown), what it is worth there."""

    ids: tuple[str, ...] = ()
    at: str = ""
    by: str = ""
    total: float | None = None


@dataclass(frozen=True)
class Job:
    """One submission on a platform. key: the grader key's file, None where there is none (then it is a look)."""

    platform: str
    root: Path
    submission: Path
    out: Path
    told: Told = Told()
    key: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class NotJudged(LabError):
    """There is no mark, and why; the student reads it."""


def main(given: list[str] | None = None) -> int:
    """Judge what the arguments name; the document is written before anything can go wrong."""
    arguments = _parser().parse_args(given)
    job = Job(
        arguments.platform,
        Path(labkit.__file__).resolve().parent.parent,
        Path(arguments.submission),
        Path(arguments.out),
        key=Path(arguments.key) if arguments.key else None,
        options=_options(os.environ),
    )
    return run(job, Path(arguments.metadata) if arguments.metadata else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="running")
    parser.add_argument("platform", choices=sorted(_DOCUMENTS))
    for name in ("--submission", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--key")
    parser.add_argument("--metadata", help="what the platform tells of who and when")
    return parser


def run(
    job: Job, metadata: Path | None = None, grade_one: Grade = grade, tier: Callable[[], str] | None = None
) -> int:
    """Judge, write the document; the status says whether it was judged. Whatever happens, there is a document."""
    _write(job, not_judged(job.platform, _PENDING))
    try:
        told = job.told if metadata is None else read_metadata(metadata)
        with tempfile.TemporaryDirectory(prefix="lab-platform-") as work:
            standing, counting = judge(replace(job, told=told), Path(work), grade_one, tier or tier_here)
        document = rendered(job, standing, counting)
    except Exception as error:  # whatever it is: a document without a mark, and the reason for staff
        why = error.message if isinstance(error, LabError) else _PENDING
        hint = f" {error.hint}" if isinstance(error, LabError) and error.hint else ""
        sys.stderr.write(f"{type(error).__name__}: {error}\n")  # for staff: students do not see it
        _write(job, not_judged(job.platform, f"{why}{hint}"))
        return NOT_JUDGED
    _write(job, document)
    return JUDGED


def _write(job: Job, document: bytes | None) -> None:
    if document is None:
        job.out.unlink(missing_ok=True)
    else:
        state.write_bytes(job.out, document)


# ---- Who and when -----------------------------------------------------------------------------------


def read_metadata(path: Path) -> Told:
    """What Gradescope's submission_metadata.json tells; its own clock counts, not this machine's: it may be a rerun.

    Raises NotJudged for one that can't be read, which is nobody's fault but ours.
    """
    try:
        value = json.loads(path.read_bytes())
        ids = tuple(str(user["email"]) for user in value["users"] if user.get("email"))
        at = utc(datetime.fromisoformat(value["created_at"]))
        total = float(value["assignment"]["total_points"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotJudged(
            f"{path.name} can't be read ({type(error).__name__}): nobody knows whose this is."
        ) from error
    return Told(ids, at, path.name, total)


def _roster(root: Path, told: Told) -> Roster:
    """The class's roster, where it was packed; else whom the platform names."""
    people = (state.read_json(root / PRIVATE / ROSTER) or {}).get("people")
    if people is None:
        return Roster(tuple(Person(folded(each), each, {"email": each}) for each in told.ids))
    return Roster(tuple(Person(p["id"], p["name"], p["ids"], p["group"]) for p in people))


def _refuse_another(claimed: str, told: Told) -> None:
    """Without a roster the ids that the platform tells are all there is to compare the pack with."""
    if claimed and told.ids and folded(claimed) not in map(folded, told.ids):
        raise NotJudged(
            f"The pack says {printable(claimed)}, and {told.by} says {printable(', '.join(told.ids))}. Whose is it?",
            hint="Hand in your own pack, made under that id:  ./lab submit   or tell your instructor.",
        )


# ---- Judging ----------------------------------------------------------------------------------------


def judge(job: Job, work: Path, grade_one: Grade, tier: Callable[[], str]) -> tuple[Standing, Rules]:
    """Where this person stands with this submission. Raises LabError, with what the student has to know."""
    lab = load_lab(job.root)
    course = load_course(lab)
    counting = rules.of_course(course, lab)
    if job.told.total is not None and job.told.total < counting.scale:
        raise NotJudged(
            f"This assignment is set to {job.told.total:g} points, and marks are out of {counting.scale:g}.",
            hint="Your instructor has to set it.",
        )
    key = _key(job.key, tier)
    handin, people = _handin(job, lab, course, work)
    request = Request(
        root=job.root, student=handin.student, source=handin.source, engine=handin.engine, how="pack", key=key
    )
    result = grade_one(request)
    for trouble in (
        *result.trouble,
        *(f"{line.id}: {line.verdict.reason}" for line in result.not_judged[:5]),
    ):
        sys.stderr.write(f"{printable(trouble)}\n")  # for staff: students do not see it
    return _standing(job, handin, people, result, counting, course), counting


def _handin(job: Job, lab: Manifest, course: Course, work: Path) -> tuple[HandIn, Roster]:
    found = places.find(job.submission, lab.files, work)
    if len(found) != 1:
        raise NotJudged(
            f"There are {len(found)} hand-ins in this, for example {printable(found[0].label)} and {printable(found[1].label)}.",
            hint="Hand in one:  ./lab submit",
        )
    people, claimed = _roster(job.root, job.told), identity.claims(found[0].source).student
    if not (job.root / PRIVATE / ROSTER).exists():
        _refuse_another(claimed, job.told)
    data = course.data
    how = handins.Rules(
        lab,
        tuple(course.engines),
        tuple(map(str, data.get("grading", {}).get("kit_versions", ()))),
        groups=data.get("variants", {}).get("unit") == "group",
    )
    (handin,) = handins.settle([_told_of(found[0], job.told, claimed, people)], people, how)
    if handin.trouble:
        raise NotJudged(handin.trouble, hint=handin.hint)
    return handin, people


def _told_of(place: Place, told: Told, claimed: str, people: Roster) -> Place:
    """The place with what the platform tells; of several who hand in together the one whose pack it is comes first."""
    own = people.find(claimed) if claimed else None
    ids = sorted(told.ids, key=lambda each: people.find(each) is not own)
    clues = replace(
        place.clues, said=told.by, ids=tuple(ids), at=told.at or place.clues.at, by=told.by or place.clues.by
    )
    return replace(place, clues=clues)


def tier_here() -> str:
    """The tier in which this machine runs student code. Raises SandboxUnavailable."""
    wanted, required = tiers.wanted_here()
    opened = tiers.open_best(wanted=wanted, required=required)
    opened.host.close()
    return opened.choice.tier


def _key(path: Path | None, tier: Callable[[], str]) -> bytes:
    """The grader key, for its owner alone. Raises NotJudged where student code could read it all the same."""
    if path is None:
        return SELF_CHECK_KEY
    if tier() == tiers.POSIX and os.geteuid() != 0:
        raise NotJudged(
            "This machine has nothing that keeps student code from the grader key: no namespaces, no Landlock, no users of its own."
        )
    path.chmod(0o600)
    return path.read_bytes().strip()


def _standing(
    job: Job, handin: HandIn, people: Roster, result: Result, counting: Rules, course: Course
) -> Standing:
    person = people.find(handin.person) or _alone(handin, job)
    name = course.data.get("dates", {}).get("extensions")
    due = rules.extensions(job.root / name, counting, course, people) if name and job.key else {}
    facts = Facts(
        at=datetime.fromisoformat(handin.at) if handin.at else None,
        due=due.get(person.id),
        hints=notes.hints(handin.source),
    )
    counted = marks.counted(result, counting)
    return Standing(person, marks.give_counted(counted, counting, facts), handin, counted, facts=facts)


def _alone(handin: HandIn, job: Job) -> Person:
    """Somebody whom no roster names."""
    owner = job.options.get("owner", "")
    return Person(handin.person, handin.person, {"github": owner} if owner else {})


# ---- The document -----------------------------------------------------------------------------------


def rendered(job: Job, standing: Standing, counting: Rules) -> bytes:
    """The platform's document. Raises NotJudged for what is no mark: some lines were not judged."""
    report = standing.report()
    assert report is not None
    if job.key is None and not words.whole(report):
        raise NotJudged(words.headline(report))
    if job.key is not None and standing.mark.final is None:
        raise NotJudged(
            f"{words.headline(report)}. That is not your fault.",
            hint="Hand it in again, or tell your instructor.",
        )
    if summary := job.options.get("summary"):
        with open(summary, "a", encoding="utf-8") as file:
            file.write(markdown.render(report))
    if standing.mark.final is None:
        standing = _looked_at(standing, report)
        counting = replace(counting, scale=standing.mark.out_of, prose=0.0)
    assignment = job.options.get("assignment", "lab")
    given = Given([standing], counting, assignment=assignment, pending=True, options=job.options)
    return next(iter(_DOCUMENTS[job.platform](given).values()))


def _looked_at(standing: Standing, report: Result) -> Standing:
    """A look in a copy without hidden checks: its lines are those that can be judged there, and so is what it is out of."""
    there = tuple(line for line in report.lines if line not in words.elsewhere(report))
    seen = replace(report, lines=there, mark=None)
    mark = replace(
        standing.mark,
        state="graded",
        final=seen.score,
        raw=seen.score,
        out_of=float(seen.total),
        why="a look, no mark",
    )
    return replace(standing, mark=mark, counted=seen)


def not_judged(platform: str, why: str) -> bytes | None:
    """The document that says that there is no mark; None where the platform wants none (its own word for it is the status)."""
    said: Mapping[str, Any] = {
        "gradescope": {"output": why, "output_format": "text", "stdout_visibility": "hidden", "tests": []},  # no score: no mark
        "prairielearn": {"gradable": False, "format_errors": [why]},  # costs no attempt
        "check50": {
            "slug": "lab", "version": labkit.__version__,
            "error": {"type": "NotJudged", "value": why, "traceback": [], "actions": {"show_traceback": False, "message": why}, "data": {}},
        },
        "github": {
            "version": 1, "status": "error", "message": why, "max_score": 0,  # no points are sent for it
            "tests": [{"name": "judging", "status": "error", "score": 0, "message": why, "test_code": "", "filename": "", "line_no": 0, "duration": 0}],
        },
    }  # fmt: skip
    return (json.dumps(said[platform], indent=1) + "\n").encode() if platform in said else None


def _options(variables: Mapping[str, str]) -> dict[str, str]:
    """What platforms say in the environment: names of the class and assignment, where a summary goes."""
    names = {
        "classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "owner": "OWNER", "submission": "SUBMISSION_TAG",
        "commit": "COMMIT_URL", "release": "RELEASE_URL", "review": "REVIEW_URL", "summary": "GITHUB_STEP_SUMMARY",
    }  # fmt: skip
    return {name: variables[variable] for name, variable in names.items() if variables.get(variable)}


_DOCUMENTS: Mapping[str, Callable[[Given], dict[str, bytes]]] = {
    "gradescope": documents.gradescope,
    "prairielearn": documents.prairielearn,
    "check50": documents.check50,
    "classroom50": documents.classroom50,
    "github": documents.github,
}

if __name__ == "__main__":
    raise SystemExit(main())
