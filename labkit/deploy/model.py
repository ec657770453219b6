"""The records that every engine gives back, whatever it is made of.

What belongs here: plain frozen records. What does not: calling an engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["complete", "failed", "absent"]

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
class Deployment:
    """What stands after apply: status, outputs by name, and whether anything had to change."""

    engine: str
    name: str
    status: Status
    outputs: Mapping[str, str] = field(default_factory=dict)
    changed: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Survivor:
    """A resource that is still there after destroy: its service, kind, id, and why it was found."""

    service: str
    kind: str
    identifier: str
    found_by: str
