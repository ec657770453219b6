"""Step 09: the student's lab judged by its rubric, in an empty cloud of its own.

What belongs here: grading as one of the steps. What does not: judging (labkit.grading), its full report (the
command `lab grade`).
"""

from labkit.classroom import notes
from labkit.classroom.counting import by_course
from labkit.grading.grade import Request, grade
from labkit.grading.model import LineResult, Result, worst_first
from labkit.grading.reports import words
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS = ("engine",)
JUDGES: Judged = "deployed, to check"


def run(context: Context) -> StepResult:
    """Judge all lines in an empty cloud: what the mark would be."""
    return _step(context, deployed=False)


def check(context: Context) -> StepResult:
    """Judge what stands now."""
    return _step(context, deployed=True)


def _step(context: Context, *, deployed: bool) -> StepResult:
    workspace = context.workspace
    request = Request(
        root=context.places.root,
        student=workspace.variant.student,
        source=workspace.path,
        engine=context.options.engine or workspace.record.engine,
        deployed=context.cloud.folder if deployed else None,
        outputs=workspace.record.deployed.get("outputs", {}),
        result=context.places.state / "grading" / workspace.variant.student / "result.json",
        state=context.places.state / "grading",
        own=True,
    )
    result = by_course(grade(request, context.emit), context.places.root, notes.hints(workspace.path))
    mark = result.mark.final if result.mark else None
    return StepResult(
        _checks(result), _facts(result), {"score": result.score, "total": result.total, "mark": mark}
    )


def _checks(result: Result) -> tuple[CheckResult, ...]:
    return (_judged(result), *(_failed(line) for line in worst_first(words.without_hidden(result).lines)))


def _judged(result: Result) -> CheckResult:
    what = "every line was judged"
    if words.whole(result):
        return CheckResult(what, True)
    if words.needs_a_person(result):
        return CheckResult(
            what, False, f"{words.lacks(result)} That costs nothing.", hint="Ask your instructor to look."
        )
    count = len(words.unjudged(result))
    return CheckResult(
        what,
        False,
        f"{count} lines were not: that is not your fault",
        hint="Run the step again:  ./lab grade",
    )


def _failed(line: LineResult) -> CheckResult:
    verdict = line.verdict
    return CheckResult(
        f"{line.id}: {line.title} (-{words.points(line.lost)})",
        False,
        verdict.reason,
        hint=f"Go back to {words.back_to(line)}" + (f": {verdict.hint}" if verdict.hint else ""),
        expected=verdict.expected,
        found=verdict.found,
        gap=line.gap,
    )


def _facts(result: Result) -> tuple[tuple[str, str], ...]:
    return (("Points", words.headline(result)), ("The whole report", "./lab grade --reports FOLDER"))
