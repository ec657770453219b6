"""How a unit's process ended, and what systemd does then: pure decisions.

What belongs here: the tables of systemd.service(5) ("Restart=") and the words of systemd's messages.
What does not: acting on them. Runs inside the instance: standard library only.
"""

import signal
from dataclasses import dataclass
from typing import Literal

from labkit.cloud.instances.system.units import Service

Result = Literal[
    "success",
    "exit-code",
    "signal",
    "core-dump",
    "timeout",
    "resources",
    "protocol",
    "start-limit-hit",
    "oom-kill",
]

_CLEAN_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
_CORE_SIGNALS = (
    signal.SIGQUIT, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE,
    signal.SIGSEGV, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGSYS,
)  # fmt: skip
#: systemd's names for exit statuses (systemd.exec(5), "Process Exit Codes")
_NAMES = {
    0: "SUCCESS", 1: "FAILURE", 2: "INVALIDARGUMENT", 3: "NOTIMPLEMENTED", 4: "NOPERMISSION",
    5: "NOTINSTALLED", 6: "NOTCONFIGURED", 7: "NOTRUNNING", 200: "CHDIR", 202: "FDS", 203: "EXEC",
    209: "STDOUT", 216: "GROUP", 217: "USER",
}  # fmt: skip
_RESTARTED_AFTER: dict[str, tuple[Result, ...]] = {
    "no": (),
    "always": ("success", "exit-code", "signal", "core-dump", "timeout", "protocol", "oom-kill"),
    "on-success": ("success",),
    "on-failure": ("exit-code", "signal", "core-dump", "timeout", "protocol", "oom-kill"),
    "on-abnormal": ("signal", "core-dump", "timeout", "oom-kill"),
    "on-abort": ("signal", "core-dump"),
    "on-watchdog": (),
}


@dataclass(frozen=True)
class Ending:
    """How one process ended: an exit status, or the number of the signal that killed it."""

    status: int
    signal: int = 0

    @classmethod
    def from_wait(cls, wait_status: int) -> "Ending":
        """From what waitpid(2) gave."""
        code = wait_status_code(wait_status)
        return cls(code) if code >= 0 else cls(0, -code)

    def describe(self) -> str:
        """As in systemd's "Main process exited, …"."""
        if self.signal:
            how = "dumped" if self.signal in _CORE_SIGNALS else "killed"
            return f"code={how}, status={self.signal}/{signal.Signals(self.signal).name.removeprefix('SIG')}"
        name = _NAMES.get(self.status, "n/a")
        return f"code=exited, status={self.status}/{name}"


def wait_status_code(wait_status: int) -> int:
    """The exit status, or minus the signal's number."""
    return -(wait_status & 0x7F) if wait_status & 0x7F else wait_status >> 8


def result_of(ending: Ending, service: Service) -> Result:
    """What systemd calls this ending for a process of `service`."""
    if not ending.signal:
        clean = ending.status == 0 or ending.status in service.success_statuses
        return "success" if clean else "exit-code"
    if ending.signal in _CLEAN_SIGNALS and service.type != "oneshot":
        return "success"
    return "core-dump" if ending.signal in _CORE_SIGNALS else "signal"


def should_restart(policy: str, result: Result) -> bool:
    """Whether Restart=`policy` starts the unit again after `result` (never after an asked-for stop)."""
    return result in _RESTARTED_AFTER.get(policy, ())
