"""What a step is given and what it gives back: plain frozen records.

What belongs here: options, checks and results. What does not: running steps (labkit.lesson.engine).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

#: what a step judges: the files, what is deployed, or that only when it is told to check and no more
Judged = Literal["files", "deployed", "deployed, to check"]


@dataclass(frozen=True)
class Options:
    """What the student asked for on the command line; `extra` are the options of one step alone."""

    student: str | None = None
    solution: bool = False
    force: bool = False
    check_only: bool = False
    images: tuple[str, ...] = ()
    engine: str | None = None
    lab_role: str | None = None
    target: str | None = None
    region: str = ""
    yes: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckResult:
    """One thing looked at: what it is, whether it holds, and if not: why, and what to do next.

    `gap` names the gap whose text decides it, "" where none does; `symptom` the mistake, for the hints.
    `details` are lines that belong on the screen below the reason, at most six, each below 77 columns.
    """

    name: str
    passed: bool
    reason: str = ""
    hint: str = ""
    expected: str = ""
    found: str = ""
    gap: str = ""
    symptom: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepResult:
    """What a step left: its checks, lines for people (label, value), commands to paste into ./lab shell."""

    checks: tuple[CheckResult, ...]
    facts: tuple[tuple[str, str], ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check holds. A step without checks has not passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)


@dataclass(frozen=True)
class Places:
    """The folders of one lab: the kit's own (`root`), and where its work and state go (`base`)."""

    root: Path
    base: Path

    @property
    def work(self) -> Path:
        """Where the workspaces are."""
        return self.base / "work"

    @property
    def state(self) -> Path:
        """Where the kit keeps what nobody edits."""
        return self.base / ".lab"
