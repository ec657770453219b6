"""Process 1 of an instance: runs user data once, keeps units running, answers systemctl.

It runs inside the sandbox with the student's code, so nothing outside trusts what it says. The warm
parent forks it with all modules loaded; it needs no file of the kit after that.

What belongs here: joining the parts to the event loop, the order of boot and shut-down. What does not:
the parts' rules. Standard library only.
"""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Mapping
from typing import Any

from labkit.cloud.instances.system import cloudinit, messages
from labkit.cloud.instances.system.commands import Commands, Parts
from labkit.cloud.instances.system.control import Surroundings, Systemctl
from labkit.cloud.instances.system.journal import Journal, Query, show, unit_name
from labkit.cloud.instances.system.loop import Loop
from labkit.cloud.instances.system.notices import Notices
from labkit.cloud.instances.system.outcome import Ending
from labkit.cloud.instances.system.processes import Processes
from labkit.cloud.instances.system.runs import Run
from labkit.cloud.instances.system.services import Services
from labkit.cloud.instances.system.shells import Shells
from labkit.cloud.instances.system.spawning import POWER_SIGNALS, read_text
from labkit.cloud.instances.system.unitfiles import ETC, Masked, NoUnit, UnitFiles
from labkit.cloud.instances.system.units import UnitError
from labkit.cloud.instances.system.userdata import BootLog, UserData, write

CHANNEL = 3
_BOOTS = "/var/lib/lab/boots"
_TAIL_LINES = 40
#: files that are their owner's alone
_SECRET = re.compile(r"/\.ssh/|/ssh_host_")


def main(arguments: Mapping[str, Any]) -> None:
    """Be process 1 until asked to stop: the entry that the sandbox calls.

    `arguments`: instance_id, hostname, system ("Amazon Linux 2023"), user_data (base64), skeleton (path → text, first boot only),
    links (path → target, every boot).
    """
    os.umask(0o022)
    os.chdir("/")
    boot = _count_boots()
    _lay_out(arguments, first=boot == 1)
    Init(arguments, boot).run()


def _count_boots() -> int:
    try:
        number = int(read_text(_BOOTS)) + 1
    except (OSError, ValueError):
        number = 1
    os.makedirs(os.path.dirname(_BOOTS), exist_ok=True)
    write(_BOOTS, str(number).encode(), 0o644)
    return number


