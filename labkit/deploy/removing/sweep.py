"""Labs that outlived their time to live: found by their tags, whoever made them, and deleted.

What belongs here: which labs an account holds, how old each is, deleting one as a whole. What does not: what
belongs to one lab (labkit.deploy.removing.survivors), how a kind of thing is deleted (labkit.deploy.removing.cleanup).

Only what carries the tags lab:variant, lab:project and lab:ttl makes a lab; its age is that of its newest part, so
that what is at work is left alone. Where no age or time can be read nothing is taken unless the lab is named.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from labkit.base.errors import UsageError
from labkit.base.events import Emit
from labkit.deploy.cloudformation import CloudFormation
from labkit.deploy.model import Source, Survivor
from labkit.deploy.removing import cleanup, survivors
from labkit.deploy.targets import Clients

State = Literal["lives", "outlived", "unknown"]

#: deleting a stack needs no files
_NOWHERE = Path("/nonexistent")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d{1,6})\s*(s|m|min|h|d)")


def seconds(text: str) -> float | None:
    """A time to live as tags and people write it ("24h", "90 min", "2d"); None for anything else."""
    found = _SPAN.fullmatch(text.strip().lower())
    return float(found[1]) * _UNITS[found[2]] if found else None


def span(text: str) -> float:
    """The same for a command line. Raises UsageError for anything else."""
    found = seconds(text)
    if found is None:
        raise UsageError(
            f"{text!r} is no span of time.", hint="For example:  --older-than 24h   or  90min, 2d"
        )
    return found


@dataclass(frozen=True)
class Lab:
    """One lab in one region of an account.

    `since`: when its newest part was made (seconds since the epoch), `ttl`: how long it may live; None: unknown.
    `regional`: whether anything of it is in this region; roles alone may belong to a lab in another.
    """

    variant: str
    project: str
    ttl: float | None
    since: float | None
    regional: bool
    things: tuple[Survivor, ...] = ()

    def state(self, now: float, limit: float | None = None) -> State:
        """Whether it outlived its time to live, or `limit` where one is given."""
        allowed = self.ttl if limit is None else limit
        if allowed is None or self.since is None or not self.regional:
            return "unknown"
        return "outlived" if now - self.since >= allowed else "lives"


def labs(clients: Clients) -> list[Lab]:
    """Every lab that the account holds in this region, by its tags, with everything that belongs to it."""
    found: dict[tuple[str, str], list[_Part]] = defaultdict(list)
    for part in _parts(clients):
        variant, project = part.tags.get(survivors.TAG, ""), part.tags.get("lab:project", "")
        if _is_ours(variant, project):
            found[variant, project].append(part)
    return [_lab(clients, *key, parts) for key, parts in sorted(found.items())]


def delete(clients: Clients, lab: Lab, emit: Emit) -> list[Survivor]:
    """Delete everything of a lab, whatever engine made it; returns what is left."""
    stack = CloudFormation(clients, Source(lab.project, _NOWHERE), emit)
    cleanup.demolish(clients, stack, emit, prefix=lab.project, tag_value=lab.variant)
    return survivors.find(clients, prefix=lab.project, tag_value=lab.variant)


@dataclass(frozen=True)
class _Part:
    tags: Mapping[str, str]
    made: datetime | None
    regional: bool = True


def _is_ours(variant: str, project: str) -> bool:
    """Names are matched by the project's, so one that does not end in the variant's is nobody's we know."""
    return len(variant) >= 4 and project.endswith(f"-{variant}") and len(project) > len(variant) + 1


def _lab(clients: Clients, variant: str, project: str, parts: Sequence[_Part]) -> Lab:
    times = [part.made.timestamp() for part in parts if part.made is not None]
    lives = [ttl for part in parts if (ttl := seconds(part.tags.get("lab:ttl", ""))) is not None]
    return Lab(
        variant,
        project,
        max(lives, default=None),
        max(times, default=None),
        any(part.regional for part in parts),
        tuple(survivors.find(clients, prefix=project, tag_value=variant)),
    )


def _parts(clients: Clients) -> Iterator[_Part]:
    """What carries tags. Log groups are left to their lab: an account may hold thousands of them."""
    yield from _stacks(clients)
    yield from _ec2(clients)
    yield from _functions(clients)
    yield from _buckets(clients)
    yield from _tables(clients)
    yield from _roles(clients)


def _pages(clients: Clients, service: str, operation: str, entries: str, **arguments: Any) -> Iterator[Any]:
    for page in clients.client(service).get_paginator(operation).paginate(**arguments):
        yield from page[entries]


def _pairs(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _stacks(clients: Clients) -> Iterator[_Part]:
    for stack in _pages(clients, "cloudformation", "describe_stacks", "Stacks"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield _Part(_pairs(stack.get("Tags", [])), stack.get("LastUpdatedTime", stack["CreationTime"]))


def _ec2(clients: Clients) -> Iterator[_Part]:
    tagged = [{"Name": "tag-key", "Values": [survivors.TAG]}]
    for reservation in _pages(clients, "ec2", "describe_instances", "Reservations", Filters=tagged):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] != "terminated":
                yield _Part(_pairs(instance["Tags"]), instance["LaunchTime"])
    for operation, entries in survivors.EC2_LISTS:
        for entry in _pages(clients, "ec2", operation, entries, Filters=tagged):
            yield _Part(_pairs(entry.get("Tags") or entry.get("TagSet") or []), entry.get("CreateTime"))


def _functions(clients: Clients) -> Iterator[_Part]:
    api = clients.client("lambda")
    for function in _pages(clients, "lambda", "list_functions", "Functions"):
        tags = api.list_tags(Resource=function["FunctionArn"])["Tags"]
        yield _Part(tags, datetime.fromisoformat(function["LastModified"]))


def _buckets(clients: Clients) -> Iterator[_Part]:
    from botocore.exceptions import ClientError

    api = clients.client("s3")
    for bucket in api.list_buckets().get("Buckets", []):
        if survivors.region_of(clients, bucket["Name"]) != clients.target.region:
            continue
        try:
            tags = _pairs(api.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"])
        except ClientError:
            continue  # without tags, of somebody who does not let us look, or gone by now: not a lab's
        yield _Part(tags, bucket["CreationDate"])


def _tables(clients: Clients) -> Iterator[_Part]:
    api = clients.client("dynamodb")
    for name in _pages(clients, "dynamodb", "list_tables", "TableNames"):
        table = api.describe_table(TableName=name)["Table"]
        tags = api.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        yield _Part(_pairs(tags), table["CreationDateTime"])


def _roles(clients: Clients) -> Iterator[_Part]:
    api = clients.client("iam")
    for role in _pages(clients, "iam", "list_roles", "Roles"):
        if not role["Path"].startswith("/aws-service-role/"):
            tags = api.list_role_tags(RoleName=role["RoleName"])["Tags"]
            yield _Part(_pairs(tags), role["CreateDate"], regional=False)
