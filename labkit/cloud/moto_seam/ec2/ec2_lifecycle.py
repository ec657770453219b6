"""The life of an instance after it runs: stop, start, terminate, what remains, and how it reports itself.

What belongs here: states, the interface and volumes that go with an instance, groups, status and console.
What does not: RunInstances' checks (ec2_run), addresses (ec2_addresses), processes (labkit.cloud.instances).

AWS: Amazon EC2 user guide, "Amazon EC2 instance state changes"; API reference, TerminateInstances,
GetConsoleOutput, DescribeInstanceStatus.
"""

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

CONSOLE_LIMIT = 65_536
#: seconds for which a terminated instance is still shown (user guide, "Terminate Amazon EC2 instances": about an hour)
SHOWN_AFTER_END = 3600.0
#: what a terminated instance no longer shows
EMPTY_WHEN_TERMINATED = (
    "private_ip",
    "private_ip_address",
    "public_ip",
    "public_ip_address",
    "vpc_id",
    "subnet_id",
)
#: our word for an instance's status → AWS's (status, reachability)
STATUS = {
    "ok": ("ok", "passed"),
    "initializing": ("initializing", "initializing"),
    "impaired": ("impaired", "failed"),
}


def correct_lifecycle(replacements: Replacements) -> None:
    """States are respected; what was made with an instance goes away with it."""
    from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
    from moto.ec2.models.instances import Instance, InstanceBackend

    replacements.around(Instance, "start")(_start)
    replacements.around(Instance, "stop")(_stop)
    replacements.around(Instance, "terminate")(_terminate)
    replacements.around(Instance, "prep_nics")(_prepare_interfaces)
    replacements.around(Instance, "setup_defaults")(_root_volume)
    replacements.around(Instance, "add_block_device")(_add_volume)
    replacements.around(Instance, "private_dns_name")(_private_dns_name)
    for name in EMPTY_WHEN_TERMINATED:
        replacements.around(Instance, name)(_none_when_terminated)
    replacements.around(InstanceBackend, "all_reservations")(_all_reservations)
    replacements.around(InstanceBackend, "modify_instance_security_groups")(_change_groups)
    replacements.around(NetworkInterfaceBackend, "modify_network_interface_attribute")(_change_interface)
    replacements.put(NetworkInterface, "group_set", property(lambda self: list(self._group_set)))


