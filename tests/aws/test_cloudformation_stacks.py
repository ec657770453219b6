"""Life of stacks: statuses, events, rollback, updates, deletion, change sets, exports."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cloud.cloudformation import door


@pytest.fixture(scope="module")
def _cloud() -> Iterator[Any]:
    with door.serving() as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Any) -> Iterator[Any]:
    _cloud.reset()
    yield _cloud
    _cloud.reset()


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def group(name: str | None = None, days: int = 7, **attributes: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {"RetentionInDays": days}
    if name:
        properties["LogGroupName"] = name
    return {"Type": "AWS::Logs::LogGroup", "Properties": properties, **attributes}


def subnet(cidr: str) -> dict[str, Any]:
    """A resource that fails: the range lies outside the VPC's."""
    return {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": cidr}}


VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "lab-bucket"}}
FAILS = {"Vpc": VPC, "Subnet": subnet("192.168.0.0/24")}


def groups(cloud: Any) -> dict[str, int]:
    found = cloud.client("logs").describe_log_groups()["logGroups"]
    return {item["logGroupName"]: item.get("retentionInDays", 0) for item in found}


def test_events_of_a_creation(cloud: Any) -> None:
    """CloudFormation: UserGuide/view-stack-events.html."""
    cloud.create(template({"A": group("a")}))
    assert cloud.events() == [
        ("stack", "CREATE_IN_PROGRESS", "User Initiated"),
        ("A", "CREATE_IN_PROGRESS", ""),
        ("A", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("A", "CREATE_COMPLETE", ""),
        ("stack", "CREATE_COMPLETE", ""),
    ]


def test_order_follows_references_and_depends_on(cloud: Any) -> None:
    """CloudFormation: TemplateReference/aws-attribute-dependson.html."""
    resources = {
        "First": group("a", DependsOn="Second"),
        "Second": group("b"),
        "Third": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Fn::Sub": "${Fourth}"}},
        },
        "Fourth": group(),
    }
    cloud.create(template(resources))
    made = [name for name, status, _ in cloud.events() if status == "CREATE_COMPLETE"]
    assert sorted(made) == ["First", "Fourth", "Second", "Third", "stack"]
    assert made.index("Second") < made.index("First")
    assert made.index("Fourth") < made.index("Third")
    assert made[-1] == "stack"
    cloud.delete()


def test_a_failed_creation_rolls_back(cloud: Any) -> None:
    """CloudFormation: UserGuide/stack-failure-options.html, "Roll back all stack resources"."""
    stack = cloud.create(template(FAILS))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    statuses = {(name, status): reason for name, status, reason in cloud.events()}
    assert re.search(
        r"\(Service: Ec2, Status Code: 400, Request ID: [-0-9a-f]{36}\) \(SDK Attempt Count: 1\)\" "
        r"\(RequestToken: [-0-9a-f]{36}, HandlerErrorCode: InvalidRequest\)$",
        statuses["Subnet", "CREATE_FAILED"],
    )
    assert statuses["stack", "ROLLBACK_IN_PROGRESS"] == (
        "The following resource(s) failed to create: [Subnet]. Rollback requested by user."
    )
    assert ("Vpc", "DELETE_COMPLETE") in statuses
    with pytest.raises(
        cloud.cloudformation.exceptions.ClientError, match="is in ROLLBACK_COMPLETE state and can not"
    ):
        cloud.update(template({"Vpc": VPC}))


def test_disable_rollback_leaves_what_was_made(cloud: Any) -> None:
    """CloudFormation: APIReference/API_CreateStack.html, DisableRollback."""
    stack = cloud.create(template(FAILS), DisableRollback=True)
    assert stack["StackStatus"] == "CREATE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to create: [Subnet]. "
    assert cloud.physical()["Vpc"].startswith("vpc-")
    assert (
        cloud.update(template(FAILS | {"Subnet": subnet("10.0.1.0/24")}))["StackStatus"] == "UPDATE_COMPLETE"
    )
    assert cloud.physical()["Subnet"].startswith("subnet-")


