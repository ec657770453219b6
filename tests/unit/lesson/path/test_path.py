"""The path hop by hop: which hop is named for which mistake, with what was needed and found."""

import random
from dataclasses import replace
from typing import Any

import pytest

from labkit.aws.network.model import Topology
from labkit.aws.network.trace import trace
from labkit.aws.records import (
    AclEntry,
    GroupRecord,
    InterfaceRecord,
    NetworkState,
    Permission,
    SubnetRecord,
    VpcRecord,
)
from labkit.lesson.path import path
from tests.unit.aws.network import worlds

PORT = 5760
ALL = Permission("-1", -1, -1, cidr="0.0.0.0/0")
RULE = Permission("tcp", PORT, PORT, group_id="sg-f")
FUNCTION: dict[str, Any] = {
    "FunctionName": "image", "State": "Active",
    "VpcConfig": {"VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-f"]},
    "Environment": {"Variables": {"EC2_FLASK_URL": "http://10.30.1.4:5760"}},
}  # fmt: skip
INSTANCE: dict[str, Any] = {
    "InstanceId": "i-1", "PrivateIpAddress": "10.30.1.4", "SubnetId": "subnet-1", "VpcId": "vpc-1",
    "State": {"Name": "running"},
}  # fmt: skip


def network(
    *rules: Permission,
    egress: tuple[Permission, ...] = (ALL,),
    mine: str = "sg-f",
    server: str = "subnet-1",
    **subnet: Any,
) -> Topology:
    """The lab's network: the function in `mine`, the server behind `rules`; `subnet` changes the function's."""
    state = NetworkState(
        vpcs=(VpcRecord("vpc-1", "10.30.0.0/16", "igw-1"),),
        subnets=(
            replace(SubnetRecord("subnet-1", "vpc-1", "10.30.1.0/24", "a", (), "acl-1", None), **subnet),
            SubnetRecord("subnet-2", "vpc-1", "10.30.2.0/24", "a", (), "acl-2", None),
        ),
        groups=(
            GroupRecord("sg-f", "f", "vpc-1", (), egress),
            GroupRecord("sg-s", "s", "vpc-1", rules, (ALL,)),
        ),
    )
    ends = (
        InterfaceRecord("image", "vpc-1", "subnet-1", "10.30.1.9", "", (mine,)),
        InterfaceRecord(
            "i-1", "vpc-1", server, "10.30.1.4" if server == "subnet-1" else "10.30.2.4", "", ("sg-s",)
        ),
    )
    return Topology(state, ends)


def scene(
    topology: Topology | None = None, *, boot: Any = None, instance: Any = None, **function: Any
) -> path.Scene:
    there = topology or network(RULE)
    return path.scene_of(
        there, FUNCTION | function, INSTANCE | (instance or {}), PORT, boot or {"state": "ok"}
    )


GOOD = scene()


def door(*rules: Permission, **others: Any) -> path.Scene:
    return scene(network(*rules, **others))


def stops(scene: path.Scene, status: int = 504, message: str = "timed out", seconds: float = 5.0) -> path.Hop:
    return next(hop for hop in path.follow(scene, status, message, seconds) if hop.state == "bad")


def test_everything_passes() -> None:
    hops = path.follow(GOOD, 200, "", 0.02)
    assert [hop.name for hop in hops] == list(path.NAMES)
    assert [hop.state for hop in hops] == ["ok"] * 6 + ["unknown"]


#: the server in another subnet than the function's
OTHER = {"PrivateIpAddress": "10.30.2.4", "SubnetId": "subnet-2"}
NEXT = {"Variables": {"EC2_FLASK_URL": "http://10.30.2.4:5760"}}
ENVIRONMENT = {"Variables": {"EC2_FLASK_URL": "http://10.30.1.254:5760"}}


