"""Port 22 of every instance: SSH by a library outside, whose shells and commands run inside.

What belongs here: connections, whose keys are let in, what a session is joined to. What does not: starting processes
inside (manager.run_inside), whether a packet arrives (the fabric), SSH itself (asyncssh).

The keys are the files of the instance, read there at each login: ~/.ssh/authorized_keys, /etc/ssh/ssh_host_ed25519_key.
Nothing that a client asks for is done outside: no file, no socket, no name of this machine is in reach.
"""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncssh

    Process = asyncssh.SSHServerProcess[bytes]

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
_AUTHORIZED = ".ssh/authorized_keys"
_MOST_AT_ONCE = 64
_MOST_KEYS = 256 << 10
_LOGIN_SECONDS, _CONNECT_SECONDS = 60.0, 20.0
#: of a user, the home and shell in /etc/passwd; then what comes behind it
_FIND = """
while IFS=: read -r name _ _ _ _ home shell; do [ "$name" = "$1" ] && break; done < /etc/passwd
[ "$name" = "$1" ] || exit 1
"""
_KEYS = f'{_FIND}exec head -c {_MOST_KEYS} "$home/{_AUTHORIZED}"'
_LOG_IN = f"""{_FIND}
cd "$home" 2>/dev/null || cd /
set -- "$1" "$2" "$3" HOME="$home" USER="$1" LOGNAME="$1" SHELL="$shell" PATH="$PATH" LANG=C.UTF-8
[ -z "$2" ] || set -- "$@" TERM="$2" PS1="[$1@$(hostname -s) \\W]$ "
words=$3; shift 3
[ -z "$words" ] && exec env -i "$@" "$shell" -l
exec env -i "$@" "$shell" -c "$words"
"""


@dataclass(frozen=True)
class Inside:
    """The way into the instances, by name: a program on three descriptors, and a connection made from there."""

    run: Callable[[str, Sequence[str], Sequence[int]], int]
    connect: Callable[[str, str, int, float], socket.socket]