def test_on_failure_delete(cloud: Any) -> None:
    """CloudFormation: APIReference/API_CreateStack.html, OnFailure."""
    assert cloud.create(template(FAILS), OnFailure="DELETE")["StackStatus"] == "DELETE_COMPLETE"


def test_a_bucket_with_objects_is_not_deleted(cloud: Any) -> None:
    """S3: API_DeleteBucket.html, BucketNotEmpty; CloudFormation: UserGuide/troubleshooting.html."""
    cloud.create(template({"Bucket": BUCKET, "G": group("g")}))
    cloud.client("s3").put_object(Bucket="lab-bucket", Key="a", Body=b"x")
    stack = cloud.delete()
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Bucket]. "
    reason = next(
        text for name, status, text in cloud.events() if (name, status) == ("Bucket", "DELETE_FAILED")
    )
    assert "The bucket you tried to delete is not empty" in reason
    assert groups(cloud) == {}
    cloud.client("s3").delete_object(Bucket="lab-bucket", Key="a")
    assert cloud.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_retain_resources_of_a_failed_deletion(cloud: Any) -> None:
    """CloudFormation: APIReference/API_DeleteStack.html, RetainResources."""
    cloud.create(template({"Bucket": BUCKET}))
    cloud.client("s3").put_object(Bucket="lab-bucket", Key="a", Body=b"x")
    cloud.delete()
    assert cloud.delete(RetainResources=["Bucket"])["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.client("s3").list_objects_v2(Bucket="lab-bucket")["KeyCount"] == 1


def test_deletion_policy_retain(cloud: Any) -> None:
    """CloudFormation: TemplateReference/aws-attribute-deletionpolicy.html."""
    stack_id = cloud.create(template({"A": group("kept", DeletionPolicy="Retain"), "B": group("b")}))[
        "StackId"
    ]
    cloud.delete()
    assert list(groups(cloud)) == ["kept"]
    assert ("A", "DELETE_SKIPPED", "") in cloud.events(stack_id)


def test_a_resource_that_is_gone_counts_as_deleted(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-stack-drift.html; deletion treats NotFound as done."""
    cloud.create(template({"A": group("a")}))
    cloud.client("logs").delete_log_group(logGroupName="a")
    assert cloud.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_deleted_stack_is_found_by_its_id_only(cloud: Any) -> None:
    """CloudFormation: APIReference/API_DescribeStacks.html."""
    cloud.create(template({"A": group("a")}))
    stack_id = cloud.delete()["StackId"]
    assert cloud.stack(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(
        cloud.cloudformation.exceptions.ClientError, match="Stack with id stack does not exist"
    ):
        cloud.stack("stack")


def test_termination_protection(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-protect-stacks.html."""
    cloud.create(template({"A": group("a")}), EnableTerminationProtection=True)
    with pytest.raises(cloud.cloudformation.exceptions.ClientError, match="TerminationProtection is enabled"):
        cloud.delete()
    cloud.cloudformation.update_termination_protection(StackName="stack", EnableTerminationProtection=False)
    assert cloud.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_name_is_taken_once(cloud: Any) -> None:
    """CloudFormation: APIReference/API_CreateStack.html, AlreadyExistsException."""
    cloud.create(template({"A": group("a")}))
    with pytest.raises(
        cloud.cloudformation.exceptions.AlreadyExistsException, match=r"Stack \[stack\] already exists"
    ):
        cloud.create(template({"A": group("a")}))


def test_update_in_place(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-updating-stacks-update-behaviors.html, no interruption."""
    cloud.create(template({"A": group("a", 7)}))
    assert (
        cloud.update(template({"A": group("a", 14), "B": group("b", 1)}))["StackStatus"] == "UPDATE_COMPLETE"
    )
    assert groups(cloud) == {"a": 14, "b": 1}
    assert cloud.update(template({"B": group("b", 1)}))["StackStatus"] == "UPDATE_COMPLETE"
    assert groups(cloud) == {"b": 1}


def test_update_by_replacement(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-updating-stacks-update-behaviors.html, replacement."""
    echo = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": "p", "Type": "String", "Value": {"Ref": "A"}},
    }
    cloud.create(template({"A": group("a"), "P": echo}))
    cloud.update(template({"A": group("b"), "P": echo}))
    assert list(groups(cloud)) == ["b"]
    assert cloud.client("ssm").get_parameter(Name="p")["Parameter"]["Value"] == "b"
    assert [
        item for item in cloud.events() if item[0] == "A" and item[1].startswith(("UPDATE", "DELETE"))
    ] == [
        (
            "A",
            "UPDATE_IN_PROGRESS",
            "Requested update requires the creation of a new physical resource; hence creating one.",
        ),
        ("A", "UPDATE_IN_PROGRESS", "Resource creation Initiated"),
        ("A", "UPDATE_COMPLETE", ""),
        ("A", "DELETE_IN_PROGRESS", ""),
        ("A", "DELETE_COMPLETE", ""),
    ]


def test_a_custom_name_stands_in_the_way_of_replacement(cloud: Any) -> None:
    """CloudFormation: TemplateReference/aws-properties-name.html."""
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": "t",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        },
    }
    other = json.loads(json.dumps(table).replace('"a"', '"b"'))
    cloud.create(template({"T": table}))
    assert cloud.update(template({"T": other}))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [reason for name, status, reason in cloud.events() if status == "UPDATE_FAILED"]
    assert reasons == [
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename t and update the stack again."
    ]


def test_nothing_to_update(cloud: Any) -> None:
    """CloudFormation: APIReference/API_UpdateStack.html; troubleshooting.html, "No updates to perform"."""
    body = template({"A": group("a")})
    cloud.create(body)
    with pytest.raises(cloud.cloudformation.exceptions.ClientError) as error:
        cloud.update(body)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    assert error.value.response["Error"]["Message"] == "No updates are to be performed."
    more = template({"A": group("a")}, Outputs={"O": {"Value": "1"}})
    assert cloud.update(more)["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.outputs() == {"O": "1"}


def test_stack_tags_change_resources(cloud: Any) -> None:
    """CloudFormation: UserGuide/cfn-console-add-tags.html, tags propagate on update."""
    body = template({"A": group("a")})
    cloud.create(body, Tags=[{"Key": "x", "Value": "1"}])
    cloud.update(body, Tags=[{"Key": "y", "Value": "2"}])
    tags = cloud.client("logs").list_tags_log_group(logGroupName="a")["tags"]
    assert {key: value for key, value in tags.items() if not key.startswith("aws:")} == {"y": "2"}


def test_a_failed_update_restores_what_was(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-updating-stacks-continueupdaterollback.html; UPDATE_ROLLBACK_COMPLETE."""
    before = {"A": group("a", 7), "B": group("b"), "Vpc": VPC, "Old": group("old")}
    cloud.create(template(before, Outputs={"O": {"Value": "1"}}))
    after = {"A": group("a", 14), "B": group("b2"), "New": group("new"), **FAILS}
    stack = cloud.update(template(after, Outputs={"O": {"Value": "2"}}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", cloud.events()
    assert cloud.statuses()[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert groups(cloud) == {"a": 7, "b": 7, "old": 7}
    assert set(cloud.physical()) == {"A", "B", "Vpc", "Old"}
    assert cloud.outputs() == {"O": "1"}
    assert cloud.update(template(before | {"A": group("a", 30)}))["StackStatus"] == "UPDATE_COMPLETE"
    assert cloud.delete()["StackStatus"] == "DELETE_COMPLETE"


def test_a_failed_update_without_rollback_can_be_repaired(cloud: Any) -> None:
    """CloudFormation: UserGuide/stack-failure-options.html, "Preserve successfully provisioned resources"."""
    cloud.create(template({"Vpc": VPC}))
    assert cloud.update(template(FAILS), DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    assert (
        cloud.update(template({"Vpc": VPC, "Subnet": subnet("10.0.1.0/24")}))["StackStatus"]
        == "UPDATE_COMPLETE"
    )


def test_a_resource_may_not_change_its_type(cloud: Any) -> None:
    """CloudFormation: UserGuide/troubleshooting.html."""
    cloud.create(template({"A": group("a")}))
    with pytest.raises(
        cloud.cloudformation.exceptions.ClientError, match="Update of resource type is not permitted"
    ):
        cloud.update(template({"A": VPC}))


def test_previous_values_and_template(cloud: Any) -> None:
    """CloudFormation: APIReference/API_UpdateStack.html, UsePreviousTemplate; API_Parameter.html."""
    body = template(
        {"A": group("a", 7)}, Parameters={"P": {"Type": "String"}}, Outputs={"O": {"Value": {"Ref": "P"}}}
    )
    cloud.create(body, Parameters=[{"ParameterKey": "P", "ParameterValue": "x"}])
    previous = [{"ParameterKey": "P", "UsePreviousValue": True}]
    cloud.update(body.replace("7", "14"), Parameters=previous)
    assert cloud.outputs() == {"O": "x"}
    changed = [{"ParameterKey": "P", "ParameterValue": "y"}]
    stack_id = cloud.cloudformation.update_stack(
        StackName="stack", UsePreviousTemplate=True, Parameters=changed
    )
    cloud.settled(stack_id["StackId"])
    assert cloud.outputs() == {"O": "y"}
    assert groups(cloud) == {"a": 14}


def test_conditions_add_and_remove_resources(cloud: Any) -> None:
    """CloudFormation: UserGuide/conditions-section-structure.html."""
    body = template(
        {"A": group("a"), "B": group("b", Condition="Both")},
        Parameters={"Two": {"Type": "String", "Default": "yes"}},
        Conditions={"Both": {"Fn::Equals": [{"Ref": "Two"}, "yes"]}},
    )
    cloud.create(body)
    assert set(groups(cloud)) == {"a", "b"}
    cloud.update(body, Parameters=[{"ParameterKey": "Two", "ParameterValue": "no"}])
    assert set(groups(cloud)) == {"a"}


def changes(cloud: Any, body: str, name: str = "c", **more: Any) -> dict[str, Any]:
    cloud.cloudformation.create_change_set(
        StackName="stack", ChangeSetName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"], **more
    )
    return dict(cloud.cloudformation.describe_change_set(StackName="stack", ChangeSetName=name))


def test_change_set_of_an_update(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-updating-stacks-changesets.html; API_ResourceChange.html."""
    echo = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Name": {"Ref": "B"}, "Type": "String", "Value": "v"},
    }
    cloud.create(template({"A": group("a", 7), "B": group("b"), "P": echo, "Old": group("old")}))
    found = changes(cloud, template({"A": group("a", 14), "B": group("b2"), "P": echo, "New": group("new")}))
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    listed = [item["ResourceChange"] for item in found["Changes"]]
    assert [(item["LogicalResourceId"], item["Action"], item.get("Replacement")) for item in listed] == [
        ("A", "Modify", "False"),
        ("B", "Modify", "True"),
        ("P", "Modify", "Conditional"),
        ("New", "Add", None),
        ("Old", "Remove", None),
    ]
    assert groups(cloud) == {"a": 7, "b": 7, "old": 7}
    cloud.cloudformation.execute_change_set(StackName="stack", ChangeSetName="c")
    assert cloud.settled(cloud.stack()["StackId"])["StackStatus"] == "UPDATE_COMPLETE"
    assert groups(cloud) == {"a": 14, "b2": 7, "new": 7}


def test_change_set_of_a_creation(cloud: Any) -> None:
    """CloudFormation: APIReference/API_CreateChangeSet.html, ChangeSetType CREATE."""
    found = changes(cloud, template({"A": group("a")}), ChangeSetType="CREATE")
    assert cloud.stack()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert [item["ResourceChange"]["Action"] for item in found["Changes"]] == ["Add"]
    cloud.cloudformation.execute_change_set(ChangeSetName=found["ChangeSetId"])
    assert cloud.settled(found["StackId"])["StackStatus"] == "CREATE_COMPLETE"


def test_change_set_without_changes(cloud: Any) -> None:
    """CloudFormation: `aws cloudformation deploy` reads this reason."""
    cloud.create(template({"A": group("a")}))
    found = changes(cloud, template({"A": group("a")}))
    assert found["Status"] == "FAILED"
    assert found["StatusReason"].startswith("The submitted information didn't contain changes.")
    cloud.cloudformation.delete_change_set(StackName="stack", ChangeSetName="c")
    with pytest.raises(cloud.cloudformation.exceptions.ChangeSetNotFoundException):
        cloud.cloudformation.describe_change_set(StackName="stack", ChangeSetName="c")


def test_exports_and_imports(cloud: Any) -> None:
    """CloudFormation: UserGuide/using-cfn-stack-exports.html."""
    exporting = template(
        {"A": group("a")}, Outputs={"O": {"Value": {"Ref": "A"}, "Export": {"Name": "shared"}}}
    )
    cloud.create(exporting, "one")
    value = {"Fn::ImportValue": "shared"}
    importing = {
        "P": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "p", "Type": "String", "Value": value}}
    }
    cloud.create(template(importing), "two")
    assert cloud.client("ssm").get_parameter(Name="p")["Parameter"]["Value"] == "a"
    assert cloud.cloudformation.list_imports(ExportName="shared")["Imports"] == ["two"]
    assert [item["Name"] for item in cloud.cloudformation.list_exports()["Exports"]] == ["shared"]
    stack = cloud.delete("one")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "Export shared cannot be deleted as it is in use by two"
    again = cloud.create(exporting.replace('"a"', '"b"'), "three")
    assert again["StackStatus"] == "ROLLBACK_COMPLETE"
    cloud.delete("two")
    assert cloud.delete("one")["StackStatus"] == "DELETE_COMPLETE"


