"""CreationPolicy, wait conditions and signals; what a map lacks."""

import time
from typing import Any

import pytest

from labkit.aws.templates.errors import ApiError
from labkit.cloud.cloudformation.signals import Expected, expected_by

WAITING = """
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Metadata: {Region: !Ref AWS::Region}
    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: %s}}
"""


def told(cloud: Any, name: str) -> list[tuple[str, str]]:
    """Whom each event is about, and its reason; the newest first."""
    events = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [(each["LogicalResourceId"], each.get("ResourceStatusReason", "")) for each in events]


def reasons(cloud: Any, name: str) -> list[str]:
    return [reason for _, reason in told(cloud, name)]


def begun(cloud: Any, name: str, template: str) -> Any:
    """A client, once the resource that waits is being made."""
    client = cloud.client("cloudformation")
    client.create_stack(StackName=name, TemplateBody=template)
    deadline = time.monotonic() + 10
    while ("Wait", "Resource creation Initiated") not in told(cloud, name):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return client


def signal(client: Any, name: str, unique: str, status: str = "SUCCESS") -> None:
    client.signal_resource(StackName=name, LogicalResourceId="Wait", UniqueId=unique, Status=status)


def test_a_creation_policy_waits_for_its_signals(cloud: Any) -> None:
    """CloudFormation template reference, "CreationPolicy attribute"; API reference, SignalResource."""
    client = begun(cloud, "signalled", WAITING % "PT1M")
    detail = client.describe_stack_resource(StackName="signalled", LogicalResourceId="Wait")[
        "StackResourceDetail"
    ]
    assert detail["Metadata"] == '{"Region": "ap-south-1"}'
    for unique in ("a", "a", "b"):
        signal(client, "signalled", unique)
    client.get_waiter("stack_create_complete").wait(
        StackName="signalled", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    said = reasons(cloud, "signalled")
    assert [each for each in said if "signal" in each] == [
        "Received SUCCESS signal with UniqueId b", "Received SUCCESS signal with UniqueId a",
    ]  # fmt: skip
    with pytest.raises(
        client.exceptions.ClientError, match="is in CREATE_COMPLETE state and cannot be signaled"
    ):
        signal(client, "signalled", "c")


@pytest.mark.parametrize(
    ("timeout", "status", "reason"),
    [
        ("PT1S", "", "Failed to receive 2 resource signal(s) within the specified duration"),
        ("PT1M", "FAILURE", "Received FAILURE signal with UniqueId a"),
    ],
)
def test_without_them_the_resource_fails(cloud: Any, timeout: str, status: str, reason: str) -> None:
    """CloudFormation template reference, "CreationPolicy attribute"."""
    client = begun(cloud, "failing", WAITING % timeout)
    if status:
        signal(client, "failing", "a", status)
    deadline = time.monotonic() + 20
    while reason not in reasons(cloud, "failing"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_durations() -> None:
    """CloudFormation template reference, "CreationPolicy attribute": ISO 8601, up to 12 hours."""
    assert expected_by({"ResourceSignal": {"Timeout": "PT1H30M10S", "Count": "3"}}) == Expected(3, 5410)
    assert expected_by({"ResourceSignal": {"Timeout": "P1D"}}) == Expected(1, 43200)
    assert expected_by({}) is None
    with pytest.raises(ApiError, match="no duration"):
        expected_by({"ResourceSignal": {"Timeout": "5 minutes"}})


def test_what_a_map_lacks_is_told_before_anything_is_made(cloud: Any) -> None:
    """CloudFormation user guide, Fn::FindInMap: a template error of CreateStack itself."""
    template = """
Mappings: {Sizes: {us-east-1: {A: x}}}
Resources:
  P: {Type: "AWS::SSM::Parameter", Properties: {Type: String, Value: !FindInMap [Sizes, !Ref "AWS::Region", A]}}
"""
    client = cloud.client("cloudformation")
    with pytest.raises(
        client.exceptions.ClientError, match=r"Unable to get mapping for Sizes::ap-south-1::A"
    ):
        client.create_stack(StackName="unmapped", TemplateBody=template)
    with pytest.raises(client.exceptions.ClientError, match=r"unmapped.* does not exist"):
        client.describe_stacks(StackName="unmapped")
