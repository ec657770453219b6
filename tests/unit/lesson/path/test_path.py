"""The path hop by hop: which hop is named for which mistake, with what was needed and found."""

from dataclasses import replace
from typing import Any

import pytest

from labkit.lesson.path import path

SUBNET = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.30.1.0/24"}
RULE = {
    "IpProtocol": "tcp",
    "FromPort": 5760,
    "ToPort": 5760,
    "UserIdGroupPairs": [{"GroupId": "sg-f"}],
    "IpRanges": [],
}
EGRESS = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
GOOD = path.Scene(
    function={
        "State": "Active", "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-f"]},
        "Environment": {"Variables": {"EC2_FLASK_URL": "http://10.30.1.4:5760"}},
    },
    instance={
        "PrivateIpAddress": "10.30.1.4", "SubnetId": "subnet-1", "VpcId": "vpc-1", "State": {"Name": "running"},
        "SecurityGroups": [{"GroupId": "sg-s"}],
    },
    function_groups=[{"GroupId": "sg-f", "IpPermissionsEgress": [EGRESS]}],
    server_groups=[{"GroupId": "sg-s", "IpPermissions": [RULE]}],
    subnets={"subnet-1": SUBNET}, acls={}, port=5760, boot={"state": "ok"},
)  # fmt: skip


def door(**changes: Any) -> path.Scene:
    return replace(GOOD, server_groups=[{"GroupId": "sg-s", "IpPermissions": [RULE | changes]}])


def function(**changes: Any) -> path.Scene:
    return replace(GOOD, function={**GOOD.function, **changes})


def stops(scene: path.Scene, status: int = 504, message: str = "timed out", seconds: float = 5.0) -> path.Hop:
    return next(hop for hop in path.follow(scene, status, message, seconds) if hop.state == "bad")


def test_everything_passes() -> None:
    hops = path.follow(GOOD, 200, "", 0.02)
    assert [hop.name for hop in hops] == list(path.NAMES)
    assert [hop.state for hop in hops] == ["ok"] * 6 + ["unknown"]


ENVIRONMENT = {"Variables": {"EC2_FLASK_URL": "http://10.30.1.254:5760"}}


@pytest.mark.parametrize(
    ("scene", "hop", "gap", "symptom"),
    [
        (function(VpcConfig={}), "function", "lambda-network", "outside"),
        (function(Environment=ENVIRONMENT), "function", "lambda-network", "address"),
        (function(Environment={}), "function", "lambda-network", "address"),
        (function(State="Pending"), "client", "", ""),
        (replace(GOOD, subnets={"subnet-1": SUBNET | {"VpcId": "vpc-2"}}), "vpc", "lambda-network", ""),
        (replace(GOOD, function_groups=[{"GroupId": "sg-f", "IpPermissionsEgress": []}]), "vpc", "", "egress"),
        (replace(GOOD, server_groups=[{"GroupId": "sg-s", "IpPermissions": []}]), "door", "server-door", "empty"),
        (replace(door(FromPort=5000, ToPort=5000), function_groups=[{"GroupId": "sg-s", "IpPermissionsEgress": [EGRESS]}]),
         "door", "lambda-network", "group"),
        (door(FromPort=5000, ToPort=5000), "door", "server-door", "port"),
        (door(UserIdGroupPairs=[{"GroupId": "sg-x"}]), "door", "server-door", "source"),
        (door(IpProtocol="udp"), "door", "server-door", "port"),
        (replace(GOOD, boot={"state": "failed", "exit_code": 1}), "boot", "unit", "boot"),
        (replace(GOOD, instance={**GOOD.instance, "State": {"Name": "stopped"}}), "boot", "", "stopped"),
        (GOOD, "health", "", "silence"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_at_its_hop(scene: path.Scene, hop: str, gap: str, symptom: str) -> None:
    found = stops(scene)
    assert (found.name, found.gap, found.symptom) == (hop, gap, symptom)
    assert found.seen
    assert found.needed


def test_a_range_that_holds_the_subnet_lets_the_packet_in() -> None:
    assert stops(door(UserIdGroupPairs=[], IpRanges=[{"CidrIp": "0.0.0.0/0"}])).name == "health"
    assert stops(door(UserIdGroupPairs=[], IpRanges=[{"CidrIp": "192.168.0.0/16"}])).name == "door"


def test_refused_is_not_silence() -> None:
    assert stops(GOOD, 504, "Connection refused", 0.01).symptom == "refused"
    assert stops(GOOD, 500, "no bucket", 0.01).symptom == "status"


def test_what_aws_refuses_to_run_stops_at_the_function() -> None:
    assert stops(GOOD, 0, "TooManyRequestsException: Rate Exceeded.", 0.1).name == "function"


@pytest.mark.parametrize(("action", "passes"), [("allow", True), ("deny", False)])
def test_a_network_acl_asks_its_smallest_rule_first(action: str, passes: bool) -> None:
    """AWS: VPC user guide, "Network ACLs": rules are evaluated starting with the lowest numbered rule."""
    last = {
        "RuleNumber": 32767,
        "Protocol": "-1",
        "RuleAction": "deny",
        "Egress": False,
        "CidrBlock": "0.0.0.0/0",
    }
    first = {
        "RuleNumber": 100, "Protocol": "6", "RuleAction": action, "Egress": False, "CidrBlock": "10.30.0.0/16",
        "PortRange": {"From": 5000, "To": 6000},
    }  # fmt: skip
    assert path.acl_allows([last, first], egress=False, port=5760, peer="10.30.1.9") is passes
    assert not path.acl_allows([last, first], egress=False, port=80, peer="10.30.1.9")
    assert not path.acl_allows([last, first], egress=True, port=5760, peer="10.30.1.9")


def test_drawings_fit_80_columns() -> None:
    hops = path.follow(function(VpcConfig={}), 504, "timed out", 5)
    lines = [
        path.one_line(hops, "10.230.0.0/16", "10.230.1.254:5760"),
        *path.draw(hops, "10.230.0.0/16", "10.230.1.254:5760"),
    ]
    assert max(map(len, lines)) <= 76
    assert "function ✗" in lines[0]


def test_rules_in_words() -> None:
    assert path.rule_words(RULE) == "tcp 5760 from sg-f"
    assert (
        path.rule_words({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
        == "all all from 0.0.0.0/0"
    )
