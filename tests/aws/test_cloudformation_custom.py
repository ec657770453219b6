"""Custom resources and nested stacks, through the whole local cloud."""

import json
from typing import Any

import pytest

from tests.aws.stacks import Stack, outputs

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
#: answers as it is told to: says what it was asked, and moves to another physical id when Move changes
SOURCE = """
import json
import cfnresponse
def lambda_handler(event, context):
    wanted = event["ResourceProperties"]
    print("asked", event["RequestType"], event["ResourceType"], event.get("PhysicalResourceId"), json.dumps(wanted))
    if event["RequestType"] == "Delete" or wanted.get("Fail") != event["RequestType"]:
        told = {"Said": wanted.get("Say", ""), "Old": event.get("OldResourceProperties", {}).get("Say", "")}
        cfnresponse.send(event, context, cfnresponse.SUCCESS, told, "thing-" + wanted.get("Move", ""))
    else:
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, "thing-broken", reason="no more things")
"""


def template(kind: str = "Custom::Thing", **properties: Any) -> str:
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    function = {
        "Runtime": "python3.13", "Handler": "index.lambda_handler", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": SOURCE}, "Timeout": 10,
    }  # fmt: skip
    role = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [TRUST]},
        "ManagedPolicyArns": [managed],
    }
    token = {"ServiceToken": {"Fn::GetAtt": ["Maker", "Arn"]}}
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Maker": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Thing": {"Type": kind, "Properties": {**token, **properties}},
    }
    outputs = {
        "Said": {"Value": {"Fn::GetAtt": ["Thing", "Said"]}},
        "Old": {"Value": {"Fn::GetAtt": ["Thing", "Old"]}},
        "Id": {"Value": {"Ref": "Thing"}},
        "Maker": {"Value": {"Ref": "Maker"}},
    }
    return json.dumps({"Resources": resources, "Outputs": outputs})


def asked(live: Any, function: str) -> list[tuple[str, str, str]]:
    """What a function was asked: request, type and physical id."""
    group = f"/aws/lambda/{function}"
    lines = live.logs.filter_log_events(logGroupName=group, filterPattern="asked")["events"]
    return [tuple(each["message"].split(" ", 4)[1:4]) for each in lines]  # type: ignore[misc]


def test_a_function_makes_changes_moves_and_deletes_a_resource(live: Any, aids: Any, stack: Stack) -> None:
    """CloudFormation template reference, "Custom resource request types"; another physical id is a replacement."""
    first = outputs(stack.apply(template(Say="one", Count=5, Yes=True)))
    assert (first["Said"], first["Id"]) == ("one", "thing-")
    second = outputs(stack.apply(template(Say="two"), "update"))
    assert (second["Said"], second["Old"], second["Id"]) == ("two", "one", "thing-")
    third = outputs(stack.apply(template(Say="two", Move="b"), "update"))
    assert third["Id"] == "thing-b"
    expected = [("Create", "Custom::Thing", "None"), *[("Update", "Custom::Thing", "thing-")] * 2]
    expected.append(("Delete", "Custom::Thing", "thing-"))
    assert aids.eventually(lambda: asked(live, first["Maker"]) == expected)
    (line,) = live.logs.filter_log_events(
        logGroupName=f"/aws/lambda/{first['Maker']}", filterPattern='"asked Create"'
    )["events"]
    assert '"Count": "5", "Yes": "true"' in line["message"]


def test_resources_that_move_side_by_side_each_leave_nothing_behind(
    live: Any, aids: Any, stack: Stack
) -> None:
    """CloudFormation template reference, "Custom resource request types": the old physical id is deleted, of each."""

    def both(move: str) -> str:
        parsed = json.loads(template(Say="one", Move=f"one-{move}"))
        other = json.loads(json.dumps(parsed["Resources"]["Thing"]).replace("one", "two"))
        parsed["Resources"]["Other"] = other
        return json.dumps(parsed)

    first = outputs(stack.apply(both("a")))
    stack.apply(both("b"), "update")
    gone = {("Delete", "Custom::Thing", f"thing-{each}-a") for each in ("one", "two")}
    assert aids.eventually(lambda: gone <= set(asked(live, first["Maker"])))