def test_template_calls(cloud: Any) -> None:
    """CloudFormation: APIReference/API_ValidateTemplate.html, API_GetTemplate.html, API_GetTemplateSummary.html."""
    body = template({"A": group("a")}, Description="d", Parameters={"P": {"Type": "String", "Default": "x"}})
    valid = cloud.cloudformation.validate_template(TemplateBody=body)
    assert valid["Description"] == "d"
    assert valid["Parameters"] == [{"ParameterKey": "P", "DefaultValue": "x", "NoEcho": False}]
    summary = cloud.cloudformation.get_template_summary(TemplateBody=body)
    assert summary["ResourceTypes"] == ["AWS::Logs::LogGroup"]
    cloud.create(body)
    assert cloud.cloudformation.get_template(StackName="stack")["TemplateBody"] == json.loads(body)


def test_a_template_in_s3(cloud: Any) -> None:
    """CloudFormation: APIReference/API_CreateStack.html, TemplateURL."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    s3.put_object(Bucket="templates", Key="a/t.json", Body=template({"A": group("a")}).encode())
    url = "https://templates.s3.ap-south-1.amazonaws.com/a/t.json"
    stack_id = cloud.cloudformation.create_stack(StackName="stack", TemplateURL=url)["StackId"]
    assert cloud.settled(stack_id)["StackStatus"] == "CREATE_COMPLETE"


def test_generated_names(cloud: Any) -> None:
    """CloudFormation: TemplateReference/aws-properties-name.html; S3 bucket names are lower case."""
    cloud.create(template({"MyBucket": {"Type": "AWS::S3::Bucket"}, "MyGroup": group()}), "Stack")
    names = cloud.physical("Stack")
    assert names["MyBucket"].startswith("stack-mybucket-")
    assert names["MyBucket"].islower()
    assert names["MyGroup"].startswith("Stack-MyGroup-")


def test_waiters_and_lists(cloud: Any) -> None:
    """CloudFormation: APIReference/API_ListStacks.html, API_ListStackResources.html."""
    cloud.create(template({"A": group("a")}))
    cloud.cloudformation.get_waiter("stack_create_complete").wait(StackName="stack")
    listed = cloud.cloudformation.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]
    assert [item["StackName"] for item in listed] == ["stack"]
    (resource,) = cloud.cloudformation.list_stack_resources(StackName="stack")["StackResourceSummaries"]
    assert (resource["LogicalResourceId"], resource["PhysicalResourceId"]) == ("A", "a")
    detail = cloud.cloudformation.describe_stack_resource(StackName="stack", LogicalResourceId="A")
    assert detail["StackResourceDetail"]["ResourceStatus"] == "CREATE_COMPLETE"
