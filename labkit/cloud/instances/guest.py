"""What is known, outside, of one instance: its boot, its units, its console.

What belongs here: state built from reports that are not trusted, bounded in size, and waiting for it.
What does not: processes and descriptors (manager).
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from labkit.cloud.instances.system.messages import (
    Booted,
    Halt,
    JournalLines,
    Report,
    ShellEnded,
    UnitState,
    UserDataEnded,
)

#: what GetConsoleOutput keeps (EC2 API reference, GetConsoleOutput)
CONSOLE_BYTES = 64 << 10
_UNITS = 500
_JOURNAL_SECONDS = 5.0

BootState = Literal["pending", "running-user-data", "ok", "failed", "stopped"]


@dataclass(frozen=True)
class Boot:
    """How an instance's boot went.

    state: "pending" (not started), "running-user-data", "ok", "failed" (user data ended with another
    status than 0, or the instance could not start), "stopped". exit_code: of user data, None where none
    ran in this boot. seconds: from start to the end of user data. tail: the last lines of the boot log.
    """

    state: BootState = "pending"
    exit_code: int | None = None
    seconds: float = 0.0
    tail: tuple[str, ...] = ()


class Guest:
    """The outside view of one instance, over all its boots. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._boot = Boot()
        self._began = time.monotonic()
        self._units: dict[str, UnitState] = {}
        self._console = bytearray()
        self._answers: dict[int, tuple[str, ...]] = {}
        self._questions: set[int] = set()
        self._ended_shells: dict[int, int] = {}
        self._next_question = 0
        self.reboot_asked = False

    # -- told by the manager and by the instance ----------------------------------------------------

    def begin(self) -> None:
        """A boot begins: the console starts anew."""
        with self._changed:
            self._boot = Boot("running-user-data")
            self._began = time.monotonic()
            self._units.clear()
            self._console.clear()
            self.reboot_asked = False

    def end(self, *, why: str = "") -> None:
        """The instance has ended (or, with `why`, could not start)."""
        with self._changed:
            old = self._boot
            tail = (*old.tail, why) if why else old.tail
            self._boot = Boot("failed" if why else "stopped", old.exit_code, old.seconds, tail)
            self._units.clear()
            self._changed.notify_all()

    def console_said(self, data: bytes) -> None:
        """Keep the newest bytes of the console."""
        with self._changed:
            self._console += data
            del self._console[:-CONSOLE_BYTES]

    def told(self, report: Report) -> None:
        """Take over one report of process 1."""
        with self._changed:
            match report:
                case UnitState():
                    if report.name in self._units or len(self._units) < _UNITS:
                        self._units[report.name] = report
                case UserDataEnded():
                    self._user_data_ended(report)
                case Booted():
                    self._booted()
                case Halt():
                    self.reboot_asked = report.reboot
                case JournalLines():
                    if report.question in self._questions:
                        self._answers[report.question] = report.lines
                case ShellEnded():
                    if report.question in self._questions:
                        self._ended_shells[report.question] = report.status
            self._changed.notify_all()

    def _user_data_ended(self, report: UserDataEnded) -> None:
        """Only the first word counts: what follows may come from anybody inside."""
        if self._boot.state == "running-user-data":
            state: BootState = "failed" if report.code else "ok"
            self._boot = Boot(state, report.code, time.monotonic() - self._began, report.tail)

    def _booted(self) -> None:
        if self._boot.state == "running-user-data":
            self._boot = Boot("ok", None, time.monotonic() - self._began, self._boot.tail)

    # -- asked by others ------------------------------------------------------------------------------

    def boot(self) -> Boot:
        """How the boot stands."""
        with self._changed:
            return self._boot

    def wait_booted(self, timeout: float) -> Boot:
        """The boot once it is no longer under way, or as it stands after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._boot.state not in ("pending", "running-user-data"), timeout)
            return self._boot

    def wait_unit(self, unit: str, state: str, timeout: float) -> bool:
        """Whether `unit` reached `state` ("active", "failed") within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: unit in self._units and self._units[unit].state == state, timeout
            )

    def units(self) -> Mapping[str, UnitState]:
        """The units that were started since boot."""
        with self._changed:
            return dict(self._units)

    @property
    def age(self) -> float:
        """Seconds since this boot began."""
        with self._changed:
            return time.monotonic() - self._began

    def console(self) -> bytes:
        """The newest bytes of the console, at most 64 KB."""
        with self._changed:
            return bytes(self._console)

    def question(self) -> int:
        """A number for a question to process 1 (see `answer`)."""
        with self._changed:
            self._next_question += 1
            self._questions.add(self._next_question)
            return self._next_question

    def shell_ended(self, question: int) -> int:
        """The status of a shell, once it has ended; 255 when the instance ended first."""
        with self._changed:
            self._changed.wait_for(lambda: question in self._ended_shells or self._boot.state == "stopped")
            self._questions.discard(question)
            return self._ended_shells.pop(question, 255)

    def answer(self, question: int, timeout: float = _JOURNAL_SECONDS) -> tuple[str, ...]:
        """The answer to `question`; nothing when none comes in time."""
        with self._changed:
            self._changed.wait_for(
                lambda: question in self._answers or self._boot.state == "stopped", timeout
            )
            self._questions.discard(question)
            return self._answers.pop(question, ())
