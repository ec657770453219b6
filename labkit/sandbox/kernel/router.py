"""The network between sandboxes: routers, interfaces with real addresses, and an internet.

What belongs here: network namespaces and what the kernel is told about them. What does not: which
packets may pass (labkit.cloud.network decides; here arrives a rule set) and anything that waits. Runs
in the warm parent, which owns a user namespace: no root is needed, and the standard library is enough.

    [instance]          [instance]            [function]         [host outside]
     eth0 │ 10.0.1.23      │ 10.0.1.24           │ 10.0.1.7          │ 203.0.113.10
          └────────[router vpc-a]────────    [router vpc-b]           │
                         up │                     up │                │
                            └────────────────[internet]───────────────┘

Every interface has a link of its own to its router, even inside one subnet: there is no bridge, so each
packet passes the router's forward hook. A router owns nothing and says nothing: what it does not forward
is lost, as on AWS. Two routers may hold the same private addresses; only public ones leave a router.
"""

import itertools
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from labkit.sandbox.kernel import netlink, nftables
from labkit.sandbox.kernel.expressions import UPLINK
from labkit.sandbox.kernel.namespaces import (
    datagrams_here,
    inside_network_namespace,
    listen_here,
    new_network_namespace,
    set_up_loopback,
)
from labkit.sandbox.kernel.netlink import Conversation, End
from labkit.sandbox.kernel.nftables import Change, RuleSet

#: the router that joins all others and the hosts outside; always open
INTERNET = "internet"

_INTERNET_END, _ROUTER_END = "169.254.0.1", "169.254.0.2"
_FAR_DEVICE = 1000  # the kernel may have put devices of its own on the low numbers
_HOST = 32
_LINK_LOCAL = "169.254."
_ASIDE = 40_000

T = TypeVar("T")


@dataclass
class _Router:
    namespace: int
    links: Conversation
    filter: Conversation
    device: int  # its link, as a device of the internet's namespace; 0 for the internet itself
    public: dict[str, str] = field(default_factory=dict)  # private → public address
    carriers: dict[str, str] = field(default_factory=dict)  # private → carrier address
    shared: set[str] = field(default_factory=set)  # addresses of NAT gateways

    def change_rules(self, messages: Sequence[netlink.Message]) -> None:
        self.filter.talk(nftables.transaction(messages), acknowledged=-2)

    def close(self) -> None:
        self.links.close()
        self.filter.close()
        os.close(self.namespace)


@dataclass(frozen=True)
class _Interface:
    namespace: int
    router: str
    address: str
    networks: Sequence[tuple[str, int]] = ()


