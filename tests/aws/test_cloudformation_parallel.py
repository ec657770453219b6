"""Stacks whose resources are made side by side, through the whole local cloud.

CloudFormation: user guide, "Choose how to handle failures when provisioning resources".
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.live import eventually
from tests.aws.stacks import FAST, Stack

PATIENCE = 30
WAITS = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "CreationPolicy": {"ResourceSignal": {"Timeout": "PT10M"}},
}


@pytest.fixture
def name(stack: Stack) -> str:
    """The name of a stack, which is deleted afterwards."""
    return str(stack.name)


def statuses(live: Any, name: str) -> dict[str, str]:
    found = live.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {item["LogicalResourceId"]: item["ResourceStatus"] for item in found}


def until(what: Callable[[], bool]) -> None:
    assert eventually(what, PATIENCE), "it never came"


def begin(live: Any, name: str, resources: dict[str, Any], waiting: set[str], **more: Any) -> str:
    """Begin a stack; its id, once all of `waiting` are under way."""
    answer = live.cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": resources}), **more
    )
    under_way = dict.fromkeys(waiting, "CREATE_IN_PROGRESS")
    until(lambda: under_way.items() <= statuses(live, name).items())
    return str(answer["StackId"])


def signal(live: Any, name: str, resource: str, status: str = "SUCCESS") -> None:
    live.cloudformation.signal_resource(
        StackName=name, LogicalResourceId=resource, UniqueId=f"of-{resource}", Status=status
    )


def events(live: Any, name: str) -> list[tuple[str, str, str]]:
    found = live.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return [
        (item["LogicalResourceId"], item["ResourceStatus"], item.get("ResourceStatusReason", ""))
        for item in reversed(found)
    ]


def test_resources_that_do_not_need_one_another_are_under_way_together(live: Any, name: str) -> None:
    """CloudFormation: UserGuide/stack-failure-options.html: independent actions are parallel."""
    many = {f"Wait{number}": WAITS for number in range(12)}
    last = {"Type": "AWS::Logs::LogGroup", "DependsOn": sorted(many)}
    begin(live, name, {**many, "Last": last}, set(many))
    for resource in sorted(many, reverse=True):
        assert "Last" not in statuses(live, name)
        signal(live, name, resource)
    live.cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    assert set(statuses(live, name).values()) == {"CREATE_COMPLETE"}


def test_a_failure_cancels_what_is_still_under_way(live: Any, name: str) -> None:
    """CloudFormation: UserGuide/view-stack-events.html: the failed event of what is given up has a reason too."""
    after = {"Type": "AWS::Logs::LogGroup", "DependsOn": "Fails"}
    stack_id = begin(
        live, name, {"Waits": WAITS, "Fails": WAITS, "After": after, "Alone": {"Type": "AWS::Logs::LogGroup"}},
        {"Waits", "Fails"},
    )  # fmt: skip
    until(lambda: statuses(live, name).get("Alone") == "CREATE_COMPLETE")
    signal(live, name, "Fails", "FAILURE")
    until(lambda: _status(live, name) == "ROLLBACK_COMPLETE")
    told = events(live, stack_id)
    assert ("Waits", "CREATE_FAILED", "Resource creation cancelled") in told
    begun = next(reason for _, status, reason in told if status == "ROLLBACK_IN_PROGRESS")
    assert begun == (
        "The following resource(s) failed to create: [Waits, Fails]. Rollback requested by user."
    )
    assert "After" not in {resource for resource, _, _ in told}
    assert ("Alone", "DELETE_COMPLETE", "") in told


def test_without_a_rollback_every_other_path_goes_on(live: Any, name: str) -> None:
    """CloudFormation: UserGuide/stack-failure-options.html: a failure in one path does not affect other paths."""
    group = {"Type": "AWS::Logs::LogGroup"}
    resources = {
        "Fails": WAITS, "After": {**group, "DependsOn": "Fails"},
        "Waits": WAITS, "Then": {**group, "DependsOn": "Waits"},
    }  # fmt: skip
    begin(live, name, resources, {"Fails", "Waits"}, OnFailure="DO_NOTHING")
    signal(live, name, "Fails", "FAILURE")
    until(lambda: statuses(live, name)["Fails"] == "CREATE_FAILED")
    signal(live, name, "Waits")
    until(lambda: _status(live, name) == "CREATE_FAILED")
    wanted = {"Fails": "CREATE_FAILED", "Waits": "CREATE_COMPLETE", "Then": "CREATE_COMPLETE"}
    assert statuses(live, name) == wanted


def test_an_update_makes_new_resources_side_by_side_and_is_cancelled(live: Any, name: str) -> None:
    """CloudFormation: UserGuide/using-cfn-updating-stacks-update-behaviors.html, in parallel too."""
    group = {"Type": "AWS::Logs::LogGroup"}
    live.cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Group": group}}))
    live.cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    wanted = {"Group": {**group, "Properties": {"RetentionInDays": 7}}, "One": WAITS, "Two": WAITS}
    live.cloudformation.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": wanted}))
    under_way = {"One": "CREATE_IN_PROGRESS", "Two": "CREATE_IN_PROGRESS", "Group": "UPDATE_COMPLETE"}
    until(lambda: under_way.items() <= statuses(live, name).items())
    signal(live, name, "Two", "FAILURE")
    until(lambda: _status(live, name) == "UPDATE_ROLLBACK_COMPLETE")
    assert ("One", "CREATE_FAILED", "Resource creation cancelled") in events(live, name)
    assert set(statuses(live, name)) == {"Group"}
    physical = live.cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Group")
    kept = physical["StackResourceDetail"]["PhysicalResourceId"]
    (found,) = live.logs.describe_log_groups(logGroupNamePrefix=kept)["logGroups"]
    assert "retentionInDays" not in found


def test_a_bucket_waits_for_the_permission_that_its_notification_needs(live: Any, name: str) -> None:
    """S3: API/API_PutBucketNotificationConfiguration.html: the destination is validated; its permission may come a moment later."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = {"Fn::GetAtt": ["Told", "Arn"]}
    told = {"LambdaConfigurations": [{"Event": "s3:ObjectCreated:*", "Function": arn}]}
    function = {
        "Runtime": "python3.13", "Handler": "index.f", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "def f(event, context): pass"},
    }  # fmt: skip
    may = {"Action": "lambda:InvokeFunction", "FunctionName": arn, "Principal": "s3.amazonaws.com"}
    resources = {
        "Box": {"Type": "AWS::S3::Bucket", "Properties": {"NotificationConfiguration": told}},
        "May": {"Type": "AWS::Lambda::Permission", "Properties": may},
        "Told": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
        },
    }
    body = json.dumps({"Resources": resources})
    live.cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    live.cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)


def _status(live: Any, name: str) -> str:
    return str(live.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
