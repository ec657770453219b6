"""Talking to the kernel's network through netlink: links, addresses and routes, without any program.

What belongs here: the message format, the conversation, and typed helpers for the few requests that
the router needs. What does not: what the network looks like (router.py) and packet rules (nftables.py).
Runs in the warm parent: the standard library alone, and nothing here waits.
"""

import errno
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

# <linux/netlink.h>
ROUTE_PROTOCOL, NETFILTER_PROTOCOL = 0, 12
ERROR_TYPE = 2
REQUEST, ACKNOWLEDGE = 0x1, 0x4
REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800
NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_DATAGRAM_LIMIT = 1 << 20

# <linux/rtnetlink.h>, <linux/if_link.h>
NEW_LINK, GET_LINK, NEW_ADDRESS, NEW_ROUTE, DELETE_ROUTE = 16, 18, 20, 24, 25
_UNICAST, _LOCAL, _BLACKHOLE = 1, 2, 6
_MAIN_TABLE, _LOCAL_TABLE, _STATIC = 254, 255, 4
_SCOPE_UNIVERSE, _SCOPE_LINK, _SCOPE_HOST = 0, 253, 254
_NEXT_HOP_ON_LINK = 4
_ADDRESS_WITHOUT_ROUTE = 0x200
_UP = 1

#: the loopback device's index, in every network namespace
LOOPBACK_INDEX = 1


@dataclass(frozen=True)
class Message:
    """One request to the kernel; `label` says in an error what was asked for."""

    type: int
    flags: int
    body: bytes
    label: str


