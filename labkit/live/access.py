"""How an instructor reads a student's account: a role that the student makes from a template, and takes away again.

What belongs here: the template, and taking the role on. What does not: what it may read (reads.py).

AWS: IAM user guide, "How to use an external ID when granting access to your AWS resources to a third party".
"""

import json
from typing import Any

from labkit.base.errors import DeployError
from labkit.deploy.targets import Clients, Keys
from labkit.live.reads import Reading, policy

ROLE = "lab-instructor"
#: role chaining is limited to one hour
_SECONDS = 3600
_SESSION = "lab-grade"


def template() -> str:
    """A CloudFormation template: a role for one account and one external id, which may read what live grading reads."""
    who = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${InstructorAccount}:root"}}
    trust = {
        "Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
    }  # fmt: skip
    role = {
        "RoleName": ROLE,
        "Description": "Lets an instructor read, and change nothing of, the labs in this account",
        "MaxSessionDuration": _SECONDS,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [{"PolicyName": "read-labs", "PolicyDocument": policy()}],
    }
    value = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {
            "InstructorAccount": {"Type": "String", "AllowedPattern": "[0-9]{12}"},
            "ExternalId": {"Type": "String", "MinLength": 8, "MaxLength": 1224},
        },
        "Resources": {"InstructorRole": {"Type": "AWS::IAM::Role", "Properties": role}},
        "Outputs": {"InstructorRoleArn": {"Value": {"Fn::GetAtt": ["InstructorRole", "Arn"]}}},
    }
    return json.dumps(value, indent=1) + "\n"


def policy_text() -> str:
    """The policy alone, for whoever makes the role in another way."""
    return json.dumps(policy(), indent=1) + "\n"


def assume(clients: Clients, role: str, external_id: str) -> Reading:
    """Clients that read as this role. Raises DeployError where AWS does not give it."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    given: dict[str, Any] = {"ExternalId": external_id} if external_id else {}
    try:
        answer = clients.client("sts").assume_role(
            RoleArn=role, RoleSessionName=_SESSION, DurationSeconds=_SECONDS, **given
        )
    except (ClientError, ParamValidationError) as error:
        raise DeployError(
            f"AWS does not give you the role {role}: {error}",
            hint="It is for the account and the external id that its maker typed (docs/on-aws.md). In a Learner Lab nobody can "
            "make one; ask for ./lab evidence there.",
        ) from error
    except BotoCoreError as error:
        raise DeployError(f"AWS can't be asked: {error}", hint="Look at the network, then again.") from error
    keys = answer["Credentials"]
    session = Keys(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], keys["Expiration"].timestamp()
    )
    return Reading(clients.target, session)