@pytest.mark.parametrize(
    ("there", "hop", "gap", "symptom"),
    [
        (scene(VpcConfig={}), "function", "lambda-network", "outside"),
        (scene(Environment=ENVIRONMENT), "function", "lambda-network", "address"),
        (scene(Environment={}), "function", "lambda-network", "address"),
        (scene(State="Pending"), "client", "", ""),
        (scene(instance={"VpcId": "vpc-2"}), "vpc", "lambda-network", ""),
        (door(RULE, egress=()), "vpc", "", "egress"),
        (door(RULE, egress=(Permission("tcp", 1, 65535, cidr="8.8.8.8/32"),)), "vpc", "", "egress"),
        (scene(network(RULE, server="subnet-2", acl=()), Environment=NEXT, instance=OTHER), "vpc", "", "acl"),
        (door(), "door", "server-door", "empty"),
        (scene(network(mine="sg-s"), VpcConfig=FUNCTION["VpcConfig"] | {"SecurityGroupIds": ["sg-s"]}),
         "door", "lambda-network", "group"),
        (door(replace(RULE, from_port=5000, to_port=5000)), "door", "server-door", "port"),
        (door(replace(RULE, group_id="sg-x")), "door", "server-door", "source"),
        (door(replace(RULE, protocol="udp")), "door", "server-door", "port"),
        (scene(boot={"state": "failed", "exit_code": 1}), "boot", "unit", "boot"),
        (scene(replace(network(), interfaces=network().interfaces[:1]), instance={"State": {"Name": "stopped"}}),
         "boot", "", "stopped"),
        (GOOD, "health", "", "silence"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_at_its_hop(there: path.Scene, hop: str, gap: str, symptom: str) -> None:
    found = stops(there)
    assert (found.name, found.gap, found.symptom) == (hop, gap, symptom)
    assert found.seen
    assert found.needed


@pytest.mark.parametrize(
    ("cidr", "hop"),
    [
        ("0.0.0.0/0", "health"),
        ("10.30.1.9/32", "health"),
        ("192.168.0.0/16", "door"),
        ("10.30.1.4/32", "door"),
    ],
)
def test_a_range_lets_the_packet_in_where_it_holds_the_functions_address(cidr: str, hop: str) -> None:
    assert stops(door(Permission("tcp", PORT, PORT, cidr=cidr))).name == hop


@pytest.mark.parametrize("seed", range(60))
def test_the_path_and_the_trace_give_one_answer_in_any_network(seed: int) -> None:
    """`./lab wire` and `./lab cloud trace` say of every pair of ends whether it arrives, and name the same rule."""
    rng = random.Random(seed)
    topology = worlds.make(rng)
    inside = [each for each in topology.interfaces if each.vpc_id]
    for caller in inside:
        for server in (each for each in inside if each is not caller):
            _agree(topology, caller, server, rng.choice(worlds.PORTS))


def _agree(topology: Topology, caller: InterfaceRecord, server: InterfaceRecord, port: int) -> None:
    function = FUNCTION | {
        "FunctionName": caller.name,
        "VpcConfig": {
            "VpcId": caller.vpc_id,
            "SubnetIds": [caller.subnet_id],
            "SecurityGroupIds": ["sg-none"],
        },
        "Environment": {"Variables": {"EC2_FLASK_URL": f"http://{server.address}:{port}"}},
    }
    instance = INSTANCE | {
        "InstanceId": server.name,
        "PrivateIpAddress": server.address,
        "VpcId": server.vpc_id,
    }
    hop = stops(path.scene_of(topology, function, instance, port, {"state": "ok"}))
    found = trace(topology, caller.name, server.address, port)
    assert (hop.name == "health") is (found.verdict.arrives and caller.vpc_id == server.vpc_id)
    if hop.name == "vpc" and not hop.gap:
        assert (hop.seen, hop.needed) == (found.verdict.reason, found.fix)
    if hop.name == "door":
        assert found.verdict.reason.startswith("security group ingress")


def test_refused_is_not_silence() -> None:
    assert stops(GOOD, 504, "Connection refused", 0.01).symptom == "refused"
    assert stops(GOOD, 500, "no bucket", 0.01).symptom == "status"


def test_what_aws_refuses_to_run_stops_at_the_function() -> None:
    assert stops(GOOD, 0, "TooManyRequestsException: Rate Exceeded.", 0.1).name == "function"


@pytest.mark.parametrize("first", [True, False])
def test_a_network_acl_asks_its_smallest_rule_first(first: bool) -> None:
    """AWS: VPC user guide, "Network ACLs": rules are evaluated starting with the lowest numbered rule."""
    both = [AclEntry(200, egress, "-1", -1, -1, "0.0.0.0/0", True) for egress in (True, False)]
    rule = AclEntry(100, True, "tcp", PORT, PORT, "10.30.0.0/16", first)
    found = stops(
        scene(network(RULE, server="subnet-2", acl=(*both, rule)), Environment=NEXT, instance=OTHER)
    )
    assert (found.name == "health") is first


def test_without_a_server_that_runs_the_network_is_not_judged() -> None:
    stopped = scene(replace(network(), interfaces=()), instance={"State": {"Name": "stopped"}})
    states = {hop.name: hop.state for hop in path.follow(stopped, 504, "timed out", 5)}
    assert (states["vpc"], states["door"], states["boot"]) == ("unknown", "unknown", "bad")


def test_drawings_fit_80_columns() -> None:
    hops = path.follow(scene(VpcConfig={}), 504, "timed out", 5)
    lines = [
        path.one_line(hops, "10.230.0.0/16", "10.230.1.254:5760"),
        *path.draw(hops, "10.230.0.0/16", "10.230.1.254:5760"),
    ]
    assert max(map(len, lines)) <= 76
    assert "function ✗" in lines[0]


def test_what_the_server_lets_in_is_told_in_words() -> None:
    found = stops(
        door(
            replace(RULE, from_port=5000, to_port=5000),
            replace(RULE, protocol="udp", group_id="", cidr="0.0.0.0/0"),
        )
    )
    assert found.seen == "tcp 5000 from sg-f; udp 5760 from 0.0.0.0/0"
