"""EC2: what RunInstances refuses, and where an instance goes. Each test shows plain moto's fault first."""

import base64
import gzip
import os

from boto3.session import Session

from labkit.aws.images import HERE


def test_unknown_image_is_refused(moto, refusal):
    """EC2 API reference, error codes: InvalidAMIID.NotFound."""

    def scenario(aws):
        return refusal(aws.run, ImageId="ami-00000000000000000")

    assert moto.compare(scenario) == (
        "",
        f"InvalidAMIID.NotFound: The image id '[ami-00000000000000000]' does not exist. {HERE}",
    )


def test_image_of_another_region_is_refused(moto, refusal):
    """EC2 user guide, "Amazon Machine Images": an AMI's id belongs to one region."""

    def scenario(aws):
        name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        other = aws.client("ssm", "eu-west-1").get_parameter(Name=name)["Parameter"]["Value"]
        return refusal(aws.run, ImageId=other).split(":")[0]

    assert moto.compare(scenario) == ("", "InvalidAMIID.NotFound")


def test_images_that_moto_invents_are_refused(moto, refusal):
    """EC2 API reference, RunInstances: only images of the region exist."""

    def scenario(aws):
        return refusal(aws.run, ImageId="ami-12c6146b").split(":")[0]

    assert moto.compare(scenario) == ("", "InvalidAMIID.NotFound")


def test_amazon_linux_is_found_through_ssm_in_every_region(aws):
    """EC2 user guide, "Reference AMIs using Systems Manager parameters"."""
    prefix = "/aws/service/ami-amazon-linux-latest/"
    names = [
        f"{prefix}al2023-ami-kernel-default-x86_64",
        f"{prefix}al2023-ami-kernel-6.1-x86_64",
        f"{prefix}amzn2-ami-hvm-x86_64-gp2",
    ]
    for region in ("ap-south-1", "us-east-1", "us-west-2", "eu-central-1"):
        found = aws.client("ssm", region).get_parameters(Names=names)["Parameters"]
        assert {parameter["Name"] for parameter in found} == set(names)
        images = [parameter["Value"] for parameter in found]
        described = aws.client("ec2", region).describe_images(ImageIds=images)["Images"]
        assert {image["Architecture"] for image in described} == {"x86_64"}


def test_unknown_instance_type_is_refused(moto, refusal):
    """EC2 API reference, RunInstances: InstanceType."""

    def scenario(aws):
        return refusal(aws.run, InstanceType="t9.micro")

    assert moto.compare(scenario) == ("", "InvalidParameterValue: Invalid value 't9.micro' for InstanceType.")


def test_image_for_another_architecture_is_refused(moto, refusal):
    """EC2 user guide, "Instance type compatibility": architecture."""

    def scenario(aws):
        arm = aws.image("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64")
        return refusal(aws.run, ImageId=arm)[:110]

    fault, right = moto.compare(scenario)
    assert fault == ""
    assert right.startswith("InvalidParameterValue: The architecture 'x86_64' of the specified instance type")


def test_free_tier_types_run(aws):
    """EC2 user guide, "Amazon EC2 instance types"."""
    for name in ("t2.micro", "t3.micro", "t3.small"):
        assert aws.run(InstanceType=name)["InstanceType"] == name


def test_zone_of_another_region_is_refused(moto, refusal):
    """EC2 API reference, RunInstances: Placement.AvailabilityZone."""

    def scenario(aws):
        return refusal(aws.run, Placement={"AvailabilityZone": "us-east-1a"})

    assert moto.compare(scenario) == (
        "InvalidParameterValue: Invalid Availability Zone (us-east-1a)",
        "InvalidParameterValue: Invalid availability zone: [us-east-1a]",
    )


def test_subnet_in_a_zone_of_another_region_is_refused(moto, refusal):
    """EC2 API reference, CreateSubnet: AvailabilityZone."""

    def scenario(aws):
        vpc, _ = aws.network()
        return refusal(
            aws.ec2.create_subnet, VpcId=vpc, CidrBlock="10.7.2.0/24", AvailabilityZone="us-east-1a"
        )

    assert moto.compare(scenario) == (
        "",
        "InvalidParameterValue: Value (us-east-1a) for parameter availabilityZone is invalid. Subnets can "
        "currently only be created in the following availability zones: ap-south-1a, ap-south-1b, ap-south-1c.",
    )


def test_new_subnet_gives_no_public_addresses(moto):
    """VPC user guide, "Subnet settings": off for subnets that are not default ones."""

    def scenario(aws):
        for subnet in aws.ec2.describe_subnets()["Subnets"]:
            aws.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        _, subnet = aws.network()
        return aws.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]

    assert moto.compare(scenario) == (True, False)


