"""IAM where a decision needs the account's state: paths, and what a launch template gives."""

import base64
from typing import Any

import pytest


@pytest.fixture
def someone(live: Any, aids: Any) -> Any:
    """`someone(*statements)`: clients of a new user with these permissions."""

    def make(*statements: dict[str, object]) -> Any:
        name = live.name("user")
        live.iam.create_user(UserName=name)
        live.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=aids.policy(*statements))
        return live.as_(live.iam.create_access_key(UserName=name)["AccessKey"])

    return make


def test_the_arn_of_a_role_holds_its_path(live: Any, aids: Any, someone: Any) -> None:
    """IAM user guide, "IAM identifiers": a path is a part of the ARN, and policies may match it."""
    trust = aids.policy(
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    names = {path: live.name("role") for path in ("/team/", "/")}
    team = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:aws:iam::*:role/team/*"}
    iam = someone(team).client("iam")
    code, message = aids.refused(iam.create_role, RoleName=names["/"], AssumeRolePolicyDocument=trust)
    assert (code, f":role/{names['/']} " in message) == ("AccessDenied", True)
    iam.create_role(RoleName=names["/team/"], Path="/team/", AssumeRolePolicyDocument=trust)
    live.iam.create_role(RoleName=names["/"], AssumeRolePolicyDocument=trust)
    assert iam.get_role(RoleName=names["/team/"])["Role"]["Arn"].endswith(f":role/team/{names['/team/']}")
    assert aids.refused(iam.get_role, RoleName=names["/"])[0] == "AccessDenied"


def test_a_role_is_added_to_a_profile_by_who_may_change_the_profile(
    live: Any, aids: Any, someone: Any
) -> None:
    """Service authorization reference, IAM: AddRoleToInstanceProfile is about the profile, and passes the role."""
    role, profile = live.role(service="ec2.amazonaws.com").rpartition("/")[2], live.name("profile")
    live.iam.create_instance_profile(InstanceProfileName=profile)
    add = {"Effect": "Allow", "Action": "iam:AddRoleToInstanceProfile", "Resource": f"arn:aws:iam::*:instance-profile/{profile}"}  # fmt: skip
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": f"arn:aws:iam::*:role/{role}"}
    names = {"InstanceProfileName": profile, "RoleName": role}
    code, message = aids.refused(someone(add).client("iam").add_role_to_instance_profile, **names)
    assert (code, "iam:PassRole" in message) == ("AccessDenied", True)
    someone(add, passing).client("iam").add_role_to_instance_profile(**names)


@pytest.fixture
def template(live: Any) -> Any:
    """`template(**data)`: the id of a new launch template."""
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"

    def make(**data: object) -> dict[str, str]:
        found = live.ssm.get_parameter(Name=image)["Parameter"]["Value"]
        made = live.ec2.create_launch_template(
            LaunchTemplateName=live.name("template"), LaunchTemplateData={"ImageId": found, **data}
        )
        return {"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"]}

    return make


def dry_run(aids: Any, clients: Any, **settings: object) -> str:
    return str(
        aids.refused(clients.client("ec2").run_instances, MinCount=1, MaxCount=1, DryRun=True, **settings)[0]
    )


def test_policies_judge_what_a_launch_template_gives(
    live: Any, aids: Any, someone: Any, template: Any
) -> None:
    """EC2 user guide, "Launch templates": permissions are checked for what the template names as well."""
    run = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}
    only_small = {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*"}
    only_small |= {"Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}
    clients = someone(run, only_small)
    assert dry_run(aids, clients, LaunchTemplate=template(InstanceType="t3.micro")) == "DryRunOperation"
    large = template(InstanceType="m5.large")
    assert dry_run(aids, clients, LaunchTemplate=large) == "UnauthorizedOperation"
    assert dry_run(aids, clients, LaunchTemplate=large, InstanceType="t3.micro") == "DryRunOperation"


def test_a_role_in_a_launch_template_is_passed_on(live: Any, aids: Any, someone: Any, template: Any) -> None:
    """IAM user guide, "Granting a user permissions to pass a role to an AWS service"."""
    profile = live.profile()
    named = template(InstanceType="t3.micro", IamInstanceProfile={"Name": profile})
    run = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    assert dry_run(aids, someone(run), LaunchTemplate=named) == "UnauthorizedOperation"
    assert dry_run(aids, someone(run, passing), LaunchTemplate=named) == "DryRunOperation"


def test_an_instance_takes_everything_from_its_launch_template(live: Any, template: Any) -> None:
    """EC2 API reference, RunInstances, LaunchTemplate: what the request does not say, the template does."""
    vpc, profile = live.vpc(), live.profile()
    data = {
        "InstanceType": "t3.micro", "IamInstanceProfile": {"Name": profile},
        "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": vpc.private, "Groups": [vpc.group]}],
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "UserData": base64.b64encode(b"#!/bin/bash\necho from-the-template\n").decode(),
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
    }  # fmt: skip
    made = live.ec2.run_instances(LaunchTemplate=template(**data), MinCount=1, MaxCount=1)["Instances"][0]
    try:
        live.local.await_boot(made["InstanceId"])
        seen = live.described(made["InstanceId"])
        assert seen["SubnetId"] == vpc.private
        assert [group["GroupId"] for group in seen["SecurityGroups"]] == [vpc.group]
        assert seen["IamInstanceProfile"]["Arn"].endswith(f"/{profile}")
        assert seen["MetadataOptions"]["HttpTokens"] == "required"
        assert {"Key": "a", "Value": "b"} in seen["Tags"]
        assert "from-the-template" in live.inside(made["InstanceId"], "cat /var/log/cloud-init-output.log")
    finally:
        live.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


def test_a_launch_template_that_does_not_exist(live: Any, aids: Any, template: Any) -> None:
    """EC2 API reference, error codes: InvalidLaunchTemplateId.NotFound, InvalidLaunchTemplateId.VersionNotFound."""
    missing = {"LaunchTemplateId": "lt-0123456789abcdef0"}
    run = live.ec2.run_instances
    code, message = aids.refused(run, LaunchTemplate=missing, MinCount=1, MaxCount=1)
    assert (code, missing["LaunchTemplateId"] in message) == ("InvalidLaunchTemplateId.NotFound", True)
    for version, said in (("7", "InvalidLaunchTemplateId.VersionNotFound"), ("x", "InvalidParameterValue")):
        wanted = {**template(InstanceType="t3.micro"), "Version": version}
        assert aids.refused(run, LaunchTemplate=wanted, MinCount=1, MaxCount=1)[0] == said
