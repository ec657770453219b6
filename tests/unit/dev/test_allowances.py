"""The policy in docs/ is made of what rehearsals needed, for any student's lab and nobody else's things."""

import json
from pathlib import Path

import pytest

from labkit.dev.allowances import actions, pattern, template

ROOT = Path(__file__).parents[3]
#: Amazon's limit of a managed policy, white space not counted
MOST = 6144


@pytest.mark.parametrize(
    ("resource", "general"),
    [
        ("arn:aws:lambda:us-east-1:123456789012:function:hybrid-a1-lab-f", "arn:aws:lambda:*:*:function:hybrid-*"),
        ("arn:aws:iam::123456789012:role/hybrid-a1-lab-server", "arn:aws:iam::*:role/hybrid-*"),
        ("arn:aws:s3:::hybrid-a1-images-123456789012-us-east-1/p/x.jpg", "arn:aws:s3:::hybrid-*"),
        ("arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1", "*"),
        ("*", "*"),
    ],
)  # fmt: skip
def test_a_resource_is_that_of_any_lab(resource: str, general: str) -> None:
    assert pattern(resource) == general


def test_a_template_allows_what_was_needed_and_fits_a_managed_policy() -> None:
    made = template([("s3:GetObject", "arn:aws:s3:::hybrid-1/x"), ("ec2:CreateVpc", "*")])
    assert {"s3:GetObject", "ec2:CreateVpc", "ec2:CreateTags"} <= actions(made)
    kept = (ROOT / "docs" / "aws-policy.json").read_text(encoding="utf-8")
    policy = json.loads(kept)["Resources"]["LabPolicy"]["Properties"]["PolicyDocument"]
    assert len(json.dumps(policy, separators=(",", ":"))) <= MOST
    assert {"lambda:InvokeFunction", "ec2:RunInstances", "iam:PassRole"} <= actions(kept)
    passes = [each["Resource"] for each in policy["Statement"] if "iam:PassRole" in each["Action"]]
    assert passes == ["arn:aws:iam::*:role/hybrid-*"]
