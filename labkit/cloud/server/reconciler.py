"""What the API says should run, against what does: the one place that starts and stops data plane parts.

Level-triggered: each pass reads the whole wanted state and acts on the differences, so a missed or a
double wake-up does no harm. It never polls: the door wakes it after each call that changed something.

What belongs here: comparing and acting. What does not: how an instance or an environment runs.
"""

import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from labkit.aws.records import FunctionRecord, InstanceRecord, NetworkState


class Instances(Protocol):
    """What the reconciler asks of the instance manager."""

    def start(self, record: InstanceRecord) -> None:
        """Boot it: the first time with its user data, later from its disk."""
        ...

    def know(self, record: InstanceRecord) -> None:
        """It is stopped, since before this cloud began."""
        ...

    def stop(self, instance_id: str) -> None:
        """Shut it down; its disk stays."""
        ...

    def terminate(self, instance_id: str) -> None:
        """End it and drop its disk."""
        ...

    def refresh(self, record: InstanceRecord) -> None:
        """Take over what changed of a running instance: groups, public address, tags."""
        ...


class Functions(Protocol):
    """What the reconciler asks of the function service."""

    def reconcile(self, functions: Iterable[FunctionRecord]) -> None:
        """End the environments of functions that are gone or changed."""
        ...


class Network(Protocol):
    """What the reconciler asks of the fabric."""

    def update(self, state: NetworkState) -> None:
        """Make networks, rules and public addresses as described."""
        ...

    @property
    def troubles(self) -> dict[str, str]:
        """VPCs that could not be made so, by id, with the reason."""
        ...


@dataclass(frozen=True)
class Wanted:
    """The state that the control plane describes; each is a function that reads it now."""

    network: Callable[[], NetworkState]
    instances: Callable[[], Iterable[InstanceRecord]]
    functions: Callable[[], Iterable[FunctionRecord]]


class Reconciler:
    """Runs passes in a thread of its own until closed."""

    def __init__(
        self,
        wanted: Wanted,
        network: Network,
        instances: Instances,
        functions: Functions,
        report: Callable[[str], None],
    ) -> None:
        self._wanted, self._network = wanted, network
        self._instances, self._functions, self._report = instances, functions, report
        self._known: dict[str, InstanceRecord] = {}
        self._told: dict[str, str] = {}
        self._changed = threading.Condition()
        self._asked = self._served = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something changed: a pass will start after this call."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def settle(self, timeout: float = 30) -> bool:
        """Wait until everything asked for before this call has been acted on."""
        with self._changed:
            target = self._asked
            return self._changed.wait_for(lambda: self._served >= target or self._closing, timeout)

    def close(self) -> None:
        """End the thread after the pass that is under way."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked > self._served or self._closing)
                if self._closing:
                    return
                asked = self._asked
            self._pass()
            with self._changed:
                self._served = asked
                self._changed.notify_all()

    def _pass(self) -> None:
        self._try("network", lambda: self._network.update(self._wanted.network()))
        self._tell_troubles()
        wanted = {record.instance_id: record for record in self._wanted.instances()}
        for instance_id in [i for i in self._known if i not in wanted]:
            self._try(instance_id, lambda i=instance_id: self._forget(i))  # type: ignore[misc]
        for record in wanted.values():
            self._try(record.instance_id, lambda r=record: self._adjust(r))  # type: ignore[misc]
        self._try("functions", lambda: self._functions.reconcile(self._wanted.functions()))

    def _tell_troubles(self) -> None:
        """Each trouble of a VPC once, by its name."""
        troubles = self._network.troubles
        for vpc_id, why in troubles.items():
            if self._told.get(vpc_id) != why:
                self._report(f"network of {vpc_id} is not as it is described: {why}")
        self._told = troubles

    def _adjust(self, record: InstanceRecord) -> None:
        known = self._known.get(record.instance_id)
        if record.state in ("pending", "running"):
            if known is None or known.state not in ("pending", "running"):
                self._instances.start(record)
            elif known.starts != record.starts:  # stopped and started between two looks
                self._instances.stop(record.instance_id)
                self._instances.start(record)
            elif known != record:
                self._instances.refresh(record)
        elif record.state in ("stopping", "stopped"):
            if known is None:
                self._instances.know(record)
            elif known.state not in ("stopping", "stopped"):
                self._instances.stop(record.instance_id)
        elif known is not None:
            return self._forget(record.instance_id)
        else:
            return None
        self._known[record.instance_id] = record
        return None

    def _forget(self, instance_id: str) -> None:
        self._instances.terminate(instance_id)
        self._known.pop(instance_id, None)

    def _try(self, what: str, act: Callable[[], None]) -> None:
        """One part's trouble must not keep the others from running; it is reported, and tried again
        with the next change."""
        try:
            act()
        except Exception:
            self._report(f"{what}: {traceback.format_exc()}")
