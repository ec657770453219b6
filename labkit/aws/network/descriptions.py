"""An account's network as EC2's and Lambda's API describe it: the local cloud's, or a real one on AWS.

What belongs here: from Describe… answers to the records that the network decision reads. What does not:
deciding (labkit.aws.network.decision), and what the answers mean to people (labkit.aws.network.trace).
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from labkit.aws.addresses import AWS_CIDR, IMAGE_HOST_ADDRESS, INTERNET
from labkit.aws.network.model import Topology
from labkit.aws.network.pool import free_address
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

_Description = Mapping[str, Any]
_OUTSIDE = InterfaceRecord(INTERNET, "", "", IMAGE_HOST_ADDRESS, "", ())
#: where a route may lead, in DescribeRouteTables' words
_TARGETS = (
    *("GatewayId", "NatGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId", "TransitGatewayId"),
    *("EgressOnlyInternetGatewayId", "InstanceId"),
)


class ApiClients(Protocol):
    """boto3 clients by service (labkit.deploy.targets.Clients)."""

    def client(self, service: str) -> Any: ...  # noqa: D102


def topology_of(clients: ApiClients) -> Topology:
    """The network of one region with what stands in it. Instances go by their ids, functions by their names.

    Further interfaces of an instance go by its id, a slash and their own. A function that has not run has no address yet: it gets one that is free in its first subnet.
    """
    ec2 = clients.client("ec2")
    lists = _PrefixLists(ec2)
    state = NetworkState(
        vpcs=tuple(_vpcs(ec2)),
        subnets=tuple(_subnets(ec2, lists)),
        groups=tuple(_groups(ec2, lists)),
        nat_gateways=tuple(_nat_gateways(ec2)),
        gateway_endpoints=tuple(_endpoints(ec2)),
    )
    instances = list(_instances(ec2))
    functions = list(_functions(clients.client("lambda"), state, instances))
    return Topology(state, (_OUTSIDE, *instances, *functions), aws=(AWS_CIDR, *lists.aws()))


class _PrefixLists:
    """The CIDR blocks of prefix lists, asked for once each."""

    def __init__(self, ec2: Any) -> None:
        self._ec2 = ec2
        self._known: dict[str, list[str]] = {}

    def cidrs(self, name: str) -> list[str]:
        """The entries of the list with this id."""
        if name not in self._known:
            answer = self._ec2.get_managed_prefix_list_entries(PrefixListId=name)
            self._known[name] = [entry["Cidr"] for entry in answer["Entries"]]
        return self._known[name]

    def aws(self) -> list[str]:
        """The blocks of the lists that routes named: those of gateway endpoints."""
        return [cidr for cidrs in self._known.values() for cidr in cidrs]


def _pages(ec2: Any, operation: str, key: str) -> Iterator[_Description]:
    for page in ec2.get_paginator(operation).paginate():
        yield from page[key]


def _vpcs(ec2: Any) -> Iterator[VpcRecord]:
    gateways = {
        attached["VpcId"]: gateway["InternetGatewayId"]
        for gateway in _pages(ec2, "describe_internet_gateways", "InternetGateways")
        for attached in gateway["Attachments"]
    }
    for vpc in _pages(ec2, "describe_vpcs", "Vpcs"):
        yield VpcRecord(vpc["VpcId"], vpc["CidrBlock"], gateways.get(vpc["VpcId"], ""))


def _subnets(ec2: Any, lists: _PrefixLists) -> Iterator[SubnetRecord]:
    tables = list(_pages(ec2, "describe_route_tables", "RouteTables"))
    acls = list(_pages(ec2, "describe_network_acls", "NetworkAcls"))
    for subnet in _pages(ec2, "describe_subnets", "Subnets"):
        acl = next((a for a in acls for s in a["Associations"] if s["SubnetId"] == subnet["SubnetId"]), None)
        table = _table_of(tables, subnet)
        yield SubnetRecord(
            subnet["SubnetId"],
            subnet["VpcId"],
            subnet["CidrBlock"],
            subnet["AvailabilityZone"],
            tuple(_routes(table, lists)) if table else (),
            acl["NetworkAclId"] if acl else "",
            tuple(_entries(acl)) if acl else None,
        )


def _table_of(tables: Sequence[_Description], subnet: _Description) -> _Description | None:
    """The route table of a subnet: its own, or the VPC's main one."""
    own = (t for t in tables for a in t["Associations"] if a.get("SubnetId") == subnet["SubnetId"])
    main = (t for t in tables for a in t["Associations"] if a.get("Main") and t["VpcId"] == subnet["VpcId"])
    return next(own, None) or next(main, None)


def _routes(table: _Description, lists: _PrefixLists) -> Iterator[RouteRecord]:
    for route in table["Routes"]:
        named = next((str(route[key]) for key in _TARGETS if route.get(key)), "blackhole")
        target = "blackhole" if route.get("State") == "blackhole" else named
        if route.get("DestinationCidrBlock"):
            yield RouteRecord(route["DestinationCidrBlock"], target)
        for cidr in (
            lists.cidrs(route["DestinationPrefixListId"]) if "DestinationPrefixListId" in route else ()
        ):
            yield RouteRecord(cidr, target)


