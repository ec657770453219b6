"""Resource types beyond the lab's own template: made, changed, deleted through the API."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
NETWORK: dict[str, Any] = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "Subnet": {
        "Type": "AWS::EC2::Subnet",
        "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24"},
    },
    "Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
}


def policy(action: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}],
    }


def body(resources: dict[str, Any], **outputs: Any) -> str:
    return json.dumps(
        {"Resources": resources, "Outputs": {key: {"Value": value} for key, value in outputs.items()}}
    )


def attribute(*path: str) -> dict[str, Any]:
    return {"Fn::GetAtt": list(path)}


def made(cloud: Any, resources: dict[str, Any], **outputs: Any) -> dict[str, str]:
    stack = cloud.create(body(resources, **outputs))
    assert stack["StackStatus"] == "CREATE_COMPLETE", cloud.events()
    return dict(cloud.physical())


def changed(cloud: Any, resources: dict[str, Any], **outputs: Any) -> dict[str, str]:
    stack = cloud.update(body(resources, **outputs))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", cloud.events()
    return dict(cloud.physical())


def deleted(cloud: Any) -> None:
    assert cloud.delete()["StackStatus"] == "DELETE_COMPLETE", cloud.events()


def test_vpc_endpoint(cloud: Any) -> None:
    def resources(action: str) -> dict[str, Any]:
        properties = {
            "VpcId": {"Ref": "Vpc"},
            "ServiceName": {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"},
            "RouteTableIds": [{"Ref": "Table"}],
            "PolicyDocument": policy(action),
        }
        return NETWORK | {"E": {"Type": "AWS::EC2::VPCEndpoint", "Properties": properties}}

    ids = made(cloud, resources("s3:GetObject"), Id=attribute("E", "Id"))
    assert cloud.outputs()["Id"] == ids["E"]
    assert changed(cloud, resources("s3:PutObject"), Id=attribute("E", "Id"))["E"] == ids["E"]
    found = cloud.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[ids["E"]])["VpcEndpoints"][0]
    assert found["RouteTableIds"] == [ids["Table"]]
    assert "s3:PutObject" in found["PolicyDocument"]
    deleted(cloud)


def test_elastic_ip_and_nat_gateway(cloud: Any) -> None:
    resources = {
        "Ip": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
        "Nat": {
            "Type": "AWS::EC2::NatGateway",
            "Properties": {"SubnetId": {"Ref": "Subnet"}, "AllocationId": attribute("Ip", "AllocationId")},
        },
        "Route": {
            "Type": "AWS::EC2::Route",
            "Properties": {
                "RouteTableId": {"Ref": "Table"},
                "DestinationCidrBlock": "0.0.0.0/0",
                "NatGatewayId": {"Ref": "Nat"},
            },
        },
    }
    ids = made(cloud, NETWORK | resources)
    assert ids["Ip"].count(".") == 3
    assert ids["Route"] == f"{ids['Table']}|0.0.0.0/0"
    found = cloud.client("ec2").describe_nat_gateways(NatGatewayIds=[ids["Nat"]])["NatGateways"][0]
    assert found["State"] == "available"
    deleted(cloud)


def test_security_group_rules(cloud: Any) -> None:
    def resources(port: int, text: str) -> dict[str, Any]:
        group = {"GroupDescription": "g", "VpcId": {"Ref": "Vpc"}}
        where = {"GroupId": attribute("G", "GroupId"), "IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        return NETWORK | {
            "G": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
            "In": {
                "Type": "AWS::EC2::SecurityGroupIngress",
                "Properties": where | {"CidrIp": "10.0.0.0/16", "Description": text},
            },
            "Out": {
                "Type": "AWS::EC2::SecurityGroupEgress",
                "Properties": where | {"DestinationSecurityGroupId": attribute("G", "GroupId")},
            },
        }

    ids = made(cloud, resources(80, "a"))
    assert ids["In"].startswith("sgr-")
    changed(cloud, resources(443, "b"))
    found = cloud.client("ec2").describe_security_groups(GroupIds=[ids["G"]])["SecurityGroups"][0]
    assert [rule["FromPort"] for rule in found["IpPermissions"]] == [443]
    assert found["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/16", "Description": "b"}]
    assert len(found["IpPermissionsEgress"]) == 2
    deleted(cloud)


def test_security_group_in_place(cloud: Any) -> None:
    def resources(port: int) -> dict[str, Any]:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/16"}
        properties = {
            "GroupDescription": "g",
            "VpcId": {"Ref": "Vpc"},
            "SecurityGroupIngress": [rule],
            "SecurityGroupEgress": [rule],
            "Tags": [{"Key": "port", "Value": str(port)}],
        }
        return NETWORK | {"G": {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}}

    ids = made(cloud, resources(80))
    assert changed(cloud, resources(443))["G"] == ids["G"]
    found = cloud.client("ec2").describe_security_groups(GroupIds=[ids["G"]])["SecurityGroups"][0]
    assert [rule["FromPort"] for rule in found["IpPermissions"] + found["IpPermissionsEgress"]] == [443, 443]
    assert {"Key": "port", "Value": "443"} in found["Tags"]


def test_launch_template_and_acl(cloud: Any) -> None:
    def resources(kind: str) -> dict[str, Any]:
        data = {"LaunchTemplateData": {"InstanceType": kind}}
        return NETWORK | {
            "L": {"Type": "AWS::EC2::LaunchTemplate", "Properties": data},
            "Acl": {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        }

    ids = made(cloud, resources("t3.micro"), Latest=attribute("L", "LatestVersionNumber"))
    assert cloud.outputs() == {"Latest": "1"}
    assert changed(cloud, resources("t2.micro"), Latest=attribute("L", "LatestVersionNumber")) == ids
    assert cloud.outputs() == {"Latest": "2"}
    deleted(cloud)


def test_iam_policies(cloud: Any) -> None:
    def resources(action: str, path: str) -> dict[str, Any]:
        inline = [{"PolicyName": "own", "PolicyDocument": policy(action)}]
        role = {"AssumeRolePolicyDocument": TRUST, "Policies": inline, "Description": path}
        return {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Policy": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "p",
                    "PolicyDocument": policy(action),
                    "Roles": [{"Ref": "Role"}],
                },
            },
            "Managed": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": policy(action), "Roles": [{"Ref": "Role"}]},
            },
        }

    ids = made(cloud, resources("s3:GetObject", "a"), Arn=attribute("Role", "Arn"))
    assert changed(cloud, resources("s3:PutObject", "b"), Arn=attribute("Role", "Arn")) == ids
    iam = cloud.client("iam")
    for name in ("own", "p"):
        found = iam.get_role_policy(RoleName=ids["Role"], PolicyName=name)["PolicyDocument"]
        assert found["Statement"][0]["Action"] == "s3:PutObject"
    attached = iam.list_attached_role_policies(RoleName=ids["Role"])["AttachedPolicies"]
    assert [item["PolicyArn"] for item in attached] == [ids["Managed"]]
    version = iam.get_policy(PolicyArn=ids["Managed"])["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=ids["Managed"], VersionId=version)["PolicyVersion"][
        "Document"
    ]
    assert document["Statement"][0]["Action"] == "s3:PutObject"
    assert iam.get_role(RoleName=ids["Role"])["Role"]["Description"] == "b"
    deleted(cloud)


def test_function_version_and_permission(cloud: Any) -> None:
    def resources(text: str, seconds: int | None) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "Runtime": "python3.13",
            "Handler": "index.f",
            "Role": attribute("Role", "Arn"),
            "Code": {"ZipFile": text},
        }
        if seconds:
            properties["Timeout"] = seconds
        allow = {
            "FunctionName": {"Ref": "F"},
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
        }
        return {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
            "F": {"Type": "AWS::Lambda::Function", "Properties": properties},
            "V": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "F"}}},
            "P": {"Type": "AWS::Lambda::Permission", "Properties": allow},
        }

    ids = made(cloud, resources("a = 1\n", 30), Number=attribute("V", "Version"))
    functions = cloud.client("lambda")
    before = functions.get_function_configuration(FunctionName=ids["F"])
    assert cloud.outputs() == {"Number": "1"}
    assert (
        json.loads(functions.get_policy(FunctionName=ids["F"])["Policy"])["Statement"][0]["Sid"] == ids["P"]
    )
    assert changed(cloud, resources("a = 2\n", None), Number=attribute("V", "Version")) == ids
    after = functions.get_function_configuration(FunctionName=ids["F"])
    assert after["CodeSha256"] != before["CodeSha256"]
    assert (before["Timeout"], after["Timeout"]) == (30, 3)
    deleted(cloud)


def test_bucket_settings_come_and_go(cloud: Any) -> None:
    settings = {
        "VersioningConfiguration": {"Status": "Enabled"},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {"Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 3}]},
    }
    ids = made(cloud, {"B": {"Type": "AWS::S3::Bucket", "Properties": settings}})
    s3 = cloud.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=ids["B"])["Rules"]
    assert rules[0]["Expiration"] == {"Days": 3}
    assert changed(cloud, {"B": {"Type": "AWS::S3::Bucket"}}) == ids
    assert s3.get_bucket_versioning(Bucket=ids["B"])["Status"] == "Suspended"
    deleted(cloud)


def test_table_settings(cloud: Any) -> None:
    def resources(**more: Any) -> dict[str, Any]:
        properties = {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        return {"T": {"Type": "AWS::DynamoDB::Table", "Properties": properties | more}}

    ids = made(cloud, resources(PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": "true"}))
    dynamodb = cloud.client("dynamodb")
    backups = dynamodb.describe_continuous_backups(TableName=ids["T"])["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    stream = {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}
    assert changed(cloud, resources(**stream), Stream=attribute("T", "StreamArn")) == ids
    assert "/stream/" in cloud.outputs()["Stream"]
    deleted(cloud)


def test_instance_type_changes_in_place(cloud: Any) -> None:
    """EC2: aws-resource-ec2-instance.html, InstanceType "Update requires: Some interruptions"."""
    image = cloud.client("ssm").get_parameter(
        Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    )

    def resources(kind: str, tokens: str) -> dict[str, Any]:
        properties = {
            "ImageId": image["Parameter"]["Value"],
            "InstanceType": kind,
            "SubnetId": {"Ref": "Subnet"},
            "MetadataOptions": {"HttpTokens": tokens},
        }
        return NETWORK | {"I": {"Type": "AWS::EC2::Instance", "Properties": properties}}

    ids = made(cloud, resources("t3.micro", "optional"))
    assert changed(cloud, resources("t2.micro", "required")) == ids
    found = cloud.client("ec2").describe_instances(InstanceIds=[ids["I"]])["Reservations"][0]["Instances"][0]
    assert (found["InstanceType"], found["State"]["Name"]) == ("t2.micro", "running")
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    deleted(cloud)


def test_ssm_parameter(cloud: Any) -> None:
    def resources(value: str) -> dict[str, Any]:
        properties = {"Type": "String", "Value": value, "Tags": {"a": value}}
        return {"P": {"Type": "AWS::SSM::Parameter", "Properties": properties}}

    ids = made(cloud, resources("1"), Value=attribute("P", "Value"))
    assert changed(cloud, resources("2"), Value=attribute("P", "Value")) == ids
    assert cloud.outputs() == {"Value": "2"}
    tags = cloud.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=ids["P"])[
        "TagList"
    ]
    assert {"Key": "a", "Value": "2"} in tags
    deleted(cloud)
