"""A web server as a process: its sockets, going into the background, signals."""
# ruff: noqa: T201

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from .places import Site
from .serving import Web


@dataclass(frozen=True)
class Program:
    """What differs between servers: name and process file, how the configuration is read, which signal reads it anew.

    `read` raises `mistake`, whose text is told in the program's own `words`.
    """

    name: str
    pid_file: str
    reload: int
    read: Callable[[], Site]
    mistake: type[Exception]
    words: str = "{name}: [emerg] {mistake}"


def into_background() -> int:
    """Go on in a child; its parent ends when the child closes the descriptor returned."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    os.setsid()
    return writer


def signal_running(program: Program, number: int) -> int:
    """Send the running server a signal; returns the exit status."""
    try:
        with open(program.pid_file, encoding="ascii") as file:
            os.kill(int(file.read()), number)
    except (OSError, ValueError) as error:
        print(f'{program.name}: [error] open() "{program.pid_file}" failed ({error})', file=sys.stderr)
        return 1
    return 0


class Running:
    """The server: its configuration, its sockets."""

    def __init__(self, program: Program, site: Site) -> None:
        self._program, self._site = program, site
        self._webs: dict[tuple[str, int], Web] = {}
        self._asked: list[int] = []
        self._wake = threading.Event()

    def run(self, *, foreground: bool) -> int:
        """Listen, go into the background, serve until told to stop."""
        try:
            self._listen()
        except OSError as error:
            print(
                f"{self._program.name}: [emerg] bind() failed ({error.errno}: {error.strerror})",
                file=sys.stderr,
            )
            return 1
        parent = -1 if foreground else into_background()
        os.makedirs(os.path.dirname(self._program.pid_file), exist_ok=True)
        with open(self._program.pid_file, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        if parent >= 0:
            os.close(parent)  # who waited for the file, and ends now
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGWINCH, self._program.reload):
            signal.signal(number, self._note)
        self._serve()
        _tell_ready()
        while self._go_on():
            pass
        os.unlink(self._program.pid_file)
        return 0

    def _note(self, number: int, _: object) -> None:
        self._asked.append(number)
        self._wake.set()

    def _go_on(self) -> bool:
        """Wait for a signal; False when it was one to end."""
        self._wake.wait()
        self._wake.clear()
        asked, self._asked = self._asked, []
        if any(number != self._program.reload for number in asked):
            return False
        try:
            self._site = self._program.read()
            self._listen()
            self._serve()
        except (self._program.mistake, OSError) as mistake:
            print(self._program.words.format(name=self._program.name, mistake=mistake), file=sys.stderr)
        return True

    def _listen(self) -> None:
        wanted = {(host, port) for server in self._site.servers for host, port, _ in server.listens}
        for gone in self._webs.keys() - wanted:
            web = self._webs.pop(gone)
            web.shutdown()
            web.server_close()
        for new in wanted - self._webs.keys():
            self._webs[new] = Web(new, lambda: self._site)

    def _serve(self) -> None:
        for address, web in self._webs.items():
            if not any(thread.name == str(address) for thread in threading.enumerate()):
                threading.Thread(target=web.serve_forever, name=str(address), daemon=True).start()


def _tell_ready() -> None:
    """Tell systemd, where it waits for that (sd_notify(3))."""
    place = os.environ.get("NOTIFY_SOCKET")
    if place:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.sendto(b"READY=1", place)
