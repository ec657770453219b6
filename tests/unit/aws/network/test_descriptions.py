"""A real account's network, from descriptions as AWS sends them (checked against botocore's service models)."""

from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from labkit.aws.network.descriptions import topology_of
from labkit.aws.network.trace import trace

VPC, PUBLIC, PRIVATE = "vpc-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2"
DOOR, CALLER, ACL = "sg-0aaaaaaaaaaaaaaa1", "sg-0aaaaaaaaaaaaaaa2", "acl-0aaaaaaaaaaaaaaa1"
SERVER, LIST = "i-0aaaaaaaaaaaaaaa1", "pl-63a5400a"
ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]
EGRESS = [
    {
        "IpProtocol": "-1",
        "IpRanges": ANYWHERE,
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    }
]
LOCAL = {
    "DestinationCidrBlock": "10.0.0.0/16",
    "GatewayId": "local",
    "Origin": "CreateRouteTable",
    "State": "active",
}


def entry(number: int, action: str, *, egress: bool, block: Mapping[str, str]) -> dict[str, Any]:
    return {"RuleNumber": number, "RuleAction": action, "Egress": egress, "Protocol": "-1", **block}


ENTRIES = [
    entry(number, action, egress=egress, block=block)
    for egress in (False, True)
    for number, action, block in (
        (100, "allow", {"CidrBlock": "0.0.0.0/0"}), (101, "allow", {"Ipv6CidrBlock": "::/0"}),
        (32767, "deny", {"CidrBlock": "0.0.0.0/0"}), (32768, "deny", {"Ipv6CidrBlock": "::/0"}),
    )
]  # fmt: skip


def table(identifier: str, subnet: str, *routes: Mapping[str, str]) -> dict[str, Any]:
    association = {
        "RouteTableAssociationId": "rtbassoc-1",
        "RouteTableId": identifier,
        "SubnetId": subnet,
        "Main": False,
        "AssociationState": {"State": "associated"},
    }
    return {
        "RouteTableId": identifier,
        "VpcId": VPC,
        "Associations": [association],
        "PropagatingVgws": [],
        "Routes": [LOCAL, *routes],
        "OwnerId": "111122223333",
    }


