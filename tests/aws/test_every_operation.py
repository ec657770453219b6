"""Every operation that AWS describes for the services that are promised, and every parameter: works, refused by name, or AWS's error."""

import json
import random
from collections import Counter
from typing import Any

import boto3
import pytest

from labkit.aws.services import descriptions
from tests.aws import walking

SEED, SAMPLE = 20261130, 12
#: the cloud's own words where it breaks on a request: AWS's code, but nobody has looked at the request before
BROKEN = ("can't read this request", "as it was asked for")
#: operations of which some odd request is still answered so
UNREAD = frozenset(
    [
        *("CreateServiceLinkedRole", "CreateDocument", "CreateDhcpOptions", "CreateLaunchTemplateVersion", "DeleteManagedPrefixList"),
        *("DescribeImageAttribute", "DescribeInstances", "DescribeLaunchTemplateVersions", "ModifyManagedPrefixList"),
        *("ReplaceNetworkAclAssociation", "CreateStack", "GetTemplate", "GetTemplateSummary", "ValidateTemplate"),
    ]
)  # fmt: skip
#: services that are not here, of every protocol
ELSEWHERE = ("apigateway", "apigatewayv2", "amp", "route53", "sqs", "sns", "ecs", "cloudfront", "glacier")
_TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
#: values by members' names; what they name does not exist
KNOWN = {
    "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [_TRUST]}),
    "PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}),
    "Role": "arn:aws:iam::123456789012:role/nobody", "CidrBlock": "10.9.0.0/16", "CidrIp": "10.9.0.0/16",
}  # fmt: skip


def client_of(live: Any, service: str, **settings: Any) -> Any:
    target = live.clients.target
    return boto3.client(
        service, endpoint_url=target.endpoint_url, region_name=target.region, config=walking.settings(),
        aws_access_key_id=target.owner.access_key_id, aws_secret_access_key=target.owner.secret_access_key, **settings,
    )  # fmt: skip


def _walk(live: Any, service: str, sample: int) -> Counter[str]:
    """How often which outcome came; a fault is said with its call."""
    found = list(walking.calls(service, KNOWN))
    if sample:
        found = random.Random(SEED).sample(found, sample)
    client, counted = client_of(live, service), Counter[str]()
    for call in found:
        outcome = walking.outcome(client, call)
        assert outcome.kind != "fault", (str(call), outcome)
        broken = any(words in outcome.words for words in BROKEN)
        assert not broken or call.operation in UNREAD, (str(call), outcome)
        counted[outcome.kind] += 1
    return counted


@pytest.mark.parametrize("service", walking.SERVICES)
@pytest.mark.parametrize("sample", [SAMPLE, pytest.param(0, marks=pytest.mark.verify)])
def test_every_operation_and_parameter_works_or_is_refused_by_name(
    live: Any, service: str, sample: int
) -> None:
    """API references, "Common errors": never an error of the server's, a page, or a wait without end."""
    assert _walk(live, service, sample)
    assert live.sts.get_caller_identity()["Account"]


def test_a_service_that_is_not_here_is_refused_by_name(live: Any) -> None:
    """API references, "Common errors": by every protocol, whatever the service's requests look like."""
    for name in ELSEWHERE:
        client = client_of(live, name)
        operation = next(iter(sorted(descriptions().load_service_model(name, "service-2")["operations"])))
        least = next(call for call in walking.calls(name, {}) if call.operation == operation)
        outcome = walking.outcome(client, least)
        assert (outcome.kind, "does not emulate the service" in outcome.words) == ("refused", True), (
            name,
            outcome,
        )
