"""Makes this Python process's TCP connections those of the sandbox's network, on one loopback device.

A question to the gate before each connect says where it really leads: to the gate, which carries it to
whoever it is for, to a port that refuses, or to one that never answers. So time-outs and refusals are the
kernel's own. Which connection is which, the gate knows by the port it comes from.

What belongs here: replacing, once, the functions of socket. What does not: deciding (the gate does).
Runs inside: standard library only.
"""

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from .world import Network

_LOOPBACK = "127.0.0.1"
_EVERY = ("", "0.0.0.0", "::")
_LOCAL = (_LOOPBACK, "localhost", "::1")
_PATIENCE = 10.0
#: as long as glibc asks with "timeout:2 attempts:2"
_RESOLVER_SECONDS = 4.0
_BLANKS = frozenset(" \t\r\n")
_KIND = 0xF


def install(network: Network, hostname: str, real: Callable[[str], str]) -> None:
    """From here on, for the life of this process. `real`: where a path really lies (Unix sockets have one)."""
    _Sockets(network, hostname, real).install()


class _Gate:
    """Questions to the gate, each on a connection of its own: they survive forks."""

    def __init__(self, port: int, connect: Callable[..., None]) -> None:
        self._port, self._connect = port, connect

    def ask(self, *words: object, patience: float = _PATIENCE) -> list[str]:
        """The words of the answer; "drop" when nobody answers."""
        connection, answer = self.open(*words, patience=patience)
        if connection is not None:
            connection.close()
        return answer

    def open(self, *words: object, patience: float = _PATIENCE) -> tuple[socket.socket | None, list[str]]:
        """As `ask`, and the connection: what was answered holds as long as it is open."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.settimeout(patience)
            self._connect(connection, (_LOOPBACK, self._port))
            connection.sendall(("@" + " ".join(map(str, words)) + "\n").encode())
            answer = connection.recv(1000).decode().split()
        except OSError:
            connection.close()
            return None, ["drop"]
        return connection, answer or ["drop"]


class _Sockets:
    """The replaced functions, and what is known of this process's sockets (by descriptor)."""

    def __init__(self, network: Network, hostname: str, real: Callable[[str], str]) -> None:
        self._network, self._hostname, self._real = network, hostname, real
        kind = socket.socket
        self._connect, self._connect_ex, self._bind = kind.connect, kind.connect_ex, kind.bind
        self._getsockname, self._getpeername = kind.getsockname, kind.getpeername
        self._accept, self._real_close = kind.accept, kind._real_close  # type: ignore[attr-defined]
        self._sendto, self._getaddrinfo, self._init = kind.sendto, socket.getaddrinfo, kind.__init__
        self._gate = _Gate(network.gate, self._connect)
        self._names: dict[int, tuple[Any, ...]] = {}
        self._peers: dict[int, tuple[Any, ...]] = {}
        self._bound: dict[int, socket.socket] = {}
        self._stand_ins: set[int] = set()

    def install(self) -> None:
        """Replace what connects, listens, and tells addresses."""
        kind: Any = socket.socket
        for name in ("connect", "connect_ex", "bind", "getsockname", "getpeername", "accept", "sendto"):
            method = getattr(self, name)
            setattr(kind, name, _as_method(method))
        kind.__init__, kind._real_close = _as_method(self.make), _as_method(self.close)
        socket.getaddrinfo = self.getaddrinfo
        socket.gethostname = lambda: self._hostname
        socket.gethostbyname = lambda name: self.getaddrinfo(name, 0)[0][4][0]

    def make(
        self, sock: socket.socket, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None
    ) -> None:
        """As socket.socket. Where the sandbox refuses datagram sockets, one that sends nothing stands in."""
        try:
            self._init(sock, family, type, proto, fileno)
        except PermissionError:
            if fileno is not None or type & _KIND != socket.SOCK_DGRAM:
                raise
            self._init(sock, family, socket.SOCK_STREAM)
            self._stand_ins.add(sock.fileno())

    # -- connecting -----------------------------------------------------------------------------------

    def connect(self, sock: socket.socket, address: Any) -> None:
        """As socket.connect."""
        if not _is_ours(sock):
            return self._connect(sock, self._place(address))
        if self._is_datagram(sock):
            return self._pretend_datagram(sock, address)
        real = self._prepared(sock, address)
        return self._connect(sock, real)

    def connect_ex(self, sock: socket.socket, address: Any) -> int:
        """As socket.connect_ex."""
        if not _is_ours(sock):
            return self._connect_ex(sock, self._place(address))
        if self._is_datagram(sock):
            self._pretend_datagram(sock, address)
            return 0
        try:
            real = self._prepared(sock, address)
        except OSError as error:
            return error.errno or errno.EINVAL
        return self._connect_ex(sock, real)

    def _place(self, address: Any) -> Any:
        """A Unix socket's path made real; abstract names and other families as they are."""
        return self._real(address) if isinstance(address, str) else address

    def _prepared(self, sock: socket.socket, address: Any) -> Any:
        """Where to connect to instead; the gate is told of it."""
        host, port = self._numeric(address[0], sock.family), address[1]
        self._forget(sock.fileno())
        self._peers[sock.fileno()] = (host, port)
        real = self._network.direct.get(f"{host}:{port}")
        return _loopback(sock, real or self._route(sock, host, port))

    def _route(self, sock: socket.socket, host: str, port: int) -> int:
        if not self._network.gate:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        if self._getsockname(sock)[1] == 0:
            self._bind(sock, _loopback(sock, 0))
        answer = self._gate.ask("connect", host, port, self._getsockname(sock)[1])
        ways = {"pass": self._network.gate, "refuse": self._network.closed}
        return ways.get(answer[0], self._network.hole)

    def _numeric(self, host: str, family: int) -> str:
        if host in _EVERY:
            return _LOOPBACK
        found = self.getaddrinfo(host, 0, family)
        return str(found[0][4][0])

    def _pretend_datagram(self, sock: socket.socket, address: Any) -> None:
        """Nothing is sent by connecting one; programs do it to learn their own address."""
        self._peers[sock.fileno()] = tuple(address)
        self._names[sock.fileno()] = (self._network.address or _LOOPBACK, 0)

    def _is_datagram(self, sock: socket.socket) -> bool:
        return sock.fileno() in self._stand_ins or sock.type & _KIND != socket.SOCK_STREAM

    def sendto(self, sock: socket.socket, data: Any, *rest: Any) -> int:
        """As socket.sendto: no datagram leaves."""
        if _is_ours(sock) and self._is_datagram(sock):
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return self._sendto(sock, data, *rest[:-1], *map(self._place, rest[-1:]))

    # -- listening ------------------------------------------------------------------------------------

    def bind(self, sock: socket.socket, address: Any) -> None:
        """As socket.bind: on another port than asked for, which the gate learns."""
        if not _is_ours(sock) or self._is_datagram(sock) or not self._network.gate:
            return self._bind(sock, _loopback(sock, 0) if _is_ours(sock) else self._place(address))
        host = self._bindable(address[0])
        self._bind(sock, _loopback(sock, 0))
        real = self._getsockname(sock)[1]
        port = address[1] or real
        held, answer = self._gate.open("bind", host, port, real)
        if answer[0] != "ok" or held is None:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._forget(sock.fileno())
        self._bound[sock.fileno()] = held
        self._names[sock.fileno()] = (host, port)
        return None

    def _bindable(self, host: str) -> str:
        """The address to listen on. Raises OSError when it is not one of the sandbox's."""
        if host in _EVERY or host == "0":
            return "0.0.0.0"
        if host in _LOCAL:
            return _LOOPBACK
        if host in (self._network.address, self._hostname):
            return self._network.address
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    def accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """As socket.accept; the gate knows who it is."""
        made, peer = self._accept(sock)
        if not _is_ours(sock):
            return made, peer
        self._forget(made.fileno())
        answer = self._gate.ask("who", peer[1]) if self._network.gate else ["drop"]
        if len(answer) == 3:
            peer = (answer[1], int(answer[2]))
        self._peers[made.fileno()] = peer
        if sock.fileno() in self._names:
            self._names[made.fileno()] = self._names[sock.fileno()]
        return made, peer

    # -- telling --------------------------------------------------------------------------------------

    def getsockname(self, sock: socket.socket) -> Any:
        """As socket.getsockname."""
        name = self._names.get(sock.fileno())
        return _address(sock, name) if name else self._getsockname(sock)

    def getpeername(self, sock: socket.socket) -> Any:
        """As socket.getpeername."""
        real = self._getpeername(sock)
        peer = self._peers.get(sock.fileno())
        return _address(sock, peer) if peer and _is_ours(sock) else real

    def close(self, sock: socket.socket, *rest: Any) -> None:
        """As socket's own way of closing, which ends what the gate knows of a listening port."""
        self._forget(sock.fileno())
        self._real_close(sock, *rest)

    def _forget(self, descriptor: int) -> None:
        self._names.pop(descriptor, None)
        self._peers.pop(descriptor, None)
        self._stand_ins.discard(descriptor)
        held = self._bound.pop(descriptor, None)
        if held is not None:
            held.close()

    # -- names ----------------------------------------------------------------------------------------

    def getaddrinfo(self, host: Any, port: Any, family: int = 0, *rest: Any, **options: Any) -> Any:
        """As socket.getaddrinfo, with the names in /etc/hosts and those that the network's resolver has."""
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _is_numeric(name):
            name = _hosts().get(name.lower().rstrip(".")) or self._resolved(name)
        return self._getaddrinfo(name, port, family, *rest, **options)

    def _resolved(self, name: str) -> str:
        """The address of a name. Raises gaierror, after a while where no resolver answers."""
        answer = ["none"]
        if self._network.gate and not set(name) & _BLANKS:
            answer = self._gate.ask("resolve", name.lower(), patience=_RESOLVER_SECONDS)
        if answer[0] == "is":
            return answer[1]
        if answer[0] == "none":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def _as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda sock, *arguments, **options: function(sock, *arguments, **options)


def _is_ours(sock: socket.socket) -> bool:
    return sock.family in (socket.AF_INET, socket.AF_INET6)


def _loopback(sock: socket.socket, port: int) -> tuple[Any, ...]:
    if sock.family == socket.AF_INET:
        return (_LOOPBACK, port)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return (f"::ffff:{_LOOPBACK}", port)


def _address(sock: socket.socket, pair: tuple[Any, ...]) -> tuple[Any, ...]:
    """As the socket's family writes it."""
    if sock.family == socket.AF_INET:
        return (str(pair[0]), pair[1])
    return (f"::ffff:{pair[0]}" if ":" not in str(pair[0]) else pair[0], pair[1], 0, 0)


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return host.replace(".", "").isdigit()


def _hosts() -> dict[str, str]:
    """The names in /etc/hosts, and localhost."""
    found = {"localhost": _LOOPBACK}
    try:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as file:
            for line in file:
                address, *names = line.partition("#")[0].split() or [""]
                found.update((name.lower(), address) for name in names)
    except OSError:
        return found
    return found
