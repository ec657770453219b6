"""Whether a packet arrives: one pure function over the network's records, stage by stage.

What belongs here: the stages on a packet's way and what each asks, in AWS's terms. What does not:
enforcing it (compile.py says the same to the kernel; a test holds the two together).

A connection passes when its first packet arrives and the answer finds a way back. Security groups
are stateful: they are asked about the first packet alone. Routes and network ACLs are asked both
ways. Documents: VPC user guide, "Route tables", "Internet gateways", "NAT gateways", "Gateway
endpoints", "Security groups", "Network ACLs"; EC2 user guide, "Security group connection tracking".
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from labkit.aws.addresses import OUTSIDE_CIDR
from labkit.aws.network.model import (
    EPHEMERAL,
    LOCAL,
    PROTOCOL_NUMBERS,
    Flow,
    Hop,
    Topology,
    Verdict,
    acl_entries,
    contains,
    is_private,
    permission_words,
    service_of,
)
from labkit.aws.records import (
    AclEntry,
    GroupRecord,
    InterfaceRecord,
    NatGatewayRecord,
    Permission,
    SubnetRecord,
)

#: the stage of the receiver's own groups
INGRESS = "security group ingress"


@dataclass(frozen=True)
class _Journey:
    """A flow with both ends looked up. An end is None when it is outside and nothing of ours."""

    topology: Topology
    flow: Flow
    sender: InterfaceRecord | None
    receiver: InterfaceRecord | None
    local: bool  # it stays inside one VPC
    target: str  # of the sender's route; "" where there is none, or no VPC

    @property
    def from_vpc(self) -> InterfaceRecord | None:
        return self.sender if self.sender and self.sender.vpc_id else None

    @property
    def to_vpc(self) -> InterfaceRecord | None:
        return self.receiver if self.receiver and self.receiver.vpc_id else None

    @property
    def source_seen(self) -> str:
        """The address that the receiver sees: outside its VPC an interface shows its public one."""
        if not self.sender:
            return self.flow.source
        if self.local or not self.from_vpc or self.target in self.topology.gateway_endpoints:
            return self.sender.address
        return self.nat.public_ip if self.nat else self.sender.public_ip

    @property
    def nat(self) -> NatGatewayRecord | None:
        """The NAT gateway that the sender's route leads to."""
        return self.topology.nat_gateways.get(self.target) if self.from_vpc else None

    def subnet_of(self, interface: InterfaceRecord | None) -> SubnetRecord | None:
        """The subnet that an interface stands in."""
        return self.topology.subnets.get(interface.subnet_id) if interface else None


_Stage = Callable[[_Journey], Hop | None]


def decide(topology: Topology, flow: Flow) -> Verdict:
    """The verdict on a flow, with every hop up to the one that stopped it.

    Raises ValueError for a protocol other than tcp, udp and icmp, and for a source that is neither an
    interface's name nor an address.
    """
    if flow.protocol not in PROTOCOL_NUMBERS:
        raise ValueError(f"{flow.protocol} is none of {', '.join(PROTOCOL_NUMBERS)}")
    journey = _journey(topology, flow)
    if journey.sender and journey.sender.address == flow.destination:
        return Verdict(())  # it never leaves the interface's own host
    hops: list[Hop] = []
    for stage in _STAGES:
        hop = stage(journey)
        if hop:
            hops.append(hop)
        if hop and not hop.allowed:
            break
    return Verdict(tuple(hops))


def appearance(topology: Topology, interface: InterfaceRecord, destination: str) -> tuple[str, str]:
    """The address that an endpoint of AWS sees an interface call from, and the gateway endpoint between.

    VPC user guide, "Gateway endpoints": through one, the source stays the private address.
    """
    journey = _journey(topology, Flow(interface.name, destination, 443))
    endpoint = journey.target if journey.target in topology.gateway_endpoints else ""
    return journey.source_seen, endpoint


def _journey(topology: Topology, flow: Flow) -> _Journey:
    sender = topology.by_name.get(flow.source)
    if sender is None:
        ipaddress.IPv4Address(flow.source)  # raises ValueError
    target = _target(topology, sender, flow.destination) if sender and sender.vpc_id else ""
    if sender and target == LOCAL:
        receiver = topology.at_private(sender.vpc_id, flow.destination)
        return _Journey(topology, flow, sender, receiver, local=True, target=target)
    receiver = topology.at_public(flow.destination) or topology.at_private("", flow.destination)
    return _Journey(topology, flow, sender, receiver, local=False, target=target)


def _target(topology: Topology, interface: InterfaceRecord, address: str) -> str:
    """The target of the route that the interface's subnet has for `address`; "" where there is none."""
    subnet = topology.subnets.get(interface.subnet_id)
    route = topology.route(subnet, address) if subnet else None
    return route.target if route else ""


# --- stages ------------------------------------------------------------------------------------------


def _route_out(journey: _Journey) -> Hop | None:
    sender = journey.from_vpc
    return _routed(journey, sender, journey.flow.destination, "route") if sender else None


