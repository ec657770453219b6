"""The network that processes are attached to: the model, kept in force in the sandbox's routers.

What belongs here: bringing what is applied in line with what the API says, and interfaces coming and
going. What does not: deciding (decision.py), rules (compile.py), the kernel (labkit.sandbox.kernel.router).
"""

import contextlib
import ipaddress
import itertools
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from labkit.aws.addresses import AWS_CIDR, CARRIER_CIDR, OUTSIDE_CIDR
from labkit.aws.network import decision
from labkit.aws.network.model import Flow, Topology, Verdict
from labkit.aws.network.pool import free_address, gateway_of, prefix_length_of
from labkit.aws.records import InterfaceRecord, NetworkState
from labkit.base.errors import CloudDeclined, CloudError
from labkit.cloud.network.compile import compile_internet, compile_vpc, membership_changes
from labkit.sandbox.kernel.nftables import RuleSet

#: the router that every other one is joined to (labkit.sandbox.kernel.router)
_INTERNET_ROUTER = "internet"
_OUTSIDE_PREFIX = 28
_NOTHING: RuleSet = {"sets": {}, "chains": []}


class NetworkCall(Protocol):
    """Calls a method of labkit.sandbox.kernel.router.Network where it lives (SandboxHost.network)."""

    def __call__(self, operation: str, /, **arguments: object) -> list[socket.socket]:
        """The sockets that the method returned; raises what it raised."""
        ...


@dataclass(frozen=True)
class Seen:
    """Who calls AWS: the interface, the address it shows, its VPC, and the gateway endpoint it came by."""

    interface: str
    source_ip: str
    vpc_id: str
    endpoint_id: str


