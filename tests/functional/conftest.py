"""A lab in a folder of its own, driven through the commands a student types."""

import atexit
import functools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.targets import Target
from tests.functional.commands import Commands

ROOT = Path(labkit.__file__).resolve().parent.parent


#: reads folders of labs until whoever writes them has ended, however that was; then ends the clouds that are left there
_ENDING = """
import json, os, pathlib, signal, sys
for line in dict.fromkeys(sys.stdin.read().splitlines()):
    for state in pathlib.Path(line).glob(".lab/cloud/state.json"):
        pid = json.loads(state.read_text())["pid"]
        command = pathlib.Path(f"/proc/{pid}/cmdline")
        if command.exists() and str(state.parent) in command.read_text():  # not whoever has its number by now
            os.kill(pid, signal.SIGTERM)
"""


@functools.cache
def _watcher() -> "subprocess.Popen[str]":
    """The process that outlives this test run by a moment, one for each."""
    command = [sys.executable, "-I", "-c", _ENDING]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True, bufsize=1, start_new_session=True)


#: commands that the file `lab` answers itself, or hands to another interpreter
ANSWERED_BY_THE_FILE = {"doctor", "setup"}


@functools.cache
def _commands() -> Commands:
    """What this test run's commands are forked from."""
    made = Commands()
    atexit.register(made.close)
    return made


def _starts_otherwise(variable: str) -> bool:
    """Whether it says how Python starts, or which."""
    return variable.startswith(("PYTHON", "LANG", "LC_")) or variable in ("PATH", "HOME", "TZ")


@dataclass(frozen=True)
class Run:
    """What a command left."""

    status: int
    output: str
    errors: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a `--json` run."""
        return [line["event"] for line in self._lines() if "event" in line]

    @property
    def result(self) -> dict[str, Any]:
        """The result of a `--json` run that went through."""
        return next(line["result"] for line in self._lines() if "result" in line)

    @property
    def error(self) -> dict[str, str]:
        """The error of a `--json` run that did not."""
        return next(line["error"] for line in self._lines() if "error" in line)

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]


@dataclass(frozen=True)
class Lab:
    """The commands of one lab whose work and state lie in `base`; `variables` go into their environment."""

    base: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Whatever ends this test run, no cloud of this lab outlives it."""
        pipe = _watcher().stdin
        assert pipe is not None
        pipe.write(f"{self.base}\n")

    def run(self, *arguments: str, timeout: float = 90) -> Run:
        """Run `./lab …` to its end."""
        if set(arguments[:1]) & ANSWERED_BY_THE_FILE or any(map(_starts_otherwise, self.variables)):
            return self.typed("/bin/sh", str(ROOT / "lab"), *arguments, timeout=timeout)
        return Run(*_commands().run(arguments, self.environment, self.base, timeout))

    def step(self, number: str, *arguments: str, timeout: float = 90) -> Run:
        """Run what steps/NN_*.py runs, with --json, to its end."""
        return self.run("step", number, "--json", *arguments, timeout=timeout)

    def typed(self, *command: str, timeout: float = 90) -> Run:
        """Run any command, in a process that begins with it, to its end."""
        process = self._popen(list(command))
        output, errors = process.communicate(timeout=timeout)
        return Run(process.returncode, output, errors)

    def stop(self) -> None:
        """Stop its clouds, if it may have some."""
        if (self.base / ".lab").exists():
            stopped = self.run("cloud", "stop")
            assert stopped.status == 0, stopped

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `./lab …`."""
        return self._popen(["/bin/sh", str(ROOT / "lab"), *arguments])

    def kill_after(self, events: int, *arguments: str, whom: Callable[[int], int] = lambda pid: pid) -> bool:
        """Start a command with --json and kill −9 after so many events; False when it ended before.

        `whom` gives the process to kill, from the command's own: by default the command itself.
        """
        process = self.start(*arguments, "--json")
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += "event" in json.loads(line)
            if seen == events:
                os.kill(whom(process.pid), signal.SIGKILL)
        process.communicate(timeout=90)
        return seen >= events

    def cloud_pid(self) -> int:
        """The process of this lab's local cloud."""
        return int(json.loads((self.base / ".lab" / "cloud" / "state.json").read_text())["pid"])

    def target(self, region: str) -> Target:
        """This lab's running cloud, as the owner of its account."""
        endpoint = LocalCloud(self.base / ".lab" / "cloud").running()
        assert endpoint is not None
        return endpoint.target(region)

    def with_variables(self, **variables: str) -> "Lab":
        """The same lab with more variables in the environment of its commands."""
        return replace(self, variables={**self.variables, **variables})

    def workspace(self, student: str) -> Path:
        """The folder with the student's files."""
        return self.base / "work" / student

    @property
    def environment(self) -> dict[str, str]:
        """Of its commands."""
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.base / "home"), "LAB_BASE": str(self.base), "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in ("LAB_TF_MIRROR",) if name in os.environ}, **self.variables,
        }  # fmt: skip

    def _popen(self, command: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, env=self.environment, cwd=self.base, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture(scope="session")
def new_lab(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lab]:
    """Makes a lab; whoever makes one stops its cloud."""
    return lambda: Lab(tmp_path_factory.mktemp("lab"), {"TF_CLI_CONFIG_FILE": "/nonexistent/terraformrc"})


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of its own for one test; its cloud is stopped afterwards."""
    made = Lab(tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def deployed_solution(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the reference solution deployed, shared by the tests of one module."""
    made = Lab(tmp_path_factory.mktemp("solution"))
    for number in ("01", "03"):
        run = made.step(number, "--student", "ada@uni.edu", "--solution")
        assert run.status == 0, run
    yield made
    made.stop()


@pytest.fixture
def images() -> Path:
    """The folder of sample pictures that the kit ships."""
    return ROOT / "images"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The mutation score: how many of the mistakes and cheats that were graded lost exactly their lines."""
    results = {
        outcome: [
            report
            for report in terminalreporter.stats.get(outcome, [])
            if re.search(r"test_submission_loses_exactly_its_lines\[[MNC]\d", getattr(report, "nodeid", ""))
            and report.when == "call"
        ]
        for outcome in ("passed", "failed")
    }
    graded = sum(map(len, results.values()))
    if graded:
        caught = len(results["passed"])
        terminalreporter.write_line(
            f"mutation score: {caught} of {graded} ({100 * caught / graded:.0f} %) lose exactly their lines"
        )


@pytest.fixture(scope="session")
def fill() -> Callable[[str, Path, Path], None]:
    """Called with gap, mine, solution: writes the reference's text between the markers of a gap, in every file that has it."""

    def write(gap: str, mine: Path, solution: Path) -> None:
        between = re.compile(rf"(?s)(?<=>>> gap {gap}\n).*?(?=[ \t]*# <<< gap {gap}\n)")
        for path in (path for path in mine.iterdir() if (solution / path.name).is_file()):
            found = between.search((solution / path.name).read_text())
            if found:
                path.write_text(between.sub(lambda _, text=found[0]: text, path.read_text()))

    return write