def _route_back(journey: _Journey) -> Hop | None:
    receiver = journey.to_vpc
    return _routed(journey, receiver, journey.source_seen, "route back") if receiver else None


def _routed(journey: _Journey, interface: InterfaceRecord, address: str, stage: str) -> Hop:
    target = _target(journey.topology, interface, address)
    vpc = journey.topology.vpcs.get(interface.vpc_id)
    gateway = vpc.internet_gateway if vpc else ""
    subnet = interface.subnet_id
    if not target:
        return Hop(stage, False, subnet, f"{subnet} has no route for {address}")
    if target == LOCAL:
        return Hop(stage, journey.local, subnet, f"{address} is local to {interface.vpc_id}")
    way = _carries(journey, interface, target, gateway, stage)
    if not way:
        return Hop(stage, False, subnet, f"{subnet} sends {address} to {target}, which carries nothing here")
    return Hop(stage, not journey.local, subnet, f"{subnet} sends {address} to {target}")


def _carries(journey: _Journey, interface: InterfaceRecord, target: str, gateway: str, stage: str) -> bool:
    """Whether the target of a route takes packets. NAT gateways and endpoints take no answers to others."""
    if target == gateway:
        return True
    topology = journey.topology
    found = topology.nat_gateways.get(target) or topology.gateway_endpoints.get(target)
    return found is not None and found.vpc_id == interface.vpc_id and stage == "route"


def _public_address(journey: _Journey) -> Hop | None:
    sender = journey.from_vpc
    if not sender or journey.local or journey.nat or journey.target in journey.topology.gateway_endpoints:
        return None
    rule = f"translated to {sender.public_ip}" if sender.public_ip else "it has no public address"
    return Hop("internet gateway", bool(sender.public_ip), sender.name, f"{sender.name}: {rule}")


def _egress(journey: _Journey) -> Hop | None:
    sender = journey.from_vpc
    if not sender:
        return None
    return _grouped(journey, sender, "egress", journey.flow.destination, journey.receiver)


def _ingress(journey: _Journey) -> Hop | None:
    receiver = journey.to_vpc
    if not receiver:
        return None
    return _grouped(journey, receiver, "ingress", journey.source_seen, journey.sender)


def _grouped(
    journey: _Journey,
    interface: InterfaceRecord,
    direction: Literal["ingress", "egress"],
    address: str,
    peer: InterfaceRecord | None,
) -> Hop:
    """Whether one of the interface's groups permits the flow; a group as peer counts inside a VPC only."""
    groups = journey.topology.groups_of(interface)
    peers = journey.topology.groups_of(peer) if peer and journey.local else ()
    stage, flow = f"security group {direction}", journey.flow
    side = "from" if direction == "ingress" else "to"
    for group in groups:
        for permission in group.ingress if direction == "ingress" else group.egress:
            if _permits(permission, flow, address, peers):
                return Hop(
                    stage,
                    True,
                    group.group_id,
                    f"{group.group_id} permits {permission_words(permission, side)}",
                )
    names = ", ".join(group.group_id for group in groups) or "no security group"
    rule = f"{names} permits no {flow.protocol} {flow.port} {side} {address}"
    return Hop(stage, False, groups[0].group_id if groups else interface.name, rule)


def _permits(permission: Permission, flow: Flow, address: str, peers: tuple[GroupRecord, ...]) -> bool:
    service = service_of(permission)
    if not service or not service.covers(flow.protocol, flow.port):
        return False
    if permission.group_id:
        return any(group.group_id == permission.group_id for group in peers)
    return contains(permission.cidr, address)


def _destination(journey: _Journey) -> Hop | None:
    """Whether anything is at the address, as seen from where the packet is by now."""
    flow, receiver = journey.flow, journey.receiver
    if receiver and (journey.local or receiver.vpc_id):
        return None
    if journey.local:
        return Hop("destination", False, flow.destination, f"no interface has {flow.destination}")
    if journey.topology.is_aws(flow.destination):
        return Hop("AWS", True, flow.destination, f"{flow.destination} is an endpoint of AWS")
    if journey.target in journey.topology.gateway_endpoints:
        rule = f"{journey.target} carries traffic to AWS alone"
        return Hop("endpoint", False, journey.target, rule)
    if is_private(flow.destination) or not _is_host(journey):
        return Hop("internet", False, flow.destination, f"{flow.destination} can't be reached from outside")
    return Hop("internet", True, flow.destination, f"{flow.destination} is on the internet")


def _is_host(journey: _Journey) -> bool:
    """Functions outside a VPC have addresses on the internet that accept no connection."""
    return not contains(OUTSIDE_CIDR, journey.flow.destination)


def _gateway_in(journey: _Journey) -> Hop | None:
    receiver = journey.to_vpc
    if not receiver or journey.local:
        return None
    vpc = journey.topology.vpcs.get(receiver.vpc_id)
    if not vpc or not vpc.internet_gateway:
        return Hop("internet gateway", False, receiver.vpc_id, f"{receiver.vpc_id} has no internet gateway")
    rule = f"{receiver.public_ip} is {receiver.name}, {receiver.address}"
    return Hop("internet gateway", True, vpc.internet_gateway, rule)


