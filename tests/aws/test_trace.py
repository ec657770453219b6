"""The trace of a described account says what packets meet, why, and what to do about it."""

from typing import Any

import pytest

from labkit.aws.network.descriptions import topology_of
from labkit.aws.network.trace import Trace, trace
from labkit.base.errors import UsageError
from labkit.lesson.path import path

CONNECT = """
import socket
def lambda_handler(event, context):
    try:
        socket.create_connection((event["host"], event["port"]), timeout=0.7).close()
        return "answered"
    except TimeoutError:
        return "timed out"
    except ConnectionRefusedError:
        return "refused"
"""


class World:
    """A server, and functions that call it."""

    def __init__(self, live: Any, instance: str, vpc: Any) -> None:
        self.live, self.instance, self.vpc = live, instance, vpc
        self.address = live.described(instance)["PrivateIpAddress"]
        self.group = live.ec2.create_security_group(GroupName="server", Description="s", VpcId=vpc.vpc)[
            "GroupId"
        ]
        live.ec2.modify_instance_attribute(InstanceId=instance, Groups=[self.group])
        near = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
        self.function = live.function(CONNECT, VpcConfig=near)
        self.outsider = live.function(CONNECT)

    def call(self, function: str, host: str, port: int) -> tuple[str, Trace]:
        """What the function meets, and what the trace says of it."""
        found = trace(
            topology_of(self.live.clients), function, self.instance if host == self.address else host, port
        )
        return self.live.call(function, {"host": host, "port": port}), found

    def open(self, port: int) -> None:
        self.live.ec2.authorize_security_group_ingress(
            GroupId=self.group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="10.0.0.0/16"
        )


@pytest.fixture(scope="module")
def world(live: Any) -> Any:
    vpc = live.vpc()
    with live.instance("#!/bin/bash\npython3 -m http.server 8000 >/dev/null 2>&1 &\n", vpc) as instance:
        yield World(live, instance, vpc)


def test_a_group_without_a_rule_drops_and_the_trace_names_it(world: World) -> None:
    """VPC user guide, "Security groups": what no rule allows is dropped; Reachability Analyzer explains."""
    answer, found = world.call(world.function, world.address, 8000)
    assert (answer, found.verdict.arrives) == ("timed out", False)
    assert found.verdict.decisive is not None
    assert found.verdict.decisive.resource == world.group
    assert f"--group-id {world.group}" in found.fix


def test_an_open_door_is_answered_and_an_open_port_without_listener_refuses(world: World) -> None:
    """EC2 user guide, "Troubleshoot connecting": time-out and refusal mean different things."""
    world.open(8000)
    world.open(8001)
    answer, found = world.call(world.function, world.address, 8000)
    assert (answer, found.verdict.arrives, found.fix) == ("answered", True, "")
    assert world.call(world.function, world.address, 8001)[0] == "refused"


def test_a_function_outside_the_vpc_reaches_no_private_address(world: World) -> None:
    """AWS Lambda, "Giving Lambda functions access to resources in an Amazon VPC": only with VpcConfig."""
    assert world.call(world.outsider, world.address, 8000)[0] == "timed out"
    private = trace(topology_of(world.live.clients), world.outsider, world.address, 8000)
    assert private.verdict.reason.startswith("internet")
    assert "is in no VPC: give it SubnetIds and SecurityGroupIds" in private.fix


def test_network_acls_are_asked_for_the_answer_too(world: World) -> None:
    """VPC user guide, "Network ACLs": stateless, so the answer's ephemeral ports need a rule."""
    ec2, vpc = world.live.ec2, world.vpc
    world.open(8002)
    subnet = [{"Name": "association.subnet-id", "Values": [vpc.private]}]
    acl = ec2.describe_network_acls(Filters=subnet)["NetworkAcls"][0]["NetworkAclId"]
    rule = {"NetworkAclId": acl, "RuleNumber": 50, "Egress": False}
    ec2.create_network_acl_entry(
        **rule, Protocol="6", RuleAction="deny", CidrBlock="0.0.0.0/0", PortRange={"From": 32768, "To": 65535}
    )
    try:
        answer, found = world.call(world.function, world.address, 8002)
        assert (answer, found.verdict.arrives) == ("timed out", False)
        assert found.verdict.reason.startswith("network ACL inbound, answer: rule 50 of")
    finally:
        ec2.delete_network_acl_entry(**rule)
    assert world.call(world.function, world.address, 8002)[0] == "refused"


def test_aws_names_are_followed_and_unknown_ends_are_said(world: World) -> None:
    """VPC user guide, "Internet gateways": a function in a VPC has no public address."""
    topology = topology_of(world.live.clients)
    assert not trace(topology, world.function, "s3.ap-south-1.amazonaws.com", 443).verdict.arrives
    assert trace(topology, world.outsider, "s3.ap-south-1.amazonaws.com", 443).verdict.arrives
    with pytest.raises(UsageError, match="Nothing is called nobody"):
        trace(topology, "nobody", "10.0.0.1", 80)


def test_a_gateway_endpoint_shows_in_the_trace(live: Any) -> None:
    """VPC user guide, "Gateway endpoints": the prefix list's route leads there, without a public address."""
    vpc = live.vpc(internet=False)
    name = live.function(CONNECT, VpcConfig={"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]})
    host = "s3.ap-south-1.amazonaws.com"
    assert not trace(topology_of(live.clients), name, host, 443).verdict.arrives
    service = "com.amazonaws.ap-south-1.s3"
    live.ec2.create_vpc_endpoint(VpcId=vpc.vpc, ServiceName=service, RouteTableIds=[vpc.private_table])
    assert trace(topology_of(live.clients), name, host, 443).verdict.arrives
    assert live.call(name, {"host": host, "port": 443}) == "answered"


def test_step_04_names_the_rule_that_the_trace_names(world: World) -> None:
    """VPC user guide, "Security groups": an outbound rule for another destination lets nothing out to this one."""
    ec2, vpc = world.live.ec2, world.vpc
    group = ec2.create_security_group(GroupName="callers", Description="c", VpcId=vpc.vpc)["GroupId"]
    every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=every)
    elsewhere = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "IpRanges": [{"CidrIp": "8.8.8.8/32"}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[elsewhere])
    name = world.live.function(
        CONNECT, VpcConfig={"SubnetIds": [vpc.private], "SecurityGroupIds": [group]},
        Environment={"Variables": {"EC2_FLASK_URL": f"http://{world.address}:8002"}},
    )  # fmt: skip
    answer, found = world.call(name, world.address, 8002)
    outputs = {"LambdaFunctionName": name, "InstanceId": world.instance}
    scene = path.look(world.live.clients, outputs, 8002, {"state": "ok"})
    stop = next(hop for hop in path.follow(scene, 504, answer, 5) if hop.state == "bad")
    assert (answer, stop.name, stop.symptom) == ("timed out", "vpc", "egress")
    assert (stop.seen, stop.needed) == (found.verdict.reason, found.fix)
    assert group in stop.seen
