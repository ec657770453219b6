"""docs/aws-policy.json: what must be allowed on AWS to whoever does the steps, made of rehearsals' own records.

What belongs here: from records to a template with one managed policy. What does not: the records (a rehearsal's needed.json).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

#: how everything of a lab begins (labkit.course.variant)
_OWN = "hybrid-"
#: what AWS asks besides, where something is made with tags, or a function in a VPC (service authorization reference; Lambda
#: developer guide, "Giving Lambda functions access to resources in an Amazon VPC")
_BESIDES = {
    "*": ("ec2:CreateTags", "ec2:DeleteTags"),
    "arn:aws:dynamodb:*:*:table/hybrid-*": ("dynamodb:TagResource",),
    "arn:aws:iam::*:instance-profile/hybrid-*": ("iam:TagInstanceProfile",),
    "arn:aws:iam::*:role/hybrid-*": ("iam:TagRole",),
    "arn:aws:lambda:*:*:function:hybrid-*": ("lambda:TagResource",),
    "arn:aws:logs:*:*:log-group:/aws/lambda/hybrid-*": ("logs:TagResource",),
}


def template(needed: Iterable[tuple[str, str]]) -> str:
    """A CloudFormation template whose managed policy allows these (action, resource)."""
    policy = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": "What the steps of the lab need on AWS, with either engine",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": list(_statements(needed))},
        },
    }
    value = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"LabPolicy": policy},
        "Outputs": {"LabPolicyArn": {"Value": {"Ref": "LabPolicy"}}},
    }
    return json.dumps(value, indent=1) + "\n"


def actions(template_text: str) -> set[str]:
    """Every action that the template's policy allows."""
    document = json.loads(template_text)["Resources"]["LabPolicy"]["Properties"]["PolicyDocument"]
    return {action for statement in document["Statement"] for action in statement["Action"]}


def _statements(needed: Iterable[tuple[str, str]]) -> Iterable[dict[str, Any]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for action, resource in needed:
        found[pattern(resource)].add(action)
    for resource, names in _BESIDES.items():
        found[resource].update(names)
    for resource in sorted(found):
        everywhere = found["*"] if resource != "*" else set()
        if allowed := sorted(found[resource] - everywhere):
            yield {"Effect": "Allow", "Action": allowed, "Resource": resource}


def pattern(resource: str) -> str:
    """The resources of any student's lab in any account and region; all of them where no name of the lab's own is in it."""
    before, own, _ = resource.partition(_OWN)
    return f"{re.sub(r'[a-z]+-[a-z-]+-[0-9]:[0-9]{12}|(?<=::)[0-9]{12}', _any, before)}{own}*" if own else "*"


def _any(found: "re.Match[str]") -> str:
    return "*:*" if ":" in found[0] else "*"
