"""One grading from the outside: starts the judging process, listens, and keeps a valid result at every moment.

What belongs here: the result file's life, limits of time, what the end of a process means. What does not: the
verdicts themselves (session, in the other process), showing them (reports).
"""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.events import Emit, Event, ignore
from labkit.base.text import printable
from labkit.grading.model import Result, Verdict, best, to_json, verdict_of
from labkit.grading.process import task as tasks
from labkit.grading.process.starting import Start, Started, Warm, execute
from labkit.grading.process.task import Task

#: a check that says nothing for this long is ended, and its line is not judged
LINE_SECONDS = 300.0
#: a judging process that dies is started again for the lines that are left, so often
RESTARTS = 2
_MOST_LINE = 1 << 20


@dataclass
class Run:
    """One grading under way: the result so far, and where it is kept (None: nowhere)."""

    result: Result
    path: Path | None
    emit: Emit = ignore
    attempts: dict[str, list[Verdict]] = field(default_factory=dict)
    current: str = ""

    def keep(self) -> None:
        """Write the result in one step. Raises StateError when the disk does not take it."""
        if self.path is not None:
            state.write_json(self.path, to_json(self.result))

    def heard(self, message: Mapping[str, Any]) -> None:
        """Take over one report of the judging process."""
        kind = message["kind"]
        if kind == "begin":
            self.current = str(message["line"])
        elif kind == "verdict":
            self._verdict(message)
        elif kind == "missing":
            self.not_judged(str(message["line"]), str(message["why"]))
        elif kind == "cloud":
            told = {name: str(message[name]) for name in ("tier", "tier_text", "tier_fix")}
            self.result = replace(self.result, about={**self.result.about, **told})
        elif kind == "trouble":
            self.trouble(str(message["text"]))

    def _verdict(self, message: Mapping[str, Any]) -> None:
        name, verdict = str(message["line"]), verdict_of(message["verdict"])
        attempts = self.attempts.setdefault(name, [])
        attempts.append(verdict)
        self.current = ""
        self.result = self.result.with_line(
            name, best(attempts), why=str(message["why"]), seconds=float(message["seconds"])
        )
        line = self.result.line(name)
        self.emit(
            Event(
                "check",
                f"{name}: {line.title}",
                {"passed": verdict.passed, "line": name, "way": verdict.way, "outcome": verdict.outcome},
            )
        )
        self.keep()

    def not_judged(self, name: str, reason: str) -> None:
        """Our trouble kept this line from being judged."""
        verdict = Verdict(reason=reason)
        self.attempts.setdefault(name, []).append(verdict)
        self.result = self.result.with_line(name, best(self.attempts[name]))
        self.keep()

    def trouble(self, text: str) -> None:
        """Something of ours went wrong; staff read it."""
        self.result = replace(self.result, trouble=(*self.result.trouble, text))
        self.keep()


def judge(
    run: Run,
    task: Task,
    *,
    line_seconds: float = LINE_SECONDS,
    warm: Warm | None = None,
    place: Path | None = None,
) -> Result:
    """Have the task judged, keeping the result on disk from the first moment; returns it.

    The judging process is forked from `warm`, or started as a program of its own; it works in `place` (None: where
    the system keeps temporary files). Lines on which the judging process dies or stalls are "not judged"; the others go on in a new one. Raises
    StateError when the result can't be written.
    """
    run.keep()
    started = time.monotonic()
    remaining = task
    for _ in range(RESTARTS + 1):
        last_words = _one_process(run, remaining, line_seconds, warm, place)
        if last_words is None:
            break
        died_in = _after_death(run, last_words)
        left = tuple(name for name in remaining.lines if name not in run.attempts)
        if not left:
            break
        remaining = replace(remaining, lines=left, given_up=(*remaining.given_up, *died_in))
    timing = {**run.result.timing, "judging_seconds": round(time.monotonic() - started, 2)}
    run.result = replace(run.result, complete=True, timing=timing)
    run.keep()
    return run.result


def _after_death(run: Run, last_words: str) -> list[str]:
    """The process ended in the middle: what it was at is not judged, and that is our trouble; that line, if any."""
    died_in, run.current = run.current, ""
    if not died_in:
        run.trouble(f"the judging process ended before its time: {last_words or 'it said nothing'}")
        return []
    run.not_judged(died_in, "the judging process ended or stalled in this line")
    return [died_in]


def _one_process(
    run: Run, task: Task, line_seconds: float, warm: Warm | None, place: Path | None
) -> str | None:
    """Start a judging process and listen to its end; its last words where it did not come to its end by itself."""
    with tempfile.TemporaryDirectory(prefix="lab-judging-", dir=place) as folder:
        own = replace(task, work=f"{folder}/work")
        (Path(folder) / "work").mkdir()
        tasks.write(own, Path(folder) / "task.json")
        with _process(Path(folder), warm.judge if warm else execute) as (process, reader):
            ended = False
            for message in _messages(reader, line_seconds):
                ended = ended or message["kind"] == "end"
                run.heard(message)
            if not ended:
                process.kill()
        return None if ended else _last_line(Path(folder) / "log")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return printable(next((line for line in reversed(lines) if line.strip()), ""))


@contextlib.contextmanager
def _process(folder: Path, start: Start) -> Iterator[tuple[Started, int]]:
    """The judging process and the descriptor of its reports. Its end is ours: it reads our pipe."""
    (reader, reports), (stdin, leash) = os.pipe(), os.pipe()
    with open(reader, "rb", buffering=0), open(leash, "wb", buffering=0) as letting_go:
        try:
            with open(folder / "log", "wb") as log:
                process = start(folder / "task.json", reports, stdin, log.fileno())
        finally:
            os.close(reports)
            os.close(stdin)
        try:
            yield process, reader
        finally:
            letting_go.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _messages(reader: int, seconds: float) -> Iterator[Mapping[str, Any]]:
    """The reports until the end of the stream, a silence of `seconds`, or something that is no report."""
    held = b""
    while True:
        ready, _, _ = select.select([reader], [], [], seconds)
        data = os.read(reader, 65536) if ready else b""
        if not data:
            return
        held += data
        *lines, held = held.split(b"\n")
        if len(held) > _MOST_LINE:
            return
        for line in lines:
            yield json.loads(line)
