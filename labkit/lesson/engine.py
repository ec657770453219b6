"""Runs one step: order, lock, work, checks, record. The same for every step.

What belongs here: what all steps share. What does not: what any of them does (labkit.lesson.steps).
"""

import contextlib
import importlib
import keyword
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from labkit.base.errors import DeployError, EngineError, UsageError
from labkit.base.events import Event, banner
from labkit.base.state import exclusive
from labkit.course.manifest import Step
from labkit.course.markers import regions
from labkit.deploy import troubles
from labkit.lesson import freshness, progress
from labkit.lesson.context import Context
from labkit.lesson.help.trouble import Trouble
from labkit.lesson.model import CheckResult, Judged, StepResult
from labkit.lesson.progress import DOCTOR


class StepModule(Protocol):
    """What a module in labkit.lesson.steps offers."""

    #: the options of the command line that it takes besides those of every step (labkit.cli.step_options)
    OPTIONS: tuple[str, ...]
    #: whether it judges what runs, and so warns where the files are newer
    JUDGES: Judged

    def run(self, context: Context) -> StepResult:
        """Do the step's work, then check it."""
        ...

    def check(self, context: Context) -> StepResult:
        """Check what stands, changing nothing."""
        ...


def module_of(name: str) -> StepModule:
    """The module of the step of this name; "break" is a word of Python's own."""
    module: StepModule = importlib.import_module(f"labkit.lesson.steps.{name}{'_' * keyword.iskeyword(name)}")
    return module


def find_step(context: Context, name: str) -> Step:
    """The step with this number ("03"), or name ("deploy"). Raises UsageError for another."""
    for step in context.manifest.steps:
        if name in (step.number, step.name, str(int(step.number))):
            return step
    known = ", ".join(f"{s.number} {s.name}" for s in context.manifest.steps)
    raise UsageError(f"There is no step {name!r}.", hint=f"The steps are: {known}")


def run_step(context: Context, name: str) -> StepResult:
    """Run a step, report each check, and record the step as done when every check holds.

    Only one step runs at a time in one lab: raises BusyError while another does. Every step may be
    run again, also after a kill.
    """
    step = find_step(context, name)
    module = module_of(step.name)
    busy = "Another step of this lab is running (in another terminal, perhaps)."
    with exclusive(context.places.state / "step.lock", busy=busy):
        context.emit(banner(f"{step.number} {step.title}", context.target_words, step=step.number))
        if module.JUDGES == "deployed" or (
            context.options.check_only and module.JUDGES == "deployed, to check"
        ):
            freshness.warn(context.workspace, context.emit)
        with progress.under_way(context, step), _noted(context, step), troubles.in_words():
            result = (module.check if context.options.check_only else module.run)(context)
        for check in result.checks:
            context.emit(_check_event(check))
        if not result.passed and step.name != DOCTOR:
            freshness.warn_of_templates(context)
        _remember(context, step, result)
    return result


@contextlib.contextmanager
def _noted(context: Context, step: Step) -> Iterator[None]:
    """A deployment that the engine refuses is what the student is stuck at, as a failed check is."""
    try:
        yield
    except DeployError as error:
        if not isinstance(error, EngineError):
            gap = trouble_in_gap(context, error.message)
            failed = CheckResult(step.title, False, error.message, error.hint, gap=gap, symptom="deploy")
            Trouble(context.workspace).note(step.number, failed)
        raise


def trouble_in_gap(context: Context, said: str) -> str:
    """The gap in which the resource stands that an engine named ("First failure: X (", "aws_x.y: "), "" for none."""
    names = re.findall(r"First failure: (\w+)|\b(aws_\w+\.\w+)\b", said)
    wanted = next((first or second for first, second in names), "")
    patterns = (
        rf"(?m)^  {wanted}:",
        '(?m)^resource "{}" "{}"'.format(*wanted.split(".")) if "." in wanted else "",
    )
    for text in (data.decode("utf-8", "replace") for data in context.workspace.files().values()):
        found = next(
            (match for each in patterns if wanted and each for match in re.finditer(each, text)), None
        )
        inside = [
            region.name
            for region in regions(text).values()
            if found and region.start <= found.start() < region.end
        ]
        if inside:
            return inside[0]
    return ""


def _remember(context: Context, step: Step, result: StepResult) -> None:
    """Record a step that is done, or the check that stopped it, for the hints."""
    if step.name == DOCTOR:
        return  # it keeps its own record: there may be no workspace yet
    if result.passed:
        here = step.name in progress.AT_A_TARGET
        (context.workspace if here else replace(context.workspace, place="")).record_step(step.number)
    failed = next((check for check in result.checks if not check.passed), None)
    Trouble(context.workspace).note(step.number, failed)


def _check_event(check: CheckResult) -> Event:
    text = (
        check.name if check.passed or not check.reason else f"{check.name}: {' '.join(check.reason.split())}"
    )
    data = {
        "passed": check.passed,
        "name": check.name,
        "gap": check.gap,
        "hint": check.hint,
        "symptom": check.symptom,
        "details": list(check.details),
    }
    return Event("check", text, data)
