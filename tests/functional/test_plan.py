"""Step 02, before and after something stands; CloudFormation by hand; what was changed by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.deploy.targets import Clients

ADA = ("--student", "ada@uni.edu")
SOLUTION = (*ADA, "--solution")
pytestmark = pytest.mark.slow


def clients(lab: Any) -> Clients:
    return Clients(lab.target("ap-south-1"))


def by_hand(lab: Any, folder: Path, line: str) -> Any:
    """Run a line in the student's folder, in the shell that `./lab shell` opens."""
    shell = lab.base / "by-hand"
    shell.write_text(f'#!/bin/sh\ncd "{folder}" && {line}\n')
    shell.chmod(0o755)
    return lab.with_variables(SHELL=str(shell)).run("cloud", "shell")


def test_the_starters_plan_stops_at_its_first_gap_and_nothing_is_created(lab) -> None:
    lab.step("01", *ADA)
    run = lab.step("02", *ADA)
    assert run.status == 1
    assert [c["gap"] for c in run.result["checks"] if not c["passed"]] == ["bucket-protection"]
    assert run.result["plan"]["create"] == 17
    assert clients(lab).client("cloudformation").describe_stacks()["Stacks"] == []
    assert (lab.workspace("ada@uni.edu") / "build" / "plan.svg").is_file()


def test_a_mistake_is_named_before_anything_exists(lab) -> None:
    lab.step("01", *SOLUTION)
    template = lab.workspace("ada@uni.edu.solution") / "cloudformation-template.yaml"
    template.write_text(template.read_text().replace("CidrBlock: !Ref VpcCidr", "CidrBlok: !Ref VpcCidr"))
    run = lab.step("02", *SOLUTION)
    assert run.status == 1
    (failed, *_) = [c for c in run.result["checks"] if not c["passed"]]
    assert "CidrBlok" in failed["reason"]


@pytest.mark.verify
def test_a_plan_of_what_stands(deployed_solution) -> None:
    """Nothing to change; then a new boot script, which replaces the server; then what was changed by hand."""
    run = deployed_solution.step("02", *SOLUTION)
    assert run.status == 0, run
    assert sum(run.result["plan"].values()) == 0
    app = deployed_solution.workspace("ada@uni.edu.solution") / "flask_app.py"
    before = app.read_text()
    app.write_text(before + "\n# changed\n")
    run = deployed_solution.step("02", *SOLUTION)
    app.write_text(before)
    assert (run.status, run.result["plan"]["replace"]) == (0, 1)
    assert any("Server would be replaced" in event["text"] for event in run.events)


def test_what_was_changed_by_hand_is_told(deployed_solution) -> None:
    name = deployed_solution.step("03", *SOLUTION, "--check").result["facts"]["LambdaFunctionName"]
    api = clients(deployed_solution).client("lambda")
    api.update_function_configuration(FunctionName=name, Timeout=3)
    told = [e["drift"] for e in deployed_solution.step("02", *SOLUTION).events if "drift" in e]
    assert told == ["function process-image: Timeout is 3, deployed was 60"]
    api.update_function_configuration(FunctionName=name, Timeout=60)
    assert not [e for e in deployed_solution.step("02", *SOLUTION).events if "drift" in e]


@pytest.mark.verify
def test_cloudformation_by_hand_agrees_with_the_kit(lab, until) -> None:
    """Create-stack, describe-stack-events and delete-stack of the AWS CLI, on the built template."""
    lab.step("01", *SOLUTION)
    lab.step("02", *SOLUTION)
    folder = lab.workspace("ada@uni.edu.solution")
    name = "hybrid-" + json.loads((folder / ".lab/workspace.json").read_text())["code"]
    create = (
        f"aws cloudformation create-stack --stack-name {name} --capabilities CAPABILITY_NAMED_IAM"
        " --template-body file://build/cloudformation-template.yaml"
    )
    made = by_hand(lab, folder, create)
    assert made.status == 0, made
    until(lambda: status_of(lab, name) == "CREATE_COMPLETE", what="the stack")
    events = by_hand(
        lab, folder, f"aws cloudformation describe-stack-events --stack-name {name} --output text"
    )
    assert events.output.count("CREATE_COMPLETE") > 18
    run = lab.step("03", *SOLUTION)
    assert run.status == 0, run
    assert not [event for event in run.events if event["kind"] == "resource"], "nothing was left to do"
    deleted = by_hand(lab, folder, f"aws cloudformation delete-stack --stack-name {name}")
    assert deleted.status == 0, deleted
    until(lambda: status_of(lab, name) == "", what="the end of the stack")
    assert lab.step("10", *SOLUTION, "--check").status == 0


def status_of(lab: Any, name: str) -> str:
    """The status of the living stack of this name, "" when there is none."""
    stacks = clients(lab).client("cloudformation").describe_stacks()["Stacks"]
    return next((str(stack["StackStatus"]) for stack in stacks if stack["StackName"] == name), "")


@pytest.mark.verify
def test_a_failed_creation_is_told_by_its_first_failure_and_replaced_next_time(lab) -> None:
    lab.step("01", *SOLUTION)
    template = lab.workspace("ada@uni.edu.solution") / "cloudformation-template.yaml"
    right = template.read_text()
    template.write_text(right.replace("CidrBlock: !Ref SubnetCidr", "CidrBlock: 10.255.1.0/24"))
    run = lab.step("03", *SOLUTION)
    assert run.status == 1
    for words in (
        "ROLLBACK_COMPLETE",
        "First failure: PublicSubnet (AWS::EC2::Subnet)",
        "InvalidSubnet.Range",
    ):
        assert words in run.error["message"]
    assert "Mend PublicSubnet" in run.error["hint"]
    template.write_text(right)
    run = lab.step("03", *SOLUTION)
    assert run.status == 0, run
    assert any("of a failed creation is deleted first" in event["text"] for event in run.events)


@pytest.mark.verify
def test_destroy_takes_what_no_engine_knows(lab) -> None:
    """A group, an interface and a log group by hand; versions and delete markers that no listing of objects shows."""
    lab.step("01", *SOLUTION)
    facts = lab.step("03", *SOLUTION).result["facts"]
    made = clients(lab)
    ec2 = made.client("ec2")
    ec2.create_security_group(GroupName="by-hand", Description="x", VpcId=facts["VpcId"])
    subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [facts["VpcId"]]}])["Subnets"][0]
    ec2.create_network_interface(SubnetId=subnet["SubnetId"])
    made.client("logs").create_log_group(logGroupName=f"/aws/lambda/{facts['LambdaFunctionName']}-2")
    for _ in range(2):
        made.client("s3").put_object(Bucket=facts["BucketName"], Key="a", Body=b"x")
    made.client("s3").delete_object(Bucket=facts["BucketName"], Key="a")
    assert made.client("s3").list_objects_v2(Bucket=facts["BucketName"])["KeyCount"] == 0
    run = lab.step("10", *SOLUTION)
    assert run.status == 0, run
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    told = "\n".join(event["text"] for event in run.events)
    assert "3 objects and versions" in told
    for kind in ("security group", "network interface", "log group"):
        assert f"deleted {kind}" in told