class Fabric:
    """Keeps routers, rules and interfaces as the latest NetworkState wants them. For any thread."""

    def __init__(self, call: NetworkCall) -> None:
        self._call = call
        self._lock = threading.RLock()
        self._state = NetworkState()
        self._interfaces: dict[str, InterfaceRecord] = {}
        self._known: Topology | None = None
        self._applied: dict[str, RuleSet] = {}  # VPC id → what its router enforces
        self._shared: dict[str, list[str]] = {}  # VPC id → addresses of its NAT gateways
        self._carriers: dict[str, str] = {}  # carrier address → the interface that AWS's endpoints see so
        self._troubles: dict[str, str] = {}  # VPC id → why its rules are not those that are wanted
        self._numbers = itertools.count(1)
        call("set_rules", router=_INTERNET_ROUTER, rules=compile_internet())

    def close(self) -> None:
        """Nothing is left to do: routers end with the host of the sandboxes."""

    def update(self, state: NetworkState) -> None:
        """Apply what differs from before: routers opened and closed, rules, members of groups.

        A VPC that can't be brought in line keeps what it had; it is among the `troubles`, and no other is touched.
        """
        with self._lock:
            self._state, self._known = state, None
            self._apply_all()

    @property
    def troubles(self) -> dict[str, str]:
        """VPCs whose network is not as the API describes it, by id, with the reason."""
        with self._lock:
            return dict(self._troubles)

    def attach(
        self,
        interface: InterfaceRecord,
        *,
        loopback: Sequence[str] = (),
        listen: Sequence[tuple[str, int]] = (),
        datagrams: Sequence[tuple[str, int]] = (),
        networks: Sequence[str] = (),
    ) -> list[socket.socket]:
        """Make the interface; returns sockets listening inside it, one for each of `listen`, then UDP
        sockets for `datagrams`. It has all addresses of the CIDR blocks `networks`, too.

        An empty `address` asks for a free one in the subnet (outside a VPC: in the outside range); see
        `address_of`. Raises CloudError when the subnet is unknown or full, or the name is in use.
        """
        with self._lock:
            record, cidr = self._placed(interface)
            sockets = self._call(
                "attach",
                name=record.name,
                router=record.vpc_id or _INTERNET_ROUTER,
                address=record.address,
                prefix_length=prefix_length_of(cidr),
                gateway=gateway_of(cidr),
                loopback=list(loopback),
                listen=[list(address) for address in listen],
                datagrams=[list(address) for address in datagrams],
                networks=[[network.split("/")[0], prefix_length_of(network)] for network in networks],
            )
            with self._undone_on_error(record.name, sockets):
                self._admit(record)
            return sockets

    def update_interface(self, interface: InterfaceRecord) -> None:
        """Apply changed security groups or a changed public address of an attached interface.

        Raises CloudError when no such interface is attached. Its private address stays.
        """
        with self._lock:
            old = self._interface(interface.name)
            self._withdraw_public(old, unless=interface.public_ip)
            self._admit(replace(interface, address=old.address))

    def detach(self, name: str) -> None:
        """Take the interface away; nothing happens when there is none. Its connections are cut."""
        with self._lock:
            record, self._known = self._interfaces.pop(name, None), None
            if record is None:
                return
            self._call("detach", name=name)
            self._withdraw_public(record)
            self._withdraw_carrier(record)
            self._apply_all()

    def address_of(self, name: str) -> str:
        """The private address of an attached interface. Raises CloudError when there is none."""
        with self._lock:
            return self._interface(name).address

    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket:
        """A TCP connection made from inside the interface `name`.

        Raises TimeoutError after `timeout` seconds when a packet was dropped on the way, and
        ConnectionRefusedError when nothing listens. The socket keeps the time-out.
        """
        with self._lock:
            self._interface(name)
            (connection,) = self._call("socket", name=name)
        try:
            connection.settimeout(timeout)
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise
        return connection

    def listening(self, name: str, ports: Sequence[int]) -> tuple[int, ...]:
        """What the kernel's listening `ports` of a program behind the interface `name` are to others."""
        return tuple(ports)

    def caller_at(self, address: str, port: int, called: str) -> "Seen | None":
        """Who calls the address `called` of AWS's endpoints, which see it come from `address` and `port`."""
        with self._lock:
            name = self._carriers.get(address, "")
            record = self._interfaces.get(name) if name else self._topology().at_private("", address)
            return self._seen(record, called) if record else None

    def _seen(self, record: InterfaceRecord, called: str) -> Seen:
        source, endpoint = decision.appearance(self._topology(), record, called)
        return Seen(record.name, source, record.vpc_id, endpoint)

    def instance_address(self, asker: str, address: str, *, public: bool) -> str:
        """The address that EC2's name for `address` gives `asker`. Raises LookupError where it has none.

        Inside its own VPC a public name gives the private address (VPC user guide, "DNS attributes").
        """
        with self._lock:
            topology, own = self._topology(), self._interface(asker).vpc_id
            found = topology.at_public(address) if public else topology.at_private(own, address)
        if found is None or (not public and not own):
            raise LookupError(address)
        return found.address if found.vpc_id == own else address

    def dns_works(self, name: str) -> bool:
        """Whether an interface's VPC has a resolver (its enableDnsSupport)."""
        with self._lock:
            record = self._interfaces.get(name)
            vpc = self._topology().vpcs.get(record.vpc_id) if record else None
            return vpc is None or vpc.dns_support

    def decide(self, flow: Flow) -> Verdict:
        """What becomes of a flow now, and why: the same decision that the packets meet."""
        with self._lock:
            topology = self._topology()
        return decision.decide(topology, flow)

    # --- inside, with the lock held ------------------------------------------------------------------

    def _topology(self) -> Topology:
        """What is known now, kept with all that it has worked out until something changes."""
        if self._known is None:
            self._known = Topology(self._state, tuple(self._interfaces.values()))
        return self._known

    def _hold(self, record: InterfaceRecord) -> None:
        self._interfaces[record.name] = record
        self._known = None

    def _interface(self, name: str) -> InterfaceRecord:
        if name not in self._interfaces:
            raise CloudDeclined(f"{name} has no network interface.", hint="Start it first.")
        return self._interfaces[name]

    def _placed(self, interface: InterfaceRecord) -> tuple[InterfaceRecord, str]:
        """The interface with an address, and the CIDR of the network it stands in."""
        if interface.name in self._interfaces:
            raise CloudError(
                f"{interface.name} is attached already.", hint="Stop it before starting it again."
            )
        cidr = self._cidr(interface)
        taken = {i.address: i.name for i in self._interfaces.values() if i.vpc_id == interface.vpc_id}
        if interface.address in taken:
            holder = taken[interface.address]
            raise CloudError(f"{interface.address} is in use by {holder}.", hint="Choose another address.")
        address = interface.address or free_address(cidr, taken)
        if not address:
            place = interface.subnet_id or "the network outside"
            raise CloudError(f"{place} ({cidr}) has no free address.", hint="Use a larger CIDR block.")
        return replace(interface, address=address), cidr

    def _cidr(self, interface: InterfaceRecord) -> str:
        if not interface.vpc_id:
            return _network_around(interface.address) if interface.address else OUTSIDE_CIDR
        subnet = self._topology().subnets.get(interface.subnet_id)
        if subnet is None or interface.vpc_id not in self._applied:
            raise CloudError(
                f"{interface.name}: {interface.subnet_id} in {interface.vpc_id} does not exist.",
                hint="Create the VPC and the subnet first.",
            )
        return subnet.cidr

    def _admit(self, record: InterfaceRecord) -> None:
        """Put an attached interface into its groups and give it its public address."""
        self._hold(record)
        if not record.vpc_id:
            return
        if record.name not in self._carriers.values():
            self._carry(record)
        for other in self._holders(record.public_ip, but=record.name):
            self._withdraw_public(other)
            self._hold(replace(other, public_ip=""))
        if record.public_ip:
            self._set_public(record, record.public_ip)
        self._apply(record.vpc_id, self._topology())  # the rules last: what passes must be translated

    def _carry(self, record: InterfaceRecord) -> None:
        """Give an interface an address by which AWS's endpoints know it."""
        network = ipaddress.IPv4Network(CARRIER_CIDR)
        carrier = str(network[next(self._numbers) % (network.num_addresses - 2) + 1])
        self._call("set_carrier", router=record.vpc_id, private=record.address, carrier=carrier)
        self._carriers[carrier] = record.name

    def _withdraw_carrier(self, record: InterfaceRecord) -> None:
        held = [carrier for carrier, name in self._carriers.items() if name == record.name]
        for carrier in held:
            self._call("set_carrier", router=record.vpc_id, private=record.address, carrier=None)
            del self._carriers[carrier]

    def _holders(self, public: str, *, but: str) -> list[InterfaceRecord]:
        """Interfaces that still hold an address which has moved on."""
        return [i for i in self._interfaces.values() if public and i.public_ip == public and i.name != but]

    def _withdraw_public(self, record: InterfaceRecord, *, unless: str = "") -> None:
        if record.vpc_id and record.public_ip and record.public_ip != unless:
            self._set_public(record, None)

    def _set_public(self, record: InterfaceRecord, public: str | None) -> None:
        self._call("set_public", router=record.vpc_id, private=record.address, public=public)

    def _apply_all(self) -> None:
        topology = self._topology()
        wanted = {*topology.vpcs, *(i.vpc_id for i in topology.interfaces if i.vpc_id)}
        for vpc_id in sorted(self._applied.keys() - wanted):
            del self._applied[vpc_id]
            self._shared.pop(vpc_id, None)
            self._call("close_router", router=vpc_id)
        for vpc_id in [known for known in self._troubles if known not in wanted]:
            del self._troubles[vpc_id]
        for vpc_id in sorted(wanted):
            with contextlib.suppress(CloudError):  # told by its name, and tried again with the next change
                self._apply(vpc_id, topology)

    def _apply(self, vpc_id: str, topology: Topology) -> None:
        """Bring one VPC's router in line, or raise CloudError with its name."""
        try:
            self._bring_in_line(vpc_id, topology)
        except Exception as error:
            self._troubles[vpc_id] = f"{type(error).__name__}: {error}"
            raise CloudError(
                f"The network of {vpc_id} can't be made as it is described: {error}",
                hint=f"Look at the rules of the security groups and network ACLs of {vpc_id}.",
            ) from error
        self._troubles.pop(vpc_id, None)

    def _bring_in_line(self, vpc_id: str, topology: Topology) -> None:
        """Cheap when only members of groups differ."""
        rules = compile_vpc(topology, vpc_id)
        shared = [
            nat.public_ip for nat in topology.state.nat_gateways if nat.vpc_id == vpc_id and nat.public_ip
        ]
        if vpc_id not in self._applied:
            self._call("open_router", router=vpc_id, carried=AWS_CIDR)
            self._applied[vpc_id] = _NOTHING
        if shared != self._shared.get(vpc_id, []):
            self._call("set_shared", router=vpc_id, addresses=shared)
            self._shared[vpc_id] = shared
        changes = membership_changes(self._applied.get(vpc_id), rules)
        if changes is None:
            self._call("set_rules", router=vpc_id, rules=rules)
        elif changes:
            self._call("set_members", router=vpc_id, changes=changes)
        self._applied[vpc_id] = rules

    @contextlib.contextmanager
    def _undone_on_error(self, name: str, sockets: Iterable[socket.socket]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            for opened in sockets:
                opened.close()
            self.detach(name)
            raise


def _network_around(address: str) -> str:
    """Hosts outside stand in small networks: other addresses of the range are instances'."""
    return str(ipaddress.IPv4Network(f"{address}/{_OUTSIDE_PREFIX}", strict=False))