def answers(door: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """EC2's answers in the order in which they are asked for."""
    outside = {
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": "igw-1",
        "Origin": "CreateRoute",
        "State": "active",
    }
    outside6 = {
        "DestinationIpv6CidrBlock": "::/0",
        "EgressOnlyInternetGatewayId": "eigw-1",
        "Origin": "CreateRoute",
        "State": "active",
    }
    to_s3 = {
        "DestinationPrefixListId": LIST,
        "GatewayId": "vpce-1",
        "Origin": "CreateRoute",
        "State": "active",
    }
    group = {
        "VpcId": VPC,
        "OwnerId": "111122223333",
        "Description": "x",
        "Tags": [],
        "IpPermissionsEgress": EGRESS,
    }
    server = {
        "InstanceId": SERVER, "State": {"Code": 16, "Name": "running"}, "VpcId": VPC, "SubnetId": PUBLIC,
        "PrivateIpAddress": "10.0.1.20", "PublicIpAddress": "198.51.100.7",
        "SecurityGroups": [{"GroupId": DOOR, "GroupName": "door"}],
    }  # fmt: skip
    gone = {
        "InstanceId": "i-0aaaaaaaaaaaaaaa9",
        "State": {"Code": 48, "Name": "terminated"},
        "SecurityGroups": [],
    }
    return [
        ("describe_internet_gateways", {"InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"State": "available", "VpcId": VPC}]}]}),
        ("describe_vpcs", {"Vpcs": [{"VpcId": VPC, "CidrBlock": "10.0.0.0/16", "IsDefault": False}]}),
        ("describe_route_tables", {"RouteTables": [table("rtb-1", PUBLIC, outside, outside6), table("rtb-2", PRIVATE, to_s3)]}),
        ("describe_network_acls", {"NetworkAcls": [{"NetworkAclId": ACL, "VpcId": VPC, "IsDefault": True, "Entries": ENTRIES, "Associations": [{"NetworkAclId": ACL, "SubnetId": s, "NetworkAclAssociationId": "a"} for s in (PUBLIC, PRIVATE)]}]}),
        ("describe_subnets", {"Subnets": [{"SubnetId": s, "VpcId": VPC, "CidrBlock": c, "AvailabilityZone": "us-east-1a"} for s, c in ((PUBLIC, "10.0.1.0/24"), (PRIVATE, "10.0.2.0/24"))]}),
        ("get_managed_prefix_list_entries", {"Entries": [{"Cidr": "52.216.0.0/15"}]}),
        ("describe_security_groups", {"SecurityGroups": [{**group, "GroupId": DOOR, "GroupName": "door", "IpPermissions": door}, {**group, "GroupId": CALLER, "GroupName": "caller", "IpPermissions": []}]}),
        ("describe_nat_gateways", {"NatGateways": []}),
        ("describe_vpc_endpoints", {"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "VpcId": VPC, "ServiceName": "com.amazonaws.us-east-1.s3", "State": "available"}, {"VpcEndpointId": "vpce-2", "VpcEndpointType": "Interface", "VpcId": VPC, "ServiceName": "com.amazonaws.us-east-1.ssm", "State": "available"}]}),
        ("describe_instances", {"Reservations": [{"Instances": [gone]}], "NextToken": "more"}),
        ("describe_instances", {"Reservations": [{"Instances": [server]}]}),
    ]  # fmt: skip


class Account:
    """Clients that answer as AWS does, once."""

    def __init__(self, door: list[dict[str, Any]]) -> None:
        keys = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self._made = {name: boto3.client(name, **keys) for name in ("ec2", "lambda")}  # type: ignore[call-overload]
        ec2, functions = (Stubber(client) for client in self._made.values())
        for operation, answer in answers(door):
            ec2.add_response(operation, answer)
        inside = {
            "FunctionName": "inside",
            "VpcConfig": {"VpcId": VPC, "SubnetIds": [PRIVATE], "SecurityGroupIds": [CALLER]},
        }
        functions.add_response("list_functions", {"Functions": [inside, {"FunctionName": "outside"}]})
        ec2.activate()
        functions.activate()

    def client(self, service: str) -> Any:
        return self._made[service]


def rule(**peer: Any) -> list[dict[str, Any]]:
    return [
        {
            "IpProtocol": "tcp",
            "FromPort": 5417,
            "ToPort": 5417,
            "IpRanges": [],
            "UserIdGroupPairs": [],
            **peer,
        }
    ]


def test_a_group_as_source_lets_the_function_in_and_nobody_else() -> None:
    topology = topology_of(Account(rule(UserIdGroupPairs=[{"GroupId": CALLER, "UserId": "111122223333"}])))
    assert trace(topology, "inside", SERVER, 5417).verdict.arrives
    assert not trace(topology, "inside", SERVER, 22).verdict.arrives
    assert not trace(topology, "outside", SERVER, 5417).verdict.arrives
    assert "i-0aaaaaaaaaaaaaaa9" not in topology.by_name


def test_an_open_door_and_the_ways_out() -> None:
    topology = topology_of(Account(rule(IpRanges=ANYWHERE)))
    assert trace(topology, "outside", SERVER, 5417).verdict.arrives
    assert trace(topology, SERVER, "93.184.216.34", 443).verdict.arrives
    stopped = trace(topology, "inside", "93.184.216.34", 443)
    assert not stopped.verdict.arrives
    assert stopped.fix.startswith(f"Give {PRIVATE} a route") or "route" in stopped.fix
    assert trace(topology, "inside", "52.216.1.1", 443).verdict.arrives, "through the gateway endpoint"


@pytest.mark.parametrize("words", [("trace", SERVER), ("trace", "a", "b", "port")])
def test_words_that_are_missing_are_said(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    from labkit.cli.main import main

    assert main(["cloud", *words, "--aws", "us-east-1"]) == 2
    assert "to a port" in capsys.readouterr().out
