"""A cloud that goes on where the last one ended: moto's state, logs, stacks, and what is told of the rest.

What belongs here: the order, and the words for what can't come back. What does not: reading files (keeping).
"""

from labkit.cloud.cloudformation.engine import Engine, MadeAt
from labkit.cloud.instances.manager import InstanceManager
from labkit.cloud.moto_seam import cloudformation, saving
from labkit.cloud.moto_seam.ec2.ec2_records import instances
from labkit.cloud.moto_seam.saved_logs import SavedLogs
from labkit.cloud.server.keeping import Loaded


def come_back(
    loaded: Loaded, engine: Engine, manager: InstanceManager, made_at: MadeAt
) -> tuple[SavedLogs, list[str]]:
    """Make what was loaded the state of this process, before anybody is served; what is not as it was, in words."""
    logs, told = SavedLogs(loaded.kept.logs), list(loaded.told)
    if loaded.graph is not None:
        saving.put_back(loaded.graph)
        logs.give_back()
        told += [
            f"The operation on the stack {name} was under way when the cloud ended: it counts as failed."
            for name in cloudformation.recover(engine, made_at)
        ]
    living = [each.instance_id for each in instances() if each.state not in ("terminated", "shutting-down")]
    anew = manager.forget_disks(living)
    if anew:
        why = "its first boot had not ended" if manager.disks_last else "its disk lay in memory"
        told.append(f"{', '.join(anew)} boots as a new instance, with its user data: {why}.")
    return logs, told
