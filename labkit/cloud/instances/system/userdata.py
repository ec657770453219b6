"""Running user data, once, and the boot log that tells of it.

What belongs here: the script's process and what it says. What does not: what cloud-init would make of
user data, and its words (cloudinit). Runs inside the instance: standard library only.
"""

import contextlib
import os
import time
from collections.abc import Callable

from labkit.cloud.instances.system import cloudinit
from labkit.cloud.instances.system.environment import BASE
from labkit.cloud.instances.system.loop import Loop
from labkit.cloud.instances.system.outcome import wait_status_code
from labkit.cloud.instances.system.runs import SpawnError
from labkit.cloud.instances.system.spawning import Prepared, spawn

CONSOLE = "/dev/console"
_OUTPUT = 1


class BootLog:
    """The console, and the file in which cloud-init keeps what it and the script said."""

    def __init__(self, loop: Loop) -> None:
        os.set_blocking(_OUTPUT, False)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(cloudinit.OUTPUT, flags, 0o644)
        with contextlib.suppress(OSError):
            os.unlink(CONSOLE)
        self._reader = _named_pipe(CONSOLE)
        loop.read(self._reader, lambda: self.console(os.read(self._reader, 65536)))

    def console(self, data: bytes) -> None:
        """To the console alone. Nobody reads: it is lost, as on a serial line."""
        with contextlib.suppress(OSError):
            os.write(_OUTPUT, data)

    def write(self, data: bytes) -> None:
        """To the file and the console. A full disk loses the first."""
        with contextlib.suppress(OSError):
            os.write(self._file, data)
        self.console(data)

    def say(self, text: str) -> None:
        """As `write`, for text."""
        self.write(text.encode())

    def tail(self, lines: int) -> tuple[str, ...]:
        """The last lines of the file, each cut to 500 characters."""
        with open(cloudinit.OUTPUT, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 16384))
            found = file.read().decode(errors="replace").splitlines()
        return tuple(line[:500] for line in found[-lines:])


def _named_pipe(path: str) -> int:
    """A pipe with a name: nobody reaches process 1's own descriptors. Open for both, it never ends."""
    os.mkfifo(path, 0o622)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


class UserData:
    """The one run of user data; `done` is called with its exit status, None when nothing ran."""

    def __init__(
        self, loop: Loop, log: BootLog, edition: cloudinit.Edition, done: Callable[[int | None], None]
    ) -> None:
        self._loop, self._log, self._edition, self._done = loop, log, edition, done
        self.pid = 0
        self._output = -1

    def start(self, instance_id: str, data: bytes) -> None:
        """Keep `data` where cloud-init keeps it, and run it when it is a script."""
        _keep(instance_id, data)
        plan = cloudinit.plan(data)
        if plan.warning:
            self._log.say(cloudinit.warning("__init__.py", plan.warning, time.time()))
        if not plan.script:
            return self._done(None)
        write(cloudinit.SCRIPT, plan.script, 0o700)
        try:
            self._spawn()
        except SpawnError as error:
            self._log.say(f"{cloudinit.SCRIPT}: {error}\n")
            self._over(-1)
        return None

    def ended(self, wait_status: int) -> None:
        """The script's process ended."""
        self.pid = 0
        self._drain()
        self._over(wait_status_code(wait_status))

    def _spawn(self) -> None:
        self._output, writer = os.pipe()
        try:
            self.pid = spawn(Prepared(cloudinit.SCRIPT, [cloudinit.SCRIPT], BASE, "/"), writer, writer)
        finally:
            os.close(writer)
        self._loop.read(self._output, self._said)

    def _said(self) -> None:
        data = os.read(self._output, 65536)
        self._log.write(data)
        if not data:
            self._loop.forget(self._output)
            os.close(self._output)
            self._output = -1

    def _drain(self) -> None:
        """What the script wrote before it ended stands before the line that says so."""
        if self._output < 0:
            return
        os.set_blocking(self._output, False)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._output, 65536):
                self._log.write(data)
        os.set_blocking(self._output, True)

    def _over(self, code: int) -> None:
        if code:
            self._log.say(cloudinit.failed(self._edition, code, time.time()))
        self._done(code)


def _keep(instance_id: str, data: bytes) -> None:
    own = f"{cloudinit.FOLDER}/instances/{instance_id}"
    for folder in ("scripts", "sem"):
        os.makedirs(f"{own}/{folder}", exist_ok=True)
    os.symlink(own, f"{cloudinit.FOLDER}/instance")
    write(f"{own}/user-data.txt", data, 0o600)
    write(cloudinit.SEMAPHORE, b"", 0o644)


def write(path: str, data: bytes, mode: int) -> None:
    """Make or replace a small file."""
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
