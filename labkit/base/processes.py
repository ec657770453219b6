"""Running other programs: quiet when they succeed, everything shown when they fail.

What belongs here: the ways in which the kit calls a program that it trusts (terraform, bash -n).
What does not: student code, which runs only through labkit.sandbox.
"""

import contextlib
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from labkit.base.errors import LabError

_LOOK_SECONDS = 0.05


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


def follow(
    command: Sequence[str],
    on_line: Callable[[str], None],
    *,
    output: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run `command` (no shell), calling `on_line` for each line as it is written; returns all of it.

    Both its streams go to the file `output`, not to a pipe: if we are killed, or our terminal's window is closed, the
    program finishes its work instead of dying half-way. On Ctrl-C, which the program gets too, we wait for it to stop
    tidily; a second one leaves it to itself. Raises LabError when the program is missing.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with open(output, "w+b") as written:
        process = _start(command, written, cwd, env)
        lines = _Lines(output, on_line)
        try:
            _read_to_the_end(process, lines)
        except KeyboardInterrupt:
            _read_to_the_end(process, lines)
            raise
    return Completed(process.returncode, output.read_text(encoding="utf-8", errors="replace"), "")


class _Lines:
    """Whole lines of a file that grows."""

    def __init__(self, path: Path, on_line: Callable[[str], None]) -> None:
        self._path, self._on_line = path, on_line
        self._offset, self._rest = 0, b""

    def take(self) -> None:
        """Hand on what came since the last time."""
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            news = file.read()
        self._offset += len(news)
        *lines, self._rest = (self._rest + news).split(b"\n")
        for line in lines:
            self._on_line(line.decode("utf-8", "replace"))


def _read_to_the_end(process: "subprocess.Popen[bytes]", lines: _Lines) -> None:
    while True:
        try:
            process.wait(timeout=_LOOK_SECONDS)  # a file has no event for growing
            lines.take()
            return
        except subprocess.TimeoutExpired:
            lines.take()


def _start(
    command: Sequence[str], output: IO[bytes], cwd: Path | None, env: Mapping[str, str] | None
) -> "subprocess.Popen[bytes]":
    try:
        with _deaf_to_hangups():
            return subprocess.Popen(
                list(command),
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
    except FileNotFoundError as error:
        raise LabError(
            f"{command[0]} is not installed here.", hint=f"Install {command[0]} and try again."
        ) from error


@contextlib.contextmanager
def _deaf_to_hangups() -> Iterator[None]:
    """What is started meanwhile outlives its terminal's window: an ignored signal stays ignored in a new program."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say so
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