def _lay_out(arguments: Mapping[str, Any], *, first: bool) -> None:
    """What the image puts on the disk before the first boot, and into memory before each."""
    for path, text in arguments["skeleton"].items() if first else ():
        private = not path.endswith(".pub") and _SECRET.search(path)
        os.makedirs(os.path.dirname(path), 0o700 if "/.ssh/" in path else 0o755, exist_ok=True)
        write(path, text.encode(), 0o600 if private else 0o644)
    wants = f"{ETC}/multi-user.target.wants"  # units that the image enables stand in it on AWS
    for path in ("/run/lab", wants, "/var/log", "/var/tmp", cloudinit.FOLDER):
        os.makedirs(path, exist_ok=True)
    for path, target in arguments["links"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.lexists(path):  # what lies on the disk outlives a boot
            os.symlink(target, path)


class Init:
    """The parts of process 1, joined."""

    def __init__(self, arguments: Mapping[str, Any], boot: int) -> None:
        self._arguments, self._first = arguments, boot == 1
        self._host = str(arguments["hostname"]).partition(".")[0]
        self._edition = cloudinit.EDITIONS[arguments["system"]]
        self._began = time.monotonic()
        self._loop = Loop()
        self._journal = Journal("/var/log/journal", boot)
        self._processes = Processes(self._loop, self._journal, self._unit_changed)
        self._services = Services(self._processes)
        self._files = UnitFiles(self._processes.note, hostname=self._host)
        around = Surroundings(self._journal_tail, self._power, self._processes.environment)
        systemctl = Systemctl(self._files, self._services, around)
        parts = Parts(
            systemctl, self._processes, self._journal, self._host, self._power, self._edition.version
        )
        self._commands = Commands(self._loop, parts)
        self._log = BootLog(self._loop)
        self._user_data = UserData(self._loop, self._log, self._edition, self._finish)
        self._notices = Notices(self._loop, self._services.notified)
        self._lines = messages.Lines()
        self._channel = socket.socket(fileno=CHANNEL)
        self._descriptors: list[int] = []
        self._shells = Shells(self._host, self._report)
        self._stopping = False

    def run(self) -> None:
        """Boot, serve until asked to stop, stop all units."""
        os.set_inheritable(CHANNEL, False)
        self._loop.signals((signal.SIGCHLD, signal.SIGTERM, *POWER_SIGNALS, signal.SIGINT), self._signal)
        self._loop.read(CHANNEL, self._asked_from_outside)
        self._boot()
        self._loop.run()

    # -- boot -----------------------------------------------------------------------------------------

    def _boot(self) -> None:
        self._log.console(f"{self._arguments['system']}, {self._arguments['instance_id']}\n".encode())
        for name in self._files.at_boot():
            self._start_at_boot(name)
        self._log.console(f"\n{self._host} login: \n".encode())
        if self._first:
            self._log.say(cloudinit.running(self._edition, "modules:final", time.time(), self._up()))
            data = base64.b64decode(self._arguments["user_data"])
            self._user_data.start(self._arguments["instance_id"], data)
        else:
            self._finish(None)

    def _start_at_boot(self, name: str) -> None:
        try:
            self._services.start(self._files.load(name), self._status_line)
        except (NoUnit, Masked, UnitError) as error:
            self._processes.note(name, f"{name}: {error}")

    def _status_line(self, run: Run) -> None:
        sign, words = ("  OK  ", "Started") if run.result == "success" else ("FAILED", "Failed to start")
        self._log.console(f"[{sign}] {words} {run.service.description}.\n".encode())

    def _finish(self, code: int | None) -> None:
        """cloud-init's last words, and the report to the outside."""
        self._log.say(cloudinit.finished(self._edition, time.time(), self._up()))
        if self._first:
            write(cloudinit.FINISHED, str(code or 0).encode(), 0o644)
            self._report(messages.UserDataEnded(code, self._up(), self._log.tail(_TAIL_LINES)))
        self._report(messages.Booted())
        self._commands.booted()

    def _up(self) -> float:
        return time.monotonic() - self._began

    # -- children and signals -------------------------------------------------------------------------

    def _signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        else:
            self._power(reboot=number == signal.SIGINT)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._user_data.pid:
                self._user_data.ended(status)
            elif not self._shells.ended(pid, Ending.from_wait(status).status):
                self._services.ended(pid, Ending.from_wait(status))

    # -- the outside ----------------------------------------------------------------------------------

    def _report(self, report: messages.Report) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: we are about to end
            os.write(CHANNEL, messages.encode(report))

    def _unit_changed(self, run: Run) -> None:
        state = messages.UnitState(run.name, run.state, run.sub, run.result, run.main_pid, run.restarts)
        self._report(state)

    def _journal_tail(self, unit: str, lines: int) -> list[str]:
        entries = self._journal.select(Query(units=(unit,), lines=lines, boot=self._journal.boot))
        return [show(entry, "short", self._host) for entry in entries]

    def _asked_from_outside(self) -> None:
        data, descriptors, _, _ = socket.recv_fds(self._channel, 65536, 3)
        self._descriptors += descriptors
        for line in self._lines.feed(data):
            self._obey(json.loads(line))
        if not data:
            self._loop.forget(CHANNEL)
            self._shut_down()

    def _obey(self, request: Mapping[str, Any]) -> None:
        if request["do"] == "stop":
            self._shut_down()
        elif request["do"] == "journal":
            units = (unit_name(request["unit"]),) if request["unit"] else ()
            query = Query(units=units, lines=request["lines"], since=request["since"])
            entries = self._journal.select(query)
            lines = tuple(show(entry, "short-iso", self._host)[:1000] for entry in entries)
            self._report(messages.JournalLines(request["question"], lines))
        elif request["do"] == "shell":
            descriptors, self._descriptors = self._descriptors[:3], self._descriptors[3:]
            self._shells.start(request["question"], request["words"], descriptors)

    # -- the end --------------------------------------------------------------------------------------

    def _power(self, reboot: bool) -> None:
        """Something inside switches the machine off: tell the outside, then do it."""
        self._report(messages.Halt(reboot))
        self._shut_down()

    def _shut_down(self) -> None:
        """Stop all units, then end; the outside ends us when that takes too long."""
        if self._stopping:
            return
        self._stopping = True
        remaining = {r.name for r in self._services.runs.values() if r.state not in ("inactive", "failed")}
        if not remaining:
            self._loop.stop()

        def stopped(run: Run) -> None:
            remaining.discard(run.name)
            if not remaining:
                self._loop.stop()

        for name in sorted(remaining):
            self._services.stop(name, stopped)
