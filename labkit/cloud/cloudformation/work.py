"""One resource of a stack at a time: create, change, delete, with the events that AWS shows.

What belongs here: calling a handler, turning its errors into events, values for references. What
does not: the order of resources, rollback (operations).
"""

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from labkit.aws.templates.errors import CALL_ERRORS, ApiError, ResourceFailed, Stopped, code_of, reason_of
from labkit.aws.templates.intrinsics import UNKNOWN, Environment, evaluate
from labkit.cloud.cloudformation.lanes import Cancelled, Lanes
from labkit.cloud.cloudformation.prepare import (
    ClientFactory,
    Identity,
    Prepared,
    require_valid,
    resolved_properties,
)
from labkit.cloud.cloudformation.records import StackRecord, StackResource
from labkit.cloud.cloudformation.resources.base import Context, Handler
from labkit.cloud.cloudformation.resources.registry import HANDLERS
from labkit.cloud.cloudformation.signals import Signal, Signals, await_all, expected_by, key_of

WAIT_SECONDS = 600.0
#: services that keep what they acknowledge at once
_STORES = ("dynamodb", "s3")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
#: refusals after which CloudFormation asks again
_LATE = re.compile(
    r"cannot be assumed by Lambda|does not have permissions to call|iamInstanceProfile.* is invalid|DependencyViolation"
)
#: and, while other resources of the stack are under way: what these lack may be among those
_EARLY = re.compile(
    r"network gateway \S+ belong to different networks|Gateway\.NotAttached|not attached to any internet gateway"
    r"|no Internet gateway attached|Unable to validate the following destination configurations"
)
_EARLY_SECONDS = 60.0
_FAILURES = (*CALL_ERRORS, ApiError, KeyError, TypeError, ValueError)

SystemTags = Callable[[str, Mapping[str, str]], None]
"""(bucket, tags): tags that only AWS itself may put on a bucket."""


@dataclass(frozen=True)
class Tools:
    """What operations work with; `stop` is set when the operation must end where it stands.

    `remember` returns when the stacks' records are where they outlive the cloud, if anything does.
    `patience`: for so many seconds a call is made again whose refusal means that something is not there, or not gone, yet.
    """

    client: ClientFactory
    system_tags: SystemTags
    stop: threading.Event
    signals: Signals = field(default_factory=Signals)
    remember: Callable[[], None] = lambda: None
    patience: float = 0.0
    lanes: Lanes = field(default_factory=Lanes)

    def context(
        self, identity: Identity, logical_id: str, type_name: str, capabilities: list[str]
    ) -> Context:
        """The context of one resource's handler."""
        return Context(
            client=lambda service: self.client(service, identity.region),
            region=identity.region,
            account_id=identity.account_id,
            stack_id=identity.stack_id,
            stack_name=identity.name,
            logical_id=logical_id,
            type_name=type_name,
            capabilities=tuple(capabilities),
            until=self.until,
            system_tags=self.system_tags,
            signals=self.signals,
        )

    def pause(self, seconds: float) -> None:
        """Only wait; other resources have the place meanwhile. Raises Stopped when the operation must end."""
        with self.lanes.aside():
            stopped = self.stop.wait(seconds)
        if stopped:
            raise Stopped

    def until(
        self,
        condition: Callable[[], bool],
        what: str,
        seconds: float = WAIT_SECONDS,
        *,
        cancellable: bool = False,
    ) -> None:
        """Ask until `condition` holds: the API is the only door, and it does not call back.

        Raises ResourceFailed after `seconds`, Stopped when the operation must end, Cancelled where it is `cancellable` and
        another resource of the stack has failed.
        """
        deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
        while not condition():
            if time.monotonic() > deadline:
                raise ResourceFailed(f"Exceeded attempts to wait: {what} ({seconds:.0f} s)")
            if cancellable:
                self.lanes.checkpoint()
            self.pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def patiently(self, act: Callable[[], Any]) -> Any:
        """What `act` gives, called again while it is refused for what IAM, a function's interface, or other resources do late."""
        began = time.monotonic()
        try:
            return act()
        except CALL_ERRORS as error:
            if not self._may_change(str(error), 0.0, beside=self.lanes.has_begun):
                raise
        with self.lanes.refused():
            while True:
                beside = self.lanes.others_work()  # asked before the call, which may see what ends now
                waited = time.monotonic() - began
                try:
                    return act()
                except CALL_ERRORS as error:
                    if not self._may_change(str(error), waited, beside=beside):
                        raise
                self.pause(_LONGEST_PAUSE)

    def _may_change(self, refusal: str, waited: float, *, beside: bool) -> bool:
        """Whether to ask again after `waited` seconds; `beside`: other resources of the stack may be under way."""
        late = _LATE.search(refusal)
        if late and waited < self.patience:
            return True
        return beside and waited < _EARLY_SECONDS and bool(late or _EARLY.search(refusal))


