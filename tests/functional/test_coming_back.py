"""A cloud that was killed goes on where it was: every resource, its contents, what ran."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labkit.base.events import Event
from tests.aws.live import REGION, Live, eventually, open_live, policy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

UNIT = """#!/bin/bash
echo once >> /opt/runs
printf '[Service]\\nExecStart=/usr/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/app.service
systemctl enable --now app
"""
TEMPLATE = {
    "Resources": {
        "Topic": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "/of/stack", "Value": "v"}},
        "Rows": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        },
    },
    "Outputs": {"Name": {"Value": {"Ref": "Rows"}, "Export": {"Name": "rows"}}},
}  # fmt: skip
#: more than fits into the graph itself
LARGE = "\n".join(f"# {number} {os.urandom(32).hex()}" for number in range(2000))


@dataclass
class Past:
    """A cloud before and after: what was made, what was described, what was said at the start."""

    live: Live
    made: dict[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    said: list[Event] = field(default_factory=list)


def descriptions(live: Live, made: Mapping[str, Any]) -> dict[str, Any]:
    """What the control plane tells of everything."""
    ec2, iam, aws_lambda, logs = live.ec2, live.iam, live.lambda_, live.logs
    asked: dict[str, Callable[[], Any]] = {
        **{name: getattr(ec2, f"describe_{name}") for name in (
            "vpcs", "subnets", "route_tables", "internet_gateways", "security_groups", "security_group_rules",
            "network_interfaces", "vpc_endpoints", "key_pairs", "launch_templates", "volumes", "tags", "network_acls",
        )},
        "user": lambda: iam.get_user(UserName="ada"),
        "keys": lambda: iam.list_access_keys(UserName="ada"),
        "roles": iam.list_roles,
        "role": lambda: iam.get_role_policy(RoleName=made["role"], PolicyName="p"),
        "attached": lambda: iam.list_attached_role_policies(RoleName=made["role"]),
        "profiles": iam.list_instance_profiles,
        "policies": lambda: iam.list_policies(Scope="Local"),
        "functions": aws_lambda.list_functions,
        "versions": lambda: aws_lambda.list_versions_by_function(FunctionName=made["function"]),
        "aliases": lambda: aws_lambda.list_aliases(FunctionName=made["function"]),
        "permission": lambda: aws_lambda.get_policy(FunctionName=made["function"]),
        "groups": logs.describe_log_groups,
        "streams": lambda: logs.describe_log_streams(logGroupName="mine"),
        "events": lambda: logs.get_log_events(logGroupName="mine", logStreamName="one", startFromHead=True)["events"],
        "parameters": lambda: live.ssm.get_parameter_history(Name="/mine"),
        "stack": live.cloudformation.describe_stacks,
        "resources": lambda: live.cloudformation.describe_stack_resources(StackName="kept"),
        "stack events": lambda: live.cloudformation.describe_stack_events(StackName="kept"),
        "template": lambda: live.cloudformation.get_template(StackName="kept"),
        "exports": live.cloudformation.list_exports,
        "tagged": lambda: live.clients.client("resourcegroupstaggingapi").get_resources()["ResourceTagMappingList"],
        "tables": live.dynamodb.list_tables,
        "buckets": live.s3.list_buckets,
    }  # fmt: skip
    return {name: _plain(ask()) for name, ask in asked.items()}


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict):
        answer.pop("ResponseMetadata", None)
    return answer


def make(live: Live) -> dict[str, Any]:
    """Something of everything."""
    vpc = live.vpc()
    live.ec2.create_vpc_endpoint(
        VpcId=vpc.vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[vpc.private_table]
    )
    live.ec2.create_key_pair(KeyName="mine")
    live.ec2.create_launch_template(
        LaunchTemplateName="mine", LaunchTemplateData={"InstanceType": "t3.micro"}
    )
    role = live.role().rpartition("/")[2]
    live.iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    live.iam.create_policy(
        PolicyName="mine", PolicyDocument=policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    )
    live.iam.create_user(UserName="ada")
    live.iam.put_user_policy(
        UserName="ada",
        PolicyName="p",
        PolicyDocument=policy({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}),
    )
    keys = live.iam.create_access_key(UserName="ada")["AccessKey"]
    function = live.function(f"def lambda_handler(event, context):\n    return 'large'\n{LARGE}")
    live.lambda_.publish_version(FunctionName=function)
    live.lambda_.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    live.lambda_.add_permission(
        FunctionName=function, StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    live.logs.create_log_group(logGroupName="mine")
    live.logs.create_log_stream(logGroupName="mine", logStreamName="one")
    now = int(time.time() * 1000)
    live.logs.put_log_events(
        logGroupName="mine",
        logStreamName="one",
        logEvents=[{"timestamp": now + n, "message": f"line {n}"} for n in range(50)],
    )
    live.ssm.put_parameter(Name="/mine", Type="String", Value="1")
    live.ssm.put_parameter(Name="/mine", Type="String", Value="2", Overwrite=True)
    live.cloudformation.create_stack(
        StackName="kept", TemplateBody=json.dumps(TEMPLATE), Tags=[{"Key": "a", "Value": "b"}]
    )
    live.cloudformation.get_waiter("stack_create_complete").wait(StackName="kept", WaiterConfig={"Delay": 1})
    table = live.cloudformation.describe_stacks(StackName="kept")["Stacks"][0]["Outputs"][0]["OutputValue"]
    bucket = live.bucket()
    live.s3.put_object(Bucket=bucket, Key="small", Body=b"small", Metadata={"m": "1"})
    live.s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 200_000)
    live.dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "n": {"N": "2"}})
    return {"vpc": vpc, "role": role, "keys": keys, "function": function, "table": table, "bucket": bucket}


def ran(live: Live, instance: str) -> str:
    """A command of Run Command that has ended there."""
    sent = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["echo said"]}}
    command = str(live.ssm.send_command(InstanceIds=[instance], **sent)["Command"]["CommandId"])
    asked = {"CommandId": command, "InstanceId": instance}
    assert eventually(lambda: live.ssm.get_command_invocation(**asked)["Status"] == "Success")
    return command


def saved(live: Live) -> None:
    """Wait until what was acknowledged before this call is on disk."""
    now, control = time.time(), live.local.folder / "kept" / "full" / "control"

    def later() -> bool:
        live.iam.tag_user(UserName="ada", Tags=[{"Key": "asked", "Value": "again"}])
        return control.exists() and json.loads(control.read_bytes().partition(b"\n")[0])["saved_at"] > now

    assert eventually(later), "the state was not written"


def kill(live: Live) -> None:
    """Kill -9, and wait until the lock is free."""
    endpoint = live.local.running()
    assert endpoint is not None
    os.kill(endpoint.pid, signal.SIGKILL)
    assert eventually(lambda: live.local.running() is None)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """A cloud with something of everything, killed and started again."""
    with open_live(tmp_path_factory.mktemp("lasting"), lasting=True) as live:
        found = Past(live, make(live))
        profile = {"Name": live.profile()}
        with live.instance(UNIT, found.made["vpc"], IamInstanceProfile=profile) as instance:
            found.made |= {"instance": instance, "described": live.described(instance)}
            found.made["command"] = ran(live, instance)
            saved(live)
            found.before = descriptions(live, found.made)
            kill(live)
            live.start_again(found.said.append)
            yield found


def test_every_description_is_as_it_was(past: Past) -> None:
    after = descriptions(past.live, past.made)
    changed = {name: (past.before[name], after[name]) for name in after if after[name] != past.before[name]}
    assert not changed
    assert len(after["events"]) == 50


def test_it_says_that_it_came_back_and_how_old_its_state_is(past: Past) -> None:
    told = [event.text for event in past.said]
    assert any("is back with what stood in it, as it was" in text for text in told), told
    assert not [event for event in past.said if event.kind == "warning"], told


def test_keys_functions_rows_and_objects_work(past: Past) -> None:
    live, made = past.live, past.made
    assert live.as_(made["keys"]).client("dynamodb").scan(TableName=made["table"])["Items"] == [
        {"id": {"S": "1"}, "n": {"N": "2"}}
    ]
    assert live.call(made["function"]) == "large"
    found = live.s3.get_object(Bucket=made["bucket"], Key="large")["Body"].read()
    assert found == b"x" * 200_000
    assert live.s3.head_object(Bucket=made["bucket"], Key="small")["Metadata"] == {"m": "1"}


def test_an_instance_is_as_after_a_stop_and_start(past: Past) -> None:
    live, instance = past.live, past.made["instance"]
    assert live.local.await_boot(instance)["state"] == "ok"
    assert live.described(instance)["PrivateIpAddress"] == past.made["described"]["PrivateIpAddress"]
    assert live.inside(instance, "systemctl is-active app; cat /opt/runs").split() == ["active", "once"]
    told = live.ssm.get_command_invocation(CommandId=past.made["command"], InstanceId=instance)
    assert told["StandardOutputContent"] == "said\n"


def test_what_is_made_afterwards_is_made_beside_it(past: Past) -> None:
    live = past.live
    stack = live.cloudformation.update_stack
    changed = json.loads(json.dumps(TEMPLATE))
    changed["Resources"]["Topic"]["Properties"]["Value"] = "w"
    stack(StackName="kept", TemplateBody=json.dumps(changed))
    live.cloudformation.get_waiter("stack_update_complete").wait(StackName="kept", WaiterConfig={"Delay": 1})
    assert live.ssm.get_parameter(Name="/of/stack")["Parameter"]["Value"] == "w"
    stream = {"logGroupName": "mine", "logStreamName": "one"}
    live.logs.put_log_events(
        **stream, logEvents=[{"timestamp": int(time.time() * 1000) + 1000, "message": "later"}]
    )
    events = live.logs.filter_log_events(logGroupName="mine")["events"]
    assert len({event["eventId"] for event in events}) == 51


def test_what_can_be_read_by_others_holds_no_secret(past: Past) -> None:
    kept = past.live.local.folder / "kept"
    assert (kept / "full").stat().st_mode & 0o077 == 0
    for path in (kept / "full" / "control", *(kept / "full" / "large").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


def test_stop_keeps_it_and_forget_ends_it(tmp_path: Path) -> None:
    with open_live(tmp_path / "cloud", lasting=True) as live:
        live.iam.create_user(UserName="ada")
        live.local.stop()
        assert live.local.kept_since > 0
        said: list[Event] = []
        live.start_again(said.append)
        assert live.iam.get_user(UserName="ada")
        live.local.stop(forget=True)
        assert live.local.kept_since == 0
        live.start_again()
        assert live.iam.list_users()["Users"] == []
