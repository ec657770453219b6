"""What a function prints: bytes from its log pipe, made into the events of CloudWatch Logs.

Printed text becomes one event a line. A record of Python's logging arrives framed and stays one event,
however many lines it has, as on AWS (AWS Lambda, "Log and monitor Python Lambda functions").

A pipe needs no waiting for late lines: what was written before the answer was sent can be read before
the answer is taken.

What belongs here: reading and cutting. What does not: Lambda's own lines (see report).
"""

import os
from collections.abc import Callable

#: one event: (milliseconds since the epoch, text with its line end)
Line = tuple[int, str]

#: a frame begins with this, one byte of type and level, 4 bytes of length, 8 bytes of time
_FRAME = b"\xa5\x5a\x00"
_FRAME_HEAD = 16
#: Amazon CloudWatch Logs, "CloudWatch Logs quotas": event size
_MAX_EVENT = 262_144
#: what one invocation may say; the server's memory is not the function's
_MAX_TOTAL = 16 << 20
_READ = 1 << 16


class LogReader:
    """Reads the non-blocking `descriptor`, which it owns, and keeps what it read as lines."""

    def __init__(self, descriptor: int, now_ms: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._now_ms = now_ms
        self._data = bytearray()
        self._lines: list[Line] = []
        self._room = _MAX_TOTAL

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def read(self) -> bool:
        """Take in what is there, without waiting; False when nobody can write any more."""
        while True:
            try:
                chunk = os.read(self._descriptor, _READ)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._data += chunk
            self._cut()

    def take(self) -> list[Line]:
        """Everything said since the last call, an unfinished last line included."""
        if self._data and not self._data.startswith(_FRAME):
            self._add(bytes(self._data))
            self._data.clear()
        lines, self._lines, self._room = self._lines, [], _MAX_TOTAL
        return lines

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def _cut(self) -> None:
        """Move whole events from the data to the lines."""
        while (end := self._event_end()) > 0:
            event = bytes(self._data[:end])
            del self._data[:end]
            self._add(event[_FRAME_HEAD:] if event.startswith(_FRAME) else event)

    def _event_end(self) -> int:
        """Where the first event in the data ends; 0 when it is not complete."""
        if self._data.startswith(_FRAME):
            end = _FRAME_HEAD + int.from_bytes(self._data[4:8], "big")
            return min(end, _FRAME_HEAD + _MAX_EVENT) if len(self._data) >= min(end, _MAX_EVENT) else 0
        frame = self._data.find(_FRAME)
        line = self._data.find(b"\n") + 1
        ends = [end for end in (frame, line) if end > 0]
        if ends:
            return min(*ends, _MAX_EVENT)
        return _MAX_EVENT if len(self._data) >= _MAX_EVENT else 0

    def _add(self, event: bytes) -> None:
        self._room -= len(event)
        if self._room > 0:
            text = event.decode("utf-8", "replace")
            self._lines.append((self._now_ms(), text if text.endswith("\n") else text + "\n"))
