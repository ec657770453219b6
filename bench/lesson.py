"""What a student waits for: a step's first line, and from saving a file to the next verdict.

What belongs here: these two, through `./lab` as a student types it. What does not: what a step costs inside (sections).
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import labkit
from bench.measuring import Figure, figure
from labkit.course.manifest import load

ROOT = Path(labkit.__file__).resolve().parent.parent
ADA = ("--student", "ada@uni.edu", "--solution")
#: the verdict that is waited for after a save
_VERDICT = "hop 6 of 7, health"
#: kind of change → file, and what is changed in it, the number of the round in place of {}
_SAVES: dict[str, tuple[str, str, str]] = {
    "code": ("flask_app.py", 'version="1.0', 'version="1.0.{}'),
    "rule": ("cloudformation-template.yaml", "          FromPort: !Ref Port\n", "          Description: round {}\n          FromPort: !Ref Port\n"),
    "boot": ("flask_server_startup.sh", "#!/bin/bash\n", "#!/bin/bash\necho round {}\n"),
}  # fmt: skip


def lesson() -> list[Figure]:
    """First lines of all steps, then saves under `./lab wire --watch`."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        try:
            for command in ("generate", "deploy"):
                if _start(base, command, *ADA).wait():
                    raise SystemExit(f"./lab {command} did not go through")
            return [*_saves(base), *_first_lines(base)]
        finally:
            _start(base, "cloud", "stop").wait()


def _first_lines(base: Path) -> Iterator[Figure]:
    """From Enter to the step's first line; what runs then is stopped, as with Ctrl-C."""
    for step in load(ROOT).steps:
        words = (step.name,) if step.name == "doctor" else (step.name, *ADA, "--plain")
        yield figure(
            f"step {step.number} {step.name}: first line", [_first_line(base, words) for _ in range(5)]
        )


def _first_line(base: Path, words: tuple[str, ...]) -> float:
    started = time.perf_counter()
    process = _start(base, *words)
    assert process.stdout is not None
    while not process.stdout.readline().strip():
        if process.poll() is not None:
            raise SystemExit(f"./lab {' '.join(words)} said nothing")
    taken = 1000 * (time.perf_counter() - started)
    process.terminate()
    process.communicate()
    return taken


def _saves(base: Path) -> Iterator[Figure]:
    mine = base / "work" / "ada@uni.edu.solution"
    with _watching(base) as verdict:
        for kind, (name, old, new) in _SAVES.items():
            path, times = mine / name, list[float]()
            before = path.read_text()
            for number in range(5):
                started = time.perf_counter()
                path.write_text(before.replace(old, new.format(number)))
                verdict()
                times.append(1000 * (time.perf_counter() - started))
            yield figure(f"save to verdict, {kind} change", times)


@contextmanager
def _watching(base: Path) -> Iterator[Callable[[], None]]:
    """`./lab wire --watch`; gives a call that returns at the next good verdict."""
    process = _start(base, "wire", *ADA, "--watch", "--json")
    assert process.stdout is not None
    events = (json.loads(line).get("event", {}) for line in process.stdout)

    def verdict() -> None:
        for event in events:
            if event.get("kind") == "check" and not event["passed"]:
                raise SystemExit(f"the change did harm: {event['text']}")
            if event.get("name") == _VERDICT:
                return
        raise SystemExit("./lab wire --watch has ended")

    try:
        verdict()
        yield verdict
    finally:
        process.terminate()
        process.communicate()


def _start(base: Path, *words: str) -> "subprocess.Popen[str]":
    variables = {**os.environ, "LAB_BASE": str(base)}
    return subprocess.Popen(
        ["/bin/sh", str(ROOT / "lab"), *words], env=variables, cwd=base, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
