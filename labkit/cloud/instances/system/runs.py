"""One service unit at run time, and what its life asks of the world around it.

What belongs here: the record of a run, and the promises of processes, time and journal. What does not: how states change
(services), real processes (processes). Runs inside the instance: standard library only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from labkit.cloud.instances.system.outcome import Ending, Result
from labkit.cloud.instances.system.units import Command, Service

State = Literal["inactive", "activating", "active", "deactivating", "failed"]


class Timer(Protocol):
    """Something due that can be called off."""

    def cancel(self) -> None: ...  # noqa: D102


class Machine(Protocol):
    """What the state machine asks of the world around it."""

    def spawn(self, service: Service, command: Command, invocation: str) -> int:
        """Start a process of the unit; returns its id. Raises SpawnError."""
        ...

    def signal(self, invocation: str, number: int) -> bool:
        """Signal every process of this run of a unit; False when there is none."""
        ...

    def members(self, invocation: str) -> list[int]:
        """The processes of this run of a unit."""
        ...

    def memory(self, invocation: str) -> int:
        """Bytes that the processes of this run of a unit hold for themselves."""
        ...

    def new_invocation(self) -> str: ...  # noqa: D102

    def after(self, delay: float, call: Callable[[], None]) -> Timer: ...  # noqa: D102

    def now(self) -> float: ...  # noqa: D102

    def note(self, unit: str, text: str) -> None:
        """A line of systemd's own in the unit's journal."""
        ...

    def read_pid(self, path: str) -> int: ...  # noqa: D102

    def changed(self, run: "Run") -> None:
        """A unit's state changed."""
        ...


class SpawnError(Exception):
    """A process could not be started: systemd's exit status for it, and its words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Run:
    """One unit at run time."""

    service: Service
    state: State = "inactive"
    sub: str = "dead"
    result: Result = "success"
    main_pid: int = 0
    control_pid: int = 0
    ending: Ending | None = None
    invocation: str = ""
    since: float = 0.0
    restarts: int = 0
    started: list[float] = field(default_factory=list)
    waiting: list[Callable[["Run"], None]] = field(default_factory=list)
    timer: Timer | None = None
    queue: list[Command] = field(default_factory=list)
    stop_asked: bool = False
    out_of_memory: bool = False

    @property
    def name(self) -> str:
        """The unit's name, with its suffix."""
        return self.service.name
