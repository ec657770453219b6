"""What the control interface tells of the cloud itself.

What belongs here: its state, an instance's state. What does not: the interface (control), what a grader asks (probing).
"""

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labkit.base import descriptors
from labkit.cloud.moto_seam.ec2.ec2_records import instances
from labkit.cloud.pace import Pace
from labkit.cloud.server.keeper import Keeper
from labkit.cloud.server.memory import usage

if TYPE_CHECKING:
    from labkit.cloud.functions.service import FunctionService
    from labkit.cloud.instances.manager import InstanceManager
    from labkit.cloud.network.fabric import Fabric


class Reports:
    """Tells what stands at the moment of asking. For any thread."""

    def __init__(
        self,
        fabric: "Fabric",
        manager: "InstanceManager",
        functions: "FunctionService",
        settle: Callable[[], object],
        pace: Pace,
        keeper: Keeper | None,
    ) -> None:
        self._fabric, self._instances, self._functions = fabric, manager, functions
        self._settle, self._pace, self._keeper = settle, pace, keeper
        self._started = time.monotonic()

    def status(self) -> Mapping[str, Any]:
        """What runs, what it takes, what keeps it from doing all that is asked of it."""
        running = [{"id": r.instance_id, "state": r.state, "public_ip": r.public_ip} for r in instances()]
        environments = [{"id": e.name, "state": e.state.name} for e in self._functions.environments()]
        memory, processes = usage()
        return {
            "instances": running,
            "functions": environments,
            "memory_mb": memory >> 20,
            "processes": processes,
            "seconds": round(time.monotonic() - self._started, 1),
            "troubles": list(self._troubles()),
            "late": self._pace.counts.found,
            "not_kept": self._keeper.trouble if self._keeper else "",
        }

    def _troubles(self) -> Iterator[str]:
        """What keeps this cloud from doing all that is asked of it."""
        for vpc_id, why in self._fabric.troubles.items():
            yield (
                f"network of {vpc_id}: {why}. Look at the rules of its security groups and network ACLs, and take the wrong "
                "one back"
            )
        if few := descriptors.too_low(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
            yield few

    def describe_instance(self, instance_id: str, wait: float) -> Mapping[str, Any] | None:
        """Boot, units and the end of the boot log, once user data has ended or after `wait` seconds; None: there is no such one."""
        if instance_id not in {record.instance_id for record in instances()}:
            return None
        self._settle()
        boot = self._instances.wait_booted(instance_id, wait) if wait else self._instances.boot(instance_id)
        units = {name: asdict(unit) for name, unit in self._instances.units(instance_id).items()}
        return {
            "state": boot.state,
            "exit_code": boot.exit_code,
            "seconds": boot.seconds,
            "log": list(boot.tail),
            "units": units,
        }
