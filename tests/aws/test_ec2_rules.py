"""EC2: rules that can't be are refused before they are taken, and networks are kept in their canonical form."""

import pytest


def group_in(aws):
    vpc, _ = aws.network()
    return aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]


def rule(protocol, low=None, high=None, cidr="0.0.0.0/0", **more):
    ports = {name: value for name, value in (("FromPort", low), ("ToPort", high)) if value is not None}
    return {"IpProtocol": protocol, **ports, "IpRanges": [{"CidrIp": cidr, **more}]}


BOTH = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (rule("tcp", 80, 70000), "Invalid value '70000' for portRange."), (rule("udp", -1, -1), "Invalid value '-1' for portRange."),
        (rule("tcp", 90, 80), "Invalid TCP range. (90-80)"), (rule("6", 80), BOTH), (rule("icmp", 300, 0), "Invalid value '300' for portRange."),
        (rule("foo", 1, 1), "Invalid value 'foo' for IP protocol. Unknown protocol."), (rule("256"), "Invalid value '256' for IP protocol. Unknown protocol."),
        (rule("tcp", 1, 1, "10.0.0.0/33"), "CIDR block 10.0.0.0/33 is malformed"), (rule("tcp", 1, 1, "10.0.0.1"), "CIDR block 10.0.0.1 is malformed"),
    ],
)  # fmt: skip
def test_a_rule_that_can_not_be_is_refused_and_none_of_the_request_is_taken(aws, refusal, wrong, words):
    """EC2 API reference, IpPermission; "Error codes" (InvalidParameterValue)."""
    group = group_in(aws)
    for way in ("ingress", "egress"):
        call = getattr(aws.ec2, f"authorize_security_group_{way}")
        assert (
            refusal(call, GroupId=group, IpPermissions=[rule("tcp", 22, 22), wrong])
            == f"InvalidParameterValue: {words}"
        )
    kept = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert (kept["IpPermissions"], len(kept["IpPermissionsEgress"])) == ([], 1)


def test_networks_are_kept_in_their_canonical_form(aws):
    """EC2 API reference, IpRange and CreateVpc: 100.68.0.18/18 is 100.68.0.0/18."""
    group = group_in(aws)
    aws.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[rule("tcp", 80, 80, "100.68.0.18/18"), rule("50")]
    )
    kept = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert kept[0]["IpRanges"] == [{"CidrIp": "100.68.0.0/18"}]
    aws.ec2.revoke_security_group_ingress(
        GroupId=group, IpPermissions=[rule("tcp", 80, 80, "100.68.0.18/18")]
    )
    assert aws.ec2.create_vpc(CidrBlock="10.7.0.9/16")["Vpc"]["CidrBlock"] == "10.7.0.0/16"


def test_entries_of_network_acls_are_checked(aws, refusal):
    """EC2 API reference, CreateNetworkAclEntry: numbers from 1 to 32766, ports that can be."""
    vpc, _ = aws.network()
    acl = aws.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {
        "NetworkAclId": acl, "RuleNumber": 100, "Protocol": "6", "RuleAction": "allow", "Egress": False,
        "CidrBlock": "0.0.0.0/0", "PortRange": {"From": 1, "To": 2},
    }  # fmt: skip
    for change in (
        {"RuleNumber": 0},
        {"RuleNumber": 40000},
        {"PortRange": {"From": 1, "To": 70000}},
        {"RuleAction": "maybe"},
        {"CidrBlock": "1.2.3.4/44"},
    ):
        assert refusal(aws.ec2.create_network_acl_entry, **{**entry, **change}).startswith(
            "InvalidParameterValue"
        ), change
    assert refusal(aws.ec2.create_network_acl_entry, **entry) == ""


def test_what_is_not_there_and_what_is_there_twice_is_said_in_ec2s_words(aws, refusal):
    """EC2 API reference, "Error codes": InvalidVpcID.NotFound, InvalidNetworkAclID.NotFound, InvalidPermission.Duplicate."""
    missing = "0123456789abcdef0"
    words = f"InvalidVpcID.NotFound: The vpc ID 'vpc-{missing}' does not exist"
    assert refusal(aws.ec2.create_subnet, VpcId=f"vpc-{missing}", CidrBlock="10.0.0.0/24") == words
    entry = {"RuleNumber": 1, "Egress": False}
    words = f"InvalidNetworkAclID.NotFound: The networkAcl ID 'acl-{missing}' does not exist"
    assert refusal(aws.ec2.delete_network_acl_entry, NetworkAclId=f"acl-{missing}", **entry) == words
    group, asked = group_in(aws), [rule("tcp", 80, 80)]
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=asked)
    assert refusal(aws.ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=asked) == (
        'InvalidPermission.Duplicate: the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists'
    )
