"""Running other programs: quiet when they succeed, everything shown when they fail.

What belongs here: the one way in which the kit calls a program that it trusts (terraform, bash -n).
What does not: student code, which runs only through labkit.sandbox.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError


@dataclass(frozen=True)
class Completed:
    """What a program left: its exit status and everything it said."""

    status: int
    output: str
    errors: str


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> Completed:
    """Run `command` (no shell) and return what it left, whatever its status.

    Raises LabError when the program is missing or does not end within `timeout` seconds.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=None if env is None else dict(env),
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(
            f"{command[0]} is not installed here.", hint=f"Install {command[0]} and try again."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{command[0]} did not finish within {timeout:.0f} seconds.", hint="Run the command again."
        ) from error
    return Completed(done.returncode, done.stdout, done.stderr)
