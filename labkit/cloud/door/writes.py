"""Who wrote what: the newest successful writes to buckets and tables, with their callers.

AWS: CloudTrail's data events tell the same. What belongs here: the record, and what a request touched. What does
not: deciding whether it may (authority).
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labkit.aws.records import Caller, Principal
from labkit.cloud.door.reading import Asked

SERVICES = ("s3", "dynamodb")
#: writes remembered; the oldest go first
REMEMBERED = 5000
_ID = "image_id"


@dataclass(frozen=True)
class Write:
    """One call: when, from which socket (place and name can't be forged), who signed it, what it touched.

    `resource` is bucket/key or table/image_id; a call that touches several items is told once for each.
    """

    at: float
    place: str
    name: str
    principal: str
    operation: str
    resource: str


def writes_of(asked: Asked, caller: Caller, principal: Principal) -> list[Write]:
    """What this call wrote, or nothing when it is no write to a bucket or table."""
    if asked.service not in SERVICES or not asked.mutates:
        return []
    at, operation = time.time(), f"{asked.service}:{asked.operation}"
    return [
        Write(at, caller.place, caller.name, principal.arn, operation, resource)
        for resource in (_objects(asked) if asked.service == "s3" else _items(asked))
    ]


def _objects(asked: Asked) -> list[str]:
    bucket, key = asked.parameters.get("Bucket", ""), asked.parameters.get("Key", "")
    return [f"{bucket}/{key}" if key else str(bucket)]


def _items(asked: Asked) -> list[str]:
    table = asked.parameters.get("TableName")
    tables = [str(table)] if table else [str(name) for name in _tables(asked.parameters)]
    ids = list(dict.fromkeys(_ids(asked.parameters)))
    return [f"{name}/{each}" for name in tables for each in ids] or tables


def _tables(parameters: Mapping[str, object]) -> Iterator[object]:
    requests = parameters.get("RequestItems")
    if isinstance(requests, Mapping):
        yield from requests
    actions = parameters.get("TransactItems")
    for action in actions if isinstance(actions, list) else ():
        for about in action.values() if isinstance(action, Mapping) else ():
            if isinstance(about, Mapping) and about.get("TableName"):
                yield about["TableName"]


def _ids(value: object) -> Iterator[str]:
    """The image ids anywhere in a request's items and keys."""
    if isinstance(value, list):
        for each in value:
            yield from _ids(each)
    elif isinstance(value, Mapping):
        found = value.get(_ID)
        if isinstance(found, Mapping) and isinstance(found.get("S"), str):
            yield found["S"]
        for each in value.values():
            yield from _ids(each)
