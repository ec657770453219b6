"""The sweep of one target: which labs outlived their time to live, and their deletion when that is wanted.

What belongs here: regions, choosing, the order. What does not: finding and deleting one lab (labkit.deploy.removing.sweep).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from labkit.base.errors import UsageError
from labkit.base.events import Emit, Event
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy import credentials
from labkit.deploy.model import Survivor
from labkit.deploy.removing import sweep
from labkit.deploy.removing.sweep import Lab, State
from labkit.deploy.targets import Clients, Target, aws


@dataclass(frozen=True)
class Order:
    """What is asked for. `limit` in seconds replaces what the tags say; `variant` names one lab, known age or not."""

    regions: Sequence[str]
    limit: float | None = None
    variant: str = ""
    delete: bool = False


@dataclass(frozen=True)
class Swept:
    """One lab that was looked at: in which region, what it is now, and what is left of it where it was deleted."""

    region: str
    lab: Lab
    state: State
    deleted: bool = False
    left: tuple[Survivor, ...] = ()


def targets(name: str, regions: Sequence[str], cloud: LocalCloud) -> list[Target]:
    """The places to sweep: the local cloud (none where it does not run and has kept nothing), or AWS's regions."""
    if name == "aws":
        return [aws(region) for region in regions]
    endpoint = cloud.ensure() if cloud.kept_since else cloud.running()
    return [endpoint.target(region) for region in regions] if endpoint else []


def run(
    places: Sequence[Target], order: Order, emit: Emit, *, clock: Callable[[], float] = time.time
) -> Iterator[Swept]:
    """Look at every lab in every place; delete those that outlived their time, if that is ordered.

    Raises UsageError when the lab that is named stands nowhere here.
    """
    seen = False
    for target in places:
        clients = Clients(target)
        credentials.require(clients, "destroy" if order.delete else "validate", emit)
        for lab in sweep.labs(clients):
            if order.variant in ("", lab.variant):
                seen = True
                yield _swept(clients, lab, order, emit, clock())
    if order.variant and not seen:
        raise UsageError(
            f"No lab {order.variant} stands in {', '.join(order.regions)}.", hint="See them all:  ./lab sweep"
        )


def _swept(clients: Clients, lab: Lab, order: Order, emit: Emit, now: float) -> Swept:
    region, state = clients.target.region, lab.state(now, order.limit)
    if not order.delete or not (state == "outlived" or (state == "unknown" and order.variant)):
        return Swept(region, lab, state)
    emit(Event("note", f"The lab {lab.variant} in {region} is deleted …"))
    return Swept(region, lab, state, deleted=True, left=tuple(sweep.delete(clients, lab, emit)))
