"""Whole stacks: create and delete, with rollback.

What belongs here: order, statuses, what happens after a failure. What does not: single resources
(work), updates (update), refusals at the call (prepare), threads (engine).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from collections.abc import Callable
from typing import Literal

from labkit.aws.templates.errors import ApiError, ResourceFailed, Stopped, names
from labkit.cloud.cloudformation.plan import deletion_order
from labkit.cloud.cloudformation.prepare import Prepared, outputs
from labkit.cloud.cloudformation.records import StackRecord, StackResource, Store, now
from labkit.cloud.cloudformation.work import Tools, Worker

OnFailure = Literal["ROLLBACK", "DELETE", "DO_NOTHING"]

#: deleted stacks that can still be described; AWS keeps them for 90 days
DELETED_KEPT = 25


class Operation:
    """What the operations share: the stack, its store, and a worker on it."""

    def __init__(self, stack: StackRecord, store: Store, tools: Tools) -> None:
        self.stack, self.store, self.tools = stack, store, tools
        self.worker = Worker(stack, tools)

    def checkpoint(self) -> None:
        """Raise Stopped when the operation must end."""
        if self.tools.stop.is_set():
            raise Stopped

    def each(self, prepared: Prepared, act: Callable[[str], object], *, go_on: bool) -> None:
        """Call `act` with each resource that is wanted, after those it needs, side by side with others.

        After a failure, to `go_on` is to leave out only what needs the failed one. Raises ResourceFailed with the names of those that failed.
        """

        def work(name: str) -> None:
            self.checkpoint()
            act(name)

        needs = {name: prepared.needs[name] for name in prepared.order}
        self.tools.lanes.side_by_side(needs, work, go_on=go_on)

    def set_outputs(self, prepared: Prepared, imports: set[str]) -> None:
        """Evaluate the outputs; ResourceFailed with the reason when that can't be done."""
        try:
            found = outputs(prepared, self.worker.environment(prepared, set(), imports))
        except ApiError as error:
            raise ResourceFailed(error.message) from error
        for stack, output in self.store.exports():
            if stack is not self.stack and output.export in {item.export for item in found}:
                taken = f"Export with name {output.export} is already exported by stack {stack.name}."
                raise ResourceFailed(taken)
        self._check_exports_kept({item.export: item.value for item in found})
        self.stack.outputs, self.stack.imports = found, imports

    def _check_exports_kept(self, exports: dict[str, str]) -> None:
        for output in self.stack.outputs:
            users = self.store.importers(output.export) if output.export else []
            if users and exports.get(output.export) != output.value:
                verb = "updated" if output.export in exports else "deleted"
                raise ResourceFailed(
                    f"Export {output.export} cannot be {verb} as it is in use by {', '.join(users)}"
                )

    def _delete_all(self, resources: list[StackResource], *, rollback: bool) -> list[str]:
        """Delete each after those that need it, side by side; the logical ids of those that failed.

        What a failed resource needs stays, as it is still in use.
        """
        present = {resource.logical_id: resource for resource in resources}
        users: dict[str, list[str]] = {name: [] for name in present}
        for name, resource in present.items():
            for need in resource.needs:
                users.get(need, []).append(name)
        failed: set[str] = set()
        kept: set[str] = set()

        def delete(name: str) -> None:
            self.checkpoint()
            resource = present[name]
            if name in kept:
                kept.update(resource.needs)
            elif retained(resource, rollback):
                self.worker.skip(resource)
            elif not self.worker.delete(resource):
                failed.add(name)
                kept.update(resource.needs)

        self.tools.lanes.side_by_side(users, delete)
        return [name for name in present if name in failed]


def retained(resource: StackResource, rollback: bool) -> bool:
    """Whether the resource's DeletionPolicy leaves it behind."""
    policy = resource.declaration.deletion_policy
    return policy == "Retain" or (policy == "RetainExceptOnCreate" and not rollback)


class CreateStack(Operation):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html."""

    def run(self, prepared: Prepared, on_failure: OnFailure) -> None:
        """Make every resource after those it needs; on a failure do what `on_failure` says."""
        imports: set[str] = set()
        environment = self.worker.environment(prepared, set(), imports)
        try:
            preserve = on_failure == "DO_NOTHING"
            self.each(prepared, lambda name: self.worker.create(prepared, name, environment), go_on=preserve)
            self.stack.resources = {name: self.stack.resources[name] for name in prepared.order}
            self.set_outputs(prepared, imports)
        except ResourceFailed as error:
            self._failed(str(error), on_failure)
        else:
            self.stack.set_status("CREATE_COMPLETE")

    def _failed(self, what: str, on_failure: OnFailure) -> None:
        reason = failure_reason("create", what, self.stack)
        if on_failure == "DO_NOTHING":
            self.stack.set_status("CREATE_FAILED", reason)
        elif on_failure == "DELETE":
            DeleteStack(self.stack, self.store, self.tools).run(set(), f"{reason}Delete requested by user.")
        else:
            self.stack.set_status("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            self._roll_back()

    def _roll_back(self) -> None:
        resources = [self.stack.resources[name] for name in deletion_order(self.stack)]
        failed = self._delete_all(resources, rollback=True)
        if failed:
            self.stack.set_status("ROLLBACK_FAILED", failure_reason("delete", ", ".join(failed), self.stack))
        else:
            self.stack.set_status("ROLLBACK_COMPLETE")


def failure_reason(verb: str, what: str, stack: StackRecord) -> str:
    """The stack's reason: names the resources, or is what went wrong with the outputs."""
    listed = what.split(", ")
    if all(name in stack.resources for name in listed):
        return f"The following resource(s) failed to {verb}: {names(listed)}. "
    return f"{what} "


class DeleteStack(Operation):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html."""

    def run(self, retain: set[str], reason: str = "") -> None:
        """Delete every resource but those in `retain`; the record moves to the deleted ones."""
        if reason:
            self.stack.set_status("DELETE_IN_PROGRESS", reason)
        try:
            self._check_exports_kept({})
        except ResourceFailed as error:
            self.stack.set_status("DELETE_FAILED", str(error))
            return
        resources = [self.stack.resources[name] for name in deletion_order(self.stack)]
        for resource in resources:
            if resource.logical_id in retain:
                self.worker.skip(resource)
        wanted = [
            item for item in resources if item.logical_id not in retain and item.status != "DELETE_COMPLETE"
        ]
        failed = self._delete_all(wanted, rollback=False)
        if failed:
            self.stack.set_status("DELETE_FAILED", failure_reason("delete", ", ".join(failed), self.stack))
        else:
            self._gone()

    def _gone(self) -> None:
        stack = self.stack
        stack.deleted, stack.outputs, stack.imports = now(), [], set()
        stack.set_status("DELETE_COMPLETE")
        self.store.deleted[stack.stack_id] = stack
        for forgotten in list(self.store.deleted)[:-DELETED_KEPT]:
            del self.store.deleted[forgotten]
        self.store.stacks.pop(stack.stack_id, None)
        for name in [key for key, item in self.store.change_sets.items() if item.stack_id == stack.stack_id]:
            del self.store.change_sets[name]