def attribute(kind: int, *parts: bytes | str) -> bytes:
    """One netlink attribute: length, type, the parts in a row (text ends with a zero), padding."""
    value = b"".join(part.encode() + b"\0" if isinstance(part, str) else part for part in parts)
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute that is a number of 32 bits, as nf_tables takes it."""
    return attribute(kind, struct.pack(">i", value))


class Conversation:
    """A netlink socket: it speaks to the network namespace in which it was made, from anywhere."""

    def __init__(self, protocol: int) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _DATAGRAM_LIMIT)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def talk(self, messages: Sequence[Message], *, acknowledged: int = -1) -> None:
        """Send `messages` in one datagram; the kernel has carried them out when this returns.

        Only the message at index `acknowledged` asks for an answer (the kernel reports every error
        anyway). Raises OSError with the kernel's reason and the label of the first refused message.
        """
        sent = {self._next(): message for message in messages}
        last = list(sent)[acknowledged]
        datagram = b"".join(_pack(n, m, ACKNOWLEDGE if n == last else 0) for n, m in sent.items())
        try:
            self._socket.sendto(datagram, (0, 0))
        except OSError as error:
            raise OSError(error.errno, f"{os.strerror(error.errno or 0)} ({messages[0].label}, …)") from error
        answers = self._answers()
        for sequence, code in answers.items():
            if code and sequence in sent:
                raise OSError(code, f"{os.strerror(code)} ({sent[sequence].label})")
        if last not in answers:
            raise OSError(errno.EPROTO, f"the kernel gave no answer ({sent[last].label})")

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return self._sequence

    def _answers(self) -> dict[int, int]:
        """Sequence number → error code, of all that has been answered: netlink answers while we send."""
        found: dict[int, int] = {}
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return found
            found.update(_errors_in(data))


def _pack(sequence: int, message: Message, flags: int) -> bytes:
    length = _HEADER.size + len(message.body)
    header = _HEADER.pack(length, message.type, message.flags | REQUEST | flags, sequence, 0)
    return header + message.body


def _errors_in(data: bytes) -> dict[int, int]:
    found: dict[int, int] = {}
    while len(data) >= _HEADER.size:
        length, kind, _, sequence, _ = _HEADER.unpack_from(data)
        if kind == ERROR_TYPE:
            found[sequence] = -int(struct.unpack_from("=i", data, _HEADER.size)[0])
        data = data[(length + 3) & ~3 :]
    return found


def ipv4(address: str) -> bytes:
    """The four bytes of an IPv4 address. Raises OSError when `address` is none."""
    return socket.inet_pton(socket.AF_INET, address)


def _u32(number: int) -> bytes:
    return struct.pack("=I", number)


def _link_body(index: int, *, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


@dataclass(frozen=True)
class End:
    """One end of a pair of virtual Ethernet devices."""

    name: str
    index: int


def add_veth(near: End, far: End, far_namespace: int) -> Message:
    """Make a pair of devices: `near` in this namespace, `far` in the one of the descriptor."""
    peer = _link_body(far.index) + attribute(3, far.name) + attribute(28, _u32(far_namespace))
    kind = attribute(18, attribute(1, "veth"), attribute(2, attribute(1, peer)))
    body = _link_body(near.index) + attribute(3, near.name) + kind
    return Message(NEW_LINK, CREATE | EXCLUSIVE, body, f"make device {near.name}")


def set_up(index: int) -> Message:
    """Switch a device on."""
    return Message(NEW_LINK, 0, _link_body(index, flags=_UP), f"switch device {index} on")


def settle(index: int) -> Message:
    """Have the kernel act on a device's new carrier now, not when its link watch comes round.

    Until then what is sent through the device is lost, and the sender tries again a second later.
    """
    return Message(GET_LINK, 0, _link_body(index), f"ask for device {index}")


def add_address(index: int, address: str, prefix_length: int) -> Message:
    """Give a device an address; no route follows from the prefix (noprefixroute)."""
    header = struct.pack("=BBBBI", socket.AF_INET, prefix_length, 0, _SCOPE_UNIVERSE, index)
    value = ipv4(address)
    body = header + attribute(2, value) + attribute(1, value) + attribute(8, _u32(_ADDRESS_WITHOUT_ROUTE))
    return Message(NEW_ADDRESS, CREATE | EXCLUSIVE, body, f"add address {address}/{prefix_length}")


def _route_body(network: str, prefix: int, *, scope: int, kind: int, flags: int = 0) -> bytes:
    header = struct.pack("=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, _MAIN_TABLE, _STATIC, scope, kind, flags)
    return header + (attribute(1, ipv4(network)) if prefix else b"")


def add_route(network: str, prefix: int, index: int, *, gateway: str = "", replace: bool = False) -> Message:
    """Send packets for network/prefix through a device, by a neighbour's address if one is given."""
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    body = _route_body(network, prefix, scope=scope, kind=_UNICAST, flags=_NEXT_HOP_ON_LINK if gateway else 0)
    body += (attribute(5, ipv4(gateway)) if gateway else b"") + attribute(4, _u32(index))
    return Message(NEW_ROUTE, CREATE | (REPLACE if replace else EXCLUSIVE), body, f"route {network}/{prefix}")


def add_local(network: str, prefix: int) -> Message:
    """Take every address of network/prefix for one of this namespace's own."""
    header = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, _LOCAL_TABLE, _STATIC, _SCOPE_HOST, _LOCAL, 0
    )
    body = header + attribute(1, ipv4(network)) + attribute(4, _u32(LOOPBACK_INDEX))
    return Message(NEW_ROUTE, CREATE | EXCLUSIVE, body, f"local network {network}/{prefix}")


def remove_route(network: str, prefix: int) -> Message:
    """Forget the route for network/prefix. Raises ESRCH from `talk` where there is none."""
    body = _route_body(network, prefix, scope=255, kind=0)
    return Message(DELETE_ROUTE, 0, body, f"remove route {network}/{prefix}")


def add_blackhole() -> Message:
    """Drop silently what no other route takes: on AWS such a packet is lost, never answered.

    It ranks behind any other default route.
    """
    body = _route_body("0.0.0.0", 0, scope=_SCOPE_UNIVERSE, kind=_BLACKHOLE) + attribute(6, _u32(1 << 20))
    return Message(NEW_ROUTE, CREATE | EXCLUSIVE, body, "drop what has no route")
