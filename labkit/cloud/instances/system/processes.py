"""The world around the state machine of units: real processes, their output, the journal, the clock.

What belongs here: what runs.Machine promises. What does not: decisions (services), system calls
about processes (spawning). Runs inside the instance: standard library only.
"""

import os
import time
import uuid
from collections.abc import Callable

from labkit.cloud.instances.system.journal import Entry, Journal
from labkit.cloud.instances.system.loop import Loop, Timer
from labkit.cloud.instances.system.runs import Run, SpawnError
from labkit.cloud.instances.system.spawning import (
    Prepared,
    members,
    own_memory,
    prepare,
    read_text,
    signal_run,
    spawn,
)
from labkit.cloud.instances.system.units import Command, Service

_LINE_BYTES = 48 << 10  # journald's LineMax


class Stream:
    """The lines of a process's output, given on one by one as they are complete."""

    def __init__(self, loop: Loop, line: Callable[[str, int], None]) -> None:
        """`line` is called with the text and the process id that `pid` was set to."""
        self._loop, self._line, self._held = loop, line, b""
        self.pid = 0
        self._reader, self.writer = os.pipe()
        loop.read(self._reader, self._ready)

    def _ready(self) -> None:
        data = os.read(self._reader, 65536)
        *lines, self._held = (self._held + data).split(b"\n")
        if self._held and (not data or len(self._held) > _LINE_BYTES):
            lines.append(self._held)
            self._held = b""
        for line in lines:
            self._line(line.decode(errors="replace"), self.pid)
        if not data:
            self._loop.forget(self._reader)
            os.close(self._reader)


class Processes:
    """The Machine of `runs`: see there for what each method promises."""

    def __init__(self, loop: Loop, journal: Journal, changed: Callable[[Run], None]) -> None:
        self._loop, self._journal, self._changed = loop, journal, changed
        self._leaders: dict[str, set[int]] = {}
        #: systemd's own, which every unit started from now on gets; gone with the next boot
        self.environment: dict[str, str] = {}
        self.followers: list[Callable[[Entry], None]] = []

    def spawn(self, service: Service, command: Command, invocation: str) -> int:
        """Start a process of a unit, its output going where the unit says. Raises SpawnError."""
        prepared = prepare(service, command, invocation, self.environment)
        opened: list[int] = []
        streams: list[Stream] = []
        try:
            stdout = self._output(service, service.stdout, prepared, opened, streams)
            inherit = service.stderr in ("inherit", service.stdout)
            stderr = stdout if inherit else self._output(service, service.stderr, prepared, opened, streams)
            pid = spawn(prepared, stdout, stderr)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        for stream in streams:
            stream.pid = pid
        self._leaders.setdefault(invocation, set()).add(pid)
        return pid

    def _output(
        self, service: Service, where: str, prepared: Prepared, opened: list[int], streams: list[Stream]
    ) -> int:
        """A descriptor for one of the outputs; noted in `opened`, and in `streams` when it is one."""
        kind, _, path = where.partition(":")
        if kind in ("append", "file", "truncate"):
            descriptor = _open_output(kind, path, prepared.program)
        elif kind == "null":
            descriptor = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        else:
            name = service.syslog_identifier or os.path.basename(prepared.program)
            stream = Stream(self._loop, lambda line, pid: self.say(service.name, name, line, pid))
            streams.append(stream)
            descriptor = stream.writer
        opened.append(descriptor)
        return descriptor

    def say(self, unit: str, identifier: str, text: str, pid: int = 1) -> None:
        """One line into the journal, and to those who follow it."""
        entry = Entry(time.time(), self._journal.boot, unit, identifier, pid, text)
        self._journal.append(entry)
        for follower in list(self.followers):
            follower(entry)

    def note(self, unit: str, text: str) -> None:
        """A line of systemd's own."""
        self.say(unit, "systemd", text)

    def signal(self, invocation: str, number: int) -> bool:
        """Signal all processes of a run; False when there is none."""
        found = signal_run(invocation, self._leaders.get(invocation, set()), number)
        if not found:
            self._leaders.pop(invocation, None)
        return found

    def members(self, invocation: str) -> list[int]:
        """The processes of a run."""
        return members(invocation, self._leaders.get(invocation, set()))

    def memory(self, invocation: str) -> int:
        """Bytes that the processes of a run hold for themselves."""
        return sum(own_memory(pid) for pid in self.members(invocation))

    def new_invocation(self) -> str:
        """A fresh INVOCATION_ID."""
        return uuid.uuid4().hex

    def after(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call later."""
        return self._loop.after(delay, call)

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def read_pid(self, path: str) -> int:
        """The number in a PIDFile, 0 when there is none."""
        try:
            return int(read_text(path))
        except (OSError, ValueError):
            return 0

    def changed(self, run: Run) -> None:
        """Pass a change of state on."""
        self._changed(run)


def _open_output(kind: str, path: str, program: str) -> int:
    flags = {"append": os.O_APPEND, "truncate": os.O_TRUNC}.get(kind, 0)
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o644)
    except OSError as error:
        why = f"Failed at step STDOUT spawning {program}: {error.strerror}"
        raise SpawnError(209, why) from error
