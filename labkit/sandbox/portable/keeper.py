"""The keeper: a clean, single-threaded process that starts sandboxed ones and ends them with all they left.

When its caller ends, however it comes, so do the keeper and everything below it.

What belongs here: requests, children, their ends. What does not: what a child does first (child.py).
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.sandbox.portable import child
from labkit.sandbox.portable.orders import Order
from labkit.sandbox.portable.processes import children, end_tree, end_user

_LENGTH = struct.Struct("!I")
_MOST_DESCRIPTORS = 8


def send(connection: socket.socket, value: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message with descriptors, which stay the sender's. Raises OSError."""
    data = json.dumps(value).encode()
    head = _LENGTH.pack(len(data))
    if descriptors:
        socket.send_fds(connection, [head], list(descriptors))
    else:
        connection.sendall(head)
    connection.sendall(data)


def receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """One message (None when the other side is gone) and its descriptors, now the receiver's."""
    try:
        head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH.size, _MOST_DESCRIPTORS)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        head += _exactly(connection, _LENGTH.size - len(head)) if head else b""
        data = _exactly(connection, _LENGTH.unpack(head)[0]) if head else b""
    except OSError:
        return None, []
    return (json.loads(data) if data else None), descriptors


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return bytes(data)


class Keeper:
    """Serves requests on one connection until it closes."""

    def __init__(self, connection: socket.socket, *, forks: bool) -> None:
        self._connection, self._forks = connection, forks
        self._children: dict[int, tuple[int, int]] = {}  # pid → (status pipe, its own user or 0)
        self._woken = _wake_on_children()

    def serve(self) -> None:
        """Until the caller is gone; then end everything."""
        while True:
            ready, _, _ = select.select([self._connection.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._connection.fileno() in ready and not self._answer():
                break
        self._end_all()

    def _answer(self) -> bool:
        request, descriptors = receive(self._connection)
        if request is None:
            return False
        try:
            answer = self._carry_out(request, descriptors)
        except OSError as error:
            answer = {"error": str(error)}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        send(self._connection, answer)
        return True

    def _carry_out(self, request: Mapping[str, Any], descriptors: list[int]) -> dict[str, Any]:
        if request["do"] == "start":
            return self._start(Order.from_json(request["order"]), descriptors)
        if request["pid"] in self._children:
            self._end(request["pid"])
        return {}

    def _start(self, order: Order, descriptors: list[int]) -> dict[str, Any]:
        """`descriptors`: the status pipe, then the standard ones. Keeps the first."""
        reader, writer = os.pipe()
        try:
            pid = (_fork if self._forks else _spawn)(order, descriptors[1:], writer)
            self._children[pid] = (descriptors.pop(0), order.uid)
        finally:
            os.close(writer)
        with os.fdopen(reader, "rb") as file:
            refused = file.read()  # ends when the command or entry begins, or the process does
        return {"error": refused.decode(errors="replace"), "pid": pid} if refused else {"pid": pid}

    def _end(self, pid: int) -> None:
        end_tree(pid)
        uid = self._children[pid][1]
        if uid:
            end_user(uid)

    def _reap(self) -> None:
        """Collect the ended; a child that is none of ours was left behind by one that has ended."""
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not ended:
                break
            if ended in self._children:
                self._ended(ended, status)
        self._end_left_behind()

    def _ended(self, pid: int, status: int) -> None:
        pipe, uid = self._children.pop(pid)
        end_tree(pid)
        if uid:
            end_user(uid)
        with contextlib.suppress(BrokenPipeError):
            os.write(pipe, struct.pack("i", status))
        os.close(pipe)

    def _end_left_behind(self) -> None:
        for pid in children():
            if pid not in self._children:
                end_tree(pid)

    def _end_all(self) -> None:
        """What a child leaves becomes ours when it has ended: until nothing is left."""
        for pid in list(self._children):
            self._end(pid)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
                for pid in children():
                    end_tree(pid)


def _wake_on_children() -> int:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def _fork(order: Order, standard: list[int], reply: int) -> int:
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        child.run(order, standard, reply)
    return pid


def _spawn(order: Order, standard: list[int], reply: int) -> int:
    """As `_fork`, with a new interpreter: some systems' libraries do not survive a fork."""
    reader, writer = os.pipe()
    path = f"import sys; sys.path.append({_PACKAGE_ROOT!r})"
    code = f"{path}; from labkit.sandbox.portable.child import main; main(sys.argv[1:])"
    numbers = [reader, reply, *standard]
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", code, *map(str, numbers)],
        pass_fds=numbers,
        start_new_session=True,
        env=dict(os.environ),
        cwd="/",
    )
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as file:
        file.write(order.to_json())
    process.returncode = 0  # it is waited for in _reap
    return process.pid


_PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def main(arguments: Sequence[str]) -> None:
    """Serve on the inherited socket: its number, "fork" or "spawn", modules to import first."""
    connection = socket.socket(fileno=int(arguments[0]))
    connection.set_inheritable(False)
    try:
        for name in arguments[2:] if arguments[1] == "fork" else ():
            importlib.import_module(name)
    except Exception as error:
        return send(connection, {"error": f"{type(error).__name__}: {error}"})
    if sys.platform == "linux":
        from labkit.sandbox.portable import linux

        linux.adopt_orphans()
    gc.collect()
    gc.freeze()  # else the collector's bookkeeping copies every page in every child
    keeper = Keeper(connection, forks=arguments[1] == "fork")
    send(connection, {})
    return keeper.serve()
