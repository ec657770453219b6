"""The program `nginx`: testing, starting, signalling."""
# ruff: noqa: T201

import os
import signal
import sys
import threading
from collections.abc import Sequence

from . import VERSION
from .serving import Web
from .settings import Site, understand
from .syntax import Mistake, read

PID = "/run/nginx.pid"
CONFIGURATION = "/etc/nginx/nginx.conf"
_SIGNALS = {"stop": signal.SIGTERM, "quit": signal.SIGQUIT, "reload": signal.SIGHUP, "reopen": signal.SIGUSR1}


def main(words: Sequence[str]) -> int:
    """Do what the command line says; returns nginx's exit status."""
    path = words[words.index("-c") + 1] if "-c" in words else CONFIGURATION
    if "-v" in words or "-V" in words:
        print(f"nginx version: nginx/{VERSION}", file=sys.stderr)
        return 0
    try:
        site = understand(read(path))
    except Mistake as mistake:
        print(f"nginx: [emerg] {mistake}", file=sys.stderr)
        if "-t" in words:
            print(f"nginx: configuration file {path} test failed", file=sys.stderr)
        return 1
    if "-t" in words:
        print(f"nginx: the configuration file {path} syntax is ok", file=sys.stderr)
        print(f"nginx: configuration file {path} test is successful", file=sys.stderr)
        return 0
    if "-s" in words:
        return _signal(words[words.index("-s") + 1])
    os.makedirs("/var/log/nginx", exist_ok=True)
    foreground = any("daemon off" in word for word in words) or _stays(path)
    return Running(path, site).run(foreground=foreground)


def _stays(path: str) -> bool:
    return any(each.name == "daemon" and each.words == ["off"] for each in read(path))


def _signal(name: str) -> int:
    try:
        with open(PID, encoding="ascii") as file:
            os.kill(int(file.read()), _SIGNALS[name])
    except (OSError, ValueError, KeyError) as error:
        print(f'nginx: [error] open() "{PID}" failed ({error})', file=sys.stderr)
        return 1
    return 0


def _into_background() -> int:
    """Go on in a child; its parent ends when the child closes the descriptor returned."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    os.setsid()
    return writer


class Running:
    """The server: its configuration, its sockets."""

    def __init__(self, path: str, site: Site) -> None:
        self._path, self._site = path, site
        self._webs: dict[tuple[str, int], Web] = {}
        self._asked: list[int] = []
        self._wake = threading.Event()

    def run(self, *, foreground: bool) -> int:
        """Listen, go into the background, serve until told to stop."""
        try:
            self._listen()
        except OSError as error:
            print(f"nginx: [emerg] bind() failed ({error.errno}: {error.strerror})", file=sys.stderr)
            return 1
        parent = -1 if foreground else _into_background()
        with open(PID, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
        if parent >= 0:
            os.close(parent)  # who waited for the file, and ends now
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)
        self._serve()
        while self._go_on():
            pass
        os.unlink(PID)
        return 0

    def _note(self, number: int, _: object) -> None:
        self._asked.append(number)
        self._wake.set()

    def _go_on(self) -> bool:
        """Wait for a signal; False when it was one to end."""
        self._wake.wait()
        self._wake.clear()
        asked, self._asked = self._asked, []
        if any(number != signal.SIGHUP for number in asked):
            return False
        try:
            self._site = understand(read(self._path))
            self._listen()
            self._serve()
        except (Mistake, OSError) as mistake:
            print(f"nginx: [emerg] {mistake}", file=sys.stderr)
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
