"""The command line: arguments in, exit status out. The only importer of labkit.cli.console.

What belongs here: parsing, choosing the console, turning errors into messages. What does not: work.
Everything heavy is imported by the command that needs it, so that `--help` is quick.
"""

import argparse
import dataclasses
import difflib
import functools
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import labkit
from labkit.base import signs
from labkit.base.errors import CloudError, LabError, UsageError
from labkit.cli import (
    class_command,
    cloud_life,
    engines,
    grade_command,
    help_commands,
    keeping_up,
    rehearse_command,
    step_options,
    study,
    terminal,
    watch,
)
from labkit.cli.console import Console, open_console
from labkit.deploy import troubles
from labkit.lesson.model import Options, Places, StepResult

if TYPE_CHECKING:
    from labkit.lesson.context import Context

#: the exit status where the fault may be the kit's own (sysexits.h)
EX_SOFTWARE = 70
#: steps whose command is not run by the steps' engine: it is answered by the file `lab`, or has more to it
_OTHER_COMMANDS = ("doctor", "grade")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Never shows a traceback unless `--debug` is given."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _answer(given)
    except BrokenPipeError:  # whoever reads has seen enough: | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _answer(given: Sequence[str]) -> int:
    """Run one command, its errors told. Raises BrokenPipeError where nobody reads any more."""
    for stream in (sys.stdout, sys.stderr):
        signs.use(stream)
    console = open_console(plain="--plain" in given, as_json="--json" in given)
    try:
        options, stray = _parser(given).parse_known_args(given)
        if stray:
            raise _not_taken(options, stray)
        if getattr(options, "require_tier", ""):
            os.environ["LAB_REQUIRE_TIER"] = options.require_tier
        status: int = options.command(options, console)
        return status
    except KeyboardInterrupt:
        console.error(LabError("Stopped.", hint="Run the same command again to go on."))
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        if "--debug" in given:
            raise
        return _failed(error, console, given)
    finally:
        console.close()


def _not_taken(options: argparse.Namespace, stray: Sequence[str]) -> UsageError:
    """The refusal of words that the command does not take; an id is the one that is given most often."""
    from labkit.base.text import printable

    command = f"./lab {options.name}" if options.name else "./lab"
    hint = f"What can be typed:  {command} --help"
    if options.name == "generate" and not stray[0].startswith("-"):
        hint = f"Perhaps:  {command} --student {printable(stray[0])}"
    return UsageError(f"{command} does not take: {printable(' '.join(stray))}.", hint=hint)


def _failed(error: Exception, console: Console, given: Sequence[str] = ()) -> int:
    """Say what went wrong, and whom to ask; returns the exit status. What was typed (`given`) is kept with it for help-me."""
    from labkit.base import last_errors

    told = error if isinstance(error, LabError) else troubles.told(error)
    shown = told or _lost_cloud(error) or _unexpected(error)
    console.error(shown)
    last_errors.note(_places().state, given, shown)
    _say_whom_to_ask(console)
    return told.exit_status if told else EX_SOFTWARE


def _say_whom_to_ask(console: Console) -> None:
    """The course's contact, below every error."""
    from labkit.base.text import printable
    from labkit.course.course import contact

    if asked := contact(_places().root):
        console.line(f"  Still stuck? Ask {printable(asked)}, with the zip of:  ./lab help-me")


def _lost_cloud(error: Exception) -> LabError | None:
    """What to say when the cloud ended, or fell silent, in the middle of a request; None for another error."""
    if "botocore" not in sys.modules:
        return None
    from botocore import exceptions

    if not isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return None
    return CloudError(
        f"The cloud stopped answering in the middle of the work: {error}.",
        hint="Your files are untouched. Run the same command again.",
    )


def _unexpected(error: Exception) -> LabError:
    return LabError(
        f"Something went wrong inside the kit ({type(error).__name__}: {error}). Your files are untouched.",
        hint="Run the same command with --debug and show the output to your instructor.",
    )


class _Parser(argparse.ArgumentParser):
    """A parser whose refusals look like all others: what is wrong, and what to type."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; for a command that does not exist, with those that look like it."""
        what, hint = f"{message[:1].upper()}{message[1:]}.", f"What can be typed:  ./{self.prog} --help"
        if unknown := re.match(
            r"argument COMMAND: invalid choice: (['\"])(.*)\1 \(choose from (.*)\)", message, re.DOTALL
        ):
            what = f"There is no command {unknown[2]}."
            known = re.findall(r"[\w-]+", unknown[3])
            if close := difflib.get_close_matches(unknown[2], known, 2):
                hint = f"Perhaps:  {'   '.join(f'./lab {name}' for name in close)}      All:  ./lab --help"
        raise UsageError(what, hint=hint)


def _parser(given: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The command line. Of the steps' own options it has those of the steps that `given` names; None: of all."""
    parser = _Parser(prog="lab", description="The hybrid-cloud lab, step by step.")
    parser.add_argument("--version", action="version", version=f"lab {labkit.__version__}")
    _common(parser)
    parser.set_defaults(command=_where)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="name")
    _step_commands(commands, given)
    helping = commands.add_parser("help", help="all commands; one command's options")
    helping.add_argument("about", nargs="*", metavar="COMMAND")
    helping.set_defaults(command=lambda arguments, _: _help(arguments.about))
    cloud_life.register(commands, _common, _places, _own_context)
    study.register(commands, _common, _own_context)
    watch.register(commands, _common, _watched_context, main)
    rehearse_command.register(commands, _common, _own_context)
    grade_command.register(commands, _common, _places)
    class_command.register(commands, _common, _places)
    help_commands.register(commands, _common, _places, _own_context)
    demo = commands.add_parser("demo", help="watch the whole lab once, with the reference solution")
    _common(demo)
    demo.add_argument("--engine", **step_options.OPTIONS["engine"])
    demo.set_defaults(command=_demo)
    engines.register(commands, _common, _places)
    if importlib.util.find_spec("labkit.dev"):  # not in a hand-out
        from labkit.dev import commands as dev

        dev.register(commands, _common, _places)
    return parser