def test_a_function_that_says_no_fails_the_stack_and_is_asked_to_delete(
    live: Any, aids: Any, stack: Stack
) -> None:
    """CloudFormation template reference, "Custom resource response objects": FAILED with its reason."""
    description = stack.apply(template("AWS::CloudFormation::CustomResource", Fail="Create"))
    assert description["StackStatus"] == "ROLLBACK_COMPLETE"
    (reason,) = [each for each in stack.failures() if "custom resource" in each]
    assert reason.startswith(
        "Received response status [FAILED] from custom resource. Message returned: no more things ("
    )


def test_a_failed_update_leaves_a_custom_resource_as_it_was(live: Any, stack: Stack) -> None:
    """CloudFormation template reference, "Custom resource request types": Update that fails is rolled back."""
    stack.apply(template(Say="one"))
    description = stack.apply(template(Say="two", Fail="Update"), "update")
    assert description["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert outputs(description)["Said"] == "one"


def test_a_function_that_never_answers_is_given_its_time(live: Any, stack: Stack) -> None:
    """CloudFormation template reference, AWS::CloudFormation::CustomResource: ServiceTimeout."""
    body = template(ServiceTimeout=1).replace("cfnresponse.send", "str")
    description = stack.apply(body)
    assert description["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("did not receive a response from your Custom Resource" in each for each in stack.failures())


def test_an_attribute_that_was_not_answered_is_named(live: Any, stack: Stack) -> None:
    """CloudFormation user guide, "Custom resources": GetAtt reads the answer's Data."""
    body = template().replace('["Thing", "Old"]', '["Thing", "Young"]')
    description = stack.apply(body)
    assert description["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Vendor response doesn't contain Young" in json.dumps(
        live.cloudformation.describe_stack_events(StackName=stack.name)["StackEvents"], default=str
    )


def test_nobody_answers_for_a_function_that_was_not_asked(live: Any) -> None:
    """CloudFormation user guide, "Custom resources": who knows the presigned URL answers, and nobody else."""
    source = """
import urllib3
def lambda_handler(event, context):
    host = "cloudformation-custom-resource-response-apsouth1.s3.ap-south-1.amazonaws.com"
    return urllib3.PoolManager().request("PUT", f"https://{host}/stack?Signature=x", body=b"{}").status
"""
    assert live.run(source) == 403


INNER = {
    "Parameters": {"Names": {"Type": "CommaDelimitedList"}, "Word": {"Type": "String"}},
    "Resources": {
        "Note": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Word"}}}
    },
    "Outputs": {
        "Note": {"Value": {"Ref": "Note"}},
        "Second": {"Value": {"Fn::Select": [1, {"Ref": "Names"}]}},
    },
}


def outer(url: str, word: str) -> str:
    parameters = {"Names": ["a", "b"], "Word": word}
    inner = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": url, "Parameters": parameters},
    }
    found = {key: {"Value": {"Fn::GetAtt": ["Inner", f"Outputs.{key}"]}} for key in ("Note", "Second")}
    return json.dumps(
        {"Resources": {"Inner": inner}, "Outputs": {**found, "Id": {"Value": {"Ref": "Inner"}}}}
    )


@pytest.fixture
def inner(live: Any) -> str:
    """The URL of a template in S3."""
    bucket = live.bucket()
    live.s3.put_object(Bucket=bucket, Key="inner.json", Body=json.dumps(INNER).encode())
    return f"https://{bucket}.s3.ap-south-1.amazonaws.com/inner.json"


def test_a_nested_stack_is_made_changed_and_deleted_with_its_parent(
    live: Any, stack: Stack, inner: str
) -> None:
    """CloudFormation user guide, "Embed stacks within other stacks using nested stacks"."""
    told = outputs(stack.apply(outer(inner, "one")))
    assert told["Second"] == "b"
    assert live.ssm.get_parameter(Name=told["Note"])["Parameter"]["Value"] == "one"
    assert outputs(stack.apply(outer(inner, "two"), "update")) == told
    assert live.ssm.get_parameter(Name=told["Note"])["Parameter"]["Value"] == "two"
    stack.delete()
    nested = live.cloudformation.describe_stacks(StackName=told["Id"])["Stacks"][0]
    assert nested["StackStatus"] == "DELETE_COMPLETE"


def test_a_nested_stack_that_fails_fails_its_parent_with_the_reason(
    live: Any, stack: Stack, inner: str
) -> None:
    """CloudFormation user guide, "Troubleshooting": nested stacks name the resource that failed."""
    description = stack.apply(outer(inner, ""))
    assert description["StackStatus"] == "ROLLBACK_COMPLETE"
    assert (
        "was not successfully created: The following resource(s) failed to create: [Note]."
        in stack.failures()[0]
    )
