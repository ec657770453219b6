"""Network ACLs in templates: entries and associations are made, changed and taken back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cloud.cloudformation import door


@pytest.fixture(scope="module")
def cloud() -> Iterator[Any]:
    with door.serving() as made:
        made.reset()
        yield made
        made.reset()


def template(**more: Any) -> str:
    resources = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24"}},
        "Acl": {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        **more,
    }  # fmt: skip
    return json.dumps({"Resources": resources})


def entry(action: str, port: int) -> dict[str, Any]:
    properties = {
        "NetworkAclId": {"Ref": "Acl"}, "RuleNumber": 100, "Protocol": 6, "RuleAction": action,
        "CidrBlock": "10.0.0.0/8", "PortRange": {"From": port, "To": port},
    }  # fmt: skip
    return {"Type": "AWS::EC2::NetworkAclEntry", "Properties": properties}


def association() -> dict[str, Any]:
    properties = {"SubnetId": {"Ref": "Subnet"}, "NetworkAclId": {"Ref": "Acl"}}
    return {"Type": "AWS::EC2::SubnetNetworkAclAssociation", "Properties": properties}


def test_entries_and_associations_are_made_changed_and_taken_back(cloud: Any) -> None:
    """CloudFormation: TemplateReference/aws-resource-ec2-networkaclentry.html, …-subnetnetworkaclassociation.html."""
    cloud.create(template(Entry=entry("allow", 80), Association=association()))
    assert _entries(cloud) == [("allow", 80)]
    assert _associated(cloud) == [False]
    cloud.update(template(Entry=entry("deny", 443), Association=association()))
    assert _entries(cloud) == [("deny", 443)]
    cloud.update(template())
    assert _entries(cloud) == []
    assert _associated(cloud) == [True]


def _entries(cloud: Any) -> list[tuple[str, int]]:
    acls = cloud.client("ec2").describe_network_acls(Filters=[{"Name": "default", "Values": ["false"]}])[
        "NetworkAcls"
    ]
    own = [each for acl in acls for each in acl["Entries"] if each["RuleNumber"] == 100]
    return [(each["RuleAction"], each["PortRange"]["From"]) for each in own]


def _associated(cloud: Any) -> list[bool]:
    """Of each association of the subnet, whether its ACL is the VPC's default one."""
    api = cloud.client("ec2")
    (subnet,) = [each for each in api.describe_subnets()["Subnets"] if each["CidrBlock"] == "10.0.1.0/24"]
    wanted = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    return [acl["IsDefault"] for acl in api.describe_network_acls(Filters=wanted)["NetworkAcls"]]
