"""The lab's own stack, made, compared with its template, and deleted without a trace."""

import base64
import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PARTS = {
    "ec2": [
        ("describe_vpcs", "Vpcs", [{"Name": "is-default", "Values": ["false"]}]),
        ("describe_network_interfaces", "NetworkInterfaces", []),
        ("describe_internet_gateways", "InternetGateways", []),
    ],
    "iam": [("list_roles", "Roles", None), ("list_instance_profiles", "InstanceProfiles", None)],
    "s3": [("list_buckets", "Buckets", None)],
    "dynamodb": [("list_tables", "TableNames", None)],
    "lambda": [("list_functions", "Functions", None)],
    "logs": [("describe_log_groups", "logGroups", None)],
}


def everything(cloud: Any) -> dict[str, list[Any]]:
    found = {}
    for service, calls in PARTS.items():
        for operation, key, filters in calls:
            arguments = {} if filters is None else {"Filters": filters}
            found[key] = getattr(cloud.client(service), operation)(**arguments)[key]
    return found


@pytest.fixture
def lab(cloud: Any, door: Any) -> Any:
    stack = cloud.create(door.LAB, "lab", Tags=[{"Key": "ttl", "Value": "4h"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE", cloud.events("lab")
    return cloud


def instance_of(cloud: Any) -> dict[str, Any]:
    found = cloud.client("ec2").describe_instances(InstanceIds=[cloud.outputs("lab")["InstanceId"]])
    return dict(found["Reservations"][0]["Instances"][0])


def test_instance_is_what_the_template_says(lab: Any) -> None:
    instance, ids = instance_of(lab), lab.physical("lab")
    assert instance["State"]["Name"] == "running"
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [ids["ServerGroup"]]
    assert instance["SubnetId"] == ids["PublicSubnet"]
    assert instance["PublicIpAddress"] == lab.outputs("lab")["PublicIp"]
    assert instance["PrivateIpAddress"] == lab.outputs("lab")["PrivateIp"]
    assert instance["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{ids['ServerProfile']}")
    assert instance["MetadataOptions"]["HttpTokens"] == "required"


def test_user_data_is_what_the_template_says(lab: Any) -> None:
    found = lab.client("ec2").describe_instance_attribute(
        InstanceId=lab.outputs("lab")["InstanceId"], Attribute="userData"
    )
    text = base64.b64decode(found["UserData"]["Value"]).decode()
    assert text.startswith("#!/bin/bash\necho bucket hybrid-s1a2b3-123456789012 table")
    assert text.endswith("literally ${HOME}\n")


def test_network_is_what_the_template_says(lab: Any) -> None:
    ids, ec2 = lab.physical("lab"), lab.client("ec2")
    table = ec2.describe_route_tables(RouteTableIds=[ids["RouteTable"]])["RouteTables"][0]
    assert [item["SubnetId"] for item in table["Associations"]] == [ids["PublicSubnet"]]
    assert {route.get("GatewayId") for route in table["Routes"]} == {"local", ids["Gateway"]}
    group = ec2.describe_security_groups(GroupIds=[ids["ServerGroup"]])["SecurityGroups"][0]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (5417, 5417)
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [ids["LambdaGroup"]]
    assert len(group["IpPermissionsEgress"]) == 1


def test_bucket_is_protected(lab: Any) -> None:
    s3, bucket = lab.client("s3"), lab.outputs("lab")["BucketName"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Version"] == "2012-10-17"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]


def test_function_is_what_the_template_says(lab: Any) -> None:
    found = lab.client("lambda").get_function(FunctionName="hybrid-s1a2b3")["Configuration"]
    assert found["Timeout"] == 60
    assert found["VpcConfig"]["SecurityGroupIds"] == [lab.physical("lab")["LambdaGroup"]]
    url = found["Environment"]["Variables"]["EC2_FLASK_URL"]
    assert url == f"http://{lab.outputs('lab')['PrivateIp']}:5417"


def test_stack_tags_reach_resources(lab: Any) -> None:
    """CloudFormation tags: UserGuide/aws-properties-resource-tags.html."""
    tags = {item["Key"]: item["Value"] for item in instance_of(lab)["Tags"]}
    assert tags["ttl"] == "4h"
    assert tags["Name"] == "hybrid-server"
    assert tags["aws:cloudformation:logical-id"] == "Server"
    assert tags["aws:cloudformation:stack-name"] == "lab"
    bucket = lab.client("s3").get_bucket_tagging(Bucket=lab.outputs("lab")["BucketName"])["TagSet"]
    assert {"ttl", "aws:cloudformation:stack-id"} <= {item["Key"] for item in bucket}


def test_nothing_is_left_after_deletion(cloud: Any, door: Any) -> None:
    before = everything(cloud)
    cloud.create(door.LAB, "lab")
    assert cloud.delete("lab")["StackStatus"] == "DELETE_COMPLETE", cloud.events("lab")
    after = everything(cloud)
    assert {key: len(items) for key, items in after.items()} == {
        key: len(items) for key, items in before.items()
    }
    alive = cloud.client("ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]}]
    )
    assert alive["Reservations"] == []


def test_outputs_have_the_values_that_aws_gives(lab: Any) -> None:
    """Ref of InstanceProfile, Table and Function is the name: TemplateReference, "Return values"."""
    outputs = lab.outputs("lab")
    assert outputs["ProfileName"].startswith("lab-ServerProfile-")
    assert outputs["TableName"] == "hybrid-s1a2b3-images"
    assert outputs["LambdaArn"].endswith(":function:hybrid-s1a2b3")
    assert outputs["VpcId"].startswith("vpc-")


def test_a_changed_boot_script_replaces_the_server(lab: Any, door: Any) -> None:
    """EC2 NetworkInterfaces is create-only: aws-resource-ec2-instance.html, "Update requires: Replacement"."""
    before = lab.outputs("lab")
    stack = lab.update(door.LAB, "lab", Parameters=[{"ParameterKey": "BootHash", "ParameterValue": "0002"}])
    assert stack["StackStatus"] == "UPDATE_COMPLETE", lab.events("lab")
    after = lab.outputs("lab")
    assert after["InstanceId"] != before["InstanceId"]
    url = lab.client("lambda").get_function(FunctionName="hybrid-s1a2b3")["Configuration"]["Environment"]
    assert after["PrivateIp"] in url["Variables"]["EC2_FLASK_URL"]
    assert instance_of(lab)["State"]["Name"] == "running"
    assert "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" in lab.statuses("lab")
    old = lab.client("ec2").describe_instances(InstanceIds=[before["InstanceId"]])
    assert old["Reservations"][0]["Instances"][0]["State"]["Name"] == "terminated"


def test_the_account_can_bring_its_own_role(cloud: Any, door: Any) -> None:
    services = {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": services}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    may = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam = cloud.client("iam")
    iam.create_role(RoleName="LabRole", AssumeRolePolicyDocument=trust)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="LabRole", PolicyName="all", PolicyDocument=policy)
    iam.create_instance_profile(InstanceProfileName="LabRole")
    iam.add_role_to_instance_profile(InstanceProfileName="LabRole", RoleName="LabRole")
    own = [{"ParameterKey": "LabRole", "ParameterValue": "LabRole"}]
    stack = cloud.create(door.LAB, "lab", Parameters=own)
    assert stack["StackStatus"] == "CREATE_COMPLETE", cloud.events("lab")
    assert "ServerRole" not in cloud.physical("lab")
    assert "ProfileName" not in cloud.outputs("lab")
