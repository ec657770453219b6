"""One small event loop for pid 1: descriptors, timers and ended children, and nothing that ticks.

What belongs here: waiting. What does not: what the events mean. Runs inside the instance: standard
library only.
"""

import contextlib
import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable, Iterable


class Timer:
    """A call that is due at a moment of time.monotonic(); `cancel` makes it not happen."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do nothing when the moment comes."""
        self.call = None


class Loop:
    """Waits in poll(2) with the time-out of the nearest timer; calls back from one thread."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._signals: dict[int, Callable[[], None]] = {}
        self._running = True

    def read(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever `descriptor` has something to read or was closed by its peer."""
        self._readers[descriptor] = ready
        self._poll.register(descriptor, select.POLLIN | select.POLLHUP)

    def forget(self, descriptor: int) -> None:
        """Stop watching `descriptor`; no error when it was not watched."""
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call once, `delay` seconds from now."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), timer))
        return timer

    def signals(self, numbers: Iterable[int], call: Callable[[int], None]) -> None:
        """Call with the signal's number from the loop (not from the handler) when it arrives."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, _remembered_by_the_pipe)

        def drain() -> None:
            with contextlib.suppress(BlockingIOError):
                for number in sorted(set(os.read(reader, 4096))):
                    call(number)

        self.read(reader, drain)

    def run(self) -> None:
        """Serve events until `stop`."""
        while self._running:
            for descriptor, _ in self._poll.poll(self._milliseconds()):
                ready = self._readers.get(descriptor)
                if ready is not None:
                    ready()
            self._fire()

    def stop(self) -> None:
        """Make `run` return after the events at hand."""
        self._running = False

    def _milliseconds(self) -> int | None:
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0, int((self._timers[0][0] - time.monotonic()) * 1000) + 1)

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            call = heapq.heappop(self._timers)[2].call
            if call is not None:
                call()


def _remembered_by_the_pipe(_number: int, _frame: object) -> None:
    """A handler must exist for the wake-up descriptor to be written; the loop does the work."""
