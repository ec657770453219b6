"""Stacks, their resources and events, and change sets, as the local cloud keeps them.

What belongs here: plain data that outlives an operation, and finding it. What does not: threads,
clients, anything that can't be saved with the cloud's state.

They take the place of moto's own records in moto's own store: moto's Stack makes resources in its
constructor, holds no status per resource and no update or rollback status.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labkit.aws.templates.errors import ApiError, invalid
from labkit.aws.templates.parameters import Parameter
from labkit.aws.templates.template import ResourceDeclaration

STACK_TYPE = "AWS::CloudFormation::Stack"


def now() -> datetime:
    """The time, as AWS's answers carry it."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    event_id: str
    logical_id: str
    physical_id: str
    type_name: str
    status: str
    reason: str
    properties: str  # JSON, "" for the stack's own events
    token: str
    timestamp: datetime = field(default_factory=now)


@dataclass
class StackResource:
    """One resource that a stack has, or tried to have."""

    declaration: ResourceDeclaration
    properties: dict[str, Any]
    needs: tuple[str, ...]
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    timestamp: datetime = field(default_factory=now)
    attributes: dict[str, Any] | None = None  # read when a template first asks
    metadata: Any = field(default_factory=dict)
    creation_policy: Any = field(default_factory=dict)

    @property
    def logical_id(self) -> str:
        """Its name in the template."""
        return self.declaration.logical_id


@dataclass(frozen=True)
class Output:
    """One output of a stack; `export` is the name under which others import it."""

    key: str
    value: str
    description: str
    export: str


@dataclass
class StackRecord:
    """One stack. What an update changes is written only when it has succeeded."""

    stack_id: str
    name: str
    account_id: str
    region: str
    template_body: str = ""
    description: str = ""
    status: str = ""
    status_reason: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    resources: dict[str, StackResource] = field(default_factory=dict)
    events: list[StackEvent] = field(default_factory=list)
    disable_rollback: bool = False
    termination_protection: bool = False
    token: str = ""  # the client's, of the last operation
    change_set_id: str = ""
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def set_status(self, status: str, reason: str = "") -> None:
        """Change the status, and say so in an event."""
        event_id = str(uuid.uuid4())
        event = StackEvent(event_id, self.name, self.stack_id, STACK_TYPE, status, reason, "", self.token)
        self.events.append(event)
        self.status, self.status_reason = status, reason

    def resource_status(self, resource: StackResource, status: str, reason: str, properties: str) -> None:
        """Change a resource's status, and say so in an event."""
        resource.status, resource.reason, resource.timestamp = status, reason, now()
        self.events.append(
            StackEvent(
                event_id=f"{resource.logical_id}-{status}-{uuid.uuid4()}",
                logical_id=resource.logical_id,
                physical_id=resource.physical_id,
                type_name=resource.declaration.type_name,
                status=status,
                reason=reason,
                properties=properties,
                token=self.token,
            )
        )


@dataclass(frozen=True)
class Change:
    """What a change set would do to one resource. `replacement` is AWS's True, False or Conditional."""

    action: str
    logical_id: str
    physical_id: str
    type_name: str
    replacement: str = ""
    details: tuple[tuple[str, str, str], ...] = ()  # (property, RequiresRecreation, Evaluation)


@dataclass
class ChangeSetRecord:
    """A change set: a request that waits to be executed."""

    change_set_id: str
    name: str
    stack_id: str
    stack_name: str
    kind: str  # CREATE or UPDATE
    description: str
    template_body: str
    parameters: dict[str, Parameter]
    tags: dict[str, str]
    capabilities: list[str]
    changes: list[Change]
    on_failure: str
    status: str = "CREATE_COMPLETE"
    status_reason: str = ""
    execution_status: str = "AVAILABLE"
    created: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Store:
    """The records of one account and region. The dictionaries are moto's: its reset empties them."""

    account_id: str
    region: str
    stacks: dict[str, StackRecord]  # by id
    deleted: dict[str, StackRecord]
    change_sets: dict[str, ChangeSetRecord]  # by id

    def living(self, name_or_id: str) -> StackRecord | None:
        """The stack of that name or id, unless it was deleted."""
        if name_or_id in self.stacks:
            return self.stacks[name_or_id]
        return next((stack for stack in list(self.stacks.values()) if stack.name == name_or_id), None)

    def stack(self, name_or_id: str) -> StackRecord:
        """The stack of that name, or of that id even when deleted; ApiError as AWS when there is none."""
        found = self.living(name_or_id) or self.deleted.get(name_or_id)
        if found is None:
            raise invalid(f"Stack with id {name_or_id} does not exist")
        return found

    def exports(self) -> Iterable[tuple[StackRecord, Output]]:
        """Every exported output, with its stack."""
        for stack in list(self.stacks.values()):
            yield from ((stack, output) for output in stack.outputs if output.export)

    def importers(self, export: str) -> list[str]:
        """The names of the stacks that import `export`."""
        return [stack.name for stack in list(self.stacks.values()) if export in stack.imports]

    def change_set(self, name_or_id: str, stack_name: str) -> ChangeSetRecord:
        """A change set by id, or by name together with its stack's; ApiError when there is none."""
        if name_or_id in self.change_sets:
            return self.change_sets[name_or_id]
        for item in list(self.change_sets.values()):
            if item.name == name_or_id and stack_name in (item.stack_name, item.stack_id):
                return item
        raise ApiError("ChangeSetNotFound", f"ChangeSet [{name_or_id}] does not exist")