def correct_reports(
    replacements: Replacements, console_output: Callable[[str], bytes], status: Callable[[str], str]
) -> None:
    """The console shows the boot log, and status checks turn ok after the boot."""
    from moto.ec2.models.instances import Instance
    from moto.ec2.responses.general import General

    def get_console_output(original: Any, self: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.core.types import Base64EncodedString

        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        output = base64.b64encode(console_output(instance.id)[-CONSOLE_LIMIT:])
        encoded = Base64EncodedString.from_encoded_bytes(output)
        return ActionResult({"InstanceId": instance.id, "Timestamp": datetime.now(UTC), "Output": encoded})

    def check(original: Any, self: Any) -> dict[str, Any]:
        if self.state != "running":
            return {"Status": "not-applicable"}
        summary, reachability = STATUS[status(self.id)]
        return {"Status": summary, "Details": [{"Name": "reachability", "Status": reachability}]}

    def system_check(original: Any, self: Any) -> Any:
        # the host below the instance never fails here; it only takes its time while the instance boots
        own = check(original, self)
        return original(self) if own["Status"] == "impaired" else own

    replacements.around(General, "get_console_output")(get_console_output)
    replacements.around(Instance, "instance_status")(check)
    replacements.around(Instance, "system_status")(system_check)


def _start(original: Any, self: Any) -> Any:
    if self.state == "terminated":
        raise _wrong_state(self, "started")
    if self.state == "running":
        return _same_state(self)  # AWS: no error, and the public address stays
    self.starts = starts_of(self) + 1
    return original(self)


def starts_of(instance: Any) -> int:
    """How often it has been started since it was made."""
    return int(getattr(instance, "starts", 0))


def _stop(original: Any, self: Any) -> Any:
    if self.state == "terminated":
        raise _wrong_state(self, "stopped")
    return _same_state(self) if self.state == "stopped" else original(self)


def _wrong_state(instance: Any, verb: str) -> Exception:
    words = f"This instance '{instance.id}' is not in a state from which it can be {verb}."
    return ec2_error("IncorrectInstanceState", words)


def _same_state(instance: Any) -> Any:
    from moto.ec2.models.instances import InstanceState

    return InstanceState(instance.instance_state.name, instance.instance_state.code)


def _terminate(original: Any, self: Any) -> Any:
    if self.state == "terminated":
        return _same_state(self)
    for elastic in self.ec2_backend.addresses:
        if elastic.instance is self or elastic.eni in self.nics.values():
            self.ec2_backend.disassociate_address(association_id=elastic.association_id)
    previous = original(self)
    for interface in list(self.nics.values()):
        self.detach_eni(interface)
    self.security_groups = []
    self.terminated_at = time.time()
    self._private_ips.clear()  # moto frees these again when the object goes: another's address by then
    return previous


def _all_reservations(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Without the instances that ended more than an hour ago."""
    forget_ended(self, time.time())
    return original(self, *args, **kwargs)


def forget_ended(ec2: Any, now: float) -> None:
    """Drop the records of instances that were terminated long before `now` (seconds since the epoch)."""
    for name, reservation in list(ec2.reservations.items()):
        kept = [
            each
            for each in reservation.instances
            if now - getattr(each, "terminated_at", now) < SHOWN_AFTER_END
        ]
        if not kept:
            ec2.reservations.pop(name, None)
        elif len(kept) < len(reservation.instances):
            reservation.instances[:] = kept


def _prepare_interfaces(
    original: Any, self: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any
) -> None:
    """Interfaces that are made with the instance go with it, unless the caller says otherwise."""
    kept = {
        int(nic["DeviceIndex"])
        for nic in nic_spec
        if nic.get("NetworkInterfaceId") or nic.get("DeleteOnTermination") is False
    }
    original(self, nic_spec, *args, **kwargs)
    for index, interface in self.nics.items():
        if index not in kept:
            interface.delete_on_termination = True


def _root_volume(original: Any, self: Any) -> None:
    """The root volume hangs where the image says, which plain moto's never does."""
    self.add_block_device(8, self.root_device_name, None, False, True, None, "gp3")


def _add_volume(
    original: Any,
    self: Any,
    size: int,
    device_path: str,
    snapshot_id: str | None,
    encrypted: bool,
    delete_on_termination: bool,
    kms_key_id: str | None,
    volume_type: str | None,
) -> None:
    going = delete_on_termination or device_path == self.root_device_name
    original(self, size, device_path, snapshot_id, encrypted, going, kms_key_id, volume_type)


def _none_when_terminated(getter: Any, self: Any) -> Any:
    return None if self.state == "terminated" else getter(self)


def _private_dns_name(getter: Any, self: Any) -> Any:
    return "" if self.state == "terminated" else getter(self)


def _change_groups(original: Any, self: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
    """New groups replace the old ones on the primary interface; in plain moto the old ones still count."""
    groups = [_group(self, group_id) for group_id in new_group_id_list]
    instance = original(self, instance_id, new_group_id_list)
    instance.nics[0]._group_set = groups
    return instance


def _change_interface(
    original: Any, self: Any, eni_id: str, group_ids: list[str], *args: Any, **kwargs: Any
) -> None:
    for group_id in group_ids:
        _group(self, group_id)
    original(self, eni_id, group_ids, *args, **kwargs)
    interface = self.get_network_interface(eni_id)
    if interface.instance is not None and interface.device_index == 0:
        interface.instance.security_groups = list(interface.group_set)


def _group(ec2: Any, group_id: str) -> Any:
    group = ec2.get_security_group_from_id(group_id)
    if group is None:
        raise ec2_error("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
    return group
