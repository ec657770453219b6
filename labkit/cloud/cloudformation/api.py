"""The actions of CloudFormation's API: a request's parameters in, the answer's members out.

What belongs here: what each action asks, refuses and starts. What does not: answers that only read
(describe), the HTTP protocol (moto).
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Operations.html
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlparse

from botocore.exceptions import ClientError

from labkit.aws.templates.errors import ApiError, invalid, not_emulated
from labkit.aws.templates.template import MAX_BODY_BYTES, Template
from labkit.cloud.cloudformation import changesets, describe
from labkit.cloud.cloudformation.engine import Engine
from labkit.cloud.cloudformation.names import arn
from labkit.cloud.cloudformation.operations import CreateStack, DeleteStack, OnFailure
from labkit.cloud.cloudformation.plan import changes, outputs_differ
from labkit.cloud.cloudformation.prepare import (
    TEMPLATE_URL_LIMIT,
    Identity,
    Prepared,
    check_capabilities,
    checked_template,
    prepare,
)
from labkit.cloud.cloudformation.records import StackRecord, Store, now
from labkit.cloud.cloudformation.signals import Signal, expected_by, key_of
from labkit.cloud.cloudformation.update import UpdateStack
from labkit.cloud.cloudformation.work import Tools, Worker

Params = Mapping[str, Any]
Answer = dict[str, Any]

_REFUSED = [
    "RoleARN",
    "NotificationARNs",
    "StackPolicyBody",
    "StackPolicyURL",
    "StackPolicyDuringUpdateBody",
    "ResourceTypes",
    "StackPolicyDuringUpdateURL",
    "TimeoutInMinutes",
    "RetainExceptOnCreate",
    "ResourcesToImport",
    "IncludeNestedStacks",
]
_PREVIOUS = "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true"
#: stacks in one region (AWS: 2000): a stack that nests itself must have an end
STACKS = 200
_STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_UPDATABLE = frozenset(
    ["CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE"]
)


def perform(engine: Engine, action: str, params: Params, store: Store) -> Answer:
    """Carry out one action; `params` are the request's, by the names of the API.

    Raises ApiError with AWS's code and words.
    """
    if action not in _ACTIONS:
        raise not_emulated(f"The CloudFormation action {action}")
    for name in _REFUSED:
        if params.get(name):
            raise not_emulated(f"The parameter {name} of {action}")
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise not_emulated(f"The parameter RollbackConfiguration of {action}")
    return _ACTIONS[action](engine, params, store)


def template_body(engine: Engine, params: Params, store: Store, previous: str = "") -> tuple[str, int]:
    """The template that a request means, and the size it may have."""
    if params.get("UsePreviousTemplate"):
        if params.get("TemplateBody") or params.get("TemplateURL"):
            raise invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL.")
        return previous, TEMPLATE_URL_LIMIT
    if params.get("TemplateURL"):
        return _fetched(engine, str(params["TemplateURL"]), store), TEMPLATE_URL_LIMIT
    if not params.get("TemplateBody"):
        raise invalid("Either Template URL or Template Body must be specified.")
    return str(params["TemplateBody"]), MAX_BODY_BYTES


def _fetched(engine: Engine, url: str, store: Store) -> str:
    """A template in S3, by either style of address."""
    parts = urlparse(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    bucket, dot, _ = host.partition(".s3")
    if not dot:
        bucket, _, path = path.partition("/")
    try:
        found = engine.client("s3", store.region).get_object(Bucket=bucket, Key=path)
    except ClientError as error:
        raise invalid(f"S3 error: {error.response['Error']['Message']}") from error
    return str(found["Body"].read().decode())


def given_parameters(params: Params, stack: StackRecord | None) -> dict[str, str]:
    """The parameter values of a request; UsePreviousValue takes the stack's."""
    given: dict[str, str] = {}
    for item in params.get("Parameters") or []:
        key, value = item["ParameterKey"], item.get("ParameterValue")
        if item.get("UsePreviousValue"):
            if value:
                raise invalid(f"{_PREVIOUS.format(key=key)} and non empty value for a parameter")
            if stack is None or key not in stack.parameters:
                raise invalid(f"{_PREVIOUS.format(key=key)} for a parameter key not in the previous template")
            value = stack.parameters[key].text
        given[key] = "" if value is None else str(value)
    return given


def tags_of(params: Params) -> dict[str, str]:
    """The tags of a request; those of AWS's own prefix are refused."""
    tags = {item["Key"]: item["Value"] for item in params.get("Tags") or []}
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")
    return tags


def prepared_for(
    engine: Engine, store: Store, stack: StackRecord, parsed: Template, params: Params, tags: dict[str, str]
) -> Prepared:
    """A request's template for `stack`: capabilities, parameters and conditions settled."""
    check_capabilities(parsed, params.get("Capabilities") or [])
    identity = Identity(stack.stack_id, stack.name, store.account_id, store.region)
    values = given_parameters(params, stack)
    return prepare(
        identity, parsed, values, tags, lambda service: engine.client(service, store.region), store
    )


