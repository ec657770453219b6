"""Whole stacks: create, update, delete, each with its rollback.

What belongs here: order, statuses, what happens after a failure. What does not: single resources
(work), refusals at the call (prepare), threads (engine).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from dataclasses import dataclass, replace
from typing import Literal

from labkit.cloud.cloudformation import schema
from labkit.cloud.cloudformation.errors import ApiError, ResourceFailed, Stopped, names
from labkit.cloud.cloudformation.plan import deletion_order, replacing_properties
from labkit.cloud.cloudformation.prepare import Prepared, outputs, resolved_properties
from labkit.cloud.cloudformation.records import StackRecord, StackResource, Store, now
from labkit.cloud.cloudformation.work import Tools, Worker, changed_properties

OnFailure = Literal["ROLLBACK", "DELETE", "DO_NOTHING"]


class _Operation:
    """What the operations share: the stack, its store, and a worker on it."""

    def __init__(self, stack: StackRecord, store: Store, tools: Tools) -> None:
        self._stack, self._store, self._tools = stack, store, tools
        self._worker = Worker(stack, tools)

    def _checkpoint(self) -> None:
        if self._tools.stop.is_set():
            raise Stopped

    def _set_outputs(self, prepared: Prepared, imports: set[str]) -> None:
        """Raises ResourceFailed with the reason when an output can't be made."""
        try:
            found = outputs(prepared, self._worker.environment(prepared, set(), imports))
        except ApiError as error:
            raise ResourceFailed(error.message) from error
        for stack, output in self._store.exports():
            if stack is not self._stack and output.export in {item.export for item in found}:
                message = f"Export with name {output.export} is already exported by stack {stack.name}. Rollback requested by user."
                raise ResourceFailed(message)
        self._check_exports_kept({item.export: item.value for item in found})
        self._stack.outputs, self._stack.imports = found, imports

    def _check_exports_kept(self, exports: dict[str, str]) -> None:
        for output in self._stack.outputs:
            users = self._store.importers(output.export) if output.export else []
            if users and exports.get(output.export) != output.value:
                verb = "updated" if output.export in exports else "deleted"
                raise ResourceFailed(f"Export {output.export} cannot be {verb} as it is in use by {', '.join(users)}")

    def _delete_all(self, resources: list[StackResource], *, rollback: bool) -> list[str]:
        """Delete in the order given; the logical ids of those that failed.

        What a failed resource needs stays, as it is still in use.
        """
        failed: list[str] = []
        kept: set[str] = set()
        for resource in resources:
            self._checkpoint()
            if resource.logical_id in kept:
                kept.update(resource.needs)
            elif _retained(resource, rollback):
                self._worker.skip(resource)
            elif not self._worker.delete(resource):
                failed.append(resource.logical_id)
                kept.update(resource.needs)
        return failed


def _retained(resource: StackResource, rollback: bool) -> bool:
    policy = resource.declaration.deletion_policy
    return policy == "Retain" or (policy == "RetainExceptOnCreate" and not rollback)


class CreateStack(_Operation):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html."""

    def run(self, prepared: Prepared, on_failure: OnFailure) -> None:
        """Make every resource in order; on a failure do what `on_failure` says."""
        imports: set[str] = set()
        environment = self._worker.environment(prepared, set(), imports)
        try:
            for logical_id in prepared.order:
                self._checkpoint()
                self._worker.create(prepared, logical_id, environment)
            self._fail_late(lambda: self._set_outputs(prepared, imports))
        except ResourceFailed as error:
            self._failed(str(error), on_failure)
        else:
            self._stack.set_status("CREATE_COMPLETE")

    def _fail_late(self, step: object) -> None:
        if callable(step):
            step()

    def _failed(self, what: str, on_failure: OnFailure) -> None:
        reason = failure_reason("create", what, self._stack)
        if on_failure == "DO_NOTHING":
            self._stack.set_status("CREATE_FAILED", reason)
        elif on_failure == "DELETE":
            DeleteStack(self._stack, self._store, self._tools).run(set(), f"{reason}Delete requested by user.")
        else:
            self._stack.set_status("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            self._roll_back()

    def _roll_back(self) -> None:
        resources = [self._stack.resources[name] for name in deletion_order(self._stack)]
        failed = self._delete_all(resources, rollback=True)
        if failed:
            self._stack.set_status("ROLLBACK_FAILED", failure_reason("delete", ", ".join(failed), self._stack))
        else:
            self._stack.set_status("ROLLBACK_COMPLETE")


def failure_reason(verb: str, what: str, stack: StackRecord) -> str:
    """The stack's reason: names the resources, or is what went wrong with the outputs."""
    listed = what.split(", ")
    if all(name in stack.resources for name in listed):
        return f"The following resource(s) failed to {verb}: {names(listed)}. "
    return f"{what} "


