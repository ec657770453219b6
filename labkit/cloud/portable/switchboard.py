"""Who listens where in the portable network, and the ports of this machine that stand for it.

It answers the calls that labkit.cloud.network.fabric makes to the routers of the namespaces tier, so
that the fabric's own books (addresses, groups, routes) are the same. Rules need no enforcing here: each
connection is decided when it is made.

What belongs here: interfaces, their gates and their listeners. What does not: carrying (gate.py), and the
decision itself, which is passed in.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from labkit.cloud.portable.gate import Gate, Way
from labkit.sandbox.portable.inside.world import Network

_LOOPBACK = "127.0.0.1"
_EVERY = "0.0.0.0"
_T = TypeVar("_T")
#: decides a connection: (from interface, to address, port) → (whether it arrives, the interface there)
Decision = Callable[[str, str, int], tuple[bool, str]]
Place = Callable[[str, Network | None], None]
#: (who asks, name) → its address, None where there is no such name; raises LookupError to be silent
Lookup = Callable[[str, str], str | None]


def no_names(asker: str, name: str) -> str | None:
    """Where nobody answers names."""
    raise LookupError(asker)


@dataclass
class _Interface:
    """One interface: its address, its gate, and what listens there (address, port) → real port."""

    address: str
    gate: Gate
    direct: Mapping[tuple[str, int], int]
    bound: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    """A connection under way: who made it, the address it shows, the address that was called."""

    name: str
    source: str
    called: str


class Switchboard:
    """The interfaces, in an event loop of their own. `place` tells the sandboxes of each network."""

    def __init__(self, place: Place, decide: Decision) -> None:
        """`lookup` may be set later: it answers names."""
        self._place, self._decide = place, decide
        self.lookup: Lookup = no_names
        self._interfaces: dict[str, _Interface] = {}
        self._callers: dict[int, _Call] = {}
        self._closed = _closed_port()
        self._hole, self._held = _hole()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="portable network", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End everything."""
        for name in list(self._interfaces):
            self.detach(name)
        self._run(_finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for each in (self._closed, self._hole, *self._held):
            each.close()

    def __call__(self, operation: str, /, **arguments: Any) -> list[socket.socket]:
        """A call that the fabric makes to its routers; those about rules have nothing to do here."""
        if operation == "attach":
            return self.attach(**arguments)
        if operation == "detach":
            self.detach(**arguments)
        return []

    def attach(
        self,
        *,
        name: str,
        address: str,
        loopback: Sequence[str] = (),
        listen: Sequence[Sequence[Any]] = (),
        **_: object,
    ) -> list[socket.socket]:
        """Make the interface; returns sockets that listen for it, one for each of `listen`."""
        sockets, entrance = [_listener() for _ in listen], _listener()
        real = {(str(p[0]), int(p[1])): s.getsockname()[1] for p, s in zip(listen, sockets, strict=True)}
        gate, port = Gate(name, self), entrance.getsockname()[1]
        self._soon(gate.open(entrance))
        bound = {place: real_port for place, real_port in real.items() if place[0] in (address, _EVERY)}
        self._interfaces[name] = _Interface(address, gate, real, bound)
        direct = {f"{host}:{number}": real_port for (host, number), real_port in real.items()}
        closed, hole = self._closed.getsockname()[1], self._hole.getsockname()[1]
        self._place(name, Network(address, port, closed, hole, direct))
        return sockets

    def detach(self, name: str) -> None:
        """Take it away; its connections are cut."""
        interface = self._interfaces.pop(name, None)
        if interface is not None:
            self._place(name, None)
            self._soon(interface.gate.close())

    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket:
        """A connection as from inside `name`. Raises TimeoutError and ConnectionRefusedError."""
        way = self.way(name, address, port)
        real = {"pass": way.port, "refuse": self._closed.getsockname()[1]}
        made = socket.socket()
        made.settimeout(timeout)
        try:
            made.connect((_LOOPBACK, real.get(way.kind, self._hole.getsockname()[1])))
        except BaseException:
            made.close()
            raise
        self.carried(made.getsockname()[1], name, address, port)
        return made

    # -- what gates ask -----------------------------------------------------------------------------------

    def way(self, name: str, host: str, port: int) -> Way:
        """See gate.Board."""
        own = self._interfaces.get(name)
        if own is None:
            return Way("drop")
        address = self._address(name, own, host)
        if not address:
            return Way("refuse")
        if (address, port) in own.direct:
            return Way("pass", own.direct[address, port])
        if address.startswith("127.") or address == own.address:
            return _listening(own, address, port)
        try:
            arrives, there = self._decide(name, address, port)
        except ValueError:
            return Way("drop")
        receiver = self._interfaces.get(there)
        if not arrives or receiver is None:
            return Way("drop")
        return _listening(receiver, receiver.address, port)

    def _address(self, name: str, own: _Interface, host: str) -> str:
        if host in ("localhost", _EVERY):
            return _LOOPBACK
        if host.replace(".", "").isdigit() or ":" in host:
            return host
        try:
            return self.resolve(name, host) or ""
        except LookupError:
            return ""

    def resolve(self, name: str, host: str) -> str | None:
        """See gate.Board."""
        own = self._interfaces.get(name)
        if own is not None and host.partition(".")[0] == f"ip-{own.address.replace('.', '-')}":
            return own.address
        return self.lookup(name, host)

    def bind(self, name: str, address: str, port: int, real: int) -> bool:
        """See gate.Board."""
        own = self._interfaces.get(name)
        if own is None:
            return False
        same = [place for place in (*own.bound, *own.direct) if place[1] == port]
        if any(address == place[0] or _EVERY in (address, place[0]) for place in same):
            return False
        own.bound[address, port] = real
        return True

    def unbind(self, name: str, address: str, port: int) -> None:
        """See gate.Board."""
        own = self._interfaces.get(name)
        if own is not None:
            own.bound.pop((address, port), None)

    def listening(self, name: str) -> dict[int, int]:
        """Real port → the port that a program behind `name` asked for."""
        own = self._interfaces.get(name)
        return {real: port for (_, port), real in own.bound.copy().items()} if own else {}

    def carried(self, real_port: int, name: str, to: str, port: int) -> None:
        """See gate.Board. Inside one host the other end is where it was called."""
        own = self._interfaces.get(name)
        if own is not None:
            source = to if to.startswith("127.") else own.address
            self._callers[real_port] = _Call(name, source, self._address(name, own, to))

    def who(self, real_port: int) -> tuple[str, int] | None:
        """See gate.Board."""
        call = self._callers.get(real_port)
        return (call.source, real_port) if call else None

    def called_from(self, real_port: int) -> tuple[str, str]:
        """The interface behind a connection that comes in from that port, and the address it called."""
        call = self._callers.get(real_port)
        return (call.name, call.called) if call else ("", "")

    def over(self, real_port: int) -> None:
        """See gate.Board."""
        self._callers.pop(real_port, None)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it done in the loop. Nobody may wait for it with a lock that the loop needs to decide."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _listening(interface: _Interface, address: str, port: int) -> Way:
    real = interface.bound.get((address, port)) or interface.bound.get((_EVERY, port))
    return Way("pass", real) if real else Way("refuse")


def _listener() -> socket.socket:
    made = socket.socket()
    made.bind((_LOOPBACK, 0))
    made.listen(128)
    return made


def _closed_port() -> socket.socket:
    """A port that is ours and on which nobody listens: connecting is refused."""
    made = socket.socket()
    made.bind((_LOOPBACK, 0))
    return made


def _hole() -> tuple[socket.socket, list[socket.socket]]:
    """A port whose queue is full, so that the kernel drops who knocks; and the sockets that fill it."""
    made = socket.socket()
    made.bind((_LOOPBACK, 0))
    made.listen(0)
    held = []
    for _ in range(3):
        knock = socket.socket()
        knock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            knock.connect(made.getsockname())
        held.append(knock)
    return made, held


async def _finish() -> None:
    """Let what was cancelled end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
