"""Users, groups, keys and inline policies of a stack; an Elastic IP's association."""

import json
from typing import Any

PEOPLE = """
Resources:
  Crew:
    Type: AWS::IAM::Group
    Properties: {Policies: [{PolicyName: look, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:ListAllMyBuckets", Resource: "*"}]}}]}
  Ada: {Type: AWS::IAM::User, Properties: {UserName: ada, Groups: [!Ref Crew], ManagedPolicyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref Ada}}
  Own:
    Type: AWS::IAM::UserPolicy
    Properties: {UserName: !Ref Ada, PolicyName: own, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: %s, Action: "sqs:*", Resource: "*"}]}}
Outputs:
  Secret: {Value: !GetAtt Key.SecretAccessKey}
  Id: {Value: !Ref Key}
  Arn: {Value: !GetAtt Ada.Arn}
"""
FAST = {"Delay": 0.1, "MaxAttempts": 100}


def test_people_are_made_changed_and_deleted(cloud: Any) -> None:
    """CloudFormation template reference, AWS::IAM::User, AWS::IAM::Group, AWS::IAM::AccessKey, AWS::IAM::UserPolicy."""
    stacks, iam = cloud.client("cloudformation"), cloud.client("iam")
    more = {"StackName": "people", "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    stacks.create_stack(TemplateBody=PEOPLE % "Allow", **more)
    stacks.get_waiter("stack_create_complete").wait(StackName="people", WaiterConfig=FAST)
    told = stacks.describe_stacks(StackName="people")["Stacks"][0]["Outputs"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in told}
    assert outputs["Arn"] == iam.get_user(UserName="ada")["User"]["Arn"]
    assert len(outputs["Secret"]) == 40
    (key,) = iam.list_access_keys(UserName="ada")["AccessKeyMetadata"]
    assert (key["AccessKeyId"], key["Status"]) == (outputs["Id"], "Active")
    (group,) = iam.list_groups_for_user(UserName="ada")["Groups"]
    assert iam.list_group_policies(GroupName=group["GroupName"])["PolicyNames"] == ["look"]

    stacks.update_stack(TemplateBody=PEOPLE % "Deny", **more)
    stacks.get_waiter("stack_update_complete").wait(StackName="people", WaiterConfig=FAST)
    policy = iam.get_user_policy(UserName="ada", PolicyName="own")["PolicyDocument"]
    assert (policy if isinstance(policy, dict) else json.loads(policy))["Statement"][0]["Effect"] == "Deny"

    stacks.delete_stack(StackName="people")
    stacks.get_waiter("stack_delete_complete").wait(StackName="people", WaiterConfig=FAST)
    assert (iam.list_users()["Users"], iam.list_groups()["Groups"]) == ([], [])


ADDRESS = """
Parameters:
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
Resources:
  Box: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Image, InstanceType: t3.micro}}
  Address: {Type: AWS::EC2::EIP, Properties: {Domain: vpc}}
  Joined: {Type: AWS::EC2::EIPAssociation, Properties: {AllocationId: !GetAtt Address.AllocationId, InstanceId: !Ref Box}}
Outputs: {Address: {Value: !Ref Address}}
"""


def test_an_elastic_ip_is_associated_by_a_resource_of_its_own(cloud: Any) -> None:
    """CloudFormation template reference, AWS::EC2::EIPAssociation."""
    stacks, ec2 = cloud.client("cloudformation"), cloud.client("ec2")
    stacks.create_stack(StackName="joined", TemplateBody=ADDRESS)
    stacks.get_waiter("stack_create_complete").wait(StackName="joined", WaiterConfig=FAST)
    (output,) = stacks.describe_stacks(StackName="joined")["Stacks"][0]["Outputs"]
    (address,) = ec2.describe_addresses()["Addresses"]
    (reservation,) = ec2.describe_instances()["Reservations"]
    assert address["PublicIp"] == output["OutputValue"]
    assert address["InstanceId"] == reservation["Instances"][0]["InstanceId"]
    stacks.delete_stack(StackName="joined")
    stacks.get_waiter("stack_delete_complete").wait(StackName="joined", WaiterConfig=FAST)
    assert ec2.describe_addresses()["Addresses"] == []
