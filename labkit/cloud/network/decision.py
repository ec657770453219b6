"""Whether a packet arrives: one pure function over the network's records, stage by stage.

What belongs here: the stages on a packet's way and what each asks, in AWS's terms. What does not:
enforcing it (compile.py says the same to the kernel; a test holds the two together).

A connection passes when its first packet arrives and the answer finds a way back. Security groups
are stateful: they are asked about the first packet alone. Routes are asked both ways. Documents:
VPC user guide, "Route tables", "Internet gateways", "Security groups"; EC2 user guide, "Security
group connection tracking".
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from labkit.cloud.addresses import OUTSIDE_CIDR
from labkit.cloud.network.model import (
    LOCAL,
    PROTOCOL_NUMBERS,
    Flow,
    Hop,
    Topology,
    Verdict,
    contains,
    is_private,
    service_of,
)
from labkit.cloud.records import GroupRecord, InterfaceRecord, Permission


@dataclass(frozen=True)
class _Journey:
    """A flow with both ends looked up. An end is None when it is outside and nothing of ours."""

    topology: Topology
    flow: Flow
    sender: InterfaceRecord | None
    receiver: InterfaceRecord | None
    local: bool  # it stays inside one VPC

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
        return self.sender.address if self.local or not self.from_vpc else self.sender.public_ip


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


def _journey(topology: Topology, flow: Flow) -> _Journey:
    sender = topology.by_name.get(flow.source)
    if sender is None:
        ipaddress.IPv4Address(flow.source)  # raises ValueError
    if sender and sender.vpc_id and _target(topology, sender, flow.destination) == LOCAL:
        receiver = topology.at_private(sender.vpc_id, flow.destination)
        return _Journey(topology, flow, sender, receiver, local=True)
    receiver = topology.at_public(flow.destination) or topology.at_private("", flow.destination)
    return _Journey(topology, flow, sender, receiver, local=False)


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
    if target != gateway:
        return Hop(stage, False, subnet, f"{subnet} sends {address} to {target}, which carries nothing here")
    return Hop(stage, not journey.local, subnet, f"{subnet} sends {address} to {gateway}")


def _public_address(journey: _Journey) -> Hop | None:
    sender = journey.from_vpc
    if not sender or journey.local:
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
    for group in groups:
        for permission in group.ingress if direction == "ingress" else group.egress:
            if _permits(permission, flow, address, peers):
                return Hop(stage, True, group.group_id, f"{group.group_id} permits {_words(permission)}")
    side = "from" if direction == "ingress" else "to"
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


def _words(permission: Permission) -> str:
    ports = "" if permission.from_port < 0 else f" {permission.from_port}-{permission.to_port}"
    protocol = "all traffic" if permission.protocol == "-1" else permission.protocol
    return f"{protocol}{ports}, {permission.group_id or permission.cidr}"


def _destination(journey: _Journey) -> Hop | None:
    """Whether anything is at the address, as seen from where the packet is by now."""
    flow, receiver = journey.flow, journey.receiver
    if receiver and (journey.local or receiver.vpc_id):
        return None
    if journey.local:
        return Hop("destination", False, flow.destination, f"no interface has {flow.destination}")
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


#: In the order of the way. Network ACLs, once there are any, stand beside the groups: outside of
#: egress on the sender's side, outside of ingress on the receiver's.
_STAGES: tuple[_Stage, ...] = (
    _route_out,
    _egress,
    _public_address,
    _destination,
    _gateway_in,
    _ingress,
    _route_back,
)
