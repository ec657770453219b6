"""The network's records as packet rules for a router: what decision.py decides, said to the kernel.

What belongs here: pure functions from the model to the rule sets of labkit.sandbox.nftables. What does
not: applying them (fabric.py).

One rule per permission, not per pair: the members of a security group are a named set of addresses, so
an interface that comes or goes changes a set and no rule.
"""

from collections.abc import Iterator

from labkit.cloud.addresses import OUTSIDE_CIDR
from labkit.cloud.network.model import LOCAL, Topology, network_of, service_of
from labkit.cloud.records import GroupRecord, Permission, RouteRecord, SubnetRecord
from labkit.sandbox.nftables import Chain, Change, Rule, RuleSet

# The stages' order on the way through a router. Between routes and groups is the network ACLs' place.
_GATEWAY, _ROUTES, _EGRESS, _INGRESS = -30, -20, 0, 10

_ESTABLISHED: Rule = {"established": True, "verdict": "accept"}


def compile_vpc(topology: Topology, vpc_id: str) -> RuleSet:
    """All rules of the router of a VPC. A VPC that the state does not know passes nothing."""
    return {
        "sets": _members(topology, vpc_id),
        "chains": [
            {
                "name": "gateway",
                "priority": _GATEWAY,
                "policy": "accept",
                "rules": _gateway(topology, vpc_id),
            },
            {"name": "routes", "priority": _ROUTES, "policy": "drop", "rules": _routes(topology, vpc_id)},
            _groups(topology, vpc_id, "egress", _EGRESS),
            _groups(topology, vpc_id, "ingress", _INGRESS),
        ],
    }


def compile_internet() -> RuleSet:
    """The rules between routers: functions outside any VPC accept no connection."""
    closed: Rule = {"destination": OUTSIDE_CIDR, "verdict": "drop"}
    rules = [_ESTABLISHED, closed]
    return {"sets": {}, "chains": [{"name": "outside", "priority": 0, "policy": "accept", "rules": rules}]}


def membership_changes(old: RuleSet | None, new: RuleSet) -> dict[str, Change] | None:
    """How to come from `old` to `new` by changing members of sets alone; None when that is not enough."""
    if old is None or old["chains"] != new["chains"] or old["sets"].keys() != new["sets"].keys():
        return None
    changes: dict[str, Change] = {}
    for name, members in new["sets"].items():
        before, after = set(old["sets"][name]), set(members)
        if before != after:
            changes[name] = {"add": sorted(after - before), "remove": sorted(before - after)}
    return changes


def _members(topology: Topology, vpc_id: str) -> dict[str, list[str]]:
    """Group id → addresses, for every group that the VPC's rules can name."""
    groups = topology.groups_in(vpc_id)
    named = {p.group_id for g in groups for p in (*g.ingress, *g.egress) if p.group_id}
    sets: dict[str, list[str]] = {name: [] for name in sorted(named | {g.group_id for g in groups})}
    for interface in topology.inside(vpc_id):
        for group in topology.groups_of(interface):
            sets[group.group_id].append(interface.address)
    return {name: sorted(addresses) for name, addresses in sets.items()}


def _gateway(topology: Topology, vpc_id: str) -> list[Rule]:
    """Without an internet gateway nothing leaves or enters; nothing passes through from side to side."""
    vpc = topology.vpcs.get(vpc_id)
    if vpc and vpc.internet_gateway:
        return [{"came_from": "internet", "goes_to": "internet", "verdict": "drop"}]
    return [{"came_from": "internet", "verdict": "drop"}, {"goes_to": "internet", "verdict": "drop"}]


def _routes(topology: Topology, vpc_id: str) -> list[Rule]:
    """Each subnet's routes, most specific first: the way taken must be the route's way."""
    rules: list[Rule] = [{"came_from": "internet", "verdict": "accept"}]
    vpc = topology.vpcs.get(vpc_id)
    for subnet in topology.subnets_in(vpc_id):
        for route in topology.routes(subnet):
            rules += _route(subnet, route, vpc.internet_gateway if vpc else "")
    return rules


def _route(subnet: SubnetRecord, route: RouteRecord, gateway: str) -> Iterator[Rule]:
    why = f"{subnet.subnet_id}: {route.cidr} to {route.target}"
    if route.target == LOCAL:
        yield _way(subnet, route, {"goes_to": "vpc", "verdict": "accept", "why": why})
    elif gateway and route.target == gateway:
        yield _way(subnet, route, {"goes_to": "internet", "verdict": "accept", "why": why})
    yield _way(subnet, route, {"verdict": "drop", "why": why})


def _way(subnet: SubnetRecord, route: RouteRecord, rule: Rule) -> Rule:
    return {**rule, "source": subnet.cidr, "destination": route.cidr}


def _groups(topology: Topology, vpc_id: str, direction: str, priority: int) -> Chain:
    """All groups' permissions of one direction. A packet is asked on its own VPC's side alone."""
    elsewhere: Rule = {"verdict": "accept"}
    elsewhere["came_from" if direction == "egress" else "goes_to"] = "internet"
    rules = [_ESTABLISHED, elsewhere]
    for group in topology.groups_in(vpc_id):
        rules += _permissions(group, direction)
    return {"name": direction, "priority": priority, "policy": "drop", "rules": rules}


def _permissions(group: GroupRecord, direction: str) -> Iterator[Rule]:
    for permission in sorted(group.egress if direction == "egress" else group.ingress, key=repr):
        rule = _service(permission)
        if rule is None:
            continue
        own, peer = f"@{group.group_id}", _peer(permission)
        rule["source"], rule["destination"] = (own, peer) if direction == "egress" else (peer, own)
        yield rule


def _service(permission: Permission) -> Rule | None:
    """The rule without its ends; None when the permission can't match an IPv4 packet."""
    service = service_of(permission)
    if service is None or not (permission.group_id or network_of(permission.cidr)):
        return None
    rule: Rule = {"verdict": "accept"}
    if service.protocol is not None:
        rule["protocol"] = service.protocol
    if service.ports is not None:
        rule["ports"] = list(service.ports)
    if service.icmp_type is not None:
        rule["icmp_type"] = service.icmp_type
    return rule


def _peer(permission: Permission) -> str:
    return f"@{permission.group_id}" if permission.group_id else permission.cidr