def _nat_gateway(journey: _Journey) -> Hop | None:
    """The way of a NAT gateway: it stands in a subnet of its own, whose route must be the internet's."""
    nat = journey.nat
    if not nat:
        return None
    topology, address = journey.topology, journey.flow.destination
    subnet, vpc = topology.subnets.get(nat.subnet_id), topology.vpcs.get(nat.vpc_id)
    route = topology.route(subnet, address) if subnet else None
    stage, gateway = "NAT gateway", vpc.internet_gateway if vpc else ""
    if not nat.public_ip:
        return Hop(stage, False, nat.nat_gateway_id, f"{nat.nat_gateway_id} has no Elastic IP address")
    if not route or not gateway or route.target != gateway:
        where = route.target if route else "nowhere"
        rule = f"its subnet {nat.subnet_id} sends {address} to {where}, not to an internet gateway"
        return Hop(stage, False, nat.subnet_id, rule)
    return Hop(stage, True, nat.nat_gateway_id, f"translated to {nat.public_ip}")


# --- network ACLs ------------------------------------------------------------------------------------


def _acl_out(journey: _Journey) -> Hop | None:
    return _asked(journey, journey.from_vpc, journey.flow.destination, egress=True)


def _acl_nat(journey: _Journey) -> Hop | None:
    """The ACL of the NAT gateway's subnet, where that is another one: in, out, and both for the answer."""
    nat, sender = journey.nat, journey.from_vpc
    if not nat or not sender or nat.subnet_id == sender.subnet_id:
        return None
    subnet, far = journey.topology.subnets.get(nat.subnet_id), journey.flow.destination
    near = sender.address
    hops = [
        _entry(journey, subnet, egress=egress, address=address, back=back)
        for egress, address, back in (
            (False, near, False),
            (True, far, False),
            (False, far, True),
            (True, near, True),
        )
    ]
    return next((hop for hop in hops if hop and not hop.allowed), hops[0])


def _acl_in(journey: _Journey) -> Hop | None:
    return _asked(journey, journey.to_vpc, journey.source_seen, egress=False)


def _acl_answer_out(journey: _Journey) -> Hop | None:
    return _asked(journey, journey.to_vpc, journey.source_seen, egress=True, back=True)


def _acl_answer_in(journey: _Journey) -> Hop | None:
    return _asked(journey, journey.from_vpc, journey.flow.destination, egress=False, back=True)


def _asked(
    journey: _Journey, side: InterfaceRecord | None, address: str, *, egress: bool, back: bool = False
) -> Hop | None:
    """What the ACL of one side's subnet says; nothing when the packet does not leave the subnet."""
    here, there = journey.from_vpc, journey.to_vpc
    if journey.local and here and there and here.subnet_id == there.subnet_id:
        return None
    return _entry(journey, journey.subnet_of(side), egress=egress, address=address, back=back)


def _entry(
    journey: _Journey, subnet: SubnetRecord | None, *, egress: bool, address: str, back: bool
) -> Hop | None:
    """The hop of the first matching rule of a subnet's ACL; the answer goes to a port of the caller's own."""
    entries = acl_entries(subnet, egress=egress) if subnet else None
    if subnet is None or entries is None:
        return None
    flow = journey.flow
    ports = EPHEMERAL if back and flow.protocol != "icmp" else (flow.port if not back else 0,)
    found = [_first(entries, flow.protocol, port, address) for port in ports]
    denial = next((entry for entry in found if not entry or not entry.allows), found[0])
    stage = f"network ACL {'outbound' if egress else 'inbound'}{', answer' if back else ''}"
    allowed = bool(denial and denial.allows)
    side = "to" if egress else "from"
    what = f"rule {denial.number} of {subnet.acl_id}" if denial else f"rule * of {subnet.acl_id}"
    ends = f"ports {ports[0]}-{ports[-1]}" if len(ports) > 1 else str(ports[0])
    verb = "allows" if allowed else "denies"
    return Hop(stage, allowed, subnet.acl_id, f"{what} {verb} {flow.protocol} {ends} {side} {address}")


def _first(entries: list[AclEntry], protocol: str, port: int, address: str) -> AclEntry | None:
    for entry in entries:
        service = service_of(entry)
        if service and service.covers(protocol, port) and contains(entry.cidr, address):
            return entry
    return None


#: In the order of the way: out of the sender's subnet, between, into the receiver's, and back.
_STAGES: tuple[_Stage, ...] = (
    _route_out,
    _egress,
    _acl_out,
    _acl_nat,
    _nat_gateway,
    _public_address,
    _destination,
    _gateway_in,
    _acl_in,
    _ingress,
    _route_back,
    _acl_answer_out,
    _acl_answer_in,
)
