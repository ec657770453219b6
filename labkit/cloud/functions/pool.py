"""Which environment an invocation gets: a warm one, a new one, or none because of a limit.

What belongs here: the books of all environments, under one lock; nothing here waits. What does not: how
an environment runs (see runner).

AWS Lambda, "Understanding Lambda function scaling": one environment serves one invocation at a time.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.aws.records import FunctionRecord
from labkit.cloud.functions.errors import ServiceClosed, TooManyRequests
from labkit.cloud.functions.runner import Runner

Key = tuple[str, str]


def key_of(function: FunctionRecord) -> Key:
    """What tells functions apart: ARN and version."""
    return function.arn, function.version


@dataclass(frozen=True)
class PoolLimits:
    """`concurrency`: of the whole account. Of a function's idle environments `keep_idle` stay; more
    than that end after `idle_seconds`.
    """

    concurrency: int = 100
    keep_idle: int = 2
    idle_seconds: float = 300


class Pool:
    """Idle and busy environments. What must end is handed to `retire`, which must not wait."""

    def __init__(
        self,
        create: Callable[[FunctionRecord], Runner],
        retire: Callable[[Runner], None],
        *,
        limits: PoolLimits,
        now: Callable[[], float],
    ) -> None:
        self._create, self._retire, self._limits, self._now = create, retire, limits, now
        self._lock = threading.Lock()
        self._all_back = threading.Condition(self._lock)
        self._idle: dict[Key, list[tuple[float, Runner]]] = {}
        self._busy: set[Runner] = set()
        self._closed = False

    def acquire(self, function: FunctionRecord) -> Runner:
        """The environment used last of those that fit, or a new one; `release` is due.

        Raises TooManyRequests when a concurrency limit is reached, ServiceClosed after `close`.
        """
        with self._lock:
            self._check(function)
            runner = self._warm(function) or self._create(function)
            self._busy.add(runner)
            return runner

    def release(self, runner: Runner, *, reusable: bool) -> None:
        """The invocation is over; a `reusable` environment waits for the next, another one ends."""
        with self._lock:
            self._busy.discard(runner)
            self._all_back.notify_all()
            if reusable and not self._closed and runner.environment.give_back():
                stack = self._idle.setdefault(key_of(runner.environment.function), [])
                stack.append((self._now(), runner))
                return
        self._retire(runner)

    def reconcile(self, functions: Iterable[FunctionRecord]) -> None:
        """Environments of any other revision than these get no further invocation."""
        revisions = {key_of(function): function.revision for function in functions}
        self._drop(lambda runner, _: revisions.get(key_of(runner.environment.function)) != _revision(runner))

    def expire(self) -> float | None:
        """End what has been idle too long; returns the seconds until the next may be due."""
        surplus = self._surplus()
        self._drop(
            lambda runner, since: runner in surplus and self._now() - since >= self._limits.idle_seconds
        )
        with self._lock:
            due = [since for stack in self._idle.values() for since, _ in stack[: -self._limits.keep_idle]]
        return max(0.0, min(due) + self._limits.idle_seconds - self._now()) if due else None

    def runners(self) -> list[Runner]:
        """All of them, busy ones first."""
        with self._lock:
            return [*self._busy, *(runner for stack in self._idle.values() for _, runner in stack)]

    def close(self) -> None:
        """No further invocation is taken; idle environments end now, busy ones when released."""
        with self._lock:
            self._closed = True
        self._drop(lambda *_: True)

    def wait_released(self, seconds: float) -> bool:
        """Wait until no environment is busy; False when `seconds` were not enough."""
        with self._all_back:
            return self._all_back.wait_for(lambda: not self._busy, seconds)

    def _check(self, function: FunctionRecord) -> None:
        if self._closed:
            raise ServiceClosed
        mine = sum(key_of(runner.environment.function)[0] == function.arn for runner in self._busy)
        if function.reserved_concurrency is not None and mine >= function.reserved_concurrency:
            raise TooManyRequests(reserved=True)
        if len(self._busy) >= self._limits.concurrency:
            raise TooManyRequests(reserved=False)

    def _warm(self, function: FunctionRecord) -> Runner | None:
        stack = self._idle.get(key_of(function), [])
        while stack:
            _, runner = stack.pop()
            fits = _revision(runner) == function.revision and runner.usable()
            if fits and runner.environment.take():
                return runner
            self._retire(runner)
        return None

    def _surplus(self) -> dict[Runner, float]:
        """Of each function, the idle environments used longest ago, beyond those kept, and since when."""
        with self._lock:
            stacks = [stack[: max(0, len(stack) - self._limits.keep_idle)] for stack in self._idle.values()]
        return {runner: since for stack in stacks for since, runner in stack}

    def _drop(self, unwanted: Callable[[Runner, float], bool]) -> None:
        """Take the unwanted idle ones out and condemn the unwanted busy ones."""
        dropped: list[Runner] = []
        with self._lock:
            for key, stack in list(self._idle.items()):
                dropped += [runner for since, runner in stack if unwanted(runner, since)]
                self._idle[key] = [pair for pair in stack if pair[1] not in dropped]
                if not self._idle[key]:
                    del self._idle[key]
            for runner in self._busy:
                if unwanted(runner, self._now()):
                    runner.environment.condemn()
        for runner in dropped:
            self._retire(runner)


def _revision(runner: Runner) -> str:
    return runner.environment.function.revision