def new_stack(params: Params, store: Store) -> StackRecord:
    """The record of a stack that does not exist yet, not stored."""
    name = str(params.get("StackName", ""))
    if not _STACK_NAME.fullmatch(name) or len(name) > 128:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    stack_id = arn("stack", name, region=store.region, account=store.account_id)
    return StackRecord(stack_id, name, store.account_id, store.region)


def _create_stack(engine: Engine, params: Params, store: Store) -> Answer:
    stack = new_stack(params, store)
    _refuse_existing(store, stack.name)
    if params.get("OnFailure") and params.get("DisableRollback") is not None:
        raise invalid("You can specify only one of OnFailure and DisableRollback")
    body, limit = template_body(engine, params, store)
    parsed = checked_template(body, store.region, limit)
    prepared = prepared_for(engine, store, stack, parsed, params, tags_of(params))
    stack.termination_protection = bool(params.get("EnableTerminationProtection"))
    stack.capabilities = list(params.get("Capabilities") or [])
    stack.token = str(params.get("ClientRequestToken") or "")
    with engine.lock:
        _refuse_existing(store, stack.name)
        if len(store.stacks) >= STACKS:
            raise ApiError(
                "LimitExceededException", f"Limit for stacks has been exceeded: {STACKS} in one region"
            )
        store.stacks[stack.stack_id] = stack
        start_creation(engine, store, stack, prepared, _on_failure(params))
    return {"StackId": stack.stack_id}


def _refuse_existing(store: Store, name: str) -> None:
    if store.living(name):
        raise ApiError("AlreadyExistsException", f"Stack [{name}] already exists")


def _on_failure(params: Params) -> OnFailure:
    if params.get("DisableRollback"):
        return "DO_NOTHING"
    chosen: OnFailure = params.get("OnFailure") or "ROLLBACK"
    return chosen


def start_creation(
    engine: Engine, store: Store, stack: StackRecord, prepared: Prepared, on_failure: OnFailure
) -> None:
    """Begin to create `stack`, which is stored already."""
    stack.template_body, stack.description = prepared.template.source.text, prepared.template.description
    stack.parameters, stack.tags = prepared.parameters, prepared.tags
    stack.disable_rollback = on_failure == "DO_NOTHING"
    stack.set_status("CREATE_IN_PROGRESS", "User Initiated")
    engine.start(stack, lambda tools: CreateStack(stack, store, tools).run(prepared, on_failure))


def _update_stack(engine: Engine, params: Params, store: Store) -> Answer:
    stack = living_stack(store, params)
    body, limit = template_body(engine, params, store, stack.template_body)
    parsed = checked_template(body, store.region, limit)
    tags = stack.tags if params.get("Tags") is None else tags_of(params)
    prepared = prepared_for(engine, store, stack, parsed, params, tags)
    require_updatable(stack)
    worker = Worker(stack, engine.tools())
    if not changes(stack, prepared, worker) and not outputs_differ(stack, prepared, worker):
        raise invalid("No updates are to be performed.")
    with engine.lock:
        require_updatable(stack)
        stack.capabilities = list(params.get("Capabilities") or [])
        stack.token = str(params.get("ClientRequestToken") or "")
        start_update(engine, store, stack, prepared, roll_back=not params.get("DisableRollback"))
    return {"StackId": stack.stack_id}


def living_stack(store: Store, params: Params) -> StackRecord:
    """The stack that a request wants to change."""
    name = str(params.get("StackName", ""))
    found = store.living(name)
    if found is None:
        raise invalid(f"Stack [{name}] does not exist")
    return found