class SecureShell:
    """Serves port 22 of instances, in one thread. For any thread."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._listeners: dict[str, socket.socket] = {}
        self._open: dict[str, set[asyncssh.SSHServerConnection]] = {}
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_MOST_AT_ONCE, "ssh"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more; those who run inside must have ended."""
        for name in list(self._listeners):
            self.stop(name)
        self._loop.call_soon_threadsafe(self._loop.create_task, self._finish())
        self._thread.join()
        self._loop.close()

    async def _finish(self) -> None:
        """Let what was cut end."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop.stop()

    def serve(self, name: str, listener: socket.socket) -> None:
        """Answer on `listener`, which is taken over, for the instance `name`, until `stop`."""
        listener.setblocking(False)
        self._listeners[name] = listener
        self._loop.call_soon_threadsafe(self._loop.add_reader, listener, self._accept, name, listener)

    def stop(self, name: str) -> None:
        """Answer no more, and cut the connections of that instance; unknown names are fine."""
        listener = self._listeners.pop(name, None)
        if listener is not None:
            self._loop.call_soon_threadsafe(self._end, name, listener)

    def _end(self, name: str, listener: socket.socket) -> None:
        self._loop.remove_reader(listener)
        listener.close()
        for each in self._open.pop(name, set()):
            each.abort()

    def _accept(self, name: str, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            self._loop.create_task(self._serve(name, client))

    async def _serve(self, name: str, client: socket.socket) -> None:
        """One connection until it ends. What is no SSH, and a key that nobody can read, end it at once."""
        import asyncssh

        held = self._open.setdefault(name, set())
        if len(held) >= _MOST_AT_ONCE:
            client.close()
            return
        with contextlib.suppress(asyncssh.Error, asyncssh.KeyImportError, OSError):
            key = asyncssh.import_private_key(await self._read(name, "cat", HOST_KEY))
            connection = await asyncssh.run_server(
                client, server_factory=lambda: _server(name, self._inside, self._read), server_host_keys=[key],
                process_factory=lambda process: self._session(name, process), encoding=None, line_editor=False,
                agent_forwarding=False, allow_scp=False, sftp_factory=None, login_timeout=_LOGIN_SECONDS,
            )  # fmt: skip
            held.add(connection)
            try:
                await connection.wait_closed()
            finally:
                held.discard(connection)
        client.close()

    async def _read(self, name: str, *words: str) -> bytes:
        """What a command inside prints."""
        reader, writer = os.pipe()
        with open(reader, "rb") as said, open(os.devnull, "r+b") as nothing, open(writer, "wb") as end:
            descriptors = [nothing.fileno(), end.fileno(), nothing.fileno()]
            running = self._loop.run_in_executor(None, self._inside.run, name, words, descriptors)
            running.add_done_callback(lambda _: end.close())
            data = await self._loop.run_in_executor(None, said.read, _MOST_KEYS)
            await running
        return data

    async def _session(self, name: str, process: "Process") -> None:
        """A shell, or a command, with a terminal where one was asked for."""
        asked = process.get_terminal_type()  # None: for no terminal; "": by a client that has no TERM
        terminal = "" if asked is None else asked or "dumb"
        user = str(process.get_extra_info("username"))
        words = ["/bin/sh", "-c", _LOG_IN, "sh", user, terminal, process.command or ""]
        ours, theirs = _terminal() if terminal else _pipes()
        try:
            await process.redirect(*ours)
            status = await self._loop.run_in_executor(None, self._inside.run, name, words, theirs)
        finally:
            for descriptor in set(theirs):
                os.close(descriptor)
        with contextlib.suppress(OSError):
            await process.stdout.drain()
            await process.stderr.drain()
        process.exit(status)


def _terminal() -> tuple[list[Any], list[int]]:
    """Our ends for what is typed and what is shown, and the three of whoever is inside."""
    ours, theirs = os.openpty()
    return [ours, os.dup(ours)], [theirs] * 3


def _pipes() -> tuple[list[Any], list[int]]:
    (typed, writes), (reads, said), (warns, warned) = (os.pipe() for _ in range(3))
    return [writes, reads, warns], [typed, said, warned]


def _server(name: str, inside: Inside, read: Callable[..., Awaitable[bytes]]) -> "asyncssh.SSHServer":
    """Who may log in to the instance `name`, and what may be reached through it."""
    import asyncssh

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            self._connection = conn

        async def begin_auth(self, username: str) -> bool:
            """Let in by the user's own file; nobody is where that has no key."""
            lines = await read(name, "/bin/sh", "-c", _KEYS, "sh", username)
            with contextlib.suppress(ValueError):
                self._connection.set_authorized_keys(asyncssh.import_authorized_keys(lines.decode()))
            return True

        def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
            """-L and -J: made from inside the instance, so that the same rules decide."""

            async def carry(reader: Any, writer: Any) -> None:
                address = "127.0.0.1" if dest_host == "localhost" else dest_host
                loop = asyncio.get_running_loop()
                await _carry(
                    reader, writer, lambda: inside.connect(name, address, dest_port, _CONNECT_SECONDS), loop
                )

            return carry

    return Server()


async def _carry(
    reader: Any, writer: Any, connect: Callable[[], socket.socket], loop: asyncio.AbstractEventLoop
) -> None:
    """Bytes both ways, until both sides have ended."""
    with contextlib.closing(writer), contextlib.suppress(OSError):
        made = await loop.run_in_executor(None, connect)
        made.setblocking(False)
        there, back = await asyncio.open_connection(sock=made)
        with contextlib.closing(back):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: Any, writer: Any) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def host_keys() -> dict[str, str]:
    """The files of a new host key, path → text."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return {HOST_KEY: private.decode(), f"{HOST_KEY}.pub": f"{public.decode()}\n"}
