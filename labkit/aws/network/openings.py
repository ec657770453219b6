"""Every way into an interface: all rules of its security groups, as far as network ACLs leave them.

What belongs here: which rule lets whom in to what, with the network decision's word for it. What does not: the
decision itself, and which way in is wanted (the lab's checks).

That a route or an address is missing today is no protection, so what is asked is the decision in a network that
has both. What the local cloud does not carry (IPv6, protocols besides tcp, udp and icmp) is open by its rule alone.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labkit.aws.network.decision import decide
from labkit.aws.network.model import (
    PROTOCOL_NUMBERS,
    Flow,
    Service,
    Topology,
    Verdict,
    acl_entries,
    contains,
    network_of,
    service_of,
)
from labkit.aws.records import GroupRecord, InterfaceRecord, Permission, RouteRecord

_GATEWAY, _PUBLIC = "igw-of-openings", "192.0.2.1"
_ANYBODY = "sg-of-openings"
_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}


@dataclass(frozen=True)
class Opening:
    """One rule of one group that lets somebody in."""

    group_id: str
    permission: Permission

    def admits(self, protocol: str, port: int) -> bool:
        """Whether it opens this port (icmp: this type) of tcp, udp or icmp."""
        service = service_of(self.permission)
        return service is not None and service.covers(protocol, port)

    def admits_only(self, protocol: str, port: int) -> bool:
        """Whether it opens this one port and nothing else."""
        wanted = Service(PROTOCOL_NUMBERS[protocol], ports=(port, port))
        return service_of(self.permission) == wanted

    @property
    def words(self) -> str:
        """The rule in words: "tcp 22 from 0.0.0.0/0"."""
        rule = self.permission
        ports = f"{rule.from_port}" if rule.from_port == rule.to_port else f"{rule.from_port}-{rule.to_port}"
        name = "all traffic" if rule.protocol in ("-1", "all") else rule.protocol
        about = f"{name} {ports}" if rule.from_port >= 0 and name != "all traffic" else name
        return f"{about} from {rule.group_id or rule.cidr}"


def openings(topology: Topology, interface: InterfaceRecord) -> tuple[Opening, ...]:
    """The rules by which anybody gets in at `interface`, in the order of its groups."""
    return tuple(
        Opening(group.group_id, permission)
        for group in topology.groups_of(interface)
        for permission in group.ingress
        if _is_open(topology, interface, permission)
    )


def _is_open(topology: Topology, interface: InterfaceRecord, permission: Permission) -> bool:
    service = service_of(permission)
    carried = service is not None and (service.protocol is None or service.protocol in _NAMES)
    if not carried or not (permission.group_id or network_of(permission.cidr)):
        return True
    return any(verdict.arrives for verdict in _tried(topology, interface, permission))


def _tried(topology: Topology, interface: InterfaceRecord, permission: Permission) -> Iterator[Verdict]:
    """Verdicts on one packet of each sort that the rule and the ACL tell apart."""
    world = _with_ways(topology, interface)
    server = world.by_name[interface.name]
    for sender in _senders(world, server, permission):
        known = replace(world, interfaces=(*world.interfaces, sender)) if sender.vpc_id else world
        source, address = (sender.name, server.address) if sender.vpc_id else (sender.address, _PUBLIC)
        for protocol in _protocols(permission):
            for port in _ports(world, server, permission, protocol):
                yield decide(known, Flow(source, address, port, protocol))


def _with_ways(topology: Topology, interface: InterfaceRecord) -> Topology:
    """The same network with a gateway, a way to it, and a public address; its groups and ACLs are as they were."""
    state = topology.state
    internet = RouteRecord("0.0.0.0/0", _GATEWAY)
    vpcs = tuple(
        replace(v, internet_gateway=_GATEWAY) if v.vpc_id == interface.vpc_id else v for v in state.vpcs
    )
    subnets = tuple(
        replace(s, routes=(internet,)) if s.vpc_id == interface.vpc_id else s for s in state.subnets
    )
    anything = Permission("-1", -1, -1, cidr="0.0.0.0/0")
    anybody = GroupRecord(_ANYBODY, _ANYBODY, interface.vpc_id, (), (anything,))
    others = tuple(i for i in topology.interfaces if i.name != interface.name)
    return replace(
        topology,
        interfaces=(replace(interface, public_ip=_PUBLIC), *others),
        state=replace(state, vpcs=vpcs, subnets=subnets, groups=(*state.groups, anybody)),
    )


def _senders(
    topology: Topology, server: InterfaceRecord, permission: Permission
) -> Iterator[InterfaceRecord]:
    """Somebody in each subnet, and outside, for each sort of source; no `vpc_id`: outside."""
    groups = (_ANYBODY, *([permission.group_id] if permission.group_id else []))
    subnets = topology.subnets_in(server.vpc_id)
    if permission.group_id:
        for subnet in subnets:
            address = str(ipaddress.IPv4Network(subnet.cidr)[-2])
            yield InterfaceRecord("somebody", server.vpc_id, subnet.subnet_id, address, "", groups)
        return
    vpc = topology.vpcs[server.vpc_id].cidr
    for address in _edges(topology, server, permission.cidr):
        here = next((s for s in subnets if contains(s.cidr, address)), None)
        if here and address != server.address:
            yield InterfaceRecord("somebody", server.vpc_id, here.subnet_id, address, "", groups)
        elif not contains(vpc, address):
            yield InterfaceRecord("somebody", "", "", address, "", ())


def _edges(topology: Topology, server: InterfaceRecord, cidr: str) -> Iterator[str]:
    """Addresses of the range between which neither the ACL's rules nor the subnets change."""
    subnet = topology.subnets[server.subnet_id]
    ranges = [cidr, *(s.cidr for s in topology.subnets_in(server.vpc_id))]
    ranges += [entry.cidr for entry in acl_entries(subnet, egress=False) or ()]
    last = ipaddress.IPv4Network("0.0.0.0/0").num_addresses - 1
    found = set[int]()
    for network in filter(None, map(network_of, ranges)):
        first, end = int(network[0]), int(network[-1])
        found |= {first - 1, first, first + 1, end - 1, end, end + 1}
    addresses = (str(ipaddress.IPv4Address(number)) for number in sorted(found) if 0 <= number <= last)
    yield from (address for address in addresses if contains(cidr, address))


def _protocols(permission: Permission) -> list[str]:
    service = service_of(permission)
    return [n for n, number in PROTOCOL_NUMBERS.items() if service and service.protocol in (None, number)]


def _ports(topology: Topology, server: InterfaceRecord, permission: Permission, protocol: str) -> list[int]:
    """Ports of the rule between which the ACL's rules do not change."""
    entries = acl_entries(topology.subnets[server.subnet_id], egress=False) or ()
    edges = {0, 22, 65535, permission.from_port, permission.to_port}
    for entry in entries:
        edges |= {entry.from_port - 1, entry.from_port, entry.to_port, entry.to_port + 1}
    opening = Opening("", permission)
    return [port for port in sorted(edges) if 0 <= port <= 65535 and opening.admits(protocol, port)]