class Network:
    """All routers and interfaces. Every method may raise OSError, with what the kernel refused and why.

    An unknown router or interface is a LookupError. Arguments are plain JSON values.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(_FAR_DEVICE + 1)
        self._interfaces: dict[str, _Interface] = {}
        self._internet = _make_router(device=0)
        self._internet.links.talk([netlink.add_blackhole()])
        self._routers = {INTERNET: self._internet}

    # --- routers -------------------------------------------------------------------------------------

    def open_router(self, router: str, carried: str = "") -> None:
        """Make a router, joined to the internet; it forwards nothing until set_rules.

        In the network `carried` ("" is none) callers are known by their carrier addresses.
        """
        if router in self._routers:
            raise FileExistsError(f"there is a router {router} already")
        number = next(self._numbers)
        made = _make_router(device=number, carried=carried)
        try:
            self._join(made, number)
            made.change_rules(nftables.replace_rules(_NOTHING_PASSES))
        except OSError:
            made.close()
            raise
        self._routers[router] = made

    def close_router(self, router: str) -> None:
        """Remove a router with its interfaces and public addresses."""
        for name in [n for n, i in self._interfaces.items() if i.router == router]:
            self.detach(name)
        found = self._router(router)
        for private in list(found.public):
            self.set_public(router, private, None)
        for private in list(found.carriers):
            self.set_carrier(router, private, None)
        self.set_shared(router, [])
        self._routers.pop(router).close()

    def set_rules(self, router: str, rules: RuleSet) -> None:
        """Put `rules` in force, at once and as a whole. Connections that stand are tracked on."""
        self._router(router).change_rules(nftables.replace_rules(rules))

    def set_members(self, router: str, changes: Mapping[str, Change]) -> None:
        """Change which addresses are in the rules' sets, all at once."""
        messages = nftables.change_members(changes)
        if messages:
            self._router(router).change_rules(messages)

    def set_public(self, router: str, private: str, public: str | None) -> None:
        """Give a private address a public one, as AWS's internet gateway translates it, or take it away."""
        found = self._router(router)
        if found.public.get(private) == public:
            return
        old = found.public.pop(private, None)
        changes = nftables.unmap_public(private, old) if old else []
        changes += nftables.map_public(private, public) if public else []
        if changes:
            found.change_rules(changes)
        if old:
            self._internet.links.talk([netlink.remove_route(old, _HOST)])
        if public:
            self._lead(public, found)
            found.public[private] = public

    def set_carrier(self, router: str, private: str, carrier: str | None) -> None:
        """Say by which address AWS's endpoints know the one that has a private address, or take it away."""
        found = self._router(router)
        old = found.carriers.pop(private, None)
        if old:
            found.change_rules(nftables.unmap_carrier(private))
            self._internet.links.talk([netlink.remove_route(old, _HOST)])
        if carrier:
            found.change_rules(nftables.map_carrier(private, carrier))
            self._lead(carrier, found)
            found.carriers[private] = carrier

    def set_shared(self, router: str, addresses: Sequence[str]) -> None:
        """Have answers to these addresses, and no others of NAT gateways, come back to the router."""
        found = self._router(router)
        for address in found.shared - set(addresses):
            self._internet.links.talk([netlink.remove_route(address, _HOST)])
        for address in set(addresses) - found.shared:
            self._lead(address, found)
        found.shared = set(addresses)

    def _lead(self, address: str, router: _Router) -> None:
        """Lead an address outside to a router."""
        route = netlink.add_route(address, _HOST, router.device, gateway=_ROUTER_END)
        self._internet.links.talk([route])

    # --- interfaces ----------------------------------------------------------------------------------

    def attach(
        self,
        name: str,
        router: str,
        address: str,
        prefix_length: int,
        gateway: str,
        loopback: Sequence[str] = (),
        listen: Sequence[tuple[str, int]] = (),
        datagrams: Sequence[tuple[str, int]] = (),
        networks: Sequence[tuple[str, int]] = (),
    ) -> list[socket.socket]:
        """Make an interface in a namespace of its own; returns a listening socket for each of `listen`,
        then a UDP socket for each of `datagrams`.

        `loopback` are addresses of its loopback device, beside 127.0.0.1; all addresses of `networks`
        (address, prefix length) are its own as well. Any port may be bound inside, also on all addresses: what
        listens on a link-local one (the metadata service's port 80) stands in no program's way.
        """
        if name in self._interfaces:
            raise FileExistsError(f"there is an interface {name} already")
        links, number = self._router(router).links, next(self._numbers)
        uplink = [
            netlink.set_up(number),
            netlink.add_address(number, gateway, _HOST),
            netlink.add_route(address, _HOST, number),
            *(netlink.add_route(network, prefix, number) for network, prefix in networks),
        ]

        def equip(namespace: int) -> list[socket.socket]:
            set_up_loopback(loopback)
            near, far = End(f"v{number}", number), End("eth0", _FAR_DEVICE)
            links.talk([netlink.add_veth(near, far, namespace), *uplink])
            _configure(_FAR_DEVICE, address, prefix_length, gateway, networks)
            links.talk([netlink.settle(number)])
            return [*listen_here([_aside(place) for place in listen]), *datagrams_here(datagrams)]

        namespace, sockets = _in_new_namespace(equip)
        self._interfaces[name] = _Interface(namespace, router, address, networks)
        return sockets

    def detach(self, name: str) -> None:
        """Cut an interface off. Its namespace goes when the last process and socket in it are gone."""
        interface = self._interface(name)
        ways = [(interface.address, _HOST), *interface.networks]
        routes = [netlink.remove_route(network, prefix) for network, prefix in ways]
        self._router(interface.router).links.talk(routes)
        del self._interfaces[name]
        os.close(interface.namespace)

    def namespace_of(self, name: str) -> int:
        """The descriptor of an interface's network namespace; it stays ours."""
        return self._interface(name).namespace

    def socket(self, name: str) -> list[socket.socket]:
        """A TCP socket, not yet connected, that lives in an interface's namespace."""
        namespace = self._interface(name).namespace
        return [
            inside_network_namespace(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        ]

    # --- inside --------------------------------------------------------------------------------------

    def _router(self, name: str) -> _Router:
        if name not in self._routers:
            raise LookupError(f"there is no router {name}")
        return self._routers[name]

    def _interface(self, name: str) -> _Interface:
        if name not in self._interfaces:
            raise LookupError(f"there is no interface {name}")
        return self._interfaces[name]

    def _join(self, router: _Router, number: int) -> None:
        """Link a new router to the internet."""
        near, far = End(f"r{number}", number), End(UPLINK, _FAR_DEVICE)
        self._internet.links.talk(
            [
                netlink.add_veth(near, far, router.namespace),
                netlink.set_up(number),
                netlink.add_address(number, _INTERNET_END, _HOST),
            ]
        )
        router.links.talk(
            [
                netlink.set_up(_FAR_DEVICE),
                netlink.add_address(_FAR_DEVICE, _ROUTER_END, _HOST),
                netlink.add_route("0.0.0.0", 0, _FAR_DEVICE, gateway=_INTERNET_END),
            ]
        )
        self._internet.links.talk([netlink.settle(number)])


def _aside(place: tuple[str, int]) -> tuple[str, int]:
    """Where to listen for `place` in the current namespace, whose packets to it are led there."""
    address, port = place
    if not address.startswith(_LINK_LOCAL):
        return place
    rules = Conversation(netlink.NETFILTER_PROTOCOL)
    try:
        messages = nftables.transaction(nftables.moved(address, port, port + _ASIDE))
        rules.talk(messages, acknowledged=-2)
    finally:
        rules.close()
    return address, port + _ASIDE


_NOTHING_PASSES: RuleSet = {
    "sets": {},
    "chains": [{"name": "nothing", "priority": 0, "policy": "drop", "rules": []}],
}


def _in_new_namespace(equip: Callable[[int], T]) -> tuple[int, T]:
    """Make a network namespace and run `equip(its descriptor)` inside; returns both."""
    namespace = new_network_namespace()
    try:
        return namespace, inside_network_namespace(namespace, lambda: equip(namespace))
    except BaseException:
        os.close(namespace)
        raise


def _make_router(*, device: int, carried: str = "") -> _Router:
    def equip(namespace: int) -> _Router:
        _write_setting("ip_forward", "1")
        # No interface sends with another's address; all links of the internet share one pair of them.
        for scope in ("all", "default"):
            _write_setting(f"conf/{scope}/rp_filter", "1" if device else "0")
        links = Conversation(netlink.ROUTE_PROTOCOL)
        return _Router(namespace, links, Conversation(netlink.NETFILTER_PROTOCOL), device)

    made = _in_new_namespace(equip)[1]
    made.change_rules(nftables.plumbing(uplink=device != 0, carried=carried))
    return made


def _write_setting(name: str, value: str) -> None:
    """Write a setting of the current network namespace."""
    with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
        file.write(value)


def _configure(
    device: int, address: str, prefix_length: int, gateway: str, networks: Sequence[tuple[str, int]]
) -> None:
    """In an interface's namespace: give its device the address; everything leaves by the gateway."""
    links = Conversation(netlink.ROUTE_PROTOCOL)
    try:
        links.talk(
            [
                netlink.set_up(device),
                netlink.add_address(device, address, prefix_length),
                netlink.add_route("0.0.0.0", 0, device, gateway=gateway),
                *(netlink.add_local(network, prefix) for network, prefix in networks),
            ]
        )
    finally:
        links.close()
