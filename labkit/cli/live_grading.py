"""The command `lab grade --target aws`: what can be judged where a lab stands on AWS, by reading.

What belongs here: whose credentials read, where the result goes. What does not: judging (labkit.live), the options
(labkit.cli.grade_command).
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base.errors import UsageError
from labkit.base.events import banner
from labkit.cli import grade_command
from labkit.cli.console import Console
from labkit.lesson.model import Options, Places

if TYPE_CHECKING:
    from labkit.deploy.targets import Clients
    from labkit.lesson.context import Context

_LOCAL_ONLY = ("gap", "key", "gradescope_points")
LIVE_ONLY = ("region", "role", "external_id")


def refuse(arguments: argparse.Namespace, *, live: bool) -> None:
    """Options that mean nothing at this target. Raises UsageError."""
    for name in _LOCAL_ONLY if live else LIVE_ONLY:
        if getattr(arguments, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} has no meaning with --target {arguments.target}.",
                hint=f"Leave it out{'' if live else ', or say --target aws'}.",
            )
    if arguments.external_id and not arguments.role:
        raise UsageError("--external-id belongs to a role.", hint="Name it too:  --role ARN")


def run(arguments: argparse.Namespace, console: Console, places: Places) -> int:
    """Judge, show, write; the exit status says whether everything was judged that can be judged there."""
    from labkit.grading.model import to_json
    from labkit.grading.reports import terminal, words
    from labkit.lesson import aws
    from labkit.live import access, judging
    from labkit.live.reads import Reading

    refuse(arguments, live=True)
    context, request = _context(arguments, console, places), grade_command.request_of(arguments, places)
    if not arguments.submission:
        request = replace(request, engine=arguments.engine or context.workspace.standing.engine)
    folder = places.state / "grading" / request.student
    kept = (
        Path(arguments.result)
        if arguments.result
        else folder / ("live-part.json" if request.only else "live.json")
    )
    clients = _clients(arguments, context)
    reading = (
        access.assume(clients, arguments.role, arguments.external_id or "")
        if arguments.role
        else Reading(clients.target)
    )
    step = context.manifest.step("grade")
    where = aws.words(arguments.target, reading.target.region, "")
    console.event(banner(f"{step.number} {step.title}", f"{where}, by reading alone", step=step.number))
    looking = judging.Looking(reading, folder / "result.json")
    result = judging.grade(replace(request, result=kept), looking, console.event)
    for text, style in terminal.render(result, hidden=arguments.hidden):
        console.line(text, style=style)
    if arguments.reports:
        grade_command.write_reports(result, Path(arguments.reports), hidden=arguments.hidden)
        console.line(f"\nReports: {arguments.reports}/report.html and others beside it")
    console.result(to_json(result))
    return grade_command.GRADED if words.judged(result) else grade_command.NOT_JUDGED


def _context(arguments: argparse.Namespace, console: Console, places: Places) -> "Context":
    from labkit.cloud.client.lifecycle import LocalCloud
    from labkit.course.manifest import load
    from labkit.lesson.context import Context

    options = Options(
        arguments.student, solution=arguments.solution, engine=arguments.engine, target=arguments.target, region=arguments.region or "",
    )  # fmt: skip
    return Context(places, load(places.root), options, console.event, LocalCloud(places.state / "cloud"))


def _clients(arguments: argparse.Namespace, context: "Context") -> "Clients":
    """Whoever sits here: in the lab's own account, or an instructor on the way to another. Raises as aws.arrive does."""
    from labkit.deploy import credentials
    from labkit.deploy.targets import Clients, aws

    if not (arguments.submission or arguments.role):
        return context.clients
    if not arguments.region:
        raise UsageError(
            "Nobody knows in which region this lab stands.",
            hint="Name it, for example:  --region eu-central-1",
        )
    clients = Clients(aws(arguments.region, arguments.target))
    credentials.require(clients, "validate", context.emit)
    return clients
