"""The options of single steps on the command line.

What belongs here: their names and help. What does not: the options of every step (labkit.cli.main), what a step does with them.
"""

import argparse
from collections.abc import Mapping
from typing import Any

_EXTRA = (
    "predict",
    "hop",
    "evidence",
    "undo",
    "fault",
    "attack",
    "rate",
    "seconds",
    "clients",
    "expect",
    "cold",
    "like",
    "seed",
    "compare",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Options of single steps; each step takes its own from Options.extra."""
    parser.add_argument(
        "--watch", action="store_true", help="deploy and check again whenever a file is saved"
    )
    one = parser.add_argument_group("step 01")
    one.add_argument("--predict", metavar="HOP", help="which hop will fail first? kept until step 04")
    six = parser.add_argument_group("step 06")
    six.add_argument("--hop", help="the hop at which the fault stops the packet")
    six.add_argument("--evidence", help="one log line, rule, id or command that shows it")
    six.add_argument("--undo", action="store_true", help="take the fault back (no points for its repair)")
    six.add_argument("--attack", metavar="ANSWERS", help="your eight predictions, for example nnnnynnn")
    six.add_argument("--fault", help=argparse.SUPPRESS)
    seven = parser.add_argument_group("step 07")
    seven.add_argument("--rate", type=float, metavar="N", help="images a second (1)")
    seven.add_argument("--seconds", type=float, metavar="S", help="for so long (30; the classic is 300)")
    seven.add_argument("--clients", type=int, metavar="N", help="so many at once, instead of a rate")
    seven.add_argument("--expect", type=float, metavar="MS", help="your prediction of the median")
    seven.add_argument("--cold", action="store_true", help="each image meets a cold start (one at a time)")
    seven.add_argument(
        "--like", metavar="AWS", choices=["AWS"], help="with declared delays, as far away as AWS is"
    )
    seven.add_argument("--seed", type=int, metavar="N", help="draws other delays (default: your own)")
    both = parser.add_argument_group("steps 07 and 08")
    both.add_argument(
        "--compare", metavar="FILE", help="another run, for example one on AWS, to lay beside yours"
    )


def given(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """What was given of the options of single steps."""
    given = {name: getattr(arguments, name, None) for name in _EXTRA}
    return {name: value for name, value in given.items() if value not in (None, False)}
