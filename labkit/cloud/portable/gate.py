"""The gate of one interface: a port on the loopback device, where its processes ask and connect.

A line that begins with "@" is a question of the start-up hook (labkit.sandbox.portable.inside.sockets):

    @connect ADDRESS PORT FROM   → pass (then connect from the port FROM; 0 only asks), refuse, drop
    @bind ADDRESS PORT REAL      → ok (as long as this connection is open), taken
    @who PORT                    → is ADDRESS PORT: who is connected to us from that port
    @resolve NAME                → is ADDRESS, or none; nothing where the network has no resolver

Anything else is HTTP as a proxy gets it, for programs like curl. A connection that passes is carried byte
by byte; it was opened on the far side before the question was answered, so a refusal is one.

What belongs here: the protocol and carrying. What does not: who may reach whom (switchboard.py).
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

_LOOPBACK = "127.0.0.1"
_LONGEST_HEAD = 1 << 16
_TICKET_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_PIECE = 1 << 16


@dataclass(frozen=True)
class Way:
    """Where a connection leads: to a real port, or nowhere, and how that shows."""

    kind: Literal["pass", "refuse", "drop"]
    port: int = 0


class Board(Protocol):
    """What a gate asks about its interface."""

    def way(self, name: str, host: str, port: int) -> Way:
        """Where a connection of `name` to `host` (an address or a name) leads."""
        ...

    def resolve(self, name: str, host: str) -> str | None:
        """The address of a host name; None where there is none. Raises LookupError where nobody answers."""
        ...

    def bind(self, name: str, address: str, port: int, real: int) -> bool:
        """Note that something listens; False when something does already."""
        ...

    def unbind(self, name: str, address: str, port: int) -> None:
        """It listens no more."""
        ...

    def carried(self, real_port: int, name: str, to: str, port: int) -> None:
        """A connection from `name` comes in from `real_port`."""
        ...

    def who(self, real_port: int) -> tuple[str, int] | None:
        """Address and port that the other end of that connection is known by."""
        ...

    def over(self, real_port: int) -> None:
        """That connection has ended."""
        ...


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Gate:
    """Serves one interface, in the event loop that calls it."""

    def __init__(self, name: str, board: Board) -> None:
        self._name, self._board = name, board
        self._tickets: dict[int, tuple[_Streams, asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closed = False

    async def open(self, listener: socket.socket) -> None:
        """Begin to serve who connects to `listener`, which is the gate's from now on."""
        try:
            self._server = await asyncio.start_server(self._accept, sock=listener)
        except BaseException:  # cancelled half-way: asyncio has lost it
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
            raise
        if self._closed:
            self._server.close()

    async def close(self) -> None:
        """Serve no more, and cut what is carried. May come before `open` is done."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for (_, writer), timer in self._tickets.values():
            timer.cancel()
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            await self._serve((reader, writer))
        writer.close()

    async def _serve(self, here: _Streams) -> None:
        ticket = self._tickets.pop(here[1].get_extra_info("peername")[1], None)
        if ticket is not None:
            ticket[1].cancel()
            return await self._carry(here, ticket[0])
        first = await here[0].readexactly(1)
        if first == b"@":
            return await self._answer(here)
        return await self._proxy(first, here)

    # -- questions ------------------------------------------------------------------------------------

    async def _answer(self, here: _Streams) -> None:
        words = (await here[0].readline()).decode(errors="replace").split()
        questions: dict[str, Callable[..., Awaitable[None]]] = {
            "connect": self._connect,
            "bind": self._bind,
            "who": self._who,
            "resolve": self._resolve,
        }
        with contextlib.suppress(ValueError, TypeError):
            await questions[words[0]](here, *words[1:]) if words and words[0] in questions else None

    async def _connect(self, here: _Streams, address: str, port: str, source: str) -> None:
        way, there = await self._open(address, int(port))
        if there is not None and int(source):
            self._keep(int(source), there)
        elif there is not None:
            there[1].close()
        await _say(here, way.kind)

    def _keep(self, source: int, there: _Streams) -> None:
        """Hold the far side until the asker connects from the port `source`."""

        def expire() -> None:
            if self._tickets.pop(source, None):
                there[1].close()

        timer = asyncio.get_running_loop().call_later(_TICKET_SECONDS, expire)
        self._tickets[source] = (there, timer)

    async def _open(self, host: str, port: int) -> tuple[Way, _Streams | None]:
        way = self._board.way(self._name, host, port)
        if way.kind != "pass":
            return way, None
        far = socket.socket()
        far.setblocking(False)
        far.bind((_LOOPBACK, 0))
        own = far.getsockname()[1]
        self._board.carried(own, self._name, host, port)  # before anybody there can ask who it is
        try:
            connecting = asyncio.get_running_loop().sock_connect(far, (_LOOPBACK, way.port))
            await asyncio.wait_for(connecting, _CONNECT_SECONDS)
            return way, await asyncio.open_connection(sock=far)
        except (OSError, TimeoutError):
            self._board.over(own)
            far.close()
            return Way("refuse"), None

    async def _bind(self, here: _Streams, address: str, port: str, real: str) -> None:
        if not self._board.bind(self._name, address, int(port), int(real)):
            return await _say(here, "taken")
        try:
            await _say(here, "ok")
            await here[0].read()  # until the listener's process lets go
        finally:
            self._board.unbind(self._name, address, int(port))

    async def _who(self, here: _Streams, port: str) -> None:
        known = self._board.who(int(port))
        await _say(here, f"is {known[0]} {known[1]}" if known else "nobody")

    async def _resolve(self, here: _Streams, host: str) -> None:
        try:
            found = self._board.resolve(self._name, host)
        except LookupError:
            return await _silence(here)
        return await _say(here, f"is {found}" if found else "none")

    async def _carry(self, here: _Streams, there: _Streams) -> None:
        """Both ways until both have ended."""
        own = there[1].get_extra_info("sockname")[1]
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(here[0], there[1]))
                both.create_task(_pump(there[0], here[1]))
        finally:
            self._board.over(own)
            there[1].close()
            here[1].close()

    # -- HTTP -----------------------------------------------------------------------------------------

    async def _proxy(self, first: bytes, here: _Streams) -> None:
        head = first + await here[0].readuntil(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        match = re.fullmatch(rb"(\S+) (?:http://)?([^/\s]+)(/\S*)? (HTTP/1\.[01])", line)
        if match is None:
            return await _say(here, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        host, _, port = match[2].decode("latin-1").rpartition("@")[2].partition(":")
        way, there = await self._open(host, int(port or 80))
        if way.kind == "drop":
            return await _silence(here)
        if there is None:
            return await _say(here, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        if match[1] == b"CONNECT":
            await _say(here, "HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = match[3] or b"/"
            there[1].write(b"%s %s %s\r\n" % (match[1], path, match[4]) + _for_server(rest))
        return await self._carry(here, there)


def _for_server(rest: bytes) -> bytes:
    """The headers without those for the proxy; one request, then the connection closes."""
    lines = [
        each
        for each in rest.split(b"\r\n")
        if each and not each.lower().startswith((b"proxy-", b"connection:"))
    ]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


async def _say(here: _Streams, text: str) -> None:
    here[1].write(text.encode() if text.startswith("HTTP") else f"{text}\n".encode())
    await here[1].drain()


async def _silence(here: _Streams) -> None:
    """A dropped packet: nothing comes until the caller gives up."""
    while await here[0].read(_PIECE):
        pass


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
