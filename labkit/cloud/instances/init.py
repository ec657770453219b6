"""Process 1 of an instance: runs user data once, keeps units running, answers systemctl.

It runs inside the sandbox with the student's code, so nothing outside trusts what it says. The warm
parent forks it with all modules loaded; after that no file of the kit can be read.

What belongs here: joining the parts to the event loop. What does not: their rules (units, services,
control, journal, cloudinit). Standard library only.
"""

import base64
import contextlib
import json
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from labkit.cloud.instances import cloudinit, messages
from labkit.cloud.instances.control import Answer, Surroundings, Systemctl
from labkit.cloud.instances.environment import BASE
from labkit.cloud.instances.journal import (
    Entry,
    Journal,
    JournalctlError,
    Query,
    parse_arguments,
    show,
    unit_name,
)
from labkit.cloud.instances.loop import Loop, Timer
from labkit.cloud.instances.outcome import Ending, wait_status_code
from labkit.cloud.instances.services import Run, Services, SpawnError
from labkit.cloud.instances.spawning import Prepared, prepare, read_text, signal_run, spawn
from labkit.cloud.instances.unitfiles import Masked, NoUnit, UnitFiles
from labkit.cloud.instances.units import Command, Service, UnitError

CHANNEL = 3
SOCKET = "/run/lab/init.sock"
CONSOLE = "/dev/console"
_LINE_BYTES = 48 << 10  # journald's LineMax
_TAIL_LINES = 40


def main(arguments: Mapping[str, Any]) -> None:
    """Be process 1 until asked to stop: the entry that the sandbox calls.

    `arguments`: instance_id, hostname, user_data (base64), skeleton (path → text, first boot only),
    links (path → target, every boot).
    """
    os.umask(0o022)
    os.chdir("/")
    first = not os.path.exists(cloudinit.FOLDER)
    _lay_out(arguments, first)
    Init(arguments, first).run()


def _lay_out(arguments: Mapping[str, Any], first: bool) -> None:
    """What the image puts on the disk before the first boot, and into memory before each."""
    if first:
        for path, text in arguments["skeleton"].items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    for path in ("/run/lab", "/etc/systemd/system", "/var/log", "/var/tmp", cloudinit.FOLDER):
        os.makedirs(path, exist_ok=True)
    for path, target in arguments["links"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(OSError):
            if os.path.islink(path) or not os.path.exists(path) or not os.path.isdir(path):
                _replace_link(path, target)


def _replace_link(path: str, target: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)


def _next_boot() -> int:
    path = "/var/lib/lab/boots"
    try:
        number = int(read_text(path)) + 1
    except (OSError, ValueError):
        number = 1
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(str(number))
    return number


class _Stream:
    """The lines of a process's output, given on one by one as they are complete."""

    def __init__(self, loop: Loop, line: Callable[[str], None]) -> None:
        self._loop, self._line, self._held = loop, line, bytearray()
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC)
        loop.read(self.reader, self._ready)

    def _ready(self) -> None:
        data = os.read(self.reader, 65536)
        self._held += data
        *lines, rest = bytes(self._held).split(b"\n")
        self._held = bytearray(rest)
        if self._held and (not data or len(self._held) > _LINE_BYTES):
            lines.append(bytes(self._held))
            self._held.clear()
        for line in lines:
            self._line(line.decode(errors="replace"))
        if not data:
            self._loop.forget(self.reader)
            os.close(self.reader)