class Worker:
    """Works on the resources of one stack, and writes down what happens to each."""

    def __init__(self, stack: StackRecord, tools: Tools) -> None:
        self._stack, self._tools = stack, tools
        self._identity = Identity(stack.stack_id, stack.name, stack.account_id, stack.region)

    def environment(self, prepared: Prepared, unknown: set[str], imports: set[str]) -> Environment:
        """Values as they are now; those of resources in `unknown` are UNKNOWN.

        The names of the exports that get imported are added to `imports`.
        """

        def imported(name: str) -> str:
            imports.add(name)
            return prepared.environment.imported(name)

        return replace(
            prepared.environment,
            reference=partial(self._reference, unknown),
            attribute=partial(self._attribute, unknown),
            imported=imported,
        )

    def _reference(self, unknown: set[str], name: str) -> Any:
        resource = self._stack.resources.get(name)
        return resource.physical_id if resource and name not in unknown else UNKNOWN

    def _attribute(self, unknown: set[str], name: str, attribute: str) -> Any:
        resource = self._stack.resources.get(name)
        if resource is None or name in unknown:
            return UNKNOWN
        if resource.attributes is None:
            resource.attributes = dict(
                _handler(resource).attributes(
                    self._context(resource), resource.physical_id, resource.properties
                )
            )
        if _handler(resource).told and attribute not in resource.attributes:
            where = f"{self._stack.stack_id}|{name}"
            raise ResourceFailed(f"Vendor response doesn't contain {attribute} attribute in object {where}")
        return resource.attributes[attribute]

    def create(self, prepared: Prepared, logical_id: str, environment: Environment) -> StackResource:
        """Make a resource; it is in the stack from the first moment, and returned.

        Raises ResourceFailed after the failed event was written.
        """
        resource = StackResource(prepared.template.resources[logical_id], {}, prepared.needs[logical_id])
        self._stack.resources[logical_id] = resource
        self._event(resource, "CREATE_IN_PROGRESS")
        try:
            resource.properties = resolved_properties(prepared, logical_id, environment)
            require_valid(prepared, logical_id, resource.properties)
            declaration = resource.declaration
            resource.metadata = evaluate(declaration.metadata, environment)
            resource.creation_policy = evaluate(declaration.creation_policy, environment)
            self._tools.signals.forget(key_of(self._stack.stack_id, logical_id))
            self._make(resource)
        except _FAILURES as error:
            raise self._failed(resource, "CREATE_FAILED", error) from error
        self._event(resource, "CREATE_COMPLETE")
        return resource

    def _make(self, resource: StackResource) -> None:
        handler, context = self._announced(resource), self._context(resource)
        resource.physical_id = self._tools.patiently(lambda: handler.create(context, resource.properties))
        self._event(resource, "CREATE_IN_PROGRESS", "Resource creation Initiated")
        self._settle(resource)
        self._await_signals(resource)

    def _settle(self, resource: StackResource) -> None:
        """Finish its making; what only its making tells of its attributes is kept."""
        handler, context = _handler(resource), self._context(resource)
        context = replace(context, until=partial(self._tools.until, cancellable=True))
        self._tools.patiently(lambda: handler.settle(context, resource.physical_id, resource.properties))
        if handler.told:
            resource.attributes = dict(handler.attributes(context, resource.physical_id, resource.properties))

    def _await_signals(self, resource: StackResource) -> None:
        """Wait as the resource's CreationPolicy says. Raises ResourceFailed where it is not met."""
        expected = expected_by(resource.creation_policy)
        if expected is None:
            return

        def told(signal: Signal) -> None:
            word = "SUCCESS" if signal.success else "FAILURE"
            reason = f"Received {word} signal with UniqueId {signal.unique_id}"
            if signal.success:
                self._event(resource, "CREATE_IN_PROGRESS", reason)

        await_all(
            self._tools.signals,
            key_of(self._stack.stack_id, resource.logical_id),
            expected,
            partial(self._tools.until, cancellable=True),
            told=told,
            late="Failed to receive {missing} resource signal(s) within the specified duration",
            failed=lambda signal: f"Received FAILURE signal with UniqueId {signal.unique_id}",
        )

    def absent(self, logical_id: str) -> bool:
        """Whether the stack has no such resource, or one that was never finished: that goes first."""
        resource = self._stack.resources.get(logical_id)
        if resource is None or resource.status != "CREATE_FAILED":
            return resource is None
        self.delete(resource)
        return True

    def wanted(self, prepared: Prepared, logical_id: str, environment: Environment) -> dict[str, Any]:
        """The properties that a resource is to have. Raises ResourceFailed after the event."""
        try:
            properties = resolved_properties(prepared, logical_id, environment)
            require_valid(prepared, logical_id, properties)
        except _FAILURES as error:
            raise self._failed(self._stack.resources[logical_id], "UPDATE_FAILED", error) from error
        return properties

    def remake(self, resource: StackResource) -> None:
        """Make a resource again that was deleted to make room for its replacement."""
        try:
            self._make(resource)
        except _FAILURES as error:
            raise self._failed(resource, "UPDATE_FAILED", error) from error

    def update(self, old: StackResource, new: StackResource) -> None:
        """Change a resource in place from `old` to `new`, which takes its place in the stack."""
        self._stack.resources[new.logical_id] = new
        self._event(new, "UPDATE_IN_PROGRESS")
        handler = _handler(new)
        try:
            changed = changed_properties(old.properties, new.properties)
            if refused := sorted(handler.unchangeable(changed)):
                raise ResourceFailed(f"an update of {', '.join(refused)} is not emulated by the local cloud")
            context = self._context(new)
            moved = handler.update(context, new.physical_id, old.properties, new.properties)
            new.physical_id = moved or new.physical_id
            if handler.told:
                new.attributes = dict(handler.attributes(context, new.physical_id, new.properties))
        except _FAILURES as error:
            self._stack.resources[new.logical_id] = old  # what the next update compares with
            raise self._failed(old, "UPDATE_FAILED", error) from error
        self._event(new, "UPDATE_COMPLETE")

    def replacing(self, old: StackResource, new: StackResource) -> None:
        """Say that `new` begins to take the place of `old`."""
        self._stack.resources[new.logical_id] = new
        new.physical_id = old.physical_id
        reason = "Requested update requires the creation of a new physical resource; hence creating one."
        self._event(new, "UPDATE_IN_PROGRESS", reason)
        new.physical_id = ""

    def replace(self, new: StackResource) -> None:
        """Make the physical resource of `new`. Raises ResourceFailed after the event."""
        handler, context = self._announced(new), self._context(new)
        try:
            new.physical_id = self._tools.patiently(lambda: handler.create(context, new.properties))
            self._event(new, "UPDATE_IN_PROGRESS", "Resource creation Initiated")
            self._settle(new)
        except _FAILURES as error:
            raise self._failed(new, "UPDATE_FAILED", error) from error
        self._event(new, "UPDATE_COMPLETE")

    def delete(self, resource: StackResource) -> bool:
        """Delete a resource; whether it is gone. A resource that never got an id is."""
        self._event(resource, "DELETE_IN_PROGRESS")
        try:
            self.remove(resource)
        except _FAILURES as error:
            self._failed(resource, "DELETE_FAILED", error)
            return False
        self._event(resource, "DELETE_COMPLETE")
        return True

    def remove(self, resource: StackResource) -> None:
        """Delete the physical resource without a word; one that is gone already is no error."""
        if not resource.physical_id:
            return
        handler = self._announced(resource)
        try:
            context = self._context(resource)
            self._tools.patiently(lambda: handler.delete(context, resource.physical_id, resource.properties))
        except CALL_ERRORS as error:
            if code_of(error) not in handler.gone:
                raise

    def _announced(self, resource: StackResource) -> Handler:
        """The handler. What the stores do outlives a kill at once, so that it is begun must be known before."""
        handler = _handler(resource)
        if handler.service in _STORES:
            self._tools.remember()
        return handler

    def skip(self, resource: StackResource) -> None:
        """Leave a resource behind, as its policy says."""
        self._event(resource, "DELETE_SKIPPED")

    def _context(self, resource: StackResource) -> Context:
        type_name, capabilities = resource.declaration.type_name, self._stack.capabilities
        return self._tools.context(self._identity, resource.logical_id, type_name, capabilities)

    def _event(self, resource: StackResource, status: str, reason: str = "") -> None:
        # one text for all events of a resource: a server's user data would be kept four times over
        text = sys.intern(json.dumps(resource.properties, default=str))
        self._stack.resource_status(resource, status, reason, text)

    def _failed(self, resource: StackResource, status: str, error: Exception) -> ResourceFailed:
        """Write the failed event; the error to raise names the resource."""
        if isinstance(error, (KeyError, TypeError, ValueError)):
            reason = f"Internal failure of the local cloud: {type(error).__name__}: {error}"
        elif isinstance(error, Cancelled):
            reason = f"Resource {'creation' if status == 'CREATE_FAILED' else 'update'} cancelled"
        else:
            reason = reason_of(error, _handler(resource).service)
        self._event(resource, status, reason)
        return ResourceFailed(resource.logical_id)


def _handler(resource: StackResource) -> Handler:
    return HANDLERS[resource.declaration.kind]


def changed_properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """The names of the properties that differ."""
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}
