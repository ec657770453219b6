"""One document for each person, as autograders and CI write them: Gradescope, JUnit, PrairieLearn, check50, Classroom 50.

What belongs here: those forms. What does not: tables (csvs, canvas, moodle).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from labkit.base.errors import UsageError
from labkit.classroom.exports.model import Given
from labkit.classroom.standing import Standing
from labkit.grading.model import LineResult, Result
from labkit.grading.reports import gradescope as gradescope_report
from labkit.grading.reports import junit as junit_report
from labkit.grading.reports import words

_MOST_PRAIRIELEARN = 1_000_000
_OUTPUT = 2_000
CLASSROOM50 = "classroom50/result/v1"


def gradescope(given: Given) -> dict[str, bytes]:
    """results.json for each."""
    return _each(
        given,
        "results.json",
        lambda each, report: _json(gradescope_report.render(report, hidden=given.hidden)),
    )


def junit(given: Given) -> dict[str, bytes]:
    """junit.xml for each."""
    return _each(
        given, "junit.xml", lambda each, report: junit_report.render(report, hidden=given.hidden).encode()
    )


def prairielearn(given: Given) -> dict[str, bytes]:
    """results.json for each: the score as a share of the whole, the lines with their points."""
    return _each(given, "results.json", lambda each, report: _json(_prairielearn(given, each, report)))


def _prairielearn(given: Given, each: Standing, report: Result) -> dict[str, Any]:
    value = {
        "gradable": True, "score": min(1.0, round((given.mark_of(each) or 0) / given.total, 6)),
        "message": words.headline(report), "output": "\n".join(words.circumstances(report)),
        "tests": [
            {"name": f"{line.id}: {line.title}", "points": line.earned, "max_points": line.points, "output": _said(line)}
            for line in report.lines
        ],
    }  # fmt: skip
    if len(json.dumps(value)) > _MOST_PRAIRIELEARN:
        raise UsageError(
            f"The report of {each.person.id} is larger than PrairieLearn takes.",
            hint="Give it out another way:  ./lab class feedback",
        )
    return value


def check50(given: Given) -> dict[str, bytes]:
    """check50's JSON for each: a smile, a frown, or neither, with the reason."""
    return _each(given, "check50.json", lambda each, report: _json(_check50(given, report)))


def _check50(given: Given, report: Result) -> dict[str, Any]:
    faces = {"passed": True, "failed": False, "not judged": None}
    return {
        "slug": given.assignment,
        "results": [
            {
                "name": line.id.replace("-", "_"),
                "description": line.title,
                "passed": faces[line.verdict.outcome],
                "log": [] if line.verdict.passed else [_said(line)],
                "cause": _cause(line),
                "data": {"points": line.earned, "of": line.points},
                "dependency": None,
            }
            for line in report.lines
        ],
        "version": str(report.about.get("kit", "")),
    }


def _cause(line: LineResult) -> dict[str, Any] | None:
    verdict = line.verdict
    if verdict.passed:
        return None
    cause: dict[str, Any] = {"rationale": verdict.reason, "help": verdict.hint or None}
    return (
        {**cause, "expected": verdict.expected, "actual": verdict.found}
        if verdict.expected and verdict.found
        else cause
    )


def classroom50(given: Given) -> dict[str, bytes]:
    """Classroom 50's result for each. Points there are whole numbers: raises UsageError where the marks' total is none."""
    if given.total != int(given.total):
        raise UsageError(
            f"Classroom 50 counts in whole points, and marks here are out of {given.total:g}.",
            hint="Say a whole number:  [points] scale_to",
        )
    return _each(given, "result.json", lambda each, report: _json(_classroom50(given, each, report)))


def _classroom50(given: Given, each: Standing, report: Result) -> dict[str, Any]:
    scaled = gradescope_report.shares(report, whole=True)
    return {
        "schema": CLASSROOM50, "classroom": given.options.get("classroom", ""), "assignment": given.assignment,
        "assignment_type": "group" if each.person.group else "individual",
        "owner": each.person.ids.get("github", each.person.id), **{name: given.options.get(name, "") for name in ("submission", "commit", "release", "review")},
        "datetime": (each.handin.at if each.handin else "").replace("+00:00", "Z"),
        "score": int((given.mark_of(each) or 0) + 0.5), "max-score": int(given.total),
        "tests": [
            {"test-name": f"{line.id}: {line.title}", "passed": line.verdict.passed,
             "score": int(share * line.earned / line.points) if line.points else 0, "max-score": int(share)}
            for line, share in zip(report.lines, scaled, strict=True)
        ],
    }  # fmt: skip


def github(given: Given) -> dict[str, bytes]:
    """What a grader step of GitHub Classroom's autograding gives its reporter, for each, in whole points (a float is 0 there)."""
    return _each(given, "result.json", lambda each, report: _json(_github(report)))


def _github(report: Result) -> dict[str, Any]:
    """`test_code` is printed by the reporter, for everybody to read: it is empty."""
    scaled = gradescope_report.shares(report, whole=True)
    earned = _whole(
        [
            share * line.earned / line.points if line.points else 0.0
            for line, share in zip(report.lines, scaled, strict=True)
        ]
    )
    return {
        "version": 1, "status": "pass" if all(line.verdict.passed for line in report.lines) else "fail", "max_score": int(sum(scaled)),
        "tests": [
            {"name": f"{line.id}: {line.title}", "status": "pass" if line.verdict.passed else "fail", "score": score,
             "message": _said(line), "test_code": "", "filename": "", "line_no": 0, "duration": 0}
            for line, score in zip(report.lines, earned, strict=True)
        ],
    }  # fmt: skip


def _whole(parts: list[float]) -> list[int]:
    """The parts in whole points, which sum to what all of them come to, rounded."""
    floors = [int(part) for part in parts]
    rest = int(sum(parts) + 0.5) - sum(floors)
    for n in sorted(range(len(parts)), key=lambda n: floors[n] - parts[n])[:rest]:
        floors[n] += 1
    return floors


def everything(given: Given) -> dict[str, bytes]:
    """One JSON for programs: everybody, with every step of the sum."""
    people = [
        {"id": each.person.id, "name": each.person.name, "ids": dict(each.person.ids), "group": each.person.group,
         "handed_in": each.handin.at if each.handin else "", "by": each.handin.by if each.handin else "", "mark": each.mark.to_json(),
         "lines": {line.id: line.earned for line in each.counted.lines} if each.counted else {}}
        for each in given.standings
    ]  # fmt: skip
    return {"marks.json": _json({"format": "hybrid-lab/class/v1", "out_of": given.total, "people": people})}


def _each(given: Given, name: str, render: Callable[[Standing, Result], bytes]) -> dict[str, bytes]:
    return {f"{folder_of(each)}/{name}": render(each, report) for each, report in _reports(given)}


def _reports(given: Given) -> Iterator[tuple[Standing, Result]]:
    """Of everybody whose mark is exported, and comes from verdicts, the report as it may be told."""
    for each in given.marked:
        report = each.report()
        if report is not None and report.is_final:
            yield each, words.told(report, hidden=given.hidden)


def folder_of(each: Standing) -> str:
    """A name for somebody's files that leads nowhere else, and that nobody else has."""
    plain = "".join(c if c.isalnum() or c in "@._-" else "_" for c in each.person.id).lstrip(".")
    same = plain == each.person.id
    return plain if same else f"{plain}-{hashlib.sha256(each.person.id.encode()).hexdigest()[:6]}"


def _said(line: LineResult) -> str:
    return "\n".join(filter(None, (line.verdict.reason, line.verdict.hint, line.said)))[:_OUTPUT]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
