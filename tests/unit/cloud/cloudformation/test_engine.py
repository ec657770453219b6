"""The engine's threads: closing, superseding, recovering."""

import json
import threading
import time
from typing import Any

from labkit.aws.templates.template import ResourceDeclaration
from labkit.cloud.cloudformation.engine import Engine
from labkit.cloud.cloudformation.records import StackRecord, StackResource, Store
from labkit.cloud.cloudformation.work import Tools


def stack(status: str = "") -> StackRecord:
    return StackRecord("arn:stack/1", "one", "123456789012", "ap-south-1", status=status)


def store(*stacks: StackRecord) -> Store:
    return Store("123456789012", "ap-south-1", {item.stack_id: item for item in stacks}, {}, {})


def engine() -> Engine:
    return Engine(lambda service, region: None)


def made_nowhere(service: str, region: str, name: str) -> None:
    """The stores are empty."""


def test_closing_ends_an_operation_and_says_so() -> None:
    runs, one = engine(), stack("CREATE_IN_PROGRESS")
    started = threading.Event()

    def work(tools: Tools) -> None:
        started.set()
        tools.until(lambda: False, "never")

    runs.start(one, work)
    assert started.wait(5)
    runs.close()
    assert one.status == "CREATE_FAILED"
    assert one.status_reason == "The local cloud was stopped during the operation."
    assert not [thread for thread in threading.enumerate() if thread.name == "cloudformation-one"]


def test_a_new_operation_ends_the_one_before() -> None:
    runs, one, order = engine(), stack("CREATE_IN_PROGRESS"), []

    def first(tools: Tools) -> None:
        try:
            tools.until(lambda: False, "never")
        finally:
            order.append("first")

    runs.start(one, first)
    runs.start(one, lambda tools: order.append("second"))
    assert runs.wait(one.stack_id, 5)
    assert order == ["first", "second"]
    assert one.status == "CREATE_IN_PROGRESS"
    runs.close()


def test_recovery_marks_what_nobody_carries_on() -> None:
    runs = engine()
    lost, fine = stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), stack("CREATE_COMPLETE")
    assert runs.recover(store(lost), made_nowhere) == ["one"]
    assert lost.status == "UPDATE_FAILED"
    assert runs.recover(store(fine), made_nowhere) == []
    runs.close()


def test_what_a_lost_operation_had_begun_to_make_in_a_store_is_the_stack_s() -> None:
    runs, lost, began = engine(), stack("CREATE_IN_PROGRESS"), int(time.time())
    for name in ("begun", "before", "never"):
        declared = ResourceDeclaration(name, "AWS::S3::Bucket", {"BucketName": name})
        lost.resources[name] = StackResource(declared, {"BucketName": name}, (), status="CREATE_IN_PROGRESS")
    made = {"begun": float(began), "before": began - 10.0}
    runs.recover(store(lost), lambda service, region, name: made.get(name))
    assert [each.physical_id for each in lost.resources.values()] == ["begun", "", ""]
    runs.close()


def test_deleting_a_stack_that_is_being_created(cloud: Any) -> None:
    """CloudFormation: APIReference/API_DeleteStack.html; a deletion ends the creation."""
    group = {"Type": "AWS::Logs::LogGroup"}
    body = json.dumps({"Resources": {f"G{number}": group for number in range(60)}})
    stack_id = cloud.cloudformation.create_stack(StackName="stack", TemplateBody=body)["StackId"]
    cloud.cloudformation.delete_stack(StackName="stack")
    assert cloud.settled(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.client("logs").describe_log_groups()["logGroups"] == []
    assert "CREATE_COMPLETE" not in [status for name, status, _ in cloud.events(stack_id) if name == "stack"]
