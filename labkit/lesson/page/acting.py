"""Running a step from the page, as somebody would type it: one at a time, in a process of its own.

What belongs here: which steps can be started by a click, and the one that runs. What does not: what a step does.
"""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit.base.text import printable

#: steps that neither ask anything nor delete anything
STEPS = ("plan", "deploy", "wire", "process", "measure", "grade")
_MOST_LINES = 400


@dataclass(frozen=True)
class Job:
    """A step that was started: what it has said so far; `status` is None while it runs."""

    step: str
    lines: tuple[str, ...]
    status: int | None


class Runner:
    """Runs steps for the page. For any thread."""

    def __init__(self, command: Callable[[str], list[str]], folder: Path) -> None:
        """`command`: the words that run a step; `folder`: where."""
        self._command, self._folder = command, folder
        self._lock, self._lines = threading.Lock(), list[str]()
        self._step = ""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread

    def start(self, step: str) -> bool:
        """Run `step`; False when one runs already, or it is none that a click may start."""
        with self._lock:
            if step not in STEPS or (self._process and self._process.poll() is None):
                return False
            self._step, self._lines = step, []
            self._process = subprocess.Popen(
                self._command(step),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._reader = threading.Thread(target=_read, args=(self._process, self._lines), daemon=True)
            self._reader.start()
            return True

    def job(self) -> Job | None:
        """What runs or ran last, None before the first."""
        with self._lock:
            if self._process is None:
                return None
            return Job(self._step, tuple(self._lines[-_MOST_LINES:]), self._process.poll())

    def close(self) -> None:
        """End what runs: the page is closed."""
        with self._lock:
            if self._process:
                self._process.terminate()
                self._reader.join()


def _read(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    with process:
        for line in process.stdout or ():
            lines.append(printable(line.rstrip("\n")))


def step_command(student: str, *, solution: bool) -> Callable[[str], list[str]]:
    """The words that run a step of this student's in this kit, on plain text."""
    more = ["--solution"] if solution else []
    return lambda step: [sys.executable, "-m", "labkit", step, "--plain", "--student", student, *more]
