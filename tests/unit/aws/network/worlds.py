"""Small random networks, and a simulation of the packet rules compiled from them.

A world has one or two VPCs with the same CIDR, so that addresses alone never tell them apart.
"""

import ipaddress
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labkit.aws.network.model import EPHEMERAL, PROTOCOL_NUMBERS, Flow, Topology, is_private
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
from labkit.cloud.network.compile import compile_internet, compile_vpc
from labkit.sandbox.kernel.nftables import Rule, RuleSet

HOST = InterfaceRecord("internet", "", "", "203.0.113.10", "", ())
FUNCTION = InterfaceRecord("function", "", "", "198.51.100.9", "", ())
STRANGER = "192.0.2.7"
CIDR = "10.0.0.0/16"
SUBNETS = ("10.0.1.0/24", "10.0.2.0/24")
PORTS = (80, 5000, 5001)
AWS = InterfaceRecord("aws", "", "", "198.18.1.10", "", ())
AWS_HOST = "198.18.0.1"
PEERS = ("0.0.0.0/0", "0.0.0.0/0", "10.0.1.0/24", "10.0.2.5/32", "203.0.113.0/24", "198.51.100.0/24")
PEERS += ("54.0.0.0/30", "54.0.0.5/32")


def make(rng: random.Random) -> Topology:
    """A network with everything that matters left to chance."""
    vpcs = [
        VpcRecord(f"vpc-{n}", CIDR, rng.choice([f"igw-{n}", f"igw-{n}", ""]))
        for n in range(rng.randint(1, 2))
    ]
    subnets = [_subnet(rng, vpc, n) for vpc in vpcs for n in range(2)]
    groups = [_group(rng, vpc, n) for vpc in vpcs for n in range(3)]
    interfaces = [HOST, FUNCTION, AWS]
    for subnet in subnets:
        first = len(interfaces)
        interfaces += [_interface(rng, subnet, n, first + n) for n in range(rng.randint(1, 2))]
    nats = [_nat(rng, vpc) for vpc in vpcs]
    endpoints = [GatewayEndpointRecord(f"vpce-{vpc.vpc_id[-1]}", vpc.vpc_id, "s3") for vpc in vpcs]
    state = NetworkState(tuple(vpcs), tuple(subnets), tuple(groups), tuple(nats), tuple(endpoints))
    return Topology(state, tuple(interfaces))


def _nat(rng: random.Random, vpc: VpcRecord) -> NatGatewayRecord:
    number = vpc.vpc_id[-1]
    public = rng.choice([f"54.0.1.{number}", f"54.0.1.{number}", ""])
    return NatGatewayRecord(f"nat-{number}", vpc.vpc_id, f"subnet-{number}{rng.randint(0, 1)}", public)


def flows(rng: random.Random, topology: Topology, protocols: Iterable[str] = ("tcp",)) -> list[Flow]:
    """Everybody tries everybody's addresses, and some that nobody has."""
    sources = [interface.name for interface in topology.interfaces if interface != AWS]
    targets = (
        {i.address for i in topology.interfaces if i != AWS}
        | {AWS_HOST}
        | {i.public_ip for i in topology.interfaces if i.public_ip}
    )
    targets |= {"10.0.1.200", "10.9.9.9", "192.0.2.1"}
    return [Flow(s, t, rng.choice(PORTS), p) for s in sources for t in sorted(targets) for p in protocols]


