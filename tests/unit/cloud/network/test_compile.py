"""The rules say what the decision says, and change as little as possible."""

import json
import os
import random
from dataclasses import replace

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from labkit.aws.network.decision import decide
from labkit.aws.network.model import Topology
from labkit.aws.records import GroupRecord, InterfaceRecord, NetworkState, Permission, VpcRecord
from labkit.cloud.network.compile import compile_internet, compile_vpc, membership_changes
from tests.unit.aws.network import worlds

SEED = int(os.environ.get("LAB_TEST_SEED", "20261123"))
GROUP = GroupRecord("sg-1", "web", "vpc-1", (Permission("tcp", 80, 80, group_id="sg-2"),), ())
STATE = NetworkState((VpcRecord("vpc-1", "10.0.0.0/16"),), (), (GROUP,))


def _member(address: str, *groups: str) -> InterfaceRecord:
    return InterfaceRecord(address, "vpc-1", "subnet-1", address, "", groups)


@pytest.mark.slow
@seed(SEED)
@settings(max_examples=30, deadline=None, database=None)
@given(rng=st.randoms(use_true_random=False))
def test_the_rules_pass_exactly_what_the_decision_lets_arrive(rng: random.Random) -> None:
    topology = worlds.make(rng)
    simulation = worlds.Simulation(topology)
    flows = worlds.flows(rng, topology, ("tcp", "udp", "icmp"))
    flows += [replace(flow, source=worlds.STRANGER) for flow in flows if flow.source == "internet"]
    for flow in flows:
        verdict = decide(topology, flow)
        assert simulation.arrives(flow) == verdict.arrives, (flow, verdict.hops)


@pytest.mark.slow
def test_the_generated_networks_have_both_kinds_of_flows() -> None:
    rng = random.Random(SEED)
    kinds: dict[str, set[bool]] = {}
    for _ in range(60):
        topology = worlds.make(rng)
        for flow in worlds.flows(rng, topology):
            verdict = decide(topology, flow)
            for hop in verdict.hops:
                kinds.setdefault(hop.stage, set()).add(hop.allowed)
    ways = {stage for stage, seen in kinds.items() if seen == {True, False}}
    assert {"route", "route back", "security group egress", "security group ingress"} <= ways
    assert {"internet gateway", "internet", "NAT gateway"} <= ways
    assert {f"network ACL {way}{of}" for way in ("inbound", "outbound") for of in ("", ", answer")} <= ways
    arrivals = [decide(t, f).arrives for t in map(worlds.make, [rng] * 40) for f in worlds.flows(rng, t)]
    assert 0.25 <= sum(arrivals) / len(arrivals) <= 0.75


def test_a_rule_set_is_plain_json_and_does_not_depend_on_order() -> None:
    topology = worlds.make(random.Random(SEED))
    state = topology.state
    turned = replace(
        state,
        subnets=state.subnets[::-1],
        groups=tuple(replace(group, ingress=group.ingress[::-1]) for group in state.groups[::-1]),
    )
    other = Topology(turned, topology.interfaces[::-1])
    for vpc_id in topology.vpcs:
        rules = compile_vpc(topology, vpc_id)
        assert json.loads(json.dumps(rules)) == rules == compile_vpc(other, vpc_id)
    assert json.loads(json.dumps(compile_internet())) == compile_internet()


def test_a_newcomer_in_a_group_changes_a_set_and_no_rule() -> None:
    before = compile_vpc(Topology(STATE, (_member("10.0.1.5", "sg-1"),)), "vpc-1")
    after = compile_vpc(Topology(STATE, (_member("10.0.1.6", "sg-1"),)), "vpc-1")
    assert membership_changes(before, after) == {"sg-1": {"add": ["10.0.1.6"], "remove": ["10.0.1.5"]}}
    assert membership_changes(after, after) == {}


def test_a_changed_permission_needs_the_whole_rule_set() -> None:
    before = compile_vpc(Topology(STATE), "vpc-1")
    revoked = replace(STATE, groups=(replace(GROUP, ingress=()),))
    assert membership_changes(before, compile_vpc(Topology(revoked), "vpc-1")) is None
    assert membership_changes(None, before) is None


def test_a_group_that_is_named_but_unknown_is_an_empty_set() -> None:
    assert compile_vpc(Topology(STATE), "vpc-1")["sets"] == {"sg-1": [], "sg-2": []}


def test_permissions_for_ipv6_and_prefix_lists_make_no_rule() -> None:
    ingress = (
        Permission("-1", -1, -1, "::/0"),
        Permission("tcp", 1, 2),
        Permission("strange", 1, 2, "0.0.0.0/0"),
    )
    group = replace(GROUP, ingress=ingress)
    rules = compile_vpc(Topology(replace(STATE, groups=(group,))), "vpc-1")
    (chain,) = (chain for chain in rules["chains"] if chain["name"] == "ingress")
    assert [rule.get("established") or rule["goes_to"] for rule in chain["rules"]] == [True, "internet"]
