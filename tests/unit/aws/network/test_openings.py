"""Every way into a server: what each rule opens, and that no rule that lets anybody in is missed."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.aws.network.decision import decide
from labkit.aws.network.model import Flow, Topology
from labkit.aws.network.openings import openings
from labkit.aws.records import (
    AclEntry,
    GroupRecord,
    InterfaceRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)

PORT = 5417
ANY = Permission("-1", -1, -1, cidr="0.0.0.0/0")
SERVER = InterfaceRecord("i-1", "vpc-1", "subnet-1", "10.0.1.10", "198.18.0.1", ("sg-server",))
FUNCTION = InterfaceRecord("function", "vpc-1", "subnet-1", "10.0.1.20", "", ("sg-function",))


def tcp(low: int, high: int, source: str) -> Permission:
    where = {"group_id": source} if source.startswith("sg-") else {"cidr": source}
    return Permission("tcp", low, high, **where)


def world(*rules: Permission, acl: tuple[AclEntry, ...] | None = None, routed: bool = True) -> Topology:
    routes = (RouteRecord("0.0.0.0/0", "igw-1"),) if routed else ()
    state = NetworkState(
        vpcs=(VpcRecord("vpc-1", "10.0.0.0/16", "igw-1" if routed else ""),),
        subnets=(
            SubnetRecord("subnet-1", "vpc-1", "10.0.1.0/24", "a", routes, "acl-1", acl),
            SubnetRecord("subnet-2", "vpc-1", "10.0.2.0/24", "b", routes),
        ),
        groups=(
            GroupRecord("sg-server", "server", "vpc-1", rules, (ANY,)),
            GroupRecord("sg-function", "function", "vpc-1", (), (ANY,)),
            GroupRecord("sg-default", "default", "vpc-1", (), (ANY,)),
        ),
    )
    return Topology(state, (SERVER, FUNCTION))


def found(*rules: Permission, acl: tuple[AclEntry, ...] | None = None, routed: bool = True) -> list[str]:
    return [each.words for each in openings(world(*rules, acl=acl, routed=routed), SERVER)]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (tcp(PORT, PORT, "sg-function"), "tcp 5417 from sg-function"),
        (tcp(PORT, PORT, "198.51.100.23/32"), "tcp 5417 from 198.51.100.23/32"),
        (tcp(22, 22, "0.0.0.0/0"), "tcp 22 from 0.0.0.0/0"),
        (tcp(22, 22, "10.0.0.0/16"), "tcp 22 from 10.0.0.0/16"),
        (tcp(0, 65535, "sg-function"), "tcp 0-65535 from sg-function"),
        (tcp(22, 22, "::/0"), "tcp 22 from ::/0"),
        (Permission("udp", 53, 53, cidr="0.0.0.0/0"), "udp 53 from 0.0.0.0/0"),
        (Permission("icmp", -1, -1, cidr="0.0.0.0/0"), "icmp from 0.0.0.0/0"),
        (Permission("47", -1, -1, cidr="0.0.0.0/0"), "47 from 0.0.0.0/0"),
        (Permission("-1", -1, -1, group_id="sg-server"), "all traffic from sg-server"),
        (ANY, "all traffic from 0.0.0.0/0"),
    ],
)
@pytest.mark.parametrize("routed", [True, False])
def test_every_rule_that_lets_somebody_in_is_an_opening(rule: Permission, words: str, routed: bool) -> None:
    assert found(rule, routed=routed) == [words]  # a missing route is no protection


def test_what_one_opening_admits() -> None:
    door, wide, ping = openings(
        world(tcp(PORT, PORT, "sg-function"), ANY, Permission("icmp", -1, -1, cidr="10.0.0.0/8")), SERVER
    )
    assert door.admits_only("tcp", PORT)
    assert not door.admits("tcp", 22)
    assert wide.admits("tcp", PORT)
    assert not wide.admits_only("tcp", PORT)
    assert not ping.admits("tcp", PORT)


def test_network_acl_that_denies_all_of_a_rule_closes_it() -> None:
    """VPC user guide, "Network ACLs": the first rule that matches decides."""
    ssh = tcp(22, 22, "198.51.100.0/24")
    every = AclEntry(100, False, "-1", -1, -1, "0.0.0.0/0", True)
    out = AclEntry(100, True, "-1", -1, -1, "0.0.0.0/0", True)
    denial = AclEntry(50, False, "6", 22, 22, "198.51.100.0/24", False)
    half = replace(denial, cidr="198.51.100.0/25")
    assert found(ssh, acl=(every, out, denial)) == []
    assert found(ssh, acl=(every, out, half)) == [f"tcp 22 from {ssh.cidr}"]
    assert found(ssh, acl=(every, out)) == [f"tcp 22 from {ssh.cidr}"]


_SOURCES = st.sampled_from(
    ["sg-function", "sg-server", "sg-default", "10.0.0.0/16", "10.0.2.7/32", "0.0.0.0/0", "198.51.100.0/30"]
)
_RULES = st.builds(
    lambda name, ports, source: replace(tcp(*sorted(ports), source), protocol=name),
    st.sampled_from(["tcp", "udp"]), st.tuples(st.integers(1, 9), st.integers(1, 9)), _SOURCES,
)  # fmt: skip
_ENTRIES = st.builds(
    lambda number, ports, cidr, allows: AclEntry(number, False, "6", *sorted(ports), cidr, allows),
    st.integers(1, 50), st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(["0.0.0.0/0", "10.0.0.0/16", "198.51.100.0/31", "10.0.2.7/32"]), st.booleans(),
)  # fmt: skip


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(_RULES, max_size=3), st.lists(_ENTRIES, max_size=3, unique_by=lambda e: e.number))
def test_nobody_gets_in_but_by_an_opening(rules: list[Permission], entries: list[AclEntry]) -> None:
    """The decision on every packet of a small world is the oracle."""
    out = AclEntry(100, True, "-1", -1, -1, "0.0.0.0/0", True)
    rest = AclEntry(100, False, "-1", -1, -1, "0.0.0.0/0", True)
    topology = world(*rules, acl=(*entries, rest, out))
    opened = openings(topology, SERVER)
    inside = [
        InterfaceRecord(f"n{number}", "vpc-1", subnet, address, "", (group, "sg-default"))
        for number, (subnet, address, group) in enumerate(
            (s, a, g) for s, a in (("subnet-1", "10.0.1.30"), ("subnet-2", "10.0.2.7")) for g in ("sg-function", "sg-server")
        )
    ]  # fmt: skip
    for protocol in ("tcp", "udp"):
        for port in range(1, 10):
            arrives = [
                decide(replace(topology, interfaces=(SERVER, each)), Flow(each.name, SERVER.address, port, protocol))
                for each in inside
            ]  # fmt: skip
            arrives += [
                decide(topology, Flow(source, SERVER.public_ip, port, protocol))
                for source in ("198.51.100.1", "198.51.100.2", "203.0.113.5")
            ]
            if any(verdict.arrives for verdict in arrives):
                assert any(each.admits(protocol, port) for each in opened)
