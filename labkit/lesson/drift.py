"""Drift: what somebody changed by hand after the last deployment, in plain words.

What belongs here: remembering what a deployment made, and comparing. What does not: reading or comparing
inventories (labkit.deploy). Works alike for both engines, since neither is asked.
"""

import contextlib
import threading
from collections.abc import Iterator

from labkit.base import state
from labkit.base.events import Event
from labkit.deploy import inventory
from labkit.deploy.parity import compare, in_words
from labkit.lesson import freshness
from labkit.lesson.context import Context

_FILE = "inventory.json"
_WAY_BACK = {
    "terraform": "Terraform sees it: deploying again puts back what your files say.",
    "cloudformation": "CloudFormation does not see it: an update leaves it. ./lab destroy and deploy again.",
}


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


def remember(context: Context) -> None:
    """Keep what exists now as what the deployment made."""
    state.write_json(context.workspace.path / ".lab" / _FILE, existing(context))


def forget(context: Context) -> None:
    """After a destroy there is nothing to compare with."""
    (context.workspace.path / ".lab" / _FILE).unlink(missing_ok=True)


def existing(context: Context) -> inventory.Inventory:
    """What exists of this lab now."""
    variant = context.workspace.variant
    return inventory.read(context.clients, prefix=variant.name, tag_value=variant.code)


def drift(context: Context) -> list[str]:
    """What differs from what was deployed, one sentence each; empty when nothing does or nothing stands."""
    before = state.read_json(context.workspace.path / ".lab" / _FILE)
    # what the twin deployed is no change by hand
    if before is None or freshness.others(context.workspace):
        return []
    now = existing(context)
    return [in_words(difference) for difference in compare(before, now)] if now else []


def warn(context: Context) -> bool:
    """Say what was changed by hand; True when anything was."""
    found = drift(context)
    for sentence in found:
        context.emit(Event("warning", f"Changed by hand: {sentence}.", {"drift": sentence}))
    if found:
        context.note(_WAY_BACK[context.engine.engine])
    return bool(found)
