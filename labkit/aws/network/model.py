"""The network as AWS describes it: lookups over its records, and the words of a verdict.

What belongs here: what a subnet, a route or a permission *is*, each written once for the decision
(decision.py) and the packet rules (compile.py). What does not: deciding, and anything that acts.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from labkit.aws.addresses import AWS_CIDR, CARRIER_CIDR
from labkit.aws.records import (
    AclEntry,
    GatewayEndpointRecord,
    GroupRecord,
    InterfaceRecord,
    NatGatewayRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)
from labkit.base.text import whole

LOCAL = "local"
PROTOCOL_NUMBERS: Mapping[str, int] = {"icmp": 1, "tcp": 6, "udp": 17}
_ALL_PROTOCOLS = ("-1", "all")
#: the ports that callers choose for themselves, lowest and highest (Linux; VPC user guide, "Ephemeral ports")
EPHEMERAL = (32768, 60999)
#: addresses that no internet gateway carries (RFC 1918, RFC 3927, loopback)
_PRIVATE = tuple(
    ipaddress.IPv4Network(cidr)
    for cidr in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        CARRIER_CIDR,
    )
)


@dataclass(frozen=True)
class Flow:
    """A connection someone tries: from an interface (its name) or an outside address, to an address.

    `port` is the destination port of tcp and udp, and the message type of icmp.
    """

    source: str
    destination: str
    port: int
    protocol: str = "tcp"


@dataclass(frozen=True)
class Hop:
    """What one stage of the way said: the resource that decided, and its rule in words."""

    stage: str
    allowed: bool
    resource: str
    rule: str


@dataclass(frozen=True)
class Verdict:
    """Whether the first packet arrives and the answer comes back; if not, the last hop says why."""

    hops: tuple[Hop, ...]

    @property
    def arrives(self) -> bool:
        """Whether every hop let it pass. What listens there is another matter."""
        return all(hop.allowed for hop in self.hops)

    @property
    def decisive(self) -> Hop | None:
        """The hop that stopped it, or the last one; None when there was nothing to decide."""
        return next((hop for hop in self.hops if not hop.allowed), self.hops[-1] if self.hops else None)

    @property
    def reason(self) -> str:
        """The deciding rule, in one line."""
        hop = self.decisive
        return f"{hop.stage}: {hop.rule}" if hop else "nothing is between them"


@dataclass(frozen=True)
class Service:
    """What traffic a permission speaks of. None is any; `ports` is the range, from and to inclusive."""

    protocol: int | None = None
    ports: tuple[int, int] | None = None
    icmp_type: int | None = None

    def covers(self, protocol: str, port: int) -> bool:
        """Whether traffic to `port` (icmp: of this type) is meant."""
        if self.protocol is not None and self.protocol != PROTOCOL_NUMBERS[protocol]:
            return False
        if self.ports is not None:
            return self.ports[0] <= port <= self.ports[1]
        return self.icmp_type is None or self.icmp_type == port


def service_of(permission: Permission | AclEntry) -> Service | None:
    """The traffic that a permission speaks of; None when its protocol is none of IPv4's.

    EC2, API reference, IpPermission: -1 is all protocols and ports; for ICMP FromPort is the type
    (-1: all types). ICMP codes are not looked at.
    """
    name = permission.protocol.lower()
    if name in _ALL_PROTOCOLS:
        return Service()
    number = PROTOCOL_NUMBERS.get(name, whole(name))
    if number is None or not 0 <= number < 256:
        return None
    if number == PROTOCOL_NUMBERS["icmp"]:
        return Service(number, icmp_type=None if permission.from_port < 0 else permission.from_port)
    if number in (PROTOCOL_NUMBERS["tcp"], PROTOCOL_NUMBERS["udp"]) and permission.from_port >= 0:
        return Service(number, ports=(permission.from_port, permission.to_port))
    return Service(number)


def permission_words(permission: Permission, side: str = "from") -> str:
    """A rule of a security group in words: "tcp 5000 from 0.0.0.0/0", "all traffic to sg-1"."""
    low, high = permission.from_port, permission.to_port
    ports = "" if low < 0 else f" {low}" if low == high else f" {low}-{high}"
    protocol = "all traffic" if permission.protocol == "-1" else permission.protocol
    return f"{protocol}{ports} {side} {permission.group_id or permission.cidr}"


@lru_cache(maxsize=4096)
def network_of(cidr: str) -> ipaddress.IPv4Network | None:
    """`cidr` as an IPv4 network; None for prefix lists and IPv6, which are not carried here."""
    try:
        return ipaddress.IPv4Network(cidr, strict=False)
    except ValueError:
        return None


def contains(cidr: str, address: str) -> bool:
    """Whether the network `cidr` holds `address`; False where `cidr` is not IPv4."""
    network = network_of(cidr)
    return network is not None and ipaddress.IPv4Address(address) in network


def is_private(address: str) -> bool:
    """Whether no internet gateway carries `address`."""
    return any(ipaddress.IPv4Address(address) in network for network in _PRIVATE)


@dataclass(frozen=True)
class Topology:
    """The state of the account's network together with what is attached to it."""

    state: NetworkState = field(default_factory=NetworkState)
    interfaces: tuple[InterfaceRecord, ...] = ()
    #: where AWS's endpoints are
    aws: tuple[str, ...] = (AWS_CIDR,)

    def is_aws(self, address: str) -> bool:
        """Whether `address` is one of AWS's own endpoints."""
        return any(contains(network, address) for network in self.aws)

    @cached_property
    def vpcs(self) -> Mapping[str, VpcRecord]:
        """VPCs by id."""
        return {vpc.vpc_id: vpc for vpc in self.state.vpcs}

    @cached_property
    def subnets(self) -> Mapping[str, SubnetRecord]:
        """Subnets by id."""
        return {subnet.subnet_id: subnet for subnet in self.state.subnets}

    @cached_property
    def nat_gateways(self) -> Mapping[str, NatGatewayRecord]:
        """NAT gateways by id."""
        return {nat.nat_gateway_id: nat for nat in self.state.nat_gateways}

    @cached_property
    def gateway_endpoints(self) -> Mapping[str, GatewayEndpointRecord]:
        """Gateway endpoints by id."""
        return {endpoint.endpoint_id: endpoint for endpoint in self.state.gateway_endpoints}

    @cached_property
    def by_name(self) -> Mapping[str, InterfaceRecord]:
        """Interfaces by name."""
        return {interface.name: interface for interface in self.interfaces}

    def gateway(self, vpc_id: str) -> str:
        """The id of a VPC's internet gateway; "" where there is none."""
        vpc = self.vpcs.get(vpc_id)
        return vpc.internet_gateway if vpc else ""

    def endpoint(self, target: str, vpc_id: str) -> GatewayEndpointRecord | None:
        """The gateway endpoint of a VPC that a route leads to."""
        found = self.gateway_endpoints.get(target)
        return found if found and found.vpc_id == vpc_id else None

    def inside(self, vpc_id: str) -> Iterable[InterfaceRecord]:
        """The interfaces of a VPC; "" gives those outside any."""
        return (interface for interface in self.interfaces if interface.vpc_id == vpc_id)

    def at_private(self, vpc_id: str, address: str) -> InterfaceRecord | None:
        """The interface with this private address in the VPC ("": with this address outside)."""
        return next((i for i in self.inside(vpc_id) if i.address == address), None)

    def at_public(self, address: str) -> InterfaceRecord | None:
        """The interface in a VPC that has this public address."""
        return next((i for i in self.interfaces if i.vpc_id and i.public_ip == address), None)

    def groups_of(self, interface: InterfaceRecord) -> tuple[GroupRecord, ...]:
        """The security groups in force on an interface: those it names, of its own VPC."""
        return tuple(
            g for g in self.groups_in(interface.vpc_id) if g.group_id in interface.security_group_ids
        )

    def groups_in(self, vpc_id: str) -> list[GroupRecord]:
        """The security groups of a VPC, in order of id."""
        return sorted((g for g in self.state.groups if g.vpc_id == vpc_id), key=lambda g: g.group_id)

    def subnets_in(self, vpc_id: str) -> list[SubnetRecord]:
        """The subnets of a VPC, in order of id."""
        return sorted((s for s in self.state.subnets if s.vpc_id == vpc_id), key=lambda s: s.subnet_id)

    def routes(self, subnet: SubnetRecord) -> list[RouteRecord]:
        """A subnet's IPv4 routes, the most specific first.

        VPC user guide, Route tables: every table has the local route, and the most specific one wins.
        """
        vpc = self.vpcs.get(subnet.vpc_id)
        routes = {RouteRecord(vpc.cidr, LOCAL)} if vpc else set()
        routes.update(route for route in subnet.routes if network_of(route.cidr))
        return sorted(routes, key=_specific_first)

    def route(self, subnet: SubnetRecord, address: str) -> RouteRecord | None:
        """The route that a packet from the subnet to `address` takes, if any does."""
        return next((route for route in self.routes(subnet) if contains(route.cidr, address)), None)


def both(one: str, other: str) -> str:
    """The addresses that two networks share, which is the smaller of them; "" when they share none."""
    first, second = network_of(one), network_of(other)
    if not first or not second or not first.overlaps(second):
        return ""
    return str(max(first, second, key=lambda network: network.prefixlen))


def acl_entries(subnet: SubnetRecord, *, egress: bool) -> list[AclEntry] | None:
    """The rules of a subnet's network ACL in one direction, in the order they are asked; None: all passes.

    VPC user guide, Network ACLs: rules are evaluated from the lowest number, the first match decides,
    and what none matches is denied.
    """
    if subnet.acl is None:
        return None
    entries = (e for e in subnet.acl if e.egress == egress and network_of(e.cidr))
    return sorted(entries, key=lambda entry: entry.number)


def _specific_first(route: RouteRecord) -> tuple[int, bool, str, str]:
    network = network_of(route.cidr)
    return -network.prefixlen if network else 0, route.target != LOCAL, route.cidr, route.target
