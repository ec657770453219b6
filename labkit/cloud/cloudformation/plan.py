"""What an update would do: which resources are added, changed in place, replaced, removed.

What belongs here: comparing what stands with what a template wants. What does not: doing it.
"""

from collections.abc import Mapping
from typing import Any

from labkit.aws.templates.errors import invalid, names
from labkit.aws.templates.intrinsics import contains_unknown
from labkit.aws.templates.references import sort
from labkit.cloud.cloudformation import schema
from labkit.cloud.cloudformation.prepare import Prepared, outputs, resolved_properties
from labkit.cloud.cloudformation.records import Change, StackRecord
from labkit.cloud.cloudformation.resources.base import Handler
from labkit.cloud.cloudformation.work import Worker, changed_properties


def replacing_properties(
    handler: Handler, region: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> set[str]:
    """The changed properties that only a new physical resource can have."""
    create_only = schema.load(handler.type_name, region).create_only | handler.replaces
    found = set()
    for name in changed_properties(old, new):
        inner = {path for path in create_only if path.startswith(f"{name}.")}
        if name in create_only or any(_at(old, path) != _at(new, path) for path in inner):
            found.add(name)
    return found


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def changes(stack: StackRecord, prepared: Prepared, worker: Worker) -> list[Change]:
    """What carrying out `prepared` would do to the resources of `stack`.

    Raises ApiError when a resource would change its type.
    """
    _check_types(stack, prepared)
    unknown = {name for name in prepared.order if name not in stack.resources}
    environment = worker.environment(prepared, unknown, set())
    found: list[Change] = []
    for logical_id in prepared.order:
        if logical_id in unknown:
            type_name = prepared.template.resources[logical_id].type_name
            found.append(Change("Add", logical_id, "", type_name))
            continue
        change = _modification(
            stack, prepared, logical_id, resolved_properties(prepared, logical_id, environment)
        )
        if change and change.replacement != "False":
            unknown.add(logical_id)
        found += [change] if change else []
    return found + _removals(stack, prepared)


def _modification(
    stack: StackRecord, prepared: Prepared, logical_id: str, wanted: Mapping[str, Any]
) -> Change | None:
    resource, handler = stack.resources[logical_id], prepared.handler(logical_id)
    changed = changed_properties(resource.properties, wanted)
    if not changed:
        return None
    replacing = replacing_properties(handler, stack.region, resource.properties, wanted)
    certain = any(not contains_unknown(wanted.get(name)) for name in replacing)
    replacement = ("True" if certain else "Conditional") if replacing else "False"
    details = tuple(
        (
            name,
            "Never" if name not in replacing else "Always",
            "Dynamic" if contains_unknown(wanted.get(name)) else "Static",
        )
        for name in sorted(changed)
    )
    return Change("Modify", logical_id, resource.physical_id, handler.type_name, replacement, details)


def _removals(stack: StackRecord, prepared: Prepared) -> list[Change]:
    return [
        Change("Remove", name, stack.resources[name].physical_id, stack.resources[name].declaration.type_name)
        for name in deletion_order(stack)
        if name not in prepared.order
    ]


def deletion_order(stack: StackRecord) -> list[str]:
    """The stack's resources, each before those it needs."""
    present = stack.resources
    needs = {name: [need for need in item.needs if need in present] for name, item in present.items()}
    return sort(needs)[::-1]


def _check_types(stack: StackRecord, prepared: Prepared) -> None:
    declared = prepared.template.resources
    moved = [
        name
        for name in prepared.order
        if name in stack.resources and stack.resources[name].declaration.type_name != declared[name].type_name
    ]
    if moved:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type of the "
            f"following resources: {names(moved)}"
        )


def outputs_differ(stack: StackRecord, prepared: Prepared, worker: Worker) -> bool:
    """Whether the outputs alone would change."""
    return outputs(prepared, worker.environment(prepared, set(), set())) != stack.outputs
