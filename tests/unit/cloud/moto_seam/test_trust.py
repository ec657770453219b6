"""Which service may assume a role. IAM user guide, "AWS JSON policy elements: Principal"."""

import json
from dataclasses import dataclass

import pytest

from labkit.cloud.moto_seam.identity.trust import trusts

ALLOW = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass
class Role:
    assume_role_policy_document: str


def role(*statements: object) -> Role:
    return Role(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Principal": {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}},
        {"Action": ["sts:TagSession", "sts:AssumeRole"]},
        {"Action": "sts:*"},
        {"Action": "STS:assumerole"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
    ],
)
def test_ec2_is_named(more: dict[str, object]) -> None:
    assert trusts(role({**ALLOW, **more}), "ec2.amazonaws.com")


@pytest.mark.parametrize(
    "more",
    [
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Principal": "*"},
        {"Action": "sts:AssumeRoleWithWebIdentity"},
        {"Effect": "Deny"},
    ],
)
def test_ec2_is_not_named(more: dict[str, object]) -> None:
    assert not trusts(role({**ALLOW, **more}), "ec2.amazonaws.com")


def test_a_deny_wins() -> None:
    assert not trusts(role(ALLOW, {**ALLOW, "Effect": "Deny"}), "ec2.amazonaws.com")