def test_user_data_over_16384_bytes_is_refused(moto, refusal):
    """EC2 user guide, "Run commands when you launch an instance": 16 KB before base64."""

    def scenario(aws):
        assert refusal(aws.run, UserData="#!" + "x" * 16_382) == ""
        return refusal(aws.run, UserData="#!" + "x" * 16_383)

    assert moto.compare(scenario) == (
        "",
        "InvalidParameterValue: User data is limited to 16384 bytes",
    )


def test_user_data_need_not_be_text(aws):
    """EC2 user guide, "User data and cloud-init": gzip is allowed."""
    data = gzip.compress(os.urandom(64))
    created = aws.run(UserData=data)
    value = aws.ec2.describe_instance_attribute(InstanceId=created["InstanceId"], Attribute="userData")
    assert base64.b64decode(value["UserData"]["Value"]) == data


def test_user_data_changes_only_while_stopped(moto, refusal):
    """EC2 API reference, ModifyInstanceAttribute: the instance must be stopped."""

    def scenario(aws):
        instance = aws.run()["InstanceId"]
        return refusal(
            aws.ec2.modify_instance_attribute, InstanceId=instance, UserData={"Value": b"#!/bin/sh\n"}
        ).split(":")[0]

    assert moto.compare(scenario) == ("InvalidUserData.Malformed", "IncorrectInstanceState")


def test_user_data_of_a_stopped_instance_changes(aws):
    """EC2 user guide, "View and update the instance user data"; plain moto takes no text here."""
    instance = aws.run(UserData="old")["InstanceId"]
    aws.ec2.stop_instances(InstanceIds=[instance])
    aws.ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": b"new"})
    value = aws.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
    assert base64.b64decode(value["UserData"]["Value"]) == b"new"


def test_missing_instance_profile_is_ec2s_error(moto, refusal):
    """EC2 API reference, RunInstances: IamInstanceProfile. Terraform waits on these words."""

    def scenario(aws):
        return refusal(aws.run, IamInstanceProfile={"Name": "nobody"})

    fault, right = moto.compare(scenario)
    assert fault.startswith("NoSuchEntity")
    assert right == (
        "InvalidParameterValue: Value (nobody) for parameter iamInstanceProfile.name is invalid. "
        "Invalid IAM Instance Profile name"
    )


def test_profile_without_role_is_refused(moto, refusal):
    """EC2 API reference, RunInstances: IamInstanceProfile."""

    def scenario(aws):
        aws.iam.create_instance_profile(InstanceProfileName="empty")
        return refusal(aws.run, IamInstanceProfile={"Name": "empty"})[-48:]

    assert moto.compare(scenario) == ("", "IAM Instance Profile has no associated IAM Roles")


def test_group_of_another_vpc_is_refused(moto, refusal):
    """EC2 API reference, error codes: InvalidParameter."""

    def scenario(aws):
        _, subnet = aws.network()
        group = aws.ec2.create_security_group(GroupName="g", Description="g")["GroupId"]
        return refusal(aws.run, SubnetId=subnet, SecurityGroupIds=[group]).split(":")[0]

    assert moto.compare(scenario) == ("", "InvalidParameter")


def test_instance_without_subnet_is_in_the_default_one(moto):
    """VPC user guide, "Default VPCs": an instance without a subnet goes to the zone's default subnet."""

    def scenario(aws):
        instance = aws.run()
        instance = aws.instance(instance["InstanceId"])
        return instance["PrivateIpAddress"].startswith("172.31."), "SubnetId" in instance

    assert moto.compare(scenario) == ((False, True), (True, True))


def test_instance_shows_the_default_group(moto):
    """EC2 user guide, "Security groups": without one the VPC's default group applies."""

    def scenario(aws):
        _, subnet = aws.network()
        instance = aws.instance(aws.run(SubnetId=subnet)["InstanceId"])
        return [group["GroupName"] for group in instance["SecurityGroups"]]

    assert moto.compare(scenario) == ([], ["default"])


def test_session_module_is_untouched_afterwards(aws):
    """The cheap way to learn regions is taken back after the import."""
    assert "ap-south-1" in Session().get_available_regions("sagemaker")


def test_the_default_vpc_leads_to_the_internet(live) -> None:
    """VPC user guide, "Default VPC components": an internet gateway, and a main route table that leads to it."""
    vpc = live.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    tables = live.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ways = [
        route for table in tables for route in table["Routes"] if route["DestinationCidrBlock"] == "0.0.0.0/0"
    ]
    assert [way["GatewayId"][:4] for way in ways] == ["igw-"]
