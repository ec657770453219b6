"""The command `lab rehearse`: AWS without AWS, for one's own files or for a command of one's own.

What belongs here: its command line, and what its end looks like. What does not: the play (labkit.lesson.rehearsing).
"""

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labkit.base import state
from labkit.base.errors import UsageError
from labkit.base.events import Event, banner
from labkit.cli import step_options
from labkit.cli.console import Console
from labkit.lesson.model import Options

if TYPE_CHECKING:
    from labkit.lesson.context import Context

MakeContext = Callable[[Console, Options], "Context"]
_ON_STAGE = "--on-stage"


def register(commands: Any, common: Callable[[argparse.ArgumentParser], None], make: MakeContext) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "rehearse", help="your lab as on AWS: AWS's own names, TLS and credentials, without an account"
    )
    common(parser)
    parser.add_argument("--student", help="whose lab (default: the current one)")
    parser.add_argument("--solution", action="store_true", help="the reference solution (instructors)")
    parser.add_argument("--engine", **step_options.OPTIONS["engine"])
    parser.add_argument(
        "--account", choices=["full", "learner-lab"], default="learner-lab", help="the kind of account"
    )
    parser.add_argument(
        "--as-slow-as-aws",
        action="store_true",
        help="with late answers, throttling, lost answers, and all that AWS does late: servers, consoles, IAM, functions, logs",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another course of these (0)")
    parser.add_argument("--factor", type=float, default=1.0, metavar="N", help="so many times quicker (1)")
    parser.add_argument(
        "--session-minutes", type=float, metavar="N", help="a Learner Lab's session ends after so long (240)"
    )
    parser.add_argument(_ON_STAGE, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "words", nargs="*", metavar="COMMAND", help="run this there instead (after --), for example: bash"
    )
    parser.set_defaults(command=lambda arguments, console: _run(arguments, console, make))


def _run(arguments: argparse.Namespace, console: Console, make: MakeContext) -> int:
    context = make(
        console,
        Options(arguments.student, solution=arguments.solution, engine=arguments.engine, target="local"),
    )
    return _play(arguments, console, context) if arguments.on_stage else _set(arguments, console, context)


def _set(arguments: argparse.Namespace, console: Console, context: "Context") -> int:
    """Outside: set the stage, and have the play, or the command, run on it."""
    from labkit.cloud.client import rehearsal
    from labkit.lesson import rehearsing

    stage = rehearsing.prepare(context.places, context.workspace, context.workspaces, context.wanted_engine)
    if not arguments.words:
        console.event(
            banner("Rehearsal", f"not AWS: an account of the kind {arguments.account} on this machine")
        )
    played = [sys.executable, "-I", "-m", "labkit", *sys.argv[1:], _ON_STAGE]
    around = rehearsing.variables(os.environ, context.places, stage)
    forecast = f"{arguments.seed}:{arguments.factor}" if arguments.as_slow_as_aws else rehearsal.FAIR
    if not arguments.factor > 0:
        raise UsageError("--factor is more than 0.", hint="Sixty times quicker:  --factor 60")
    words, session = arguments.words or played, _session_seconds(arguments)
    status = rehearsal.run(stage.folder, arguments.account, words, around, forecast, session)
    if counts := state.read_json(stage.folder / rehearsal.WEATHER):
        told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        console.event(
            Event("note", f"Of AWS's behaviour in time (seed {arguments.seed}): {told}.", {"weather": counts})
        )
    return status


def _session_seconds(arguments: argparse.Namespace) -> float:
    """Raises UsageError where there is no session, or it would be over before it begins."""
    from labkit.cloud.client.rehearsal import SESSION_SECONDS

    minutes = arguments.session_minutes
    if minutes is None:
        return SESSION_SECONDS
    if arguments.account != "learner-lab":
        raise UsageError(
            "An account of one's own has no session that ends.",
            hint="Leave out --session-minutes, or say --account learner-lab.",
        )
    if not minutes >= 0.1:
        raise UsageError("--session-minutes is 0.1 or more.", hint="A Learner Lab's:  --session-minutes 240")
    return float(minutes * 60)


def _play(arguments: argparse.Namespace, console: Console, context: "Context") -> int:
    """On the stage: the steps, then what became of each."""
    from labkit.lesson import rehearsing

    played = list(rehearsing.play(context, arguments.account))
    console.line()
    for each in played:
        console.line(
            f"{'✓' if each.passed else '✗'} {each.step:<9}{each.seconds:6.1f} s",
            style="good" if each.passed else "bad",
        )
    passed = all(each.passed for each in played)
    if passed:
        console.line("It went through. This was no AWS: what only AWS can show, says docs/on-aws.md.")
    console.result({"passed": passed, "steps": [vars(each) for each in played]})
    return 0 if passed else 1