class DeleteStack(_Operation):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html."""

    def run(self, retain: set[str], reason: str = "") -> None:
        """Delete every resource but those in `retain`; the record moves to the deleted ones."""
        if reason:
            self._stack.set_status("DELETE_IN_PROGRESS", reason)
        try:
            self._check_exports_kept({})
        except ResourceFailed as error:
            self._stack.set_status("DELETE_FAILED", str(error))
            return
        resources = [self._stack.resources[name] for name in deletion_order(self._stack)]
        for resource in resources:
            if resource.logical_id in retain:
                self._worker.skip(resource)
        wanted = [item for item in resources if item.logical_id not in retain and item.status != "DELETE_COMPLETE"]
        failed = self._delete_all(wanted, rollback=False)
        if failed:
            self._stack.set_status("DELETE_FAILED", failure_reason("delete", ", ".join(failed), self._stack))
        else:
            self._gone()

    def _gone(self) -> None:
        stack = self._stack
        stack.deleted, stack.outputs, stack.imports = now(), [], set()
        stack.set_status("DELETE_COMPLETE")
        self._store.deleted[stack.stack_id] = stack
        self._store.stacks.pop(stack.stack_id, None)
        for name in [key for key, item in self._store.change_sets.items() if item.stack_id == stack.stack_id]:
            del self._store.change_sets[name]


@dataclass(frozen=True)
class _Done:
    """One step of an update that a rollback would undo."""

    kind: Literal["created", "updated", "replaced", "made room"]
    old: StackResource | None
    new: StackResource


class UpdateStack(_Operation):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html."""

    def __init__(self, stack: StackRecord, store: Store, tools: Tools) -> None:
        super().__init__(stack, store, tools)
        self._done: list[_Done] = []

    def run(self, prepared: Prepared, *, roll_back: bool) -> None:
        """Change every resource that differs, then remove what is wanted no more."""
        imports: set[str] = set()
        old_order = deletion_order(self._stack)
        environment = self._worker.environment(prepared, set(), imports)
        try:
            for logical_id in prepared.order:
                self._checkpoint()
                if logical_id not in self._stack.resources:
                    self._add(prepared, logical_id)
                else:
                    self._change(prepared, logical_id, resolved_or_failed(prepared, logical_id, environment))
            self._set_outputs(prepared, imports)
        except ResourceFailed as error:
            self._failed(str(error), roll_back)
        else:
            self._clean_up(prepared, old_order)

    def _add(self, prepared: Prepared, logical_id: str) -> None:
        environment = self._worker.environment(prepared, set(), set())
        try:
            self._worker.create(prepared, logical_id, environment)
        finally:
            self._done.append(_Done("created", None, self._stack.resources[logical_id]))

    def _change(self, prepared: Prepared, logical_id: str, properties: dict[str, object]) -> None:
        old = self._stack.resources[logical_id]
        new = replace(
            old,
            declaration=prepared.template.resources[logical_id],
            needs=prepared.needs[logical_id],
            properties=properties,
            attributes=None,
        )
        if not changed_properties(old.properties, properties):
            new.attributes = old.attributes
            self._stack.resources[logical_id] = new
            self._done.append(_Done("made room", old, new))
            return
        if replacing_properties(prepared.handler(logical_id), self._stack.region, old.properties, properties):
            self._replace(prepared, old, new)
            return
        self._done.append(_Done("updated", old, new))
        self._worker.update(old, new)

    def _replace(self, prepared: Prepared, old: StackResource, new: StackResource) -> None:
        self._worker.replacing(old, new)
        first = schema.load(new.declaration.type_name, self._stack.region).deletes_first
        self._done.append(_Done("replaced", old, new))
        self._refuse_same_name(prepared, old, new)
        if first:
            self._worker.remove(old)
            old.physical_id = ""
        self._worker.replace(new)

    def _refuse_same_name(self, prepared: Prepared, old: StackResource, new: StackResource) -> None:
        name = prepared.handler(new.logical_id).name_property
        if name and name in new.properties and old.properties.get(name) == new.properties[name]:
            message = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {new.properties[name]} and update the stack again."
            )
            self._stack.resource_status(new, "UPDATE_FAILED", message, "")
            raise ResourceFailed(new.logical_id)

    def _clean_up(self, prepared: Prepared, old_order: list[str]) -> None:
        """Delete what was replaced and what is wanted no more; failures leave it behind, as on AWS."""
        stack = self._stack
        stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        replaced = {item.new.logical_id: item.old for item in self._done if item.kind == "replaced" and item.old}
        for logical_id in old_order:
            if old := replaced.get(logical_id):
                self._discard(old, keep=old.declaration.update_replace_policy != "Delete")
            elif logical_id not in prepared.order:
                self._discard(stack.resources[logical_id], keep=_retained(stack.resources[logical_id], False))
                del stack.resources[logical_id]
        stack.resources = {name: stack.resources[name] for name in prepared.order}
        stack.set_status("UPDATE_COMPLETE")

    def _discard(self, resource: StackResource, *, keep: bool) -> None:
        if not resource.physical_id:
            return
        if keep:
            self._worker.skip(resource)
        else:
            self._worker.delete(resource)

    def _failed(self, what: str, roll_back: bool) -> None:
        reason = failure_reason("update", what, self._stack)
        if not roll_back:
            self._stack.set_status("UPDATE_FAILED", reason)
            return
        self._stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        try:
            for step in reversed(self._done):
                self._undo(step)
        except ResourceFailed as error:
            self._stack.set_status("UPDATE_ROLLBACK_FAILED", failure_reason("update", str(error), self._stack))
            return
        self._stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        for step in reversed(self._done):
            if step.kind in ("created", "replaced"):
                self._discard(step.new, keep=False)
        self._stack.set_status("UPDATE_ROLLBACK_COMPLETE")

    def _undo(self, step: _Done) -> None:
        resources = self._stack.resources
        if step.old is None:
            resources.pop(step.new.logical_id, None)
        elif step.kind == "updated":
            self._worker.update(step.new, replace(step.old, attributes=None))
        else:
            resources[step.old.logical_id] = step.old
            if step.kind == "replaced" and not step.old.physical_id:
                self._worker.remove(step.new)
                step.new.physical_id = ""
                self._worker.remake(step.old)


def resolved_or_failed(prepared: Prepared, logical_id: str, environment: object) -> dict[str, object]:
    """A resource's wanted properties; ResourceFailed when they can't be known."""
    raise NotImplementedError


__all__ = ["CreateStack", "DeleteStack", "UpdateStack", "resolved_properties"]
