"""One run of the runtime in an environment: its sandboxed process, its Runtime API, its log pipe.

No thread of its own: the thread that invokes waits here on all of them at once, so an answer costs no
hand-over. Between invocations nobody listens, which for the function is like AWS's freezing.

What belongs here: starting, waiting, ending. What does not: what an ending means (see outcomes).
"""

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable

from labkit.cloud.functions.logs import Line, LogReader
from labkit.cloud.functions.outcomes import Ending, Exited, TimedOut
from labkit.cloud.functions.runtime_api import Event, Message, RuntimeApi
from labkit.cloud.ports import Sandbox

#: starts the sandbox with its output on the given descriptor
Start = Callable[[int], Sandbox]


class RuntimeProcess:
    """A started runtime. Used by one thread at a time; only `kill` may come from another."""

    def __init__(self, start: Start, listener: socket.socket, now_ms: Callable[[], int]) -> None:
        """Raises what `start` raises; nothing is left open then."""
        self._selector = selectors.DefaultSelector()
        self._messages: deque[Message] = deque()
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        self._logs = LogReader(read_end, now_ms)
        self._api = RuntimeApi(listener, self._selector)
        try:
            self._sandbox = start(write_end)
        except BaseException:
            self._close_descriptors()
            raise
        finally:
            os.close(write_end)
        self._selector.register(self._logs, selectors.EVENT_READ, self._read_logs)
        self._selector.register(self._sandbox, selectors.EVENT_READ, None)

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._sandbox.wait(0) is None

    def memory_bytes(self) -> int:
        """What it uses now; 0 when it has ended."""
        return self._sandbox.memory_bytes() if self.alive() else 0

    def wait(self, deadline: float) -> Ending:
        """The next thing that happens, at the latest at `deadline` (of time.monotonic).

        What the runtime said comes before the end of its process, if both are there.
        """
        while not self._messages:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return TimedOut()
            if self._handle_ready(remaining):
                return Exited(self._sandbox.wait(5) or 0)
        return self._messages.popleft()

    def wait_ready(self, deadline: float) -> Ending:
        """Wait until the runtime asks for an event, which is Message("ready"), or can't any more."""
        return Message("ready") if self._api.ready else self.wait(deadline)

    def deliver(self, event: Event) -> bool:
        """Give it the event; False when the process died before it could take it."""
        return self._api.deliver(event)

    def lines(self) -> list[Line]:
        """What it has printed since the last call, everything from before its last message included."""
        self._logs.read()
        return self._logs.take()

    def kill(self) -> None:
        """End the process; whoever waits is told."""
        self._sandbox.kill()

    def close(self) -> None:
        """End the process, wait until it is gone, and close every descriptor."""
        self._sandbox.kill()
        self._sandbox.wait(10)
        self._close_descriptors()

    def _handle_ready(self, seconds: float) -> bool:
        """Handle what is readable within `seconds`; True when the process has ended and said nothing."""
        ended = False
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                ended = True
            elif message := key.data():
                self._messages.append(message)
        return ended and not self._messages and not self._handle_last()

    def _handle_last(self) -> bool:
        """After the end: handle what still stands in sockets and pipes; True when there was a message."""
        while keys := [key for key, _ in self._selector.select(0) if key.data is not None]:
            for key in keys:
                if message := key.data():
                    self._messages.append(message)
        return bool(self._messages)

    def _read_logs(self) -> None:
        if not self._logs.read():
            self._selector.unregister(self._logs)

    def _close_descriptors(self) -> None:
        self._api.close()
        self._logs.close()
        self._selector.close()
