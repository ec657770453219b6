"""The AWS CLI that comes with the kit, put where a shell finds it.

What belongs here: making that one command. What does not: what it does (labkit.aws.command_line), the shell and its
environment (labkit.cli.looking_inside).
"""

import shlex
import sys
from pathlib import Path

from labkit.aws import command_line
from labkit.base import state

_COMMAND = """#!/bin/sh
exec {python} -I {program} "$@"
"""


def install(folder: Path) -> Path:
    """Write the command `aws` into `folder`, for the front of a PATH; returns the folder."""
    python, program = shlex.quote(sys.executable), shlex.quote(command_line.__file__)
    state.write_text(folder / "aws", _COMMAND.format(python=python, program=program), mode=0o755)
    return folder
