"""Systems Manager's Run Command: what is sent really runs, where an agent reports."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

TERMINAL = ("Success", "Failed", "TimedOut", "Cancelled", "Terminated")
NOBODY = "i-0123456789abcdef0"


@pytest.fixture(scope="module")
def node(live: Any) -> Iterator[str]:
    """An instance whose role is Systems Manager's own."""
    name = live.role(service="ec2.amazonaws.com").rpartition("/")[2]
    live.iam.delete_role_policy(RoleName=name, PolicyName="p")
    live.iam.attach_role_policy(
        RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    )
    live.iam.create_instance_profile(InstanceProfileName=name)
    live.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": name}]}]
    with live.instance(
        "#!/bin/bash\n", IamInstanceProfile={"Name": name}, TagSpecifications=tags
    ) as instance:
        yield instance


def sent(live: Any, *commands: str, **more: Any) -> dict[str, Any]:
    parameters = {"commands": list(commands), **more.pop("parameters", {})}
    command: dict[str, Any] = live.ssm.send_command(
        DocumentName="AWS-RunShellScript", Parameters=parameters, **more
    )["Command"]
    return command


def ended(live: Any, command: dict[str, Any], instance: str) -> dict[str, Any]:
    asked = {"CommandId": command["CommandId"], "InstanceId": instance}
    deadline = time.monotonic() + 20
    while (found := live.ssm.get_command_invocation(**asked))["Status"] not in TERMINAL:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    result: dict[str, Any] = found
    return result


def test_a_command_runs_and_tells_what_it_printed(live: Any, node: str) -> None:
    """Systems Manager API reference, SendCommand, GetCommandInvocation, ListCommandInvocations."""
    command = sent(live, "cd /opt", "hostname -I > here; pwd; id -un; echo oops >&2", InstanceIds=[node])
    assert command["TargetCount"] == 1
    found = ended(live, command, node)
    assert (found["Status"], found["ResponseCode"]) == ("Success", 0)
    assert (found["StandardOutputContent"], found["StandardErrorContent"]) == ("/opt\nroot\n", "oops\n")
    assert live.inside(node, "cat /opt/here").split()[0] == live.described(node)["PrivateIpAddress"]
    (listed,) = live.ssm.list_command_invocations(CommandId=command["CommandId"], Details=True)[
        "CommandInvocations"
    ]
    assert listed["CommandPlugins"][0]["Output"].startswith("/opt\nroot\n")


def test_a_command_that_fails_or_takes_too_long_says_so(live: Any, node: str) -> None:
    """Systems Manager user guide, "Understanding command statuses"."""
    tag = next(each["Value"] for each in live.described(node)["Tags"] if each["Key"] == "Role")
    failing = sent(live, "exit 3", Targets=[{"Key": "tag:Role", "Values": [tag]}])
    slow = sent(live, "sleep 30", InstanceIds=[node], parameters={"executionTimeout": ["1"]})
    found = ended(live, failing, node)
    assert (found["Status"], found["ResponseCode"]) == ("Failed", 3)
    assert found["StandardErrorContent"] == "failed to run commands: exit status 3"
    assert ended(live, slow, node)["Status"] == "TimedOut"


def test_only_where_an_agent_reports(live: Any, node: str, aids: Any) -> None:
    """Systems Manager user guide, "Configure instance permissions": without the role's permission there is no managed node."""
    with live.instance("#!/bin/bash\n") as plain:
        nodes = {
            each["InstanceId"] for each in live.ssm.describe_instance_information()["InstanceInformationList"]
        }
        assert node in nodes
        assert plain not in nodes
        for other in (plain, NOBODY):
            code, words = aids.refused(
                live.ssm.send_command, DocumentName="AWS-RunShellScript", InstanceIds=[other],
                Parameters={"commands": ["id"]},
            )  # fmt: skip
            assert (code, other in words) == ("InvalidInstanceId", True)


def test_what_run_command_lacks_is_refused_by_name(live: Any, node: str, aids: Any) -> None:
    """Systems Manager API reference, SendCommand, StartSession."""
    shell = {"InstanceIds": [node], "Parameters": {"commands": ["id"]}}
    refused, send = aids.refused, live.ssm.send_command
    assert refused(send, DocumentName="nix", **shell)[0] == "InvalidDocument"
    assert refused(send, DocumentName="AWS-UpdateSSMAgent", **shell)[0] == "UnsupportedOperation"
    code, words = refused(send, DocumentName="AWS-RunShellScript", OutputS3BucketName="some-bucket", **shell)
    assert (code, "OutputS3BucketName" in words) == ("UnsupportedOperation", True)
    assert refused(send, DocumentName="AWS-RunShellScript", InstanceIds=[node])[0] == "InvalidParameters"
    code, words = refused(live.ssm.start_session, Target=node)
    assert (code, "./lab shell INSTANCE" in words) == ("UnsupportedOperation", True)
