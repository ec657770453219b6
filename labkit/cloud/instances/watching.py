"""One thread that reads what all instances send: consoles, channels, and their ends.

What belongs here: reading, within a budget, and calling back. What does not: what was read means.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)

_CHUNK = 65536
#: what one source may send in a second; more waits in its pipe until the next
BYTES_PER_SECOND = 4 << 20


@dataclass
class _Source:
    descriptor: int
    call: Callable[[bytes], bool]
    reads: bool
    window: float = 0.0
    used: int = 0

    def over_budget(self, count: int, now: float) -> bool:
        """Count what was read; whether this second's budget is used up."""
        if now - self.window >= 1:
            self.window, self.used = now, 0
        self.used += count
        return self.used > BYTES_PER_SECOND


class Watcher:
    """Calls back from its own thread. Descriptors stay the caller's, who must `forget` before closing."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._lock = threading.RLock()
        self._sources: dict[int, _Source] = {}
        self._paused: list[tuple[float, _Source]] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="instances", daemon=True)
        self._thread.start()

    def read(self, descriptor: int, call: Callable[[bytes], bool]) -> None:
        """Call with what arrives, b"" at the end; when it returns False, `descriptor` is forgotten."""
        self._add(_Source(descriptor, call, reads=True))

    def ready(self, descriptor: int, call: Callable[[], None]) -> None:
        """Call once, when `descriptor` turns readable."""

        def once(_: bytes) -> bool:
            call()
            return False

        self._add(_Source(descriptor, once, reads=False))

    def forget(self, descriptor: int) -> None:
        """Never call for `descriptor` again; a call under way has ended (unless it is ours)."""
        with self._lock:
            source = self._sources.pop(descriptor, None)
            self._paused = [(when, each) for when, each in self._paused if each is not source]
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(descriptor)

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        self._wake()
        self._thread.join()
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _add(self, source: _Source) -> None:
        with self._lock:
            self._sources[source.descriptor] = source
            self._selector.register(source.descriptor, selectors.EVENT_READ, source)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"x")

    def _run(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(self._timeout()):
                if key.data is None:
                    self._wake_reader.recv(4096)
                else:
                    self._serve(key.data)
            self._resume()

    def _serve(self, source: _Source) -> None:
        with self._lock:
            if self._sources.get(source.descriptor) is not source:
                return
            data = self._take(source) if source.reads else b""
            if data is None:
                return
            if not self._call(source, data) or (source.reads and not data):
                self.forget(source.descriptor)
            elif source.over_budget(len(data), time.monotonic()):
                self._selector.unregister(source.descriptor)
                self._paused.append((source.window + 1, source))

    def _take(self, source: _Source) -> bytes | None:
        try:
            return os.read(source.descriptor, _CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _call(self, source: _Source, data: bytes) -> bool:
        try:
            return source.call(data)
        except Exception:  # one instance's trouble must not end the thread that serves all
            _log.exception("reading from an instance")
            return False

    def _timeout(self) -> float | None:
        with self._lock:
            return (
                max(0.0, min(when for when, _ in self._paused) - time.monotonic()) if self._paused else None
            )

    def _resume(self) -> None:
        with self._lock:
            now = time.monotonic()
            for _, source in [p for p in self._paused if p[0] <= now]:
                self._selector.register(source.descriptor, selectors.EVENT_READ, source)
            self._paused = [p for p in self._paused if p[0] > now]