def _help(about: Sequence[str]) -> int:
    """As --help behind these words. Step 00 answers for itself."""
    if list(about) == ["doctor"]:
        script = _places().root / "steps" / "00_doctor.py"
        return subprocess.run([sys.executable, str(script), "--help"], check=False).returncode
    _parser(about).parse_args([*about, "--help"])
    return 0


def _step_commands(commands: Any, given: Sequence[str] | None) -> None:
    """`step NUMBER`, and each step by its name."""
    from labkit.course.manifest import load

    steps = load(_places().root).steps
    named = {s.name for s in steps if given is None or {s.name, s.number, str(int(s.number))} & set(given)}
    any_step = commands.add_parser("step", help="run a step by its number")
    any_step.add_argument("number", help="for example 03")
    _step_options(any_step, named)
    for step in steps:
        if step.name not in _OTHER_COMMANDS:
            one = commands.add_parser(step.name, help=f"step {step.number}")
            one.set_defaults(number=step.number)
            _step_options(one, {step.name} & named)


def _step_options(parser: argparse.ArgumentParser, steps: Collection[str]) -> None:
    """What every step takes, and what these do; only their modules are imported."""
    _common(parser)
    names: dict[str, None] = {}
    if steps:
        from labkit.lesson.engine import module_of

        names = dict.fromkeys(name for step in sorted(steps) for name in module_of(step).OPTIONS)
    step_options.add(parser, names)
    parser.set_defaults(command=_step)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    parser.add_argument("--plain", action="store_true", help="no colour, no movement")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.add_argument(
        "--require-tier",
        choices=["namespaces", "landlock", "posix"],
        default="",
        help="the least kind of sandbox that will do (see docs/tiers.md)",
    )


def _places() -> Places:
    root = Path(labkit.__file__).resolve().parent.parent
    return Places(root, Path(os.environ.get("LAB_BASE", root)))


def _context(arguments: argparse.Namespace, console: Console) -> "Context":
    from labkit.course.manifest import load
    from labkit.lesson.context import Context

    places = _places()
    value = functools.partial(step_options.value, arguments)
    options = Options(
        student=arguments.student, solution=arguments.solution, check_only=arguments.check,
        force=value("force", False), images=tuple(value("image", ())), engine=value("engine"),
        lab_role=value("lab-role"), target=value("target"), region=value("region") or "", yes=bool(value("yes")), extra=step_options.given(arguments),
    )  # fmt: skip
    ask = functools.partial(terminal.typed, console)
    return Context(places, load(places.root), options, console.event, cloud_life.local_cloud(places), ask)


def _own_context(console: Console, options: Options = Options()) -> "Context":  # noqa: B008 - it is frozen
    """The context of the current workspace, for commands that are no steps."""
    from labkit.course.manifest import load
    from labkit.lesson.context import Context

    places = _places()
    return Context(places, load(places.root), options, console.event, cloud_life.local_cloud(places))


def _watched_context(console: Console, extra: Mapping[str, Any]) -> "Context":
    """As _own_context, with options of a step."""
    return dataclasses.replace(_own_context(console), options=Options(extra=extra, target="local"))


# -- commands ----------------------------------------------------------------------------------------


def _step(arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson import progress
    from labkit.lesson.engine import find_step, run_step

    context = _context(arguments, console)
    if step_options.value(arguments, "watch"):
        return keeping_up.watch(lambda: _context(arguments, console), console, arguments.number)
    result = run_step(context, arguments.number)
    _show(result, console, context)
    for following in (
        progress.following(context, find_step(context, arguments.number)) if result.passed else ()
    ):
        console.line(
            f"{'Optional' if following.optional else 'Next'}:  ./lab {following.name}", style="strong"
        )
    return 0 if result.passed else 1


def _show(result: StepResult, console: Console, context: "Context") -> None:
    width = max((len(label) for label, _ in result.facts), default=0)
    for label, value in result.facts:
        console.fact(label, value, width)
    if result.commands:
        console.line("By hand, in ./lab shell:", style="dim")
    for command in result.commands:
        console.line(f"  {command}")
    failed = next((check for check in result.checks if not check.passed), None)
    if failed is not None:
        console.hint(failed.hint)
    checks = [
        {"name": c.name, "passed": c.passed, "reason": c.reason, "hint": c.hint, "gap": c.gap}
        for c in result.checks
    ]
    endpoint = context.cloud.running()
    console.result(
        {
            "passed": result.passed,
            "checks": checks,
            "facts": dict(result.facts),
            "commands": list(result.commands),
            "tier": endpoint.tier if endpoint else "",
            **result.data,
        }
    )


def _where(arguments: argparse.Namespace, console: Console) -> int:
    from labkit.lesson.progress import overview

    context = _own_context(console)
    lines = list(overview(context))
    for text, style in lines:
        console.line(text, style=style)
    console.result({"lines": [text for text, _ in lines if text], "target": context.target_words})
    return 0


def _demo(arguments: argparse.Namespace, console: Console) -> int:
    from labkit.course.manifest import load
    from labkit.lesson.handing_in.demo import run_demo

    places = _places()
    passed = run_demo(places, load(places.root), console.event, arguments.engine or "cloudformation")
    if passed:
        console.line("Now you:  ./lab", style="strong")
    return 0 if passed else 1