class Processes:
    """The Machine of `services`: real processes, real time, the real journal."""

    def __init__(self, loop: Loop, journal: Journal, changed: Callable[[Run], None]) -> None:
        self._loop, self._journal, self._changed = loop, journal, changed
        self._leaders: dict[str, set[int]] = {}
        self.followers: list[Callable[[Entry], None]] = []

    def spawn(self, service: Service, command: Command, invocation: str) -> int:
        """Start a process of a unit, its output going where the unit says. Raises SpawnError."""
        prepared = prepare(service, command, invocation)
        opened: list[int] = []
        try:
            stdout = self._output(service, service.stdout, prepared, opened)
            inherit = service.stderr in ("inherit", service.stdout)
            stderr = stdout if inherit else self._output(service, service.stderr, prepared, opened)
            pid = spawn(prepared, stdout, stderr)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        self._leaders.setdefault(invocation, set()).add(pid)
        return pid

    def _output(self, service: Service, where: str, prepared: Prepared, opened: list[int]) -> int:
        kind, _, path = where.partition(":")
        if kind in ("append", "file", "truncate"):
            descriptor = _open_output(kind, path, prepared.program)
        elif kind == "null":
            descriptor = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        else:
            name = service.syslog_identifier or os.path.basename(prepared.program)
            descriptor = _Stream(self._loop, lambda line: self.say(service.name, name, line)).writer
        opened.append(descriptor)
        return descriptor

    def say(self, unit: str, identifier: str, text: str, pid: int = 0) -> None:
        """One line into the journal, and to those who follow it."""
        entry = Entry(time.time(), self._journal.boot, unit, identifier, pid or 1, text)
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


