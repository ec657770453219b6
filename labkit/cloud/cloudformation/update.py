"""Updates of whole stacks: in place, by replacement, and back again after a failure.

What belongs here: order, statuses and rollback of an update. What does not: what differs (plan),
single resources (work).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from labkit.aws.templates.errors import ResourceFailed
from labkit.aws.templates.intrinsics import Environment
from labkit.cloud.cloudformation import schema
from labkit.cloud.cloudformation.operations import Operation, failure_reason, retained
from labkit.cloud.cloudformation.plan import deletion_order, replacing_properties
from labkit.cloud.cloudformation.prepare import Prepared
from labkit.cloud.cloudformation.records import StackRecord, StackResource, Store
from labkit.cloud.cloudformation.work import Tools, changed_properties


@dataclass(frozen=True)
class _Done:
    """One step of an update that a rollback would undo."""

    kind: Literal["created", "updated", "replaced", "kept"]
    old: StackResource | None
    new: StackResource

    @property
    def replaced(self) -> bool:
        """Whether another physical resource took the place: a custom resource's update may answer so."""
        moved = self.old is not None and self.new.physical_id != self.old.physical_id
        return self.kind == "replaced" or (self.kind == "updated" and moved)


class UpdateStack(Operation):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html."""

    def __init__(self, stack: StackRecord, store: Store, tools: Tools) -> None:
        super().__init__(stack, store, tools)
        self._done: list[_Done] = []

    def run(self, prepared: Prepared, *, roll_back: bool) -> None:
        """Change every resource that differs, then remove what is wanted no more."""
        imports: set[str] = set()
        old_order = deletion_order(self.stack)
        environment = self.worker.environment(prepared, set(), imports)
        try:
            self.each(prepared, lambda name: self._apply(prepared, name, environment), go_on=not roll_back)
            self.set_outputs(prepared, imports)
        except ResourceFailed as error:
            self._failed(str(error), roll_back)
        else:
            self._commit(prepared)
            self._clean_up(prepared, old_order)

    def _apply(self, prepared: Prepared, logical_id: str, environment: Environment) -> None:
        """Make one resource what the template says."""
        if self.worker.absent(logical_id):
            self._add(prepared, logical_id, environment)
        else:
            self._change(prepared, logical_id, self.worker.wanted(prepared, logical_id, environment))

    def _add(self, prepared: Prepared, logical_id: str, environment: Environment) -> None:
        try:
            self.worker.create(prepared, logical_id, environment)
        finally:
            self._done.append(_Done("created", None, self.stack.resources[logical_id]))

    def _change(self, prepared: Prepared, logical_id: str, properties: dict[str, Any]) -> None:
        old = self.stack.resources[logical_id]
        new = replace(
            old,
            declaration=prepared.template.resources[logical_id],
            needs=prepared.needs[logical_id],
            properties=properties,
            attributes=None,
        )
        if not changed_properties(old.properties, properties):
            new.attributes = old.attributes
            self.stack.resources[logical_id] = new
            self._done.append(_Done("kept", old, new))
            return
        if replacing_properties(prepared.handler(logical_id), self.stack.region, old.properties, properties):
            self._replace(prepared, old, new)
            return
        self._done.append(_Done("updated", old, new))
        self.worker.update(old, new)

    def _replace(self, prepared: Prepared, old: StackResource, new: StackResource) -> None:
        self.worker.replacing(old, new)
        first = schema.load(new.declaration.kind, self.stack.region).deletes_first
        self._done.append(_Done("replaced", old, new))
        self._refuse_same_name(prepared, old, new)
        if first:
            self.worker.remove(old)
            old.physical_id = ""
        self.worker.replace(new)

    def _refuse_same_name(self, prepared: Prepared, old: StackResource, new: StackResource) -> None:
        name = prepared.handler(new.logical_id).name_property
        if name and name in new.properties and old.properties.get(name) == new.properties[name]:
            message = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {new.properties[name]} and update the stack again."
            )
            self.stack.resource_status(new, "UPDATE_FAILED", message, "")
            raise ResourceFailed(new.logical_id)

    def _clean_up(self, prepared: Prepared, old_order: list[str]) -> None:
        """Delete what was replaced and what is wanted no more; failures leave it behind, as on AWS."""
        stack = self.stack
        stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        replaced = {item.new.logical_id: item.old for item in self._done if item.replaced and item.old}
        for logical_id in old_order:
            if old := replaced.get(logical_id):
                self._discard(old, keep=old.declaration.update_replace_policy != "Delete")
            elif logical_id not in prepared.order:
                self._discard(stack.resources[logical_id], keep=retained(stack.resources[logical_id], False))
                del stack.resources[logical_id]
        stack.resources = {name: stack.resources[name] for name in prepared.order}
        stack.set_status("UPDATE_COMPLETE")

    def _commit(self, prepared: Prepared) -> None:
        stack = self.stack
        stack.template_body, stack.description = prepared.template.source.text, prepared.template.description
        stack.parameters, stack.tags = prepared.parameters, prepared.tags

    def _discard(self, resource: StackResource, *, keep: bool) -> None:
        if not resource.physical_id:
            return
        if keep:
            self.worker.skip(resource)
        else:
            self.worker.delete(resource)

    def _failed(self, what: str, roll_back: bool) -> None:
        reason = failure_reason("update", what, self.stack)
        if not roll_back:
            self.stack.set_status("UPDATE_FAILED", reason)
            return
        self.stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        try:
            for step in reversed(self._done):
                self._undo(step)
        except ResourceFailed as error:
            self.stack.set_status("UPDATE_ROLLBACK_FAILED", failure_reason("update", str(error), self.stack))
            return
        self.stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        for step in reversed(self._done):
            if step.kind == "created" or step.replaced:
                self._discard(step.new, keep=False)
        self.stack.set_status("UPDATE_ROLLBACK_COMPLETE")

    def _undo(self, step: _Done) -> None:
        resources = self.stack.resources
        if step.old is None:
            resources.pop(step.new.logical_id, None)
        elif step.kind == "updated" and not step.replaced:
            self.worker.update(step.new, replace(step.old, attributes=None))
        else:
            resources[step.old.logical_id] = step.old
            if step.kind == "replaced" and not step.old.physical_id:
                self.worker.remove(step.new)
                step.new.physical_id = ""
                self.worker.remake(step.old)
