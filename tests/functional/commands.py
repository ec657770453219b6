"""Commands of the kit, forked from a process that has imported it: python -m tests.functional.commands DESCRIPTOR.

A test run gives some hundred commands, and most of what one costs is starting Python and importing. A fork has the
arguments, the environment, the folder and the descriptors of a command that is typed. What is about the file `lab`
itself, about starting or about being killed is typed (conftest.Lab.start).
"""

import contextlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
_MOST = 1 << 20
#: imported once; whatever else a command needs it imports itself
_PRELOADED = (
    "labkit.cli.main", "labkit.lesson.engine", "labkit.grading.grade", "labkit.deploy.cloudformation", "boto3", "jinja2",
)  # fmt: skip


class Commands:
    """Runs commands, one after the other or side by side; ends with the process that has made it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.functional.commands", str(theirs.fileno())],
                cwd=ROOT, pass_fds=[theirs.fileno()], env={**os.environ, "LANG": "C.UTF-8"},
            )  # fmt: skip

    def close(self) -> None:
        """End the process that they are forked from."""
        self._socket.close()
        self._server.wait()

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path, seconds: float
    ) -> tuple[int, str, str]:
        """The status, output and errors of `./lab WORDS…`. Raises TimeoutExpired."""
        asked = {"words": list(words), "environment": dict(environment), "folder": str(folder)}
        readers, writers = zip(*(os.pipe() for _ in range(3)), strict=True)
        try:
            socket.send_fds(self._socket, [json.dumps(asked).encode()], list(writers))
        finally:
            for descriptor in writers:
                os.close(descriptor)
        output, errors, status = _read_all(readers, time.monotonic() + seconds, words)
        return int(status), output, errors


def _read_all(readers: Sequence[int], deadline: float, words: Sequence[str]) -> list[str]:
    """What comes from each of these until nobody can write to it any more; closes them."""
    found = dict.fromkeys(readers, b"")
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as closing:
        for descriptor in readers:
            closing.callback(os.close, descriptor)
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(list(words), 0, *list(found.values())[:2])
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                found[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
    return [data.decode().replace("\r\n", "\n") for data in found.values()]


def _serve(connection: socket.socket) -> None:
    """Fork for each request, until nobody can ask any more; returns in a fork that has become its command."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, _MOST, 3)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            _run(connection, json.loads(data), *descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _run(connection: socket.socket, asked: Mapping[str, Any], output: int, errors: int, status: int) -> None:
    """Fork the command, and tell its status when it has ended; returns in the command."""
    connection.close()
    if command := os.fork():
        os.close(output)
        os.close(errors)
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        os.write(status, str(code).encode())
        os._exit(0)
    os.close(status)
    with open(os.devnull, "rb") as nothing:
        for target, descriptor in enumerate((nothing.fileno(), output, errors)):
            os.dup2(descriptor, target)
    os.close(output)
    os.close(errors)
    # what the interpreter makes of them in C.UTF-8: those that are here know the descriptors that were
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(str(asked["folder"]))
    time.tzset()
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["lab", *asked["words"]]


def main(descriptor: int) -> NoReturn:
    """Import, then serve whoever holds the other end."""
    for name in _PRELOADED:
        __import__(name)
    _serve(socket.socket(fileno=descriptor))
    runpy.run_module("labkit", run_name="__main__", alter_sys=True)  # it ends by sys.exit
    raise AssertionError


if __name__ == "__main__":
    main(int(sys.argv[1]))
