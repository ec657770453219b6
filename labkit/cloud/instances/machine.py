"""One instance: its record, what is known of it, and the process it is while it runs.

What belongs here: the life of that process, from its start to its last words. What does not: disk, addresses and
sockets around it, and when it is to start (manager); what its reports say (guest).
"""

import contextlib
import json
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labkit.aws.records import InstanceRecord
from labkit.cloud.instances.guest import Guest
from labkit.cloud.instances.system import messages
from labkit.cloud.instances.watching import Watcher
from labkit.cloud.ports import Sandbox, Sandboxes
from labkit.sandbox.spec import SandboxSpec

#: requests to a metadata service that are remembered
_REQUESTS_KEPT = 10_000


@dataclass
class Machine:
    """One instance. `busy` is held by whoever changes it; `watcher` reads what it says."""

    record: InstanceRecord
    watcher: Watcher
    guest: Guest = field(default_factory=Guest)
    has_disk: bool = False
    sandbox: Sandbox | None = None
    channel: socket.socket | None = None
    console: int = -1
    #: who will boot it, where that is still to come
    starting: threading.Thread | None = None
    busy: threading.RLock = field(default_factory=threading.RLock)
    #: what its metadata service was asked for
    metadata_requests: deque[str] = field(default_factory=lambda: deque(maxlen=_REQUESTS_KEPT))

    def run(
        self,
        sandboxes: Sandboxes,
        spec: SandboxSpec,
        told: Callable[["Machine", messages.Report], None],
        ended: Callable[["Machine", Sandbox], None],
    ) -> None:
        """Start process 1. Each of its reports goes to the guest, then to `told`; `ended` hears of its end.

        Raises SandboxError where the machine refuses.
        """
        self.guest.begin()
        reader, writer = os.pipe()
        own, theirs = socket.socketpair()
        try:
            sandbox = sandboxes.start(spec, stdout=writer, stderr=writer, channel=theirs.fileno())
        except BaseException:
            os.close(reader)
            own.close()
            raise
        finally:
            os.close(writer)
            theirs.close()
        self.sandbox, self.console, self.channel = sandbox, reader, own
        self.watcher.read(reader, self._console_said)
        self.watcher.read(own.fileno(), self._reports_to(told))
        self.watcher.ready(sandbox.fileno(), lambda: ended(self, sandbox))

    def _console_said(self, data: bytes) -> bool:
        self.guest.console_said(data)
        return True

    def _reports_to(self, told: Callable[["Machine", messages.Report], None]) -> Callable[[bytes], bool]:
        lines = messages.Lines()

        def heard(data: bytes) -> bool:
            try:
                complete = lines.feed(data)
            except ValueError:
                return False  # no report is that long: listen no more
            for line in complete:
                if report := messages.decode(line):
                    self.guest.told(report)
                    told(self, report)
            return True

        return heard

    def send(self, request: Mapping[str, object], descriptors: Sequence[int] = ()) -> bool:
        """Ask process 1 something; False when it is not there, or does not listen."""
        if self.channel is None:
            return False
        data = json.dumps(request).encode() + b"\n"
        try:
            return socket.send_fds(self.channel, [data], list(descriptors), socket.MSG_DONTWAIT) == len(data)
        except OSError:
            return False

    def shut_down(self, grace: float) -> None:
        """End the process, kindly for `grace` seconds, and let go of what it was read from."""
        if self.starting is not None:
            self.starting = None
            self.guest.end()
        sandbox, channel = self.sandbox, self.channel
        if sandbox is None or channel is None:
            return
        if grace and self.send({"do": "stop"}):
            sandbox.wait(grace)
        sandbox.kill()
        sandbox.wait()
        for descriptor in (self.console, channel.fileno(), sandbox.fileno()):
            self.watcher.forget(descriptor)
        self._hear_last_words()
        os.close(self.console)
        channel.close()
        self.sandbox, self.channel, self.console = None, None, -1
        self.guest.end()

    def _hear_last_words(self) -> None:
        """What the console still holds; no more than a pipe can."""
        os.set_blocking(self.console, False)
        with contextlib.suppress(BlockingIOError):
            self.guest.console_said(os.read(self.console, 1 << 20))
