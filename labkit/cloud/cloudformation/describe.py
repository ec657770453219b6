"""Answers that only read: stacks, events, resources, templates, exports.

What belongs here: records in the shapes of the API. What does not: anything that changes them.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from labkit.aws.templates import parameters
from labkit.aws.templates.errors import invalid
from labkit.aws.templates.parameters import Parameter
from labkit.aws.templates.template import Template
from labkit.base.text import whole
from labkit.cloud.cloudformation.prepare import iam_types, needed_capabilities
from labkit.cloud.cloudformation.records import StackEvent, StackRecord, StackResource, Store

Params = Mapping[str, Any]
Answer = dict[str, Any]
PAGE = 100
_HIDDEN = "****"


def parameter_list(settled: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """Parameters as stacks and change sets show them; NoEcho values are hidden."""
    return [
        {
            "ParameterKey": item.key,
            "ParameterValue": _HIDDEN if item.no_echo else item.text,
            "ResolvedValue": item.looked_up or None,
        }
        for item in settled.values()
    ]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the API lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _page(items: Sequence[Any], params: Params) -> tuple[Sequence[Any], str | None]:
    token = str(params.get("NextToken") or "0")
    start = whole(token)
    if start is None or start < 0:
        raise invalid("The next token is not valid")
    rest = str(start + PAGE) if len(items) > start + PAGE else None
    return items[start : start + PAGE], rest


def _stacks(params: Params, store: Store) -> Answer:
    name = params.get("StackName")
    found = [store.stack(str(name))] if name else list(store.stacks.values())
    page, token = _page(found[::-1] if not name else found, params)
    return {"Stacks": [_stack(item) for item in page], "NextToken": token}


def _stack(stack: StackRecord) -> Answer:
    return {
        **_stack_summary(stack),
        "Description": stack.description or None,
        "ChangeSetId": stack.change_set_id or None,
        "Parameters": parameter_list(stack.parameters),
        "Outputs": [
            {
                "OutputKey": item.key,
                "OutputValue": item.value,
                "Description": item.description or None,
                "ExportName": item.export or None,
            }
            for item in stack.outputs
        ],
        "Tags": tag_list(stack.tags),
        "Capabilities": stack.capabilities,
        "DisableRollback": stack.disable_rollback,
        "EnableTerminationProtection": stack.termination_protection,
        "NotificationARNs": [],
        "RollbackConfiguration": {},
    }


def _stack_summary(stack: StackRecord) -> Answer:
    return {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason or None,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def _list_stacks(params: Params, store: Store) -> Answer:
    everything = [*store.stacks.values(), *store.deleted.values()]
    wanted = params.get("StackStatusFilter")
    found = [item for item in everything if not wanted or item.status in wanted]
    page, token = _page(found, params)
    summaries = [_stack_summary(item) | {"TemplateDescription": item.description or None} for item in page]
    return {"StackSummaries": summaries, "NextToken": token}


def _events(params: Params, store: Store) -> Answer:
    stack = store.stack(str(params["StackName"]))
    page, token = _page(stack.events[::-1], params)
    return {"StackEvents": [_event(stack, item) for item in page], "NextToken": token}


def _event(stack: StackRecord, event: StackEvent) -> Answer:
    return {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "EventId": event.event_id,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type_name,
        "Timestamp": event.timestamp,
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason or None,
        "ResourceProperties": event.properties or None,
        "ClientRequestToken": event.token or None,
    }


def _resource(stack: StackRecord, resource: StackResource, time: str) -> Answer:
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.declaration.type_name,
        time: resource.timestamp,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason or None,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def _with_stack(stack: StackRecord, answer: Answer) -> Answer:
    return {"StackName": stack.name, "StackId": stack.stack_id, **answer}


def _found_resource(stack: StackRecord, logical_id: str) -> StackResource:
    if logical_id not in stack.resources:
        raise invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
    return stack.resources[logical_id]


def _stack_resource(params: Params, store: Store) -> Answer:
    stack = store.stack(str(params["StackName"]))
    resource = _found_resource(stack, str(params["LogicalResourceId"]))
    detail = _with_stack(stack, _resource(stack, resource, "LastUpdatedTimestamp"))
    if resource.metadata:
        detail["Metadata"] = json.dumps(resource.metadata)
    return {"StackResourceDetail": detail}


def _stack_resources(params: Params, store: Store) -> Answer:
    stack, wanted = _stack_of_resources(params, store)
    if params.get("LogicalResourceId"):
        found: Iterable[StackResource] = [_found_resource(stack, str(params["LogicalResourceId"]))]
    else:
        found = [item for item in list(stack.resources.values()) if not wanted or item.physical_id == wanted]
    return {"StackResources": [_with_stack(stack, _resource(stack, item, "Timestamp")) for item in found]}


def _stack_of_resources(params: Params, store: Store) -> tuple[StackRecord, str]:
    """The stack by name, or the one that a physical resource belongs to."""
    physical = str(params.get("PhysicalResourceId") or "")
    if params.get("StackName"):
        return store.stack(str(params["StackName"])), physical
    for stack in list(store.stacks.values()):
        if physical and any(item.physical_id == physical for item in list(stack.resources.values())):
            return stack, physical
    raise invalid(f"Stack for {physical} does not exist")


def _list_resources(params: Params, store: Store) -> Answer:
    stack = store.stack(str(params["StackName"]))
    page, token = _page(list(stack.resources.values()), params)
    summaries = [_resource(stack, item, "LastUpdatedTimestamp") for item in page]
    return {"StackResourceSummaries": summaries, "NextToken": token}


def _template(params: Params, store: Store) -> Answer:
    if params.get("ChangeSetName"):
        found = store.change_set(str(params["ChangeSetName"]), str(params.get("StackName") or ""))
        return {"TemplateBody": found.template_body, "StagesAvailable": ["Original", "Processed"]}
    stack = store.stack(str(params["StackName"]))
    return {"TemplateBody": stack.template_body, "StagesAvailable": ["Original", "Processed"]}


def _exports(params: Params, store: Store) -> Answer:
    found = [
        {"ExportingStackId": stack.stack_id, "Name": output.export, "Value": output.value}
        for stack, output in store.exports()
    ]
    page, token = _page(sorted(found, key=lambda item: item["Name"]), params)
    return {"Exports": page, "NextToken": token}


def _imports(params: Params, store: Store) -> Answer:
    name = str(params["ExportName"])
    users = store.importers(name)
    if not users:
        raise invalid(f"Export '{name}' is not imported by any stack.")
    page, token = _page(users, params)
    return {"Imports": page, "NextToken": token}


def validation(template: Template) -> Answer:
    """ValidateTemplate's answer."""
    names = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
    found = [{name: item[name] for name in names} for item in parameters.summary(template)]
    return {"Description": template.description or None, "Parameters": found, **_capabilities(template)}


def summary(template: Template) -> Answer:
    """GetTemplateSummary's answer."""
    types = list(dict.fromkeys(item.type_name for item in template.resources.values()))
    return {
        "Description": template.description or None,
        "Parameters": list(parameters.summary(template)),
        "ResourceTypes": types,
        "Version": "2010-09-09",
        "DeclaredTransforms": [],
        **_capabilities(template),
    }


def _capabilities(template: Template) -> Answer:
    needed = needed_capabilities(template)
    if not needed:
        return {}
    types = ", ".join(iam_types(template))
    return {
        "Capabilities": needed,
        "CapabilitiesReason": f"The following resource(s) require capabilities: [{types}]",
    }


ACTIONS: Mapping[str, Callable[[Params, Store], Answer]] = {
    "DescribeStacks": _stacks,
    "ListStacks": _list_stacks,
    "DescribeStackEvents": _events,
    "DescribeStackResource": _stack_resource,
    "DescribeStackResources": _stack_resources,
    "ListStackResources": _list_resources,
    "GetTemplate": _template,
    "ListExports": _exports,
    "ListImports": _imports,
}