class Init:
    """The parts of process 1, joined."""

    def __init__(self, arguments: Mapping[str, Any], first: bool) -> None:
        self._arguments, self._first = arguments, first
        self._hostname = str(arguments["hostname"])
        self._started = time.monotonic()
        self._loop = Loop()
        self._journal = Journal("/var/log/journal", _next_boot())
        self._processes = Processes(self._loop, self._journal, self._unit_changed)
        self._services = Services(self._processes)
        self._files = UnitFiles(self._processes.note, hostname=self._hostname)
        around = Surroundings(self._journal_tail, self._power)
        self._systemctl = Systemctl(self._files, self._services, around)
        self._lines = messages.Lines()
        self._user_data_pid = 0
        self._log = os.open(cloudinit.OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._finished = False
        self._waiting: list[Callable[[], None]] = []
        self._stopping = False

    def run(self) -> None:
        """Boot, serve until asked to stop, stop all units."""
        os.set_blocking(1, False)
        os.set_inheritable(CHANNEL, False)
        self._loop.signals((signal.SIGCHLD, signal.SIGTERM, signal.SIGPWR, signal.SIGINT), self._signal)
        self._loop.read(CHANNEL, self._asked_from_outside)
        self._listen()
        self._boot()
        self._loop.run()

    # -- boot -------------------------------------------------------------------------------------------

    def _boot(self) -> None:
        with contextlib.suppress(OSError):
            _replace_link(CONSOLE, "/proc/1/fd/1")
        self._console(f"[    0.000000] Linux on Amazon Linux 2023, {self._arguments['instance_id']}\n")
        for name in self._files.at_boot():
            self._start_at_boot(name)
        self._console(f"\n{self._hostname.partition('.')[0]} login: \n")
        if self._first:
            self._run_user_data(base64.b64decode(self._arguments["user_data"]))
        else:
            self._finish(None)

    def _start_at_boot(self, name: str) -> None:
        try:
            self._services.start(self._files.load(name), lambda run: self._status_line(run))
        except (NoUnit, Masked, UnitError) as error:
            self._processes.note(name, f"{name}: {error}")

    def _status_line(self, run: Run) -> None:
        ok = run.result == "success"
        sign, words = ("  OK  ", "Started") if ok else ("FAILED", "Failed to start")
        self._console(f"[{sign}] {words} {run.service.description}.\n")

    def _run_user_data(self, user_data: bytes) -> None:
        self._keep_user_data(user_data)
        plan = cloudinit.plan(user_data)
        self._boot_log(cloudinit.running("modules:final", time.time(), self._up()))
        if plan.warning:
            self._boot_log(cloudinit.warning("__init__.py", plan.warning, time.time()))
        if not plan.script:
            return self._finish(None)
        _write(cloudinit.SCRIPT, plan.script, 0o700)
        try:
            self._user_data_pid = self._spawn_script()
        except SpawnError as error:
            self._boot_log(f"{cloudinit.SCRIPT}: {error}\n")
            self._finish(127 if error.status == 203 else 1)
        return None

    def _spawn_script(self) -> int:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            pid = spawn(Prepared(cloudinit.SCRIPT, [cloudinit.SCRIPT], BASE, "/"), writer, writer)
        except SpawnError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._output = reader
        self._loop.read(reader, self._script_said)
        return pid

    def _script_said(self) -> None:
        data = os.read(self._output, 65536)
        if data:
            return self._boot_log_bytes(data)
        self._loop.forget(self._output)
        return os.close(self._output)

    def _keep_user_data(self, user_data: bytes) -> None:
        own = f"{cloudinit.FOLDER}/instances/{self._arguments['instance_id']}"
        for folder in ("scripts", "sem"):
            os.makedirs(f"{own}/{folder}", exist_ok=True)
        _replace_link(f"{cloudinit.FOLDER}/instance", own)
        _write(f"{own}/user-data.txt", user_data, 0o600)
        _write(cloudinit.SEMAPHORE, b"", 0o644)

    def _user_data_ended(self, wait_status: int) -> None:
        self._user_data_pid = 0
        self._drain_script()
        code = wait_status_code(wait_status)
        if code:
            self._boot_log(cloudinit.failed(code, time.time()))
        self._finish(code)

    def _drain_script(self) -> None:
        """What the script wrote before it ended belongs before the line that says so."""
        os.set_blocking(self._output, False)
        with contextlib.suppress(OSError):
            while data := os.read(self._output, 65536):
                self._boot_log_bytes(data)

    def _finish(self, code: int | None) -> None:
        """cloud-init's last words, and the report to the outside."""
        self._boot_log(cloudinit.finished(time.time(), self._up()))
        if self._first:
            _write(cloudinit.FINISHED, f"{code or 0}".encode(), 0o644)
            self._report(messages.UserDataEnded(code, self._up(), self._log_tail()))
        self._report(messages.Booted())
        self._finished = True
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def _log_tail(self) -> tuple[str, ...]:
        with open(cloudinit.OUTPUT, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 16384))
            lines = file.read().decode(errors="replace").splitlines()
        return tuple(line[:500] for line in lines[-_TAIL_LINES:])

    def _up(self) -> float:
        return time.monotonic() - self._started

    # -- what is written ----------------------------------------------------------------------------------

    def _boot_log(self, text: str) -> None:
        self._boot_log_bytes(text.encode())

    def _boot_log_bytes(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk loses the log, not the console
            os.write(self._log, data)
        self._console_bytes(data)

    def _console(self, text: str) -> None:
        self._console_bytes(text.encode())

    def _console_bytes(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads: the console is lost, as on a serial line
            os.write(1, data)

    def _report(self, report: messages.Report) -> None:
        with contextlib.suppress(OSError):
            os.write(CHANNEL, messages.encode(report))

    def _unit_changed(self, run: Run) -> None:
        state = messages.UnitState(run.name, run.state, run.sub, run.result, run.main_pid, run.restarts)
        self._report(state)

    def _journal_tail(self, unit: str, lines: int) -> list[str]:
        entries = self._journal.select(Query(units=(unit,), lines=lines, boot=self._journal.boot))
        return [show(e, "short", self._host()) for e in entries]

    def _host(self) -> str:
        return self._hostname.partition(".")[0]

    # -- children and signals -----------------------------------------------------------------------------

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
            if pid == self._user_data_pid:
                self._user_data_ended(status)
            else:
                self._services.ended(pid, Ending.from_wait(status))

    # -- the end --------------------------------------------------------------------------------------------

    def _asked_from_outside(self) -> None:
        try:
            data = os.read(CHANNEL, 65536)
            lines = self._lines.feed(data)
        except (OSError, ValueError):
            data, lines = b"", []
        for line in lines:
            self._obey(json.loads(line))
        if not data:
            self._loop.forget(CHANNEL)
            self._shut_down()

    def _obey(self, request: Mapping[str, Any]) -> None:
        if request["do"] == "stop":
            self._shut_down()
        elif request["do"] == "journal":
            units = (unit_name(request["unit"]),) if request["unit"] else ()
            entries = self._journal.select(Query(units=units, lines=request["lines"]))
            lines = tuple(show(e, "short-iso", self._host())[:1000] for e in entries)
            self._report(messages.JournalLines(request["question"], lines))

    def _power(self, reboot: bool) -> None:
        """Something inside switches the machine off: tell the outside, then do it."""
        self._report(messages.Halt(reboot))
        self._shut_down()

    def _shut_down(self) -> None:
        """Stop all units, then end; the outside ends us when that takes too long."""
        if self._stopping:
            return
        self._stopping = True
        left = [r.name for r in self._services.runs.values() if r.state not in ("inactive", "failed")]
        if not left:
            return self._loop.stop()
        remaining = set(left)

        def stopped(run: Run) -> None:
            remaining.discard(run.name)
            if not remaining:
                self._loop.stop()

        for name in left:
            self._services.stop(name, stopped)
        return None

    # -- commands from inside -------------------------------------------------------------------------------

    def _listen(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(SOCKET)
        self._server.listen(64)
        self._loop.read(self._server.fileno(), self._accept)

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        connection.settimeout(5)
        held = messages.Lines()

        def ready() -> None:
            try:
                lines = held.feed(connection.recv(65536))
            except (OSError, ValueError):
                lines = [b""]
            if lines:
                self._loop.forget(connection.fileno())
                self._command(connection, lines[0])

        self._loop.read(connection.fileno(), ready)

    def _command(self, connection: socket.socket, line: bytes) -> None:
        try:
            words = [str(word) for word in json.loads(line)["argv"]]
        except (ValueError, KeyError, TypeError):
            return connection.close()

        def finish(answer: Answer) -> None:
            _answer(connection, {"out": answer.out, "err": answer.err, "status": answer.status})
            connection.close()

        return self._dispatch(os.path.basename(words[0]), words[1:], finish, connection)

    def _dispatch(
        self, program: str, words: list[str], finish: Callable[[Answer], None], connection: socket.socket
    ) -> None:
        match program:
            case "systemctl":
                self._systemctl.call(words, finish)
            case "journalctl":
                self._journalctl(words, finish, connection)
            case "cloud-init":
                self._cloud_init(words, finish)
            case "logger":
                self._processes.say("", words[0], words[1], 0)
                finish(Answer())
            case "reboot" | "poweroff" | "halt" | "shutdown":
                finish(Answer())
                self._power(reboot=program == "reboot" or "-r" in words)
            case _:
                finish(Answer(127, err=f"{program}: command not found\n"))

    def _journalctl(self, words: list[str], finish: Callable[[Answer], None], connection: socket.socket) -> None:
        try:
            query = parse_arguments(words, self._journal.boot, time.time())
        except JournalctlError as error:
            return finish(Answer(1, err=f"{error}\n"))
        text = "".join(show(e, query.output, self._host()) + "\n" for e in self._journal.select(query))
        if not query.follow:
            return finish(Answer(out=text or ("" if query.quiet else "-- No entries --\n")))
        _answer(connection, {"out": text})
        return self._follow(query, connection)

    def _follow(self, query: Query, connection: socket.socket) -> None:
        connection.setblocking(False)

        def gone() -> None:
            self._processes.followers.remove(follower)
            self._loop.forget(connection.fileno())
            connection.close()

        def follower(entry: Entry) -> None:
            if query.wants(entry) and not _answer(connection, {"out": show(entry, query.output, self._host()) + "\n"}):
                gone()

        self._processes.followers.append(follower)
        self._loop.read(connection.fileno(), gone)

    def _cloud_init(self, words: list[str], finish: Callable[[Answer], None]) -> None:
        if words[:1] == ["--version"]:
            return finish(Answer(out=f"/usr/bin/cloud-init {cloudinit.VERSION}\n"))
        if words[:1] != ["status"]:
            return finish(Answer(2, err="usage: cloud-init status [--wait]\n"))
        if "--wait" in words and not self._finished:
            return self._waiting.append(lambda: finish(self._cloud_init_status()))
        return finish(self._cloud_init_status())

    def _cloud_init_status(self) -> Answer:
        if not self._finished:
            return Answer(out="status: running\n")
        try:
            failed = read_text(cloudinit.FINISHED).strip() != "0"
        except OSError:
            failed = False
        return Answer(1, out="status: error\n") if failed else Answer(out="status: done\n")


def _answer(connection: socket.socket, value: Mapping[str, object]) -> bool:
    try:
        connection.sendall(json.dumps(value).encode() + b"\n")
    except OSError:
        return False
    return True


def _write(path: str, data: bytes, mode: int) -> None:
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


