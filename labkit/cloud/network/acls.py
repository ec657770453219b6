"""Network ACLs as packet rules: what decision.py asks of them, said to the kernel.

What belongs here: the stages that a packet meets at a subnet's border, both ways, for it and for its
answer. What does not: routes and groups (compile.py).

Network ACLs know no connections: each packet is asked, whichever way it goes. A NAT gateway stands in a
subnet of its own, so what it carries is asked there too, in and out. VPC user guide, "Network ACLs".
"""

from collections.abc import Iterator

from labkit.aws.network.model import Topology, acl_entries, both, service_of
from labkit.aws.records import AclEntry, Permission, SubnetRecord
from labkit.sandbox.kernel.expressions import Rule
from labkit.sandbox.kernel.nftables import Chain

_OUT, _NAT_IN, _NAT_OUT, _IN = -15, -14, -13, -12


def compile_acls(topology: Topology, vpc_id: str) -> list[Chain]:
    """The stages of a VPC's network ACLs; none where every subnet's lets all pass."""
    subnets = topology.subnets_in(vpc_id)
    if all(subnet.acl is None for subnet in subnets):
        return []
    out = [rule for subnet in subnets for rule in _border(subnet, egress=True)]
    into = [rule for subnet in subnets for rule in _border(subnet, egress=False)]
    nat = [(s, n) for s in subnets for n in _nat_ways(topology, s)]
    return [
        _chain("acl out", _OUT, out),
        _chain(
            "acl of nat in", _NAT_IN, [rule for s, way in nat for rule in _in_between(s, way, inward=True)]
        ),
        _chain(
            "acl of nat out", _NAT_OUT, [rule for s, way in nat for rule in _in_between(s, way, inward=False)]
        ),
        _chain("acl in", _IN, into),
    ]


def service_rule(permission: Permission | AclEntry) -> Rule | None:
    """A rule that matches the traffic spoken of; None when that is none of IPv4's."""
    service = service_of(permission)
    if service is None:
        return None
    rule: Rule = {}
    if service.protocol is not None:
        rule["protocol"] = service.protocol
    if service.ports is not None:
        rule["ports"] = list(service.ports)
    if service.icmp_type is not None:
        rule["icmp_type"] = service.icmp_type
    return rule


def _chain(name: str, priority: int, rules: list[Rule]) -> Chain:
    return {"name": name, "priority": priority, "policy": "accept", "rules": rules}


def _border(subnet: SubnetRecord, *, egress: bool) -> Iterator[Rule]:
    """The rules for what leaves a subnet, or enters it; what stays inside is not asked."""
    yield {"source": subnet.cidr, "destination": subnet.cidr, "verdict": "accept"}
    ends = (subnet.cidr, "0.0.0.0/0") if egress else ("0.0.0.0/0", subnet.cidr)
    yield from _entries(subnet, *ends, egress=egress)


def _entries(subnet: SubnetRecord, source: str, destination: str, *, egress: bool) -> Iterator[Rule]:
    """An ACL's rules of one direction for packets between two networks; the rest is denied."""
    entries = acl_entries(subnet, egress=egress)
    if entries is None:
        return
    for entry in entries:
        peer = both(destination if egress else source, entry.cidr)
        rule = service_rule(entry)
        if rule is not None and peer:
            ends: Rule = (
                {"source": source, "destination": peer}
                if egress
                else {"source": peer, "destination": destination}
            )
            yield {**rule, **ends, "verdict": "accept" if entry.allows else "drop"}
    yield {"source": source, "destination": destination, "verdict": "drop"}


class _Way:
    """A network that a subnet reaches through a NAT gateway, or not (`nat_subnet` None)."""

    def __init__(self, cidr: str, nat_subnet: SubnetRecord | None) -> None:
        self.cidr, self.nat_subnet = cidr, nat_subnet


def _nat_ways(topology: Topology, subnet: SubnetRecord) -> list[_Way]:
    """A subnet's networks, the most specific first; nothing when none is behind a NAT gateway elsewhere."""
    ways = []
    for route in topology.routes(subnet):
        nat = topology.nat_gateways.get(route.target)
        elsewhere = nat is not None and nat.subnet_id != subnet.subnet_id
        ways.append(_Way(route.cidr, topology.subnets.get(nat.subnet_id) if nat and elsewhere else None))
    return ways if any(way.nat_subnet for way in ways) else []


def _in_between(subnet: SubnetRecord, way: _Way, *, inward: bool) -> Iterator[Rule]:
    """What the ACL of the NAT gateway's subnet says of packets and answers, coming in or going out."""
    if way.nat_subnet is None:
        yield {"source": subnet.cidr, "destination": way.cidr, "verdict": "accept"}
        yield {"source": way.cidr, "destination": subnet.cidr, "verdict": "accept"}
        return
    yield from _entries(way.nat_subnet, subnet.cidr, way.cidr, egress=not inward)
    yield from _entries(way.nat_subnet, way.cidr, subnet.cidr, egress=not inward)
