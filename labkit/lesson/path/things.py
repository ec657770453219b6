"""Anything that stands in the local cloud, of whichever lab: an instance or a function that a word names.

What belongs here: finding it, and what it said. What does not: this lab's own server and function (logs.py).
"""

import os
import re
from dataclasses import dataclass
from typing import Literal

from labkit.base.errors import UsageError
from labkit.deploy.targets import Clients
from labkit.lesson.context import Context
from labkit.lesson.path import logs

_LIVE = ("pending", "running", "stopping", "stopped")


@dataclass(frozen=True)
class Thing:
    """What a word names: an instance by id or by its tag Name, or a function by name."""

    kind: Literal["instance", "function"]
    name: str
    state: str = ""


def find(context: Context, word: str, *, kinds: tuple[str, ...] = ("instance", "function")) -> Thing:
    """The instance or function of this name: an id in any region, a name in the shell's or the lab's own.

    Raises UsageError where there is none, or more than one.
    """
    if context.on_aws:
        raise UsageError(
            "On AWS only your own server and function are looked into.", hint="At home:  --target local"
        )
    region = os.environ.get("AWS_DEFAULT_REGION") or context.region
    if re.fullmatch(r"i-[0-9a-f]+", word):
        states = {each["id"]: each["state"] for each in context.cloud.ask("GET", "status")["instances"]}
        found = [Thing("instance", word, states[word])] if word in states else []
    else:
        clients = Clients(context.cloud.ensure(context.emit).target(region))
        found = _instances(clients, word) if "instance" in kinds else []
        found += _functions(clients, word) if "function" in kinds else []
    if len(found) > 1:
        ids = " ".join(each.name for each in found)
        raise UsageError(f"{word} names more than one: {ids}.", hint="Use an id.")
    if not found:
        raise UsageError(
            f"In {region} no {' and no '.join(kinds)} is called {word}.",
            hint="What runs:  ./lab cloud status      Another region:  AWS_DEFAULT_REGION=… ./lab …",
        )
    return found[0]


def said(context: Context, thing: Thing) -> list[str]:
    """An instance's boot log, or a function's log streams."""
    if thing.kind == "function":
        return logs.function(context, {"LambdaFunctionName": thing.name})
    return logs.boot(context, {"InstanceId": thing.name})


def _instances(clients: Clients, name: str) -> list[Thing]:
    asked = [{"Name": "tag:Name", "Values": [name]}, {"Name": "instance-state-name", "Values": list(_LIVE)}]
    pages = clients.client("ec2").get_paginator("describe_instances").paginate(Filters=asked)
    return [
        Thing("instance", each["InstanceId"], each["State"]["Name"])
        for page in pages
        for reservation in page["Reservations"]
        for each in reservation["Instances"]
    ]


def _functions(clients: Clients, name: str) -> list[Thing]:
    pages = clients.client("lambda").get_paginator("list_functions").paginate()
    return [
        Thing("function", each["FunctionName"])
        for page in pages
        for each in page["Functions"]
        if each["FunctionName"] == name
    ]