def _subnet(rng: random.Random, vpc: VpcRecord, number: int) -> SubnetRecord:
    gateway, nat = f"igw-{vpc.vpc_id[-1]}", f"nat-{vpc.vpc_id[-1]}"
    routes = [RouteRecord(CIDR, "local")] if rng.random() < 0.5 else []
    if rng.random() < 0.8:
        routes.append(
            RouteRecord("0.0.0.0/0", rng.choice([gateway, gateway, gateway, "blackhole", nat, nat]))
        )
    if rng.random() < 0.3:
        endpoint = f"vpce-{vpc.vpc_id[-1]}"
        routes.append(RouteRecord(f"{AWS_HOST}/32", rng.choice([endpoint, endpoint, gateway, nat])))
    if rng.random() < 0.3:
        routes.append(RouteRecord("203.0.113.0/24", rng.choice([gateway, "blackhole"])))
    name, acl = f"subnet-{vpc.vpc_id[-1]}{number}", _acl(rng) if rng.random() < 0.35 else None
    return SubnetRecord(name, vpc.vpc_id, SUBNETS[number], "a", tuple(routes), f"acl-{name}", acl)


def _acl(rng: random.Random) -> tuple[AclEntry, ...]:
    """Mostly open, with holes; all the ports that callers choose are let back, or none."""
    entries = [
        AclEntry(100, egress, "-1", -1, -1, "0.0.0.0/0", True)
        for egress in (True, False)
        if rng.random() < 0.9
    ]
    for number in range(rng.randint(0, 3)):
        protocol, low, high = rng.choice(
            [("-1", -1, -1), ("6", 5000, 5000), ("6", 32768, 65535), ("17", 0, 65535), ("1", -1, -1)]
        )
        allows, egress = rng.random() < 0.4, rng.random() < 0.5
        entries.append(AclEntry(10 + number, egress, protocol, low, high, rng.choice(PEERS), allows))
    return tuple(rng.sample(entries, len(entries)))


def _group(rng: random.Random, vpc: VpcRecord, number: int) -> GroupRecord:
    def permissions(most: int) -> tuple[Permission, ...]:
        return tuple(_permission(rng, vpc) for _ in range(rng.randint(0, most)))

    everything = (Permission("-1", -1, -1, "0.0.0.0/0"),)
    egress = everything if rng.random() < 0.8 else permissions(2)
    ingress = everything if rng.random() < 0.4 else permissions(3)
    return GroupRecord(f"sg-{vpc.vpc_id[-1]}{number}", f"g{number}", vpc.vpc_id, ingress, egress)


def _permission(rng: random.Random, vpc: VpcRecord) -> Permission:
    protocol, low, high = rng.choice(
        [
            ("-1", -1, -1),
            ("tcp", 5000, 5000),
            ("tcp", 0, 65535),
            ("6", 80, 5000),
            ("udp", 0, 65535),
            ("icmp", 8, 0),
        ]
    )
    if rng.random() < 0.4:
        return Permission(protocol, low, high, group_id=f"sg-{vpc.vpc_id[-1]}{rng.randint(0, 3)}")
    return Permission(protocol, low, high, rng.choice(PEERS))


def _interface(rng: random.Random, subnet: SubnetRecord, number: int, serial: int) -> InterfaceRecord:
    groups = tuple(f"sg-{subnet.vpc_id[-1]}{n}" for n in range(3) if rng.random() < 0.6)
    public = f"54.0.0.{serial}" if rng.random() < 0.6 else ""
    address = f"{subnet.cidr.rsplit('.', 1)[0]}.{5 + number}"
    return InterfaceRecord(f"eni-{serial}", subnet.vpc_id, subnet.subnet_id, address, public, groups)


@dataclass(frozen=True)
class Packet:
    """What the rules look at."""

    source: str
    destination: str
    protocol: str
    port: int
    answer: bool = False


