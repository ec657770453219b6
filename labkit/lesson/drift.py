"""Drift: what somebody changed by hand after the last deployment, in plain words.

What belongs here: remembering what deployments made, and comparing. What does not: reading or comparing
inventories (labkit.deploy). Works alike for both engines, since neither is asked.

What is remembered is what deployments made, never what was found standing: a deployment that changes nothing, or
something else, leaves a change by hand as far from the files as it was.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.events import Event
from labkit.deploy import inventory
from labkit.deploy.inventory import Inventory
from labkit.deploy.parity import compare, in_words
from labkit.lesson import freshness
from labkit.lesson.context import Context
from labkit.lesson.faults import breaking

_FILE = "deployed-inventory.json"
#: what stood when a deployment began, until it ended well: one that was interrupted goes on from there
_BEGUN = "inventory-before.json"
_WAY_BACK = {
    "terraform": "Terraform sees it: deploying again puts back what your files say.",
    "cloudformation": "CloudFormation compares templates and does not see it: an update leaves it. Put it back by hand in "
    "./lab shell, or ./lab destroy and ./lab deploy.",
}
_HIDDEN = "Something differs from what you deployed: the fault of step 06. Which hop it is, is yours to find."


@contextlib.contextmanager
def prepared(context: Context) -> Iterator[None]:
    """Make the clients that reading needs while the body waits for AWS: their making costs most of a second."""
    clients = context.clients
    thread = threading.Thread(target=lambda: [clients.client(name) for name in inventory.SERVICES])
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextlib.contextmanager
def followed(context: Context) -> Iterator[None]:
    """Around a deployment: afterwards remember what it made, on top of what earlier ones made.

    Where the body raises, the next deployment is taken for the rest of this one.
    """
    deployed, begun = _deployed(context), _path(context, _BEGUN)
    before = state.read_json(begun)
    if before is None:
        before = existing(context) if deployed else {}
        state.write_json(begun, before)
    with prepared(context):
        yield
    after = existing(context)
    state.write_json(_path(context), carried(deployed, before, after) if deployed and before else after)
    begun.unlink()


def carried(deployed: Any, before: Any, after: Any) -> Any:
    """What was deployed, with the changes from `before` to `after` in it: values of inventories, or whole ones.

    Where a deployment changed nothing, what was deployed stays; so what differed by hand before differs still.
    """
    if before == after:
        return deployed
    if isinstance(before, dict) and isinstance(after, dict) and isinstance(deployed, dict):
        names = [name for name in {**deployed, **after} if name in after or name not in before]
        each = {name: _carried_part(name, deployed, before, after) for name in names}
        return {name: value for name, value in each.items() if value is not _GONE}
    if isinstance(before, list) and isinstance(after, list) and isinstance(deployed, list):
        kept = [entry for entry in deployed if entry in after or entry not in before]
        return sorted([*kept, *(e for e in after if e not in before and e not in kept)], key=str)
    return after


_GONE = object()


def _carried_part(name: str, deployed: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Any:
    """One entry of three mappings; _GONE where there is none."""
    if before.get(name, _GONE) == after.get(name, _GONE):
        return deployed.get(name, _GONE)
    if name in deployed and name in before and name in after:
        return carried(deployed[name], before[name], after[name])
    return after.get(name, _GONE)


def forget(context: Context) -> None:
    """After a destroy there is nothing to compare with."""
    for name in (_FILE, _BEGUN):
        _path(context, name).unlink(missing_ok=True)


def existing(context: Context) -> Inventory:
    """What exists of this lab now."""
    variant = context.workspace.variant
    return inventory.read(context.clients, prefix=variant.name, tag_value=variant.code)


def drift(context: Context) -> list[str]:
    """What differs from what was deployed, one sentence each; empty when nothing does or nothing stands.

    After a deployment that was interrupted nobody can tell whose doing a difference is: then nothing is said.
    """
    before = {} if _path(context, _BEGUN).exists() else _deployed(context)
    now = existing(context) if before else {}
    return [in_words(difference) for difference in compare(before, now)] if now else []


def warn(context: Context) -> bool:
    """Say what was changed by hand; True when anything was. Of a fault that is not found yet nothing is told."""
    found = drift(context)
    if found and breaking.is_sought(context.workspace):
        context.note(_HIDDEN)
        return True
    for sentence in found:
        context.emit(Event("warning", f"Changed by hand: {sentence}.", {"drift": sentence}))
    if found:
        context.note(_WAY_BACK[context.engine.engine])
    return bool(found)


def _path(context: Context, name: str = _FILE) -> Path:
    return context.workspace.kept / name


def _deployed(context: Context) -> Inventory:
    """What deployments from these files made; empty where nothing is known, or the twin deployed since."""
    # what the twin deployed is no change by hand
    if freshness.others(context.workspace):
        return {}
    known: Inventory = state.read_json(_path(context)) or {}
    return known
