"""VPCs, subnets, routes and security groups in moto's state as plain records.

What belongs here: reading, and what a route's target is worth now (DescribeRouteTables' state).
What does not: deciding about packets (labkit.cloud.network).
"""

from collections.abc import Iterator
from typing import Any

from labkit.aws.records import (
    AclEntry,
    GatewayEndpointRecord,
    GroupRecord,
    NatGatewayRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)
from labkit.cloud.moto_seam.backends import in_use

BLACKHOLE = "blackhole"


def network_state() -> NetworkState:
    """Everything of the account that decides whether a packet arrives, in all regions in use."""
    backends = [ec2 for _, ec2 in in_use("ec2")]
    return NetworkState(
        vpcs=tuple(vpc for ec2 in backends for vpc in _vpcs(ec2)),
        subnets=tuple(subnet for ec2 in backends for subnet in _subnets(ec2)),
        groups=tuple(group for ec2 in backends for group in _groups(ec2)),
        nat_gateways=tuple(nat for ec2 in backends for nat in _nat_gateways(ec2)),
        gateway_endpoints=tuple(endpoint for ec2 in backends for endpoint in _gateway_endpoints(ec2)),
    )


def target_of(route: Any) -> str:
    """Where the route leads: "local", an id, or "blackhole" when what it names is gone."""
    if route.local:
        return "local"
    ec2, vpc_id = route.route_table.ec2_backend, route.route_table.vpc_id
    if route.gateway is not None:
        return _gateway(ec2, route.gateway, vpc_id)
    if route.nat_gateway is not None:
        gone = route.nat_gateway.id not in ec2.nat_gateways or route.nat_gateway.state == "deleted"
        return BLACKHOLE if gone else str(route.nat_gateway.id)
    if route.instance is not None:
        interface = route.instance.nics.get(0)
        return str(interface.id) if interface else BLACKHOLE
    if route.interface is not None:
        return str(route.interface.id) if route.interface.id in ec2.enis else BLACKHOLE
    return _other_target(ec2, route)


def _other_target(ec2: Any, route: Any) -> str:
    if route.vpc_endpoint_id is not None:
        endpoint = ec2.vpc_end_points.get(route.vpc_endpoint_id)
        return BLACKHOLE if endpoint is None or endpoint.state == "deleted" else str(endpoint.id)
    others = (route.vpc_pcx, route.transit_gateway, route.egress_only_igw, route.carrier_gateway)
    return next((str(other.id) for other in others if other is not None), BLACKHOLE)


def _gateway(ec2: Any, gateway: Any, vpc_id: str) -> str:
    if gateway.id.startswith("vpce-"):
        known = ec2.vpc_end_points.get(gateway.id)
        return str(gateway.id) if known is not None and known.state != "deleted" else BLACKHOLE
    if not gateway.id.startswith("igw-"):
        return str(gateway.id)
    known = ec2.internet_gateways.get(gateway.id)
    attached = known is not None and known.vpc is not None and known.vpc.id == vpc_id
    return str(gateway.id) if attached else BLACKHOLE


def _vpcs(ec2: Any) -> Iterator[VpcRecord]:
    gateways = {igw.vpc.id: igw.id for igw in list(ec2.internet_gateways.values()) if igw.vpc}
    for vpc in list(ec2.vpcs.values()):
        dns_support = str(vpc.enable_dns_support).lower() != "false"
        yield VpcRecord(vpc.id, vpc.cidr_block, gateways.get(vpc.id, ""), dns_support)


def _nat_gateways(ec2: Any) -> Iterator[NatGatewayRecord]:
    for nat in list(ec2.nat_gateways.values()):
        if nat.state == "deleted":
            continue
        held = (a.public_ip for a in list(ec2.addresses) if a.eni and a.eni.id == nat._eni.id)
        yield NatGatewayRecord(nat.id, nat.vpc_id, nat.subnet_id, next(held, ""))


def _gateway_endpoints(ec2: Any) -> Iterator[GatewayEndpointRecord]:
    for endpoint in list(ec2.vpc_end_points.values()):
        if endpoint.state != "deleted" and (endpoint.vpc_endpoint_type or "Gateway") == "Gateway":
            yield GatewayEndpointRecord(endpoint.id, endpoint.vpc_id, endpoint.service_name)


