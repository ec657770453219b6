"""The records that every engine takes and gives back, whatever it is made of.

What belongs here: plain frozen records, and the words that all engines share. What does not: calling an engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["complete", "failed", "absent"]
Action = Literal["create", "update", "replace", "delete"]

#: the outputs that templates of both engines declare, in the order in which people read them
OUTPUTS = (
    "LambdaFunctionName",
    "LambdaFunctionArn",
    "InstanceId",
    "InstancePrivateIp",
    "InstancePublicIp",
    "BucketName",
    "TableName",
    "VpcId",
)


@dataclass(frozen=True)
class Source:
    """What is to be deployed: the project's name, the folder with the files and their build/, and choices.

    `choices` go by the names that variables.tf uses (lab_role, instance_type, …); what is not chosen keeps
    the default that the files give. `tags` stand on everything that can carry some.
    """

    name: str
    folder: Path
    choices: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """What stands after apply: status, outputs by name, and whether anything had to change."""

    engine: str
    name: str
    status: Status
    outputs: Mapping[str, str] = field(default_factory=dict)
    changed: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """One resource that an apply would touch: its name in the file, its type, what happens to it.

    `because` names the properties that force a replacement or differ, as far as the engine says so.
    """

    name: str
    type: str
    action: Action
    because: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What an apply would do now. No changes means: what stands is what the files say."""

    engine: str
    changes: tuple[Change, ...] = ()

    def count(self, action: Action) -> int:
        """How many resources have this done to them."""
        return sum(change.action == action for change in self.changes)


@dataclass(frozen=True)
class Finding:
    """Something wrong in the files: what, where ("main.tf", line 12; line 0: no place is known)."""

    text: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """One line for people."""
        place = f"{self.file}, line {self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + self.text


@dataclass(frozen=True)
class Survivor:
    """A resource that is still there after destroy: its service, kind, id, and why it was found."""

    service: str
    kind: str
    identifier: str
    found_by: str


class Engine(Protocol):
    """What every engine can do with one Source at one target."""

    @property
    def engine(self) -> str:
        """ "terraform" or "cloudformation"."""
        ...

    def validate(self) -> tuple[Finding, ...]:
        """What is wrong in the files, without asking what exists. Empty: they are valid."""
        ...

    def plan(self) -> Plan:
        """What apply would do, changing nothing. Raises DeployError when that can't be told."""
        ...

    def apply(self) -> Deployment:
        """Make what stands agree with the files; nothing to change is success. Raises DeployError."""
        ...

    def current(self) -> Deployment:
        """What stands now, with its outputs, changing nothing."""
        ...

    def destroy(self) -> None:
        """Delete everything that this engine made; nothing there is success. Raises DeployError."""
        ...

    def buckets(self) -> tuple[str, ...]:
        """The names of the buckets that this engine made and that may stand: they must be empty to be deleted."""
        ...
