"""The AWS CLI that comes with the kit, put where a shell finds it.

What belongs here: making that one command. What does not: the shell and its environment (labkit.cli.study).

PyPI has version 1; what the kit prints is for both versions, and the one difference between them in it is taken
care of here, so that a line can be pasted into `./lab shell` and, later, beside version 2 on AWS.
"""

import shlex
import sys
from pathlib import Path

from labkit.base import state

#: version 2 wants the option before a payload that is plain JSON; version 1 takes plain JSON always, and
#: does not know the option. (AWS CLI user guide, "Breaking changes in the AWS CLI version 2", binary parameters)
_COMMAND = """#!/bin/sh
skip=
for word do
  shift
  case $skip:$word in
    yes:*) skip= ;;
    :--cli-binary-format) skip=yes ;;
    :--cli-binary-format=*) ;;
    *) set -- "$@" "$word" ;;
  esac
done
exec {aws} "$@"
"""


def install(folder: Path) -> Path:
    """Write the command `aws` into `folder`, for the front of a PATH; returns the folder."""
    real = Path(sys.executable).parent / "aws"
    state.write_text(folder / "aws", _COMMAND.format(aws=shlex.quote(str(real))), mode=0o755)
    return folder