def _subnets(ec2: Any) -> Iterator[SubnetRecord]:
    tables = list(ec2.route_tables.values())
    main = {table.vpc_id: table for table in tables if table.main_association_id is not None}
    own = {target: table for table in tables for target in table._associations.values()}
    acls = _acls(ec2)
    for subnets in list(ec2.subnets.values()):
        for subnet in list(subnets.values()):
            table = own.get(subnet.id) or main.get(subnet.vpc_id)
            routes = tuple(_routes(ec2, table)) if table is not None else ()
            acl = acls.get(subnet.id)
            yield SubnetRecord(
                subnet.id,
                subnet.vpc_id,
                subnet.cidr_block,
                subnet.availability_zone,
                routes,
                acl.id if acl else "",
                tuple(_entries(acl)) if acl and not _is_open(acl) else None,
            )


def _acls(ec2: Any) -> dict[str, Any]:
    """Network ACLs by the id of each subnet that they are on."""
    acls = list(ec2.network_acls.values())
    return {each.subnet_id: acl for acl in acls for each in list(acl._associations.values())}


def _is_open(acl: Any) -> bool:
    """Whether it is as a VPC's default ACL begins: everything passes both ways, which needs no rules."""
    rules = {
        (e.egress, e.rule_action, e.protocol, e.cidr_block)
        for e in acl.network_acl_entries
        if e.rule_number < 32767
    }
    return rules == {(way, "allow", "-1", "0.0.0.0/0") for way in (True, False)}


def _entries(acl: Any) -> Iterator[AclEntry]:
    for entry in list(acl.network_acl_entries):
        if entry.cidr_block:
            yield AclEntry(
                int(entry.rule_number),
                bool(entry.egress),
                str(entry.protocol),
                *_ports(entry),
                entry.cidr_block,
                entry.rule_action == "allow",
            )


def _ports(entry: Any) -> tuple[int, int]:
    low, high = entry.port_range_from, entry.port_range_to
    if entry.icmp_type is not None and str(entry.protocol) in ("1", "icmp"):
        low, high = entry.icmp_type, entry.icmp_code
    return (-1 if low in (None, "") else int(low)), (-1 if high in (None, "") else int(high))


def _routes(ec2: Any, table: Any) -> Iterator[RouteRecord]:
    for route in table.routes:
        target = target_of(route)
        if route.destination_prefix_list is not None:
            for cidr in _prefix_list(ec2, route.destination_prefix_list.id):
                yield RouteRecord(cidr, target)
        elif route.destination_cidr_block:
            yield RouteRecord(route.destination_cidr_block, target)


def _prefix_list(ec2: Any, prefix_list_id: str) -> list[str]:
    known = ec2.managed_prefix_lists.get(prefix_list_id)
    if known is None or not known.entries:
        return []
    newest = known.version or max(known.entries)  # AWS's own lists show no version
    return [entry["Cidr"] for entry in known.entries.get(newest) or ()]


def _groups(ec2: Any) -> Iterator[GroupRecord]:
    for groups in list(ec2.groups.values()):
        for group in list(groups.values()):
            ingress = tuple(_permissions(ec2, group.ingress_rules))
            egress = tuple(_permissions(ec2, group.egress_rules))
            yield GroupRecord(group.id, group.name, group.vpc_id or "", ingress, egress)


def _permissions(ec2: Any, rules: Any) -> Iterator[Permission]:
    # rules for IPv6 addresses are left out: nothing in this cloud has one
    for rule in list(rules):
        ports = (
            -1 if rule.from_port is None else rule.from_port,
            -1 if rule.to_port is None else rule.to_port,
        )
        if rule.source_group.get("GroupId"):
            yield Permission(rule.ip_protocol, *ports, group_id=rule.source_group["GroupId"])
        elif rule.prefix_list_id:
            for cidr in _prefix_list(ec2, rule.prefix_list_id):
                yield Permission(rule.ip_protocol, *ports, cidr=cidr)
        elif rule.cidr_ipv4:
            yield Permission(rule.ip_protocol, *ports, cidr=rule.cidr_ipv4)
