"""The network's records as packet rules for a router: what decision.py decides, said to the kernel.

What belongs here: pure functions from the model to the rule sets of labkit.sandbox.kernel.nftables. What does
not: applying them (fabric.py).

One rule per permission, not per pair: the members of a security group are a named set of addresses, so
an interface that comes or goes changes a set and no rule.
"""

from collections.abc import Iterator

from labkit.aws.addresses import AWS_CIDR, OUTSIDE_CIDR
from labkit.aws.network.model import LOCAL, Topology, both, network_of
from labkit.aws.records import GroupRecord, Permission, RouteRecord, SubnetRecord
from labkit.cloud.network.acls import compile_acls, service_rule
from labkit.sandbox.kernel.expressions import Rule
from labkit.sandbox.kernel.nftables import Chain, Change, RuleSet, Translation

# The stages' order on the way through a router; network ACLs (acls.py) stand between.
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
            *compile_acls(topology, vpc_id),
            _groups(topology, vpc_id, "egress", _EGRESS),
            _groups(topology, vpc_id, "ingress", _INGRESS),
        ],
        "translations": list(_translations(topology, vpc_id)),
    }


def compile_internet() -> RuleSet:
    """The rules between routers: functions outside any VPC accept no connection."""
    closed: Rule = {"destination": OUTSIDE_CIDR, "verdict": "drop"}
    rules = [_ESTABLISHED, closed]
    return {"sets": {}, "chains": [{"name": "outside", "priority": 0, "policy": "accept", "rules": rules}]}


def membership_changes(old: RuleSet | None, new: RuleSet) -> dict[str, Change] | None:
    """How to come from `old` to `new` by changing members of sets alone; None when that is not enough."""
    if old is None or old["sets"].keys() != new["sets"].keys():
        return None
    if any(old.get(part) != new.get(part) for part in ("chains", "translations")):
        return None
    changes: dict[str, Change] = {}
    for name, members in new["sets"].items():
        before, after = set(old["sets"][name]), set(members)
        if before != after:
            changes[name] = {"add": sorted(after - before), "remove": sorted(before - after)}
    return changes


def _members(topology: Topology, vpc_id: str) -> dict[str, list[str]]:
    """Group id → addresses, for every group that the VPC's rules can name; and who has a public address."""
    groups = topology.groups_in(vpc_id)
    named = {p.group_id for g in groups for p in (*g.ingress, *g.egress) if p.group_id}
    sets: dict[str, list[str]] = {name: [] for name in sorted(named | {g.group_id for g in groups})}
    for interface in topology.inside(vpc_id):
        for group in topology.groups_of(interface):
            sets[group.group_id].append(interface.address)
    for subnet in topology.subnets_in(vpc_id):
        inside = (i for i in topology.inside(vpc_id) if i.subnet_id == subnet.subnet_id and i.public_ip)
        sets[_with_public(subnet)] = [interface.address for interface in inside]
    return {name: sorted(addresses) for name, addresses in sets.items()}


def _gateway(topology: Topology, vpc_id: str) -> list[Rule]:
    """Nothing passes from side to side; without an internet gateway nothing enters but answers."""
    rules: list[Rule] = [{"came_from": "internet", "goes_to": "internet", "verdict": "drop"}]
    vpc = topology.vpcs.get(vpc_id)
    if vpc and vpc.internet_gateway:
        return rules
    return [*rules, {"came_from": "internet", "direction": "original", "verdict": "drop"}]


def _routes(topology: Topology, vpc_id: str) -> list[Rule]:
    """Each subnet's routes, most specific first: the way taken must be the route's way."""
    rules: list[Rule] = [{"came_from": "internet", "verdict": "accept"}]
    for subnet in topology.subnets_in(vpc_id):
        for route in topology.routes(subnet):
            rules += _route(topology, subnet, route)
    return rules


def _route(topology: Topology, subnet: SubnetRecord, route: RouteRecord) -> Iterator[Rule]:
    why = f"{subnet.subnet_id}: {route.cidr} to {route.target}"
    way: Rule = {"source": subnet.cidr, "destination": route.cidr, "why": why}
    if route.target == LOCAL:
        yield {**way, "goes_to": "vpc", "verdict": "accept"}
    elif route.target == topology.gateway(subnet.vpc_id):
        public = f"@{_with_public(subnet)}"
        yield {**way, "source": public, "goes_to": "internet", "verdict": "accept"}
    elif topology.endpoint(route.target, subnet.vpc_id):
        to_aws = both(route.cidr, AWS_CIDR)
        new: Rule = {"direction": "original", "goes_to": "internet", "verdict": "accept"}
        if to_aws:
            yield {**way, **new, "destination": to_aws}
    else:
        yield from _through_nat(topology, route, way)
    yield {**way, "verdict": "drop"}


def _through_nat(topology: Topology, route: RouteRecord, way: Rule) -> Iterator[Rule]:
    """The NAT gateway's own subnet must send on to the internet; it takes no answers to others."""
    nat = topology.nat_gateways.get(route.target)
    subnet = topology.subnets.get(nat.subnet_id) if nat else None
    if not nat or not nat.public_ip or not subnet:
        return
    for onward in topology.routes(subnet):
        shared = both(route.cidr, onward.cidr)
        passes = bool(onward.target) and onward.target == topology.gateway(nat.vpc_id)
        if shared and passes:
            new: Rule = {"direction": "original", "goes_to": "internet", "verdict": "accept"}
            yield {**way, **new, "destination": shared}
        elif shared:
            yield {**way, "destination": shared, "verdict": "drop"}


def _translations(topology: Topology, vpc_id: str) -> Iterator[Translation]:
    """Whose traffic shows the address of a NAT gateway; all else keeps its own or its public one."""
    for subnet in topology.subnets_in(vpc_id):
        routes = topology.routes(subnet)
        if any(route.target in topology.nat_gateways for route in routes):
            for route in routes:
                nat = topology.nat_gateways.get(route.target)
                address = nat.public_ip if nat else ""
                yield {"source": subnet.cidr, "destination": route.cidr, "to": address}


def _with_public(subnet: SubnetRecord) -> str:
    return f"public {subnet.subnet_id}"


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
        rule = service_rule(permission) if permission.group_id or network_of(permission.cidr) else None
        if rule is None:
            continue
        rule["verdict"] = "accept"
        own, peer = f"@{group.group_id}", _peer(permission)
        rule["source"], rule["destination"] = (own, peer) if direction == "egress" else (peer, own)
        yield rule


def _peer(permission: Permission) -> str:
    return f"@{permission.group_id}" if permission.group_id else permission.cidr
