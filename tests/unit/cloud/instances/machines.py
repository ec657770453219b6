"""A machine without processes and without time, for the state machine of units."""

from collections.abc import Callable

from labkit.cloud.instances.system.runs import Run, SpawnError
from labkit.cloud.instances.system.units import Command, Service


class Alarm:
    """A timer that a test fires."""

    def __init__(self, delay: float, call: Callable[[], None]) -> None:
        self.delay, self.call, self.cancelled = delay, call, False

    def cancel(self) -> None:
        self.cancelled = True


class FakeMachine:
    """Implements services.Machine; processes live until the test ends them."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.alive: dict[int, str] = {}
        self.commands: list[tuple[str, ...]] = []
        self.notes: list[str] = []
        self.alarms: list[Alarm] = []
        self.signals: list[int] = []
        self.states: list[tuple[str, str]] = []
        self.refuse: SpawnError | None = None
        self.held = 0
        self._next = 100

    def spawn(self, service: Service, command: Command, invocation: str) -> int:
        self.commands.append(command.words)
        if self.refuse is not None:
            raise self.refuse
        self._next += 1
        self.alive[self._next] = invocation
        return self._next

    def signal(self, invocation: str, number: int) -> bool:
        found = invocation in self.alive.values()
        if number and found:
            self.signals.append(number)
        return found

    def members(self, invocation: str) -> list[int]:
        return [pid for pid, run in self.alive.items() if run == invocation]

    def memory(self, invocation: str) -> int:
        return self.held

    def new_invocation(self) -> str:
        self._next += 1
        return f"invocation-{self._next}"

    def after(self, delay: float, call: Callable[[], None]) -> Alarm:
        self.alarms.append(Alarm(delay, call))
        return self.alarms[-1]

    def now(self) -> float:
        return self.time

    def note(self, unit: str, text: str) -> None:
        self.notes.append(text)

    def read_pid(self, path: str) -> int:
        return max(self.alive, default=0)

    def changed(self, run: Run) -> None:
        self.states.append((run.state, run.sub))

    def fire(self) -> None:
        """Let the newest pending timer be due."""
        alarm = next(a for a in reversed(self.alarms) if not a.cancelled)
        alarm.cancelled = True
        self.time += alarm.delay
        alarm.call()
