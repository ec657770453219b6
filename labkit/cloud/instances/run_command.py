"""Run Command: shell commands that an agent in each instance carries out, and what became of them.

What belongs here: commands, their invocations and states. What does not: the API's parameters and errors
(labkit.cloud.moto_seam.ssm_commands), which instances an agent reports from.

AWS: Systems Manager user guide, "Understanding command statuses"; API reference, GetCommandInvocation.
"""

import contextlib
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

#: runs words inside an instance on three descriptors; the status of their end
RunInside = Callable[[str, Sequence[str], Sequence[int]], int]
#: what GetCommandInvocation tells of the output, in characters
MOST_OUTPUT, MOST_ERRORS = 24_000, 8_000
ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled", "Terminated"})
_KEPT = 200
_TIMED_OUT = 124


@dataclass(frozen=True)
class Order:
    """What is to be run: a script, where, for at most so many seconds; on so many instances at once, until so many failed."""

    script: str
    folder: str = ""
    seconds: int = 3600
    at_once: int = 50
    most_errors: int = 0


@dataclass
class Invocation:
    """A command on one instance. Times are seconds since the epoch, 0 before."""

    instance_id: str
    status: str = "Pending"
    code: int = -1
    output: str = ""
    errors: str = ""
    began: float = 0.0
    ended: float = 0.0

    @property
    def details(self) -> str:
        """StatusDetails: the status in words."""
        return {"InProgress": "InProgress", "TimedOut": "Execution Timed Out"}.get(self.status, self.status)


@dataclass
class Command:
    """One SendCommand; `request` is what it was asked with, `invocations` is by instance id."""

    region: str
    request: Mapping[str, object]
    order: Order
    invocations: dict[str, Invocation]
    command_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    requested: float = field(default_factory=time.time)

    @property
    def status(self) -> str:
        """The command's own: that of its worst invocation once all have ended."""
        states = [each.status for each in self.invocations.values()]
        if any(state not in ENDED for state in states):
            return "Pending" if set(states) == {"Pending"} else "InProgress"
        return next(
            (each for each in ("Failed", "TimedOut", "Cancelled", "Terminated") if each in states), "Success"
        )

    def count(self, *states: str) -> int:
        """How many invocations are in one of these states."""
        return sum(each.status in states for each in self.invocations.values())


class RunCommand:
    """The account's commands, newest last. For any thread; `close` waits for nobody."""

    def __init__(self, run_inside: RunInside, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when a command has ended on an instance."""
        self._run_inside, self._changed = run_inside, changed
        self._commands: dict[str, Command] = {}
        self._lock = threading.Lock()

    def send(self, command: Command) -> Command:
        """Begin to carry it out; returns at once."""
        with self._lock:
            self._commands[command.command_id] = command
            for old in list(self._commands)[:-_KEPT]:
                del self._commands[old]
        threading.Thread(target=self._carry_out, args=(command,), name="run command", daemon=True).start()
        return command

    def commands(self, region: str) -> tuple[Command, ...]:
        """Those of a region, the newest first."""
        with self._lock:
            return tuple(each for each in reversed(self._commands.values()) if each.region == region)

    def state(self) -> dict[str, Command]:
        """All commands, to be written down."""
        return dict(self._commands)

    def put_back(self, commands: Mapping[str, Command]) -> None:
        """Know what another run of the cloud has written down; what was under way then has failed."""
        for command in commands.values():
            for each in command.invocations.values():
                each.status = each.status if each.status in ENDED else "Failed"
        with self._lock:
            self._commands.update(commands)

    def cancel(self, command: Command) -> None:
        """Let no instance begin that has not begun."""
        with self._lock:
            for each in command.invocations.values():
                if each.status == "Pending":
                    each.status = "Cancelled"

    def _carry_out(self, command: Command) -> None:
        with ThreadPoolExecutor(max_workers=max(1, min(command.order.at_once, 20))) as pool:
            for each in command.invocations.values():
                pool.submit(self._run, command, each)

    def _run(self, command: Command, each: Invocation) -> None:
        with self._lock:
            if each.status != "Pending":
                return
            if command.count("Failed", "TimedOut") > command.order.most_errors:
                each.status = "Terminated"
                return
            each.status, each.began = "InProgress", time.time()
        output, errors, code = self._ran(each.instance_id, command.order)
        with self._lock:
            each.output, each.errors, each.code, each.ended = output, errors, code, time.time()
            each.status = "TimedOut" if code == _TIMED_OUT else "Failed" if code else "Success"
        self._changed()

    def _ran(self, instance_id: str, order: Order) -> tuple[str, str, int]:
        """Output, errors and status of the script, both cut where AWS cuts them."""
        words = ["/usr/bin/timeout", "-k", "5", str(order.seconds), "/bin/sh", "-c", _script(order)]
        with contextlib.ExitStack() as opened:
            nothing = opened.enter_context(open(os.devnull, "rb"))
            output, errors = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            code = self._run_inside(instance_id, words, [nothing.fileno(), output.fileno(), errors.fileno()])
            said = [_text(file, most) for file, most in ((output, MOST_OUTPUT), (errors, MOST_ERRORS))]
        if code:
            said[1] += f"failed to run commands: exit status {code}"
        return said[0], said[1], code


def _script(order: Order) -> str:
    """The agent changes into the folder first, and runs nothing where there is none."""
    return f'cd "{order.folder}" || exit 1\n{order.script}' if order.folder else order.script


def _text(file: BinaryIO, most: int) -> str:
    file.seek(0)
    return file.read(most * 4).decode(errors="replace")[:most]
