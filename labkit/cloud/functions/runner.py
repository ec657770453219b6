"""One environment at work: its init and its invocations, with the time limits of both, and their log.

What belongs here: the order of things in an environment's life with one process at a time. What does
not: which environment is used (see pool), what an ending means (see outcomes).

AWS Lambda, "Understanding the Lambda execution environment lifecycle": init has 10 seconds; when it
fails, it is repeated with the first invocation, within the function's time-out.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from labkit.cloud.functions import report
from labkit.cloud.functions.environment import Environment
from labkit.cloud.functions.logs import Line
from labkit.cloud.functions.outcomes import (
    Ending,
    Exited,
    NoEntry,
    Outcome,
    TimedOut,
    init_error_type,
    outcome,
)
from labkit.cloud.functions.placement import Placement, Surroundings
from labkit.cloud.functions.process import RuntimeProcess
from labkit.cloud.functions.report import Usage
from labkit.cloud.functions.runtime_api import Event, Message

#: AWS Lambda, "Viewing execution logs": LogType=Tail gives the last 4 KB
TAIL_BYTES = 4096
#: credentials must outlive an invocation by this much
_CREDENTIAL_MARGIN = 300
#: reading the memory of a process takes longer than a warm invocation: not more often than this
_MEASURE_SECONDS = 0.1


@dataclass(frozen=True)
class Completion:
    """An invocation that is over: what it gave, and every line of the log stream since the last one."""

    outcome: Outcome
    lines: list[Line]

    def tail(self) -> str:
        """The end of the log, as LogType=Tail shows it."""
        said = "".join(text for _, text in self.lines if not text.startswith("INIT_START"))
        return said.encode()[-TAIL_BYTES:].decode("utf-8", "ignore")


class Runner:
    """Runs one environment; used by the one thread that owns the environment."""

    def __init__(
        self,
        environment: Environment,
        around: Surroundings,
        *,
        init_seconds: float,
        before_init: Callable[[], object] = lambda: None,
    ) -> None:
        self.environment = environment
        self._function = environment.function
        self._around = around
        self._init_seconds, self._before_init = init_seconds, before_init
        self._placement: Placement | None = None
        self._process: RuntimeProcess | None = None
        self._lines: list[Line] = []
        self._memory = 0
        self._measured = 0.0
        self._init_ms: float | None = None
        self._killed = False

    def usable(self) -> bool:
        """Whether its process lives and its credentials outlast one more invocation."""
        margin = self._function.timeout_seconds + _CREDENTIAL_MARGIN
        fresh = self._placement is not None and self._placement.expires_at - time.time() > margin
        return fresh and self._process is not None and self._process.alive()

    def invoke(self, request_id: str, payload: bytes, client_context: str = "") -> Completion:
        """Run the function once, after its init when it is the first time.

        Raises what keeps the environment from being made at all (LabError, InvalidCode).
        """
        failed = self._begin() if self._process is None else None
        started = time.monotonic()
        deadline = started + self._function.timeout_seconds
        failed = failed or self._await_runtime(deadline)
        if failed is not None:
            self._end_process()
            failed = self._init(deadline, phase="invoke")
        self._say(report.start(request_id, self._function.version))
        ending = failed or self._run(deadline, self._event(request_id, payload, client_context, deadline))
        return self._complete(request_id, ending, started)

    def kill(self) -> None:
        """End the process from another thread: an invocation that runs, or its init, fails."""
        self._killed = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End everything of this environment and give back what it had."""
        self._end_process()
        if self._placement is not None:
            self._placement.close()
            self._placement = None

    def _begin(self) -> Ending | None:
        """Make the environment and run its init; the ending of an init that failed."""
        began = time.monotonic()
        self.environment.take()
        self._placement = Placement(self.environment, self._around)
        self._say(report.init_start(self._function.region, self._function.runtime))
        return self._init(began + self._init_seconds, phase="init")

    def _init(self, deadline: float, *, phase: str) -> Ending | None:
        """Start a runtime and wait until it asks for an event; how it ended, when it did not."""
        if self._placement is None:
            return Exited(0)
        began = time.monotonic()
        self._before_init()
        if not self._placement.has_entry():
            return self._init_failed(NoEntry(), began, phase)
        self._process = self._placement.start()
        if self._killed:
            self._process.kill()
        ending = self._process.wait_ready(deadline)
        self._take_lines()
        if ending == Message("ready"):
            self._init_ms = (time.monotonic() - began) * 1000 if phase == "init" else None
            return None
        return self._init_failed(ending, began, phase)

    def _init_failed(self, ending: Ending, began: float, phase: str) -> Ending:
        self._end_process()
        init_ms = (time.monotonic() - began) * 1000
        status = "timeout" if isinstance(ending, TimedOut) else "error"
        self._say(report.init_report(init_ms, phase=phase, status=status, error_type=init_error_type(ending)))
        return ending

    def _await_runtime(self, deadline: float) -> Ending | None:
        """None when the runtime waits for an event; else what has become of it since the last one."""
        if self._process is None:
            return Exited(0)
        ending = self._process.wait_ready(deadline)
        self._take_lines()
        return None if ending == Message("ready") else ending

    def _event(self, request_id: str, payload: bytes, client_context: str, deadline: float) -> Event:
        deadline_ms = int((time.time() + deadline - time.monotonic()) * 1000)
        headers = {"Lambda-Runtime-Trace-Id": _trace_id()}
        if client_context:
            headers["Lambda-Runtime-Client-Context"] = " ".join(client_context.splitlines())
        return Event(request_id, payload, self._function.arn, deadline_ms, headers)

    def _run(self, deadline: float, event: Event) -> Ending:
        """Hand over the event and wait for what comes of it."""
        if self._process is None:
            return Exited(0)
        self._process.deliver(event)
        return self._process.wait(deadline)

    def _complete(self, request_id: str, ending: Ending, started: float) -> Completion:
        duration_ms = (time.monotonic() - started) * 1000
        result = outcome(ending, request_id=request_id, timeout_seconds=self._function.timeout_seconds)
        self._measure_memory(result)
        self._take_lines()
        if not result.reusable:
            self.kill()
        if isinstance(ending, TimedOut):
            duration_ms = self._function.timeout_seconds * 1000.0
            self._say(report.timed_out(request_id, self._function.timeout_seconds, now=time.time()))
        self._say_end(request_id, result, duration_ms)
        lines, self._lines = self._lines, []
        return Completion(result, lines)

    def _say_end(self, request_id: str, result: Outcome, duration_ms: float) -> None:
        if result.note:
            self._say(result.note)
        self._say(report.end(request_id))
        init_ms, self._init_ms = self._init_ms, None
        usage = Usage(duration_ms, self._function.memory_mb, self._memory, init_ms)
        self._say(report.report(request_id, usage, status=result.status, error_type=result.error_type))

    def _measure_memory(self, result: Outcome) -> None:
        """The most that it has used, as seen after invocations, and never over the limit."""
        limit, now = self._function.memory_mb, time.monotonic()
        if result.error_type == "Runtime.OutOfMemory":
            self._memory = limit
        elif self._process is not None and now - self._measured >= _MEASURE_SECONDS:
            self._memory = min(max(self._memory, self._process.memory_bytes() >> 20), limit)
            self._measured = time.monotonic()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _say(self, text: str) -> None:
        self._lines.append((time.time_ns() // 1_000_000, text))

    def _take_lines(self) -> None:
        if self._process is not None:
            self._lines += self._process.lines()


def _trace_id() -> str:
    """What the function finds in _X_AMZN_TRACE_ID (AWS X-Ray, "Tracing header"); never sampled here."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
