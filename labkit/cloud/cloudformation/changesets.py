"""Change sets: made, described, executed, deleted.

What belongs here: their records and answers. What does not: finding what changes (plan).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

import re
from collections.abc import Mapping
from typing import Any

from labkit.aws.templates.errors import ApiError, invalid
from labkit.cloud.cloudformation.describe import parameter_list, tag_list
from labkit.cloud.cloudformation.engine import Engine
from labkit.cloud.cloudformation.names import arn
from labkit.cloud.cloudformation.plan import changes, outputs_differ
from labkit.cloud.cloudformation.prepare import Prepared
from labkit.cloud.cloudformation.records import Change, ChangeSetRecord, StackRecord, Store
from labkit.cloud.cloudformation.work import Worker

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_NOTHING = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


def check_new(store: Store, params: Mapping[str, Any], stack: StackRecord | None, kind: str) -> None:
    """Refuse a change set whose name or type does not fit."""
    name = str(params.get("ChangeSetName", ""))
    if not _NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    stack_name = str(params["StackName"])
    if kind == "UPDATE" and stack is None:
        raise invalid(f"Stack [{stack_name}] does not exist")
    if kind == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
        raise invalid(
            f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}]."
        )
    taken = [item for item in store.change_sets.values() if stack and item.stack_id == stack.stack_id]
    if any(item.name == name for item in taken):
        raise ApiError("AlreadyExistsException", f"ChangeSet {name} cannot be created due to a duplicate")


def create(
    engine: Engine, store: Store, stack: StackRecord, prepared: Prepared, params: Mapping[str, Any], kind: str
) -> dict[str, Any]:
    """Store a change set; a CREATE makes a stack that waits in REVIEW_IN_PROGRESS."""
    worker = Worker(stack, engine.tools())
    found = changes(stack, prepared, worker)
    name = str(params["ChangeSetName"])
    item = ChangeSetRecord(
        change_set_id=arn("changeSet", name, region=store.region, account=store.account_id),
        name=name,
        stack_id=stack.stack_id,
        stack_name=stack.name,
        kind=kind,
        description=str(params.get("Description") or ""),
        template_body=prepared.template.source.text,
        parameters=prepared.parameters,
        tags=prepared.tags,
        capabilities=list(params.get("Capabilities") or []),
        changes=found,
        on_failure=str(params.get("OnStackFailure") or ""),
    )
    if kind == "UPDATE" and not found and not outputs_differ(stack, prepared, worker):
        item.status, item.execution_status, item.status_reason = "FAILED", "UNAVAILABLE", _NOTHING
    with engine.lock:
        if stack.stack_id not in store.stacks:
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
            store.stacks[stack.stack_id] = stack
        store.change_sets[item.change_set_id] = item
    return {"Id": item.change_set_id, "StackId": stack.stack_id}


def take(store: Store, item: ChangeSetRecord) -> StackRecord:
    """The stack of a change set that is about to be executed."""
    if item.execution_status != "AVAILABLE":
        raise ApiError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{item.change_set_id}] cannot be executed in its current status of [{item.status}]",
        )
    return store.stack(item.stack_id)


def executed(store: Store, item: ChangeSetRecord) -> None:
    """Mark it; the stack's other change sets are gone, as they compared with what stood before."""
    if item.execution_status != "AVAILABLE":
        raise ApiError("InvalidChangeSetStatus", f"ChangeSet [{item.change_set_id}] is being executed")
    item.execution_status = "EXECUTE_COMPLETE"
    for other in [key for key, value in store.change_sets.items() if value.stack_id == item.stack_id]:
        if other != item.change_set_id:
            del store.change_sets[other]


def describe(params: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """DescribeChangeSet."""
    item = store.change_set(str(params["ChangeSetName"]), str(params.get("StackName") or ""))
    return {
        **_summary(item),
        "Parameters": parameter_list(item.parameters),
        "Tags": tag_list(item.tags),
        "Capabilities": item.capabilities,
        "Changes": [_change(change) for change in item.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    details = [
        {
            "Target": {
                "Attribute": _attribute(name),
                "Name": name,
                "RequiresRecreation": how,
            },
            "Evaluation": evaluation,
            "ChangeSource": "DirectModification" if evaluation == "Static" else "ResourceReference",
        }
        for name, how, evaluation in change.details
    ]
    resource = {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "PhysicalResourceId": change.physical_id or None,
        "ResourceType": change.type_name,
        "Replacement": change.replacement or None,
        "Scope": sorted({_attribute(name) for name, _, _ in change.details}),
        "Details": details,
    }
    return {"Type": "Resource", "ResourceChange": resource}


def _attribute(name: str) -> str:
    return "Tags" if name == "Tags" else "Properties"


def _summary(item: ChangeSetRecord) -> dict[str, Any]:
    return {
        "ChangeSetName": item.name,
        "ChangeSetId": item.change_set_id,
        "StackId": item.stack_id,
        "StackName": item.stack_name,
        "Description": item.description or None,
        "CreationTime": item.created,
        "ExecutionStatus": item.execution_status,
        "Status": item.status,
        "StatusReason": item.status_reason or None,
        "IncludeNestedStacks": False,
    }


def listed(params: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """ListChangeSets."""
    stack = store.stack(str(params["StackName"]))
    items = [item for item in list(store.change_sets.values()) if item.stack_id == stack.stack_id]
    return {"Summaries": [_summary(item) for item in items]}


def delete(params: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """DeleteChangeSet; one that is gone already is no error."""
    try:
        item = store.change_set(str(params["ChangeSetName"]), str(params.get("StackName") or ""))
    except ApiError:
        return {}
    del store.change_sets[item.change_set_id]
    return {}
