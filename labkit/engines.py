"""The commands about engines: parity.

What belongs here: their command line and how their results are shown. What does not: work (labkit.lesson).
"""

import argparse
from collections.abc import Callable
from typing import Any

from labkit.console import Console
from labkit.lesson.model import Places


def register(
    commands: Any, common: Callable[[argparse.ArgumentParser], None], places: Callable[[], Places]
) -> None:
    """Add the commands of this module to the command line."""
    parser = commands.add_parser("parity", help="prove that both engines create the same (instructors)")
    common(parser)
    parser.set_defaults(command=lambda _, console: _parity(places(), console))


def _parity(places: Places, console: Console) -> int:
    from dataclasses import asdict

    from labkit.deploy.engines import NAMES, TITLES
    from labkit.deploy.parity import table
    from labkit.lesson.parity import run_parity
    from labkit.manifest import load

    differences = run_parity(places, load(places.root), console.event)
    if differences:
        for line in table(differences, *(TITLES[name] for name in NAMES)):
            console.line(line)
    else:
        console.line("✓ Both engines create the same infrastructure.", style="good")
    console.result({"differences": [asdict(difference) for difference in differences]})
    return 1 if differences else 0
