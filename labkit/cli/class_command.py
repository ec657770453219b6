"""The command `lab class`: which actions it has, and what they all take.

What belongs here: the actions' common options, opening the ledger. What does not: each action (class_*.py).
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.base.errors import UsageError
from labkit.cli import (
    class_exports,
    class_grading,
    class_looks,
    class_marking,
    class_packing,
    class_people,
    class_show,
)
from labkit.cli.classroom import Classroom
from labkit.cli.console import Console
from labkit.lesson.model import Places

#: in the order in which a term needs them
_ACTIONS = (class_people, class_grading, class_looks, class_show, class_exports, class_marking, class_packing)


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("class", help="a class: roster, grading all hand-ins, marks (instructors)")
    common(parser)
    parser.set_defaults(command=lambda arguments, console: _usage(parser))
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", dest="action")

    def add(name: str, text: str, act: Callable[..., int]) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = actions.add_parser(name, help=text)
        common(one)
        one.add_argument(
            "--ledger", metavar="FILE", help="the class's ledger (default: .lab/class/ledger.sqlite)"
        )
        one.set_defaults(command=lambda arguments, console: _run(act, arguments, console, places()))
        return one

    for each in _ACTIONS:
        each.add_actions(add)


def _usage(parser: argparse.ArgumentParser) -> int:
    raise UsageError("What is to be done with the class?", hint=f"What can be typed:  ./{parser.prog} --help")


def _run(act: Callable[..., int], arguments: argparse.Namespace, console: Console, places: Places) -> int:
    from labkit.classroom.ledger import Ledger

    path = Path(arguments.ledger) if arguments.ledger else places.state / "class" / "ledger.sqlite"
    with Ledger(path) as ledger:
        return act(Classroom(places, ledger), arguments, console)
