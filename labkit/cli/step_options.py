"""The options of steps on the command line.

What belongs here: how each is typed, and what it says of itself. What does not: which step takes which (OPTIONS of each module
in labkit.lesson.steps), what a step does with them.
"""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from labkit.deploy.targets import NAMES, ON_AWS
from labkit.lesson.model import Options

__all__ = ["ON_AWS", "OPTIONS", "add", "given", "place", "value"]

_EVERY: Mapping[str, Mapping[str, Any]] = {
    "student": {"help": "your id, for example ada@uni.edu (default: the current one)"},
    "solution": {"action": "store_true", "help": "the reference solution (instructors)"},
    "check": {"action": "store_true", "help": "only check, change nothing"},
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "engine": {"choices": ["cloudformation", "terraform"],
               "help": "what deploys (default: what you used last, at first cloudformation)"},
    "lab-role": {"metavar": "NAME", "help": "use this role of the account instead of creating roles"},
    "target": {"choices": NAMES,
               "help": "where: the local cloud, AWS, or a Learner Lab (default: where this lab was deployed last)"},
    "region": {"metavar": "NAME", "default": "", "help": "which region of AWS (default: where the lab stands, or its usual one)"},
    "yes": {"action": "store_true", "help": "for scripts: AWS may be charged; nobody is asked for the word"},
    "cost-limit": {"type": float, "metavar": "USD", "help": "on AWS: what the lab may cost an hour (0: no limit)"},
    "forget": {"action": "store_true",
               "help": "of AWS: forget what stood in an account that is gone; deletes nothing"},
    "force": {"action": "store_true", "help": "replace files you changed; keeps a backup"},
    "watch": {"action": "store_true", "help": "deploy and check again whenever a file is saved"},
    "image": {"action": "append", "default": [], "metavar": "FILE|FOLDER|URL",
              "help": "what to process (may be given more than once; default: three sample pictures)"},
    "predict": {"metavar": "HOP", "help": "which hop will fail first? kept until the step `wire`"},
    "hop": {"help": "the hop at which the fault stops the packet"},
    "evidence": {"help": "one log line, rule, id or command that shows it"},
    "undo": {"action": "store_true", "help": "take the fault back (no points for its repair)"},
    "attack": {"metavar": "ANSWERS", "help": "your eight predictions, for example nnnnynnn"},
    "fault": {"help": argparse.SUPPRESS},
    "rate": {"type": float, "metavar": "N", "help": "images a second (1)"},
    "seconds": {"type": float, "metavar": "S", "help": "for so long (30; the classic is 300)"},
    "clients": {"type": int, "metavar": "N", "help": "so many at once, instead of a rate"},
    "expect": {"type": float, "metavar": "MS", "help": "your prediction of the median"},
    "cold": {"action": "store_true", "help": "each image meets a cold start (one at a time)"},
    "like": {"metavar": "AWS", "choices": ["AWS"], "help": "with declared delays, as far away as AWS is"},
    "seed": {"type": int, "metavar": "N", "help": "draws other delays (default: your own)"},
    "compare": {"metavar": "FILE", "help": "another run, for example one on AWS, to lay beside yours"},
}  # fmt: skip
#: options that labkit.lesson.model.Options has a field for
_FIELDS = {"engine", "lab-role", "force", "watch", "image", "target", "region", "yes"}


def add(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """What every step takes, and the options `names`."""
    for name, about in _EVERY.items():
        parser.add_argument(f"--{name}", **about)
    for name in names:
        parser.add_argument(f"--{name}", **OPTIONS[name])


def value(arguments: argparse.Namespace, name: str, default: Any = None) -> Any:
    """What was given of an option; `default` where it was not, or the step does not take it."""
    return getattr(arguments, name.replace("-", "_"), default)


def place(arguments: argparse.Namespace) -> Options:
    """Where a command that is no step looks."""
    where = value(arguments, "target"), value(arguments, "region") or ""
    return Options(engine=value(arguments, "engine"), target=where[0], region=where[1])


def given(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """What was given of the options that one step alone takes."""
    found = {name: value(arguments, name) for name in OPTIONS.keys() - _FIELDS}
    return {name: value for name, value in found.items() if value is not None and value is not False}
