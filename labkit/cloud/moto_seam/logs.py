"""Lines of functions into CloudWatch Logs, with the rights of the function's role.

What belongs here: the queue, its one writer, and putting lines into moto's state. What does not: what
the lines say (labkit.cloud.functions), and rights (`allowed` is passed in).

AWS: Lambda developer guide, "Sending Lambda function logs to CloudWatch Logs".
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.aws.addresses import ACCOUNT_ID
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.pace import AT_HOME, Pace

Allowed = Callable[[str, str, str], bool]


@dataclass(frozen=True)
class _Batch:
    role_arn: str
    region: str
    group: str
    stream: str
    lines: tuple[tuple[int, str], ...]
    due: float


class MotoLogs:
    """Writes lines without making the caller wait (ports.LogWriter).

    `allowed(role ARN, action, resource ARN)` decides. As Lambda does, a missing group (kept for ever)
    and a missing stream are created when the role may; otherwise the lines are dropped.
    """

    def __init__(
        self, allowed: Allowed, changed: Callable[[], None] = lambda: None, pace: Pace = AT_HOME
    ) -> None:
        """`changed` is called after lines were written, which they are as late as `pace` says."""
        self._allowed, self._changed, self._pace = allowed, changed, pace
        self._closing = threading.Event()
        self._queue: queue.SimpleQueue[_Batch | threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def write(
        self, *, role_arn: str, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]
    ) -> None:
        """Queue the lines: (milliseconds since the epoch, text). Returns at once."""
        if lines:
            self._queue.put(
                _Batch(role_arn, region, group, stream, tuple(lines), time.monotonic() + self._pace.lines)
            )

    def flush(self, timeout: float = 10) -> bool:
        """Wait until all that was queued before is readable; False when `timeout` seconds were not enough."""
        written = threading.Event()
        self._queue.put(written)
        return written.wait(timeout)

    def close(self) -> None:
        """Write what is queued, now, and end the writer."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
            else:
                self._await(item.due)
                with contextlib.suppress(*_gone()):
                    self._put(item)
                self._changed()

    def _await(self, due: float) -> None:
        if self._pace.lines:
            self._pace.counts.add("log lines late")
            self._closing.wait(max(0.0, due - time.monotonic()))

    def _put(self, batch: _Batch) -> None:
        service = backend("logs", batch.region)
        if not self._ready(service, batch):
            return
        ordered = sorted(batch.lines, key=lambda line: line[0])  # moto refuses what is out of order
        events = [{"timestamp": at, "message": text} for at, text in ordered]
        service.put_log_events(batch.group, batch.stream, events)

    def _ready(self, service: Any, batch: _Batch) -> bool:
        group = f"arn:aws:logs:{batch.region}:{ACCOUNT_ID}:log-group:{batch.group}"
        stream = f"{group}:log-stream:{batch.stream}"
        if batch.group not in service.groups:
            if not self._allowed(batch.role_arn, "logs:CreateLogGroup", f"{group}:*"):
                return False
            service.create_log_group(batch.group, {})
        if batch.stream not in service.groups[batch.group].streams:
            if not self._allowed(batch.role_arn, "logs:CreateLogStream", f"{group}:*"):
                return False
            service.create_log_stream(batch.group, batch.stream)
        return self._allowed(batch.role_arn, "logs:PutLogEvents", stream)


def _gone() -> tuple[type[Exception], ...]:
    # what moto raises when somebody deletes the group or stream while lines are on their way
    from moto.logs.exceptions import LogsClientError

    return (LogsClientError, KeyError)
