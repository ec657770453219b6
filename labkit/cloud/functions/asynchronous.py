"""Event invocations: taken at once, run later, repeated when the function fails.

What belongs here: the queue, the retries and their delays. What does not: running functions.

AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation": a failing function gets
the event twice more, after one minute and after two, or as often as its function says; a throttled event waits, up to six hours.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labkit.aws.records import FunctionRecord, InvocationResult
from labkit.cloud.functions.errors import ServiceClosed, TooManyRequests

RETRY_SECONDS = (60.0, 120.0)
_THROTTLE_FIRST, _THROTTLE_MOST = 1.0, 300.0


@dataclass(frozen=True)
class Pending:
    """One event on its way; `failures` and `throttles` count what became of it so far."""

    function: FunctionRecord
    payload: bytes
    request_id: str
    since: float
    failures: int = 0
    throttles: int = 0


#: runs one attempt: (function, payload, request id)
Attempt = Callable[[FunctionRecord, bytes, str], InvocationResult]


class EventQueue:
    """Runs each event in a thread of its own, at its time. `failed` hears of attempts that raise."""

    def __init__(
        self,
        attempt: Attempt,
        *,
        failed: Callable[[BaseException], None],
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self._attempt, self._failed, self._retry_seconds = attempt, failed, retry_seconds
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Pending]] = []
        self._order = itertools.count()
        self._running: set[threading.Thread] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="functions-events", daemon=True)
        self._thread.start()

    def submit(self, function: FunctionRecord, payload: bytes, request_id: str) -> None:
        """Take the event; it runs as soon as possible."""
        self._put(Pending(function, payload, request_id, time.monotonic()), 0.0)

    def close(self) -> None:
        """Drop what has not begun, and wait for the attempts that run."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()
        self._thread.join()
        for thread in list(self._running):
            thread.join()

    def _put(self, pending: Pending, delay: float) -> None:
        with self._changed:
            if not self._closed:
                heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), pending))
                self._changed.notify_all()

    def _run(self) -> None:
        while (pending := self._wait_next()) is not None:
            thread = threading.Thread(target=self._try, args=(pending,), name="functions-event", daemon=True)
            self._running.add(thread)
            thread.start()

    def _wait_next(self) -> Pending | None:
        """The next event whose time has come; None after `close`."""
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _try(self, pending: Pending) -> None:
        try:
            result = self._attempt(pending.function, pending.payload, pending.request_id)
        except TooManyRequests:
            self._throttled(pending)
        except ServiceClosed:
            return  # events don't outlive the cloud
        except Exception as error:
            self._failed(error)
        else:
            if result.function_error:
                self._repeat(pending)
        finally:
            self._running.discard(threading.current_thread())

    def _repeat(self, pending: Pending) -> None:
        if pending.failures < min(len(self._retry_seconds), pending.function.retries) and not _is_old(
            pending
        ):
            delay = self._retry_seconds[pending.failures]
            self._put(replace(pending, failures=pending.failures + 1), delay)

    def _throttled(self, pending: Pending) -> None:
        if not _is_old(pending):
            delay = min(_THROTTLE_FIRST * 2**pending.throttles, _THROTTLE_MOST)
            self._put(replace(pending, throttles=pending.throttles + 1), delay)


def _is_old(pending: Pending) -> bool:
    """Whether an event has waited as long as its function lets it (PutFunctionEventInvokeConfig; six hours)."""
    return time.monotonic() - pending.since >= pending.function.event_age_seconds