def require_updatable(stack: StackRecord) -> None:
    """Refuse an update in a state that allows none."""
    if stack.status not in _UPDATABLE:
        raise invalid(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def start_update(
    engine: Engine, store: Store, stack: StackRecord, prepared: Prepared, *, roll_back: bool
) -> None:
    """Begin to update `stack`."""
    stack.updated, stack.disable_rollback = now(), not roll_back
    stack.set_status("UPDATE_IN_PROGRESS", "User Initiated")

    def work(tools: Tools) -> None:
        UpdateStack(stack, store, tools).run(prepared, roll_back=roll_back)

    engine.start(stack, work)


def _delete_stack(engine: Engine, params: Params, store: Store) -> Answer:
    stack = store.living(str(params["StackName"]))
    if stack is None or stack.status == "DELETE_IN_PROGRESS":
        return {}
    if stack.termination_protection:
        raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    retain = set(params.get("RetainResources") or [])
    if retain and stack.status != "DELETE_FAILED":
        raise invalid(
            f"Invalid operation on stack [{stack.stack_id}]. "
            "RetainResources can only be specified when the stack is in DELETE_FAILED state"
        )
    with engine.lock:
        stack.token = str(params.get("ClientRequestToken") or "")
        stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        engine.start(stack, lambda tools: DeleteStack(stack, store, tools).run(retain))
    return {}


def _update_termination_protection(_: Engine, params: Params, store: Store) -> Answer:
    stack = living_stack(store, params)
    stack.termination_protection = bool(params["EnableTerminationProtection"])
    return {"StackId": stack.stack_id}


def _validate_template(engine: Engine, params: Params, store: Store) -> Answer:
    body, limit = template_body(engine, params, store)
    return describe.validation(checked_template(body, store.region, limit))


def _template_summary(engine: Engine, params: Params, store: Store) -> Answer:
    if params.get("StackName"):
        body, limit = store.stack(params["StackName"]).template_body, TEMPLATE_URL_LIMIT
    else:
        body, limit = template_body(engine, params, store)
    return describe.summary(checked_template(body, store.region, limit))


def _create_change_set(engine: Engine, params: Params, store: Store) -> Answer:
    kind = params.get("ChangeSetType") or "UPDATE"
    if kind not in ("CREATE", "UPDATE"):
        raise not_emulated(f"The ChangeSetType {kind}")
    living = store.living(str(params["StackName"]))
    changesets.check_new(store, params, living, kind)
    stack = living or new_stack(params, store)
    body, limit = template_body(engine, params, store, stack.template_body)
    parsed = checked_template(body, store.region, limit)
    tags = stack.tags if params.get("Tags") is None else tags_of(params)
    prepared = prepared_for(engine, store, stack, parsed, params, tags)
    if kind == "UPDATE":
        require_updatable(stack)
    return changesets.create(engine, store, stack, prepared, params, kind)


def _execute_change_set(engine: Engine, params: Params, store: Store) -> Answer:
    item = store.change_set(str(params["ChangeSetName"]), str(params.get("StackName") or ""))
    stack = changesets.take(store, item)
    parsed = checked_template(item.template_body, store.region, TEMPLATE_URL_LIMIT)
    given = [{"ParameterKey": key, "ParameterValue": value.text} for key, value in item.parameters.items()]
    again = {"Parameters": given, "Capabilities": item.capabilities}
    prepared = prepared_for(engine, store, stack, parsed, again, item.tags)
    keep = bool(params.get("DisableRollback")) or item.on_failure == "DO_NOTHING"
    with engine.lock:
        if item.kind == "UPDATE":
            require_updatable(stack)
        changesets.executed(store, item)
        stack.token = str(params.get("ClientRequestToken") or "")
        stack.capabilities, stack.change_set_id = item.capabilities, item.change_set_id
        if item.kind == "UPDATE":
            start_update(engine, store, stack, prepared, roll_back=not keep)
        else:
            on_failure: OnFailure = (
                "DO_NOTHING" if keep else "DELETE" if item.on_failure == "DELETE" else "ROLLBACK"
            )
            start_creation(engine, store, stack, prepared, on_failure)
    return {}


def _reading(answer: Callable[[Params, Store], Answer]) -> Callable[[Engine, Params, Store], Answer]:
    return lambda _, params, store: answer(params, store)


def _signal_resource(engine: Engine, params: Params, store: Store) -> Answer:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html."""
    stack, name = store.stack(str(params["StackName"])), str(params["LogicalResourceId"])
    resource = stack.resources.get(name)
    if resource is None:
        raise invalid(f"Resource {name} does not exist for stack {stack.name}")
    if resource.status != "CREATE_IN_PROGRESS" or expected_by(resource.creation_policy) is None:
        raise invalid(f"Resource {name} is in {resource.status} state and cannot be signaled")
    signal = Signal(str(params["UniqueId"]), params["Status"] == "SUCCESS")
    engine.signals.put(key_of(stack.stack_id, name), signal)
    return {}


_ACTIONS: Mapping[str, Callable[[Engine, Params, Store], Answer]] = {
    "CreateStack": _create_stack,
    "UpdateStack": _update_stack,
    "DeleteStack": _delete_stack,
    "SignalResource": _signal_resource,
    "UpdateTerminationProtection": _update_termination_protection,
    "ValidateTemplate": _validate_template,
    "GetTemplateSummary": _template_summary,
    "CreateChangeSet": _create_change_set,
    "ExecuteChangeSet": _execute_change_set,
    "DescribeChangeSet": _reading(changesets.describe),
    "DeleteChangeSet": _reading(changesets.delete),
    "ListChangeSets": _reading(changesets.listed),
    **{name: _reading(answer) for name, answer in describe.ACTIONS.items()},
}

ACTIONS = frozenset(_ACTIONS)
"""The names of the actions that are emulated."""