class Simulation:
    """The routers of a world, in plain Python: what the kernel makes of the rules."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.rules: Mapping[str, RuleSet] = {v: compile_vpc(topology, v) for v in topology.vpcs}
        self.internet = compile_internet()

    def arrives(self, flow: Flow) -> bool:
        """Whether the first packet arrives and the answer comes back."""
        sender = self.topology.by_name.get(flow.source)
        if sender and sender.address == flow.destination:
            return True  # it never leaves the interface's own namespace
        source, vpc_id = (sender.address, sender.vpc_id) if sender else (flow.source, "")
        packet = Packet(source, flow.destination, flow.protocol, flow.port)
        return self._from_vpc(packet, vpc_id) if vpc_id else self._from_internet(packet)

    def _from_vpc(self, packet: Packet, vpc_id: str) -> bool:
        if self.topology.at_private(vpc_id, packet.destination):
            back = _answer(packet)
            return self._passes(packet, vpc_id, "vpc", "vpc") and self._passes(back, vpc_id, "vpc", "vpc")
        both_ways = self._passes(packet, vpc_id, "vpc", "internet")
        if not both_ways or not self._passes(_answer(packet), vpc_id, "internet", "vpc"):
            return False
        if self.topology.is_aws(packet.destination):
            return True
        shown = _shared(self.rules[vpc_id], packet) or self._public(vpc_id, packet)
        return self._from_internet(Packet(shown, packet.destination, packet.protocol, packet.port))

    def _public(self, vpc_id: str, packet: Packet) -> str:
        sender = self.topology.at_private(vpc_id, packet.source)
        assert sender is not None
        assert sender.public_ip, "nothing leaves with a private address"
        return sender.public_ip

    def _from_internet(self, packet: Packet) -> bool:
        if not _accepted(self.internet, packet, "internet", "internet"):
            return False
        receiver = self.topology.at_public(packet.destination)
        if self.topology.is_aws(packet.destination):
            return True
        if not receiver:
            return not is_private(packet.destination)
        vpc_id, private = receiver.vpc_id, receiver.address
        inward = Packet(packet.source, private, packet.protocol, packet.port)
        back = _answer(inward)
        return self._passes(inward, vpc_id, "internet", "vpc") and self._passes(
            back, vpc_id, "vpc", "internet"
        )

    def _passes(self, packet: Packet, vpc_id: str, came_from: str, goes_to: str) -> bool:
        return _accepted(self.rules[vpc_id], packet, came_from, goes_to)


def _answer(packet: Packet) -> Packet:
    """It goes to a port that the caller chose; of icmp, it is an echo's."""
    port = 0 if packet.protocol == "icmp" else EPHEMERAL[0]
    return Packet(packet.destination, packet.source, packet.protocol, port, answer=True)


def _shared(rules: RuleSet, packet: Packet) -> str:
    """The address that the translations of a rule set give a packet that leaves; "" for none."""
    for each in rules.get("translations", []):
        if _is(rules, each["source"], packet.source) and _is(rules, each["destination"], packet.destination):
            return each["to"]
    return ""


def _accepted(rules: RuleSet, packet: Packet, came_from: str, goes_to: str) -> bool:
    for chain in sorted(rules["chains"], key=lambda chain: chain["priority"]):
        matching = (r for r in chain["rules"] if _matches(rules, r, packet, came_from, goes_to))
        rule = next(matching, None)
        if (rule["verdict"] if rule else chain["policy"]) == "drop":
            return False
    return True


def _matches(rules: RuleSet, rule: Rule, packet: Packet, came_from: str, goes_to: str) -> bool:
    if rule.get("came_from", came_from) != came_from or rule.get("goes_to", goes_to) != goes_to:
        return False
    if rule.get("established") and not packet.answer:
        return False
    if rule.get("direction", "answer" if packet.answer else "original") != (
        "answer" if packet.answer else "original"
    ):
        return False
    if not _is(rules, rule.get("source"), packet.source) or not _is(
        rules, rule.get("destination"), packet.destination
    ):
        return False
    if rule.get("protocol", PROTOCOL_NUMBERS[packet.protocol]) != PROTOCOL_NUMBERS[packet.protocol]:
        return False
    low, high = rule.get("ports", [0, 65535])
    return low <= packet.port <= high and rule.get("icmp_type", packet.port) == packet.port


def _is(rules: RuleSet, peer: str | None, address: str) -> bool:
    if peer is None:
        return True
    if peer.startswith("@"):
        return address in rules["sets"][peer[1:]]
    return ipaddress.IPv4Address(address) in ipaddress.IPv4Network(peer)
