"""The decision names the stage and the rule; that it is right is shown by real packets (tests/aws)."""

from dataclasses import replace

import pytest

from labkit.aws.network.decision import decide
from labkit.aws.network.model import Flow, Topology
from labkit.aws.records import (
    GroupRecord,
    InterfaceRecord,
    NetworkState,
    Permission,
    RouteRecord,
    SubnetRecord,
    VpcRecord,
)

EVERYTHING = (Permission("-1", -1, -1, "0.0.0.0/0"),)
VPC = VpcRecord("vpc-1", "10.0.0.0/16", "igw-1")
SUBNET = SubnetRecord("subnet-1", "vpc-1", "10.0.1.0/24", "a", (RouteRecord("0.0.0.0/0", "igw-1"),))
WEB = GroupRecord("sg-web", "web", "vpc-1", (Permission("tcp", 5000, 5000, group_id="sg-fn"),), EVERYTHING)
FN = GroupRecord("sg-fn", "fn", "vpc-1", (), EVERYTHING)
STATE = NetworkState((VPC,), (SUBNET,), (WEB, FN))
SERVER = InterfaceRecord("server", "vpc-1", "subnet-1", "10.0.1.5", "54.0.0.1", ("sg-web",))
FUNCTION = InterfaceRecord("fn", "vpc-1", "subnet-1", "10.0.1.6", "", ("sg-fn",))
TOPOLOGY = Topology(STATE, (SERVER, FUNCTION))


def test_every_hop_is_told_with_the_rule_that_let_it_pass() -> None:
    verdict = decide(TOPOLOGY, Flow("fn", "10.0.1.5", 5000))
    assert verdict.arrives
    assert [(hop.stage, hop.resource) for hop in verdict.hops] == [
        ("route", "subnet-1"),
        ("security group egress", "sg-fn"),
        ("security group ingress", "sg-web"),
        ("route back", "subnet-1"),
    ]
    assert verdict.hops[2].rule == "sg-web permits tcp 5000 from sg-fn"


@pytest.mark.parametrize(
    ("flow", "stage", "words"),
    [
        (Flow("fn", "10.0.1.5", 80), "security group ingress", "sg-web permits no tcp 80 from 10.0.1.6"),
        (Flow("fn", "10.0.1.5", 5000, "udp"), "security group ingress", "no udp 5000"),
        (Flow("server", "10.0.1.6", 5000), "security group ingress", "sg-fn permits no tcp 5000"),
        (Flow("fn", "10.0.1.9", 80), "destination", "no interface has 10.0.1.9"),
        (Flow("fn", "203.0.113.10", 80), "internet gateway", "fn: it has no public address"),
        (Flow("server", "192.168.1.1", 80), "internet", "can't be reached from outside"),
        (Flow("192.0.2.1", "10.0.1.5", 5000), "internet", "can't be reached from outside"),
        (Flow("192.0.2.1", "54.0.0.1", 5000), "security group ingress", "tcp 5000 from 192.0.2.1"),
    ],
)
def test_the_stage_that_stops_a_flow_says_why(flow: Flow, stage: str, words: str) -> None:
    verdict = decide(TOPOLOGY, flow)
    assert not verdict.arrives
    assert verdict.decisive is verdict.hops[-1]
    assert verdict.hops[-1].stage == stage
    assert words in verdict.reason


def test_routes_that_lead_nowhere_are_named() -> None:
    state = replace(STATE, subnets=(replace(SUBNET, routes=()),))
    reason = decide(Topology(state, (SERVER,)), Flow("server", "203.0.113.10", 80)).reason
    assert reason == "route: subnet-1 has no route for 203.0.113.10"
    state = replace(STATE, vpcs=(replace(VPC, internet_gateway=""),))
    reason = decide(Topology(state, (SERVER,)), Flow("server", "203.0.113.10", 80)).reason
    assert reason == "route: subnet-1 sends 203.0.113.10 to igw-1, which carries nothing here"


def test_an_interface_reaches_itself_whatever_the_rules() -> None:
    verdict = decide(TOPOLOGY, Flow("server", "10.0.1.5", 81))
    assert verdict.arrives
    assert verdict.reason == "nothing is between them"


def test_a_group_of_another_vpc_is_not_in_force() -> None:
    state = replace(STATE, groups=(replace(WEB, vpc_id="vpc-2"), FN))
    assert (
        "server permits no"
        not in decide(Topology(state, (SERVER, FUNCTION)), Flow("fn", "10.0.1.5", 5000)).reason
    )
    assert not decide(Topology(state, (SERVER, FUNCTION)), Flow("fn", "10.0.1.5", 5000)).arrives


def test_nonsense_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="sctp is none of icmp, tcp, udp"):
        decide(TOPOLOGY, Flow("fn", "10.0.1.5", 1, "sctp"))
    with pytest.raises(ValueError, match="nobody"):
        decide(TOPOLOGY, Flow("nobody", "54.0.0.1", 5000))
