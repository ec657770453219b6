"""One engine tried out with a student's own files, on a cloud of its own: speed, state, drift, failure.

What belongs here: the acts of one trial and what was seen. What does not: laying two trials side by side
(labkit.lesson.compare.comparison).
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from labkit.base.errors import DeployError
from labkit.deploy.engines import TITLES
from labkit.deploy.inventory import Inventory
from labkit.deploy.removing import survivors
from labkit.lesson import drift
from labkit.lesson.context import Context

#: what somebody changes by hand in a trial
HAND = "the function's time-out, from 60 s to 3 s"
#: what is in the way when a creation fails in a trial
OBSTACLE = "a table of that name, made by hand"


@dataclass(frozen=True)
class Trial:
    """What was seen with one engine. Times in seconds; `left` is what a failed creation left standing.

    `shown`: what a plan said about the change by hand; `repaired`: whether deploying again undid it.
    """

    engine: str
    seconds: Mapping[str, float]
    state: str
    kept_on_disk: bool
    shown: tuple[str, ...]
    repaired: bool
    failure: str
    left: tuple[str, ...]
    inventory: Inventory = field(default_factory=dict)

    def evidence(self) -> dict[str, Any]:
        """Everything but the inventory, as plain JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "inventory"}


def try_out(context: Context) -> Trial:
    """Deploy, deploy again, change by hand, destroy, fail: nothing but the cloud of `context` is touched.

    Raises DeployError where the files do not even deploy.
    """
    engine, workspace, seconds = context.engine, context.workspace, dict[str, float]()
    title = TITLES[engine.engine]
    context.note(f"{title} creates, on a cloud of its own …")
    workspace.write_build()
    with _timed(seconds, "create"):
        outputs = engine.apply().outputs
    inventory = drift.existing(context)
    state, on_disk = _state(context, outputs)
    context.note(f"{title} deploys again, with nothing changed …")
    with _timed(seconds, "again"):
        engine.apply()
    context.note(f"somebody changes {HAND}, by hand; {title} plans and deploys …")
    shown, repaired = _hand(context, outputs["LambdaFunctionName"])
    context.note(f"{title} destroys …")
    with _timed(seconds, "destroy"):
        engine.destroy()
    context.note(f"{title} creates once more, but {OBSTACLE}, is in the way …")
    failure, left = _fail(context, outputs["TableName"])
    return Trial(engine.engine, seconds, state, on_disk, shown, repaired, failure, left, inventory)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - began, 1)


def _state(context: Context, outputs: Mapping[str, str]) -> tuple[str, bool]:
    """What the engine knows of the lab, and where it keeps that: seen, not assumed."""
    path = context.workspace.path / "terraform.tfstate"
    if path.is_file():
        return f"terraform.tfstate beside your files, {path.stat().st_size:,} bytes", True
    api = context.clients.client("cloudformation")
    found = api.describe_stack_resources(StackName=context.source.name)["StackResources"]
    return f"the stack {context.source.name} in the account, {len(found)} resources", False


def _hand(context: Context, function: str) -> tuple[tuple[str, ...], bool]:
    api = context.clients.client("lambda")
    before = api.get_function_configuration(FunctionName=function)["Timeout"]
    api.update_function_configuration(FunctionName=function, Timeout=3)
    planned = context.engine.plan()
    context.engine.apply()
    after = api.get_function_configuration(FunctionName=function)["Timeout"]
    return tuple(f"{c.action} {c.name}" for c in planned.changes), after == before


def _fail(context: Context, table: str) -> tuple[str, tuple[str, ...]]:
    """What a failed creation says, and what stands afterwards beside the obstacle itself."""
    api = context.clients.client("dynamodb")
    api.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    try:
        context.engine.apply()
        failure = "it did not fail"
    except DeployError as error:
        failure = error.message
    variant = context.workspace.variant
    found = survivors.find(context.clients, prefix=variant.name, tag_value=variant.code)
    left = [s for s in found if s.identifier != table and s.kind != "stack"]  # a stack is a record, no thing
    return failure, tuple(f"{s.kind} {s.identifier}" for s in left)
