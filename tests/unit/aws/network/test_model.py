"""What permissions, routes and networks mean."""

import pytest

from labkit.aws.network.model import Service, Topology, contains, is_private, service_of
from labkit.aws.records import NetworkState, Permission, RouteRecord, SubnetRecord, VpcRecord


@pytest.mark.parametrize(
    ("permission", "service"),
    [
        (Permission("-1", -1, -1), Service()),
        (Permission("-1", 80, 90), Service()),
        (Permission("tcp", 80, 90), Service(6, ports=(80, 90))),
        (Permission("TCP", -1, -1), Service(6)),
        (Permission("17", 53, 53), Service(17, ports=(53, 53))),
        (Permission("icmp", -1, -1), Service(1)),
        (Permission("icmp", 8, 0), Service(1, icmp_type=8)),
        (Permission("47", -1, -1), Service(47)),
        (Permission("icmpv6", -1, -1), None),
        (Permission("256", -1, -1), None),
    ],
)
def test_what_a_permission_speaks_of(permission: Permission, service: Service | None) -> None:
    """EC2 API reference, IpPermission: names or numbers of protocols, -1 for all."""
    assert service_of(permission) == service


def test_routes_are_asked_most_specific_first_and_local_is_always_there() -> None:
    """VPC user guide, Route tables: the local route, and the longest prefix that matches."""
    routes = (
        RouteRecord("0.0.0.0/0", "igw-1"),
        RouteRecord("8.8.0.0/16", "blackhole"),
        RouteRecord("::/0", "igw-1"),
    )
    subnet = SubnetRecord("subnet-1", "vpc-1", "10.0.1.0/24", "a", routes)
    topology = Topology(NetworkState((VpcRecord("vpc-1", "10.0.0.0/16"),), (subnet,)))
    assert [route.target for route in topology.routes(subnet)] == ["local", "blackhole", "igw-1"]
    assert topology.route(subnet, "8.8.4.4") == routes[1]
    assert topology.route(subnet, "10.0.9.9") == RouteRecord("10.0.0.0/16", "local")


def test_containment_and_private_ranges() -> None:
    assert contains("10.0.1.9/24", "10.0.1.200")
    assert not contains("::/0", "10.0.1.200")
    assert not contains("pl-12345", "10.0.1.200")
    assert [is_private(a) for a in ("172.16.0.1", "172.32.0.1", "203.0.113.10")] == [True, False, False]
