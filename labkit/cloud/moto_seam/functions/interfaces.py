"""The network interfaces that Lambda keeps in a VPC for its functions, and may let go of late.

What belongs here: making them with a function, and removing them with it, or so long after it. What does not: the addresses from which
environments really speak (labkit.cloud.functions), what an interface keeps from being deleted (ec2_dependencies).

AWS: Lambda developer guide, "Understanding Hyperplane elastic network interfaces (ENIs)": it can take up to 20 minutes to
delete one. In a local cloud at home they go with the function: there nothing waits.
"""

import threading
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from labkit.aws.network.pool import free_address
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.pace import Pace

#: what moto's interface is given, so that its function finds it again
_HOLDER = "lambda_function"


def correct_interfaces(replacements: Replacements, pace: Pace) -> None:
    """Functions in a VPC have interfaces there, which outlive them where `pace` has them do so."""
    from moto.awslambda.models import LambdaBackend, LambdaFunction
    from moto.ec2.models.elastic_network_interfaces import NetworkInterface

    replacements.around(NetworkInterface, "attachment")(_attachment)

    @replacements.around(LambdaBackend, "create_function")
    def create(original: Any, self: Any, spec: dict[str, Any]) -> Any:
        function = original(self, spec)
        _attach(function)
        return function

    @replacements.around(LambdaFunction, "update_configuration")
    def update(original: Any, self: Any, config_updates: dict[str, Any]) -> Any:
        before = self.vpc_config
        answer = original(self, config_updates)
        if self.vpc_config != before:
            _release(self.region, self.function_name, pace)
            _attach(self)
        return answer

    @replacements.around(LambdaBackend, "delete_function")
    def delete(original: Any, self: Any, name: str, qualifier: str | None = None) -> None:
        original(self, name, qualifier)
        if not qualifier:
            _release(self.region_name, name.rpartition(":")[2], pace)


def _attachment(getter: Any, self: Any) -> Any:
    """That of a function's interface is to no instance; plain moto knows no such."""
    if self.interface_type != "lambda":
        return getter(self)
    return SimpleNamespace(
        attach_time=self.attach_time,
        attachment_id=self.attachment_id,
        delete_on_termination=False,
        device_index=1,
        network_card_index=0,
        instance_id=None,
        instance_owner_id="amazon-aws",
        status="attached",
    )


def _attach(function: Any) -> None:
    vpc = function.vpc_config or {}
    ec2 = backend("ec2", function.region)
    for subnet_id in vpc.get("SubnetIds", ()):
        subnet = ec2.get_subnet(subnet_id)
        address = free_address(subnet.cidr_block, {each.private_ip_address for each in ec2.enis.values()})
        words = f"AWS Lambda VPC ENI-{function.function_name}-{uuid.uuid4()}"
        made = ec2.create_network_interface(
            subnet, address, group_ids=vpc["SecurityGroupIds"], description=words
        )
        made.status, made.interface_type, made.requester_managed = "in-use", "lambda", True
        made.attach_time = datetime.now(UTC)
        made.attachment_id = f"ela-attach-{made.id.removeprefix('eni-')}"
        setattr(made, _HOLDER, function.function_name)


def _release(region: str, name: str, pace: Pace) -> None:
    ec2 = backend("ec2", region)
    for held in [each for each in ec2.enis.values() if getattr(each, _HOLDER, "") == name]:
        if not pace.interface:
            ec2.enis.pop(held.id, None)
            continue
        pace.counts.add("interface lingers")
        setattr(held, _HOLDER, "")
        timer = threading.Timer(pace.interface, ec2.enis.pop, (held.id, None))
        timer.daemon = True
        timer.start()