def _entries(acl: _Description) -> Iterator[AclEntry]:
    for entry in acl["Entries"]:
        if "CidrBlock" in entry:
            ports, icmp = entry.get("PortRange", {}), entry.get("IcmpTypeCode", {})
            low, high = (
                (icmp.get("Type", -1), icmp.get("Code", -1))
                if icmp
                else (ports.get("From", -1), ports.get("To", -1))
            )
            allows = entry["RuleAction"] == "allow"
            yield AclEntry(
                entry["RuleNumber"], entry["Egress"], entry["Protocol"], low, high, entry["CidrBlock"], allows
            )


def _groups(ec2: Any, lists: _PrefixLists) -> Iterator[GroupRecord]:
    for group in _pages(ec2, "describe_security_groups", "SecurityGroups"):
        ways = [tuple(_permissions(group[key], lists)) for key in ("IpPermissions", "IpPermissionsEgress")]
        yield GroupRecord(group["GroupId"], group["GroupName"], group.get("VpcId", ""), *ways)


def _permissions(described: Sequence[_Description], lists: _PrefixLists) -> Iterator[Permission]:
    for each in described:
        service = (each["IpProtocol"], each.get("FromPort", -1), each.get("ToPort", -1))
        cidrs = [one["CidrIp"] for one in each.get("IpRanges", ())]
        cidrs += [one["CidrIpv6"] for one in each.get("Ipv6Ranges", ())]
        cidrs += [cidr for one in each.get("PrefixListIds", ()) for cidr in lists.cidrs(one["PrefixListId"])]
        yield from (Permission(*service, cidr=cidr) for cidr in cidrs)
        yield from (Permission(*service, group_id=one["GroupId"]) for one in each.get("UserIdGroupPairs", ()))


def _nat_gateways(ec2: Any) -> Iterator[NatGatewayRecord]:
    for nat in _pages(ec2, "describe_nat_gateways", "NatGateways"):
        if nat["State"] in ("available", "pending"):
            public = next((a["PublicIp"] for a in nat["NatGatewayAddresses"] if a.get("PublicIp")), "")
            yield NatGatewayRecord(nat["NatGatewayId"], nat["VpcId"], nat["SubnetId"], public)


def _endpoints(ec2: Any) -> Iterator[GatewayEndpointRecord]:
    for endpoint in _pages(ec2, "describe_vpc_endpoints", "VpcEndpoints"):
        if endpoint["VpcEndpointType"] == "Gateway" and endpoint["State"].lower() == "available":
            yield GatewayEndpointRecord(endpoint["VpcEndpointId"], endpoint["VpcId"], endpoint["ServiceName"])


def _instances(ec2: Any) -> Iterator[InterfaceRecord]:
    for reservation in _pages(ec2, "describe_instances", "Reservations"):
        for found in reservation["Instances"]:
            if found.get("PrivateIpAddress") and found["State"]["Name"] in ("pending", "running"):
                groups = tuple(group["GroupId"] for group in found["SecurityGroups"])
                yield InterfaceRecord(
                    found["InstanceId"],
                    found["VpcId"],
                    found["SubnetId"],
                    found["PrivateIpAddress"],
                    found.get("PublicIpAddress", ""),
                    groups,
                )
                yield from _further(found)


def _further(instance: _Description) -> Iterator[InterfaceRecord]:
    """The interfaces of an instance besides the first, with the groups of their own."""
    for each in instance.get("NetworkInterfaces", ()):
        if each.get("Attachment", {}).get("DeviceIndex", 0):
            yield InterfaceRecord(
                f"{instance['InstanceId']}/{each['NetworkInterfaceId']}",
                each["VpcId"],
                each["SubnetId"],
                each["PrivateIpAddress"],
                each.get("Association", {}).get("PublicIp", ""),
                tuple(group["GroupId"] for group in each["Groups"]),
            )


def _functions(api: Any, state: NetworkState, others: Sequence[InterfaceRecord]) -> Iterator[InterfaceRecord]:
    """Outside a VPC a function is on the internet's side, with an address that nobody can know."""
    taken = {interface.address for interface in others}
    outside = ipaddress.IPv4Address("198.51.100.254")
    for function in _pages(api, "list_functions", "Functions"):
        vpc = function.get("VpcConfig") or {}
        subnet = next((s for s in state.subnets if s.subnet_id in vpc.get("SubnetIds", ())), None)
        if subnet is None:
            yield InterfaceRecord(function["FunctionName"], "", "", str(outside), "", ())
            outside -= 1
            continue
        address = free_address(subnet.cidr, taken) or ""
        taken.add(address)
        groups = tuple(vpc.get("SecurityGroupIds", ()))
        yield InterfaceRecord(function["FunctionName"], vpc["VpcId"], subnet.subnet_id, address, "", groups)
