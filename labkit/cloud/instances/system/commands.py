"""The socket on which systemctl, journalctl and their relatives reach process 1.

What belongs here: connections, and which program gets which answer. What does not: systemctl's words
(control) and the journal's (journal). Runs inside the instance: standard library only.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.cloud.instances.system import cloudinit
from labkit.cloud.instances.system.control import Systemctl
from labkit.cloud.instances.system.journal import (
    Entry,
    Journal,
    JournalctlError,
    Query,
    parse_arguments,
    show,
)
from labkit.cloud.instances.system.loop import Loop
from labkit.cloud.instances.system.messages import Lines
from labkit.cloud.instances.system.processes import Processes
from labkit.cloud.instances.system.requests import Answer
from labkit.cloud.instances.system.spawning import read_text

SOCKET = "/run/lab/init.sock"
_SEND_SECONDS = 5.0


@dataclass(frozen=True)
class Parts:
    """What the commands ask: units, processes (whose journal is followed), the journal, the power, and what cloud-init is."""

    systemctl: Systemctl
    processes: Processes
    journal: Journal
    host: str
    power: Callable[[bool], None]
    cloud_init_version: str


class Commands:
    """Accepts connections; each carries one command line and its answer, as JSON lines."""

    def __init__(self, loop: Loop, parts: Parts) -> None:
        self._loop, self._parts = loop, parts
        self._booted = False
        self._waiting: list[Callable[[], None]] = []
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(SOCKET)
        self._server.listen(64)
        loop.read(self._server.fileno(), self._accept)

    def booted(self) -> None:
        """cloud-init has finished: answer those who wait for that."""
        self._booted = True
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        connection.settimeout(_SEND_SECONDS)
        held = Lines()

        def ready() -> None:
            try:
                data = connection.recv(65536)
                lines = held.feed(data)
            except (OSError, ValueError):
                data, lines = b"", []
            if lines or not data:
                self._loop.forget(connection.fileno())
                self._command(connection, lines[0] if lines else b"")

        self._loop.read(connection.fileno(), ready)

    def _command(self, connection: socket.socket, line: bytes) -> None:
        try:
            asked = json.loads(line)
            words = [str(word) for word in asked["argv"]]
            caller = {str(name): str(value) for name, value in asked.get("environment", {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return connection.close()

        def finish(answer: Answer) -> None:
            _say(connection, {"out": answer.out, "err": answer.err, "status": answer.status})
            connection.close()

        program = os.path.basename(words[0])
        if program == "systemctl":
            return self._parts.systemctl.call(words[1:], finish, caller)
        return self._dispatch(program, words[1:], finish, connection)

    def _dispatch(
        self, program: str, words: list[str], finish: Callable[[Answer], None], connection: socket.socket
    ) -> None:
        match program:
            case "journalctl":
                self._journalctl(words, finish, connection)
            case "cloud-init":
                self._cloud_init(words, finish)
            case "logger":
                self._parts.processes.say("", words[0], words[1])
                finish(Answer())
            case "reboot" | "poweroff" | "halt" | "shutdown":
                finish(Answer())
                self._parts.power(program == "reboot" or "-r" in words)
            case _:
                finish(Answer(127, err=f"{program}: command not found\n"))

    # -- journalctl -----------------------------------------------------------------------------------

    def _journalctl(
        self, words: list[str], finish: Callable[[Answer], None], connection: socket.socket
    ) -> None:
        journal = self._parts.journal
        try:
            query = parse_arguments(words, journal.boot, time.time())
        except (JournalctlError, ValueError) as error:
            return finish(Answer(1, err=f"{error}\n"))
        text = "".join(self._line(entry, query) for entry in journal.select(query))
        if not query.follow:
            return finish(Answer(out=text or ("" if query.quiet else "-- No entries --\n")))
        _say(connection, {"out": text})
        return self._follow(query, connection)

    def _line(self, entry: Entry, query: Query) -> str:
        return show(entry, query.output, self._parts.host) + "\n"

    def _follow(self, query: Query, connection: socket.socket) -> None:
        connection.setblocking(False)
        followers = self._parts.processes.followers

        def gone() -> None:
            followers.remove(follower)
            self._loop.forget(connection.fileno())
            connection.close()

        def follower(entry: Entry) -> None:
            if query.wants(entry) and not _say(connection, {"out": self._line(entry, query)}):
                gone()

        followers.append(follower)
        self._loop.read(connection.fileno(), gone)

    # -- cloud-init -----------------------------------------------------------------------------------

    def _cloud_init(self, words: list[str], finish: Callable[[Answer], None]) -> None:
        if words[:1] == ["--version"]:
            return finish(Answer(out=f"/usr/bin/cloud-init {self._parts.cloud_init_version}\n"))
        if words[:1] != ["status"]:
            return finish(Answer(2, err="usage: cloud-init status [--wait]\n"))
        if "--wait" in words and not self._booted:
            return self._waiting.append(lambda: finish(self._status()))
        return finish(self._status())

    def _status(self) -> Answer:
        if not self._booted:
            return Answer(out="status: running\n")
        try:
            failed = read_text(cloudinit.FINISHED).strip() != "0"
        except OSError:
            failed = False
        return Answer(1, out="status: error\n") if failed else Answer(out="status: done\n")


def _say(connection: socket.socket, value: Mapping[str, object]) -> bool:
    try:
        connection.sendall(json.dumps(value).encode() + b"\n")
    except OSError:
        return False
    return True
