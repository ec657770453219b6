"""Trying what the gaps' tasks say "the check will try", on what stands, by the checks of the grade.

What belongs here: which lines are due at which step, and their verdicts as a step's checks. What does not: the checks
(grader/checks), what is known of each gap (labkit.lesson.help.verdicts).

Lines whose inputs are hidden are tried where one hands in, and named here as not tried.
"""

import textwrap
from collections.abc import Sequence

from labkit.base.events import Event
from labkit.course import course
from labkit.course.rubric import Line
from labkit.grading.grade import Request, grade
from labkit.grading.model import LineResult, Result
from labkit.lesson import freshness, skipping
from labkit.lesson.context import Context
from labkit.lesson.help.verdicts import Verdicts
from labkit.lesson.model import CheckResult
from labkit.lesson.screens import where


def prove(context: Context, step: str) -> tuple[CheckResult, ...]:
    """One check for each line that is due by this step and not known to hold for the text as it is.

    None for the reference, while files are newer than what stands, and for gaps that are given or not written: that is said.
    """
    if context.workspace.solution or freshness.undeployed(context.workspace):
        return ()
    if context.on_aws:
        context.note("What the checks of your gaps try is tried on the local cloud:  --target local")
        return ()
    verdicts = Verdicts(context)
    due = _due(context, verdicts, context.manifest.step(step).number)
    wanted = [line for line in due if not _holds(verdicts, line)]
    before = [line.id for line in due if line not in wanted]
    if before:
        context.note(f"Tried before with this text, and they hold: {', '.join(before)}.")
    results = _tried(context, wanted) if wanted else []
    verdicts.note(results)
    _say(context, verdicts, results, step)
    return tuple(_check(context, each) for each in results if each.verdict.outcome != "not judged")


def known(context: Context, step: str) -> tuple[CheckResult, ...]:
    """One failed check for each line due by this step that is known not to hold for the text as it is. Tries nothing."""
    if context.workspace.solution or context.on_aws or freshness.undeployed(context.workspace):
        return ()
    verdicts = Verdicts(context)
    lost = [
        (line, said)
        for line in _due(context, verdicts, context.manifest.step(step).number)
        if (said := verdicts.of(line)) and said["earned"] < line.points
    ]
    return tuple(
        CheckResult(
            f"{line.id}: {line.title} ({said['earned']:g} of {line.points})", False,
            f"as it was tried before: {said['reason']}", where(context, line.gap), gap=line.gap,
        )
        for line, said in lost
    )  # fmt: skip


def _due(context: Context, verdicts: Verdicts, number: str) -> list[Line]:
    """Lines about gaps that are met up to this step, all of them written, none of them hidden."""
    given = {*course.load(context.manifest).given, *skipping.skipped(context.workspace)}
    steps = {gap.name: gap.step for gap in context.manifest.gaps}
    written = {name for name, place in verdicts.places.items() if place.written or name in given}
    return [
        line
        for line in verdicts.lines
        if line.gap and not line.hidden and line.gap not in given
        for needed in [verdicts.gaps_of(line)]
        if needed <= written and all(steps[name] <= number for name in needed)
    ]


def _holds(verdicts: Verdicts, line: Line) -> bool:
    said = verdicts.of(line)
    return said is not None and said["earned"] >= line.points


def _tried(context: Context, lines: Sequence[Line]) -> list[LineResult]:
    """The verdicts on these lines, on what stands now."""
    workspace = context.workspace
    context.note(f"Trying what the tasks of your gaps say: {', '.join(line.id for line in lines)} …")
    seen = 0

    def follow(event: Event) -> None:
        nonlocal seen
        if event.kind == "check":
            seen += 1
            context.progress(str(event.data["line"]), min(seen, len(lines)), len(lines))

    request = Request(
        root=context.places.root,
        student=workspace.variant.student,
        source=workspace.path,
        engine=context.engine_name,
        only=tuple(line.id for line in lines),
        deployed=context.cloud.folder,
        outputs=workspace.record.deployed.get("outputs", {}),
        state=context.places.state / "grading",
        own=True,
    )
    result: Result = grade(request, follow)
    return [each for each in result.lines if each.id in request.only]


def _say(context: Context, verdicts: Verdicts, results: Sequence[LineResult], step: str) -> None:
    """What was not tried, and the points so far."""
    number = context.manifest.step(step).number
    ours = [each.id for each in results if each.verdict.outcome == "not judged"]
    if ours:
        context.note(f"Not tried, by no fault of yours: {', '.join(ours)}. ./lab grade tries them again.")
    hidden = [line.id for line in verdicts.lines if line.hidden and line.gap and line.step <= number]
    if hidden:
        context.note(f"Not tried here, but where you hand in: {', '.join(hidden)}.")
    earned, tried, total = verdicts.points()
    context.note(f"Points so far: {earned:g} of {tried} tried, {total} in all.")


def _check(context: Context, line: LineResult) -> CheckResult:
    verdict = line.verdict
    name = f"{line.id}: {line.title} ({line.earned:g} of {line.points})"
    if verdict.passed:
        return CheckResult(name, True)
    pairs = (("expected", verdict.expected), ("found", verdict.found), ("try", verdict.hint))
    return CheckResult(
        name, False, verdict.reason, where(context, line.gap), verdict.expected, verdict.found, line.gap,
        details=tuple(line for label, text in pairs if text for line in _labelled(label, text)),
    )  # fmt: skip


def _labelled(label: str, text: str) -> list[str]:
    """`text` after its label, in full: lines that fit beneath a check."""
    return textwrap.wrap(f"{label:<9}{text}", 76, subsequent_indent=" " * 9, break_on_hyphens=False)
