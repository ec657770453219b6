"""The quotas of an account, which plain moto does not have.

What belongs here: vCPUs and instances that run at once, and reserved concurrency. What does not: how large they
are (labkit.aws.accounts), and throttling of invocations (labkit.cloud.functions.pool).

AWS: EC2 user guide, "Amazon EC2 instance quotas"; Lambda API reference, PutFunctionConcurrency.
"""

from collections.abc import Iterable
from typing import Any

from labkit.aws.accounts import Account
from labkit.cloud.moto_seam.errors import ec2_error, lambda_error
from labkit.cloud.moto_seam.replacing import Replacements

#: so many at once, and a Learner Lab is closed for good
CLOSED_AT = 20


def correct_quotas(replacements: Replacements, account: Account) -> None:
    """Refuse what is over a quota; terminate what a Learner Lab would terminate."""
    from moto.awslambda.models import LambdaBackend
    from moto.ec2.models.instances import InstanceBackend

    def run_instances(
        original: Any, self: Any, image_id: str, count: int, user_data: Any, groups: Any, **kwargs: Any
    ) -> Any:
        _check(self, account, [kwargs["instance_type"]] * int(count))
        reservation = original(self, image_id, count, user_data, groups, **kwargs)
        _terminate_surplus(self, account)
        return reservation

    def start_instances(original: Any, self: Any, instance_ids: list[str]) -> Any:
        stopped = [one for one in map(self.get_instance, instance_ids) if one.state == "stopped"]
        _check(self, account, [instance.instance_type for instance in stopped])
        answer = original(self, instance_ids)
        _terminate_surplus(self, account)
        return answer

    def put_concurrency(
        original: Any, self: Any, function_name: str, reserved_concurrency: str, *rest: Any
    ) -> Any:
        others = [f for f in self.list_functions() if f.function_name != function_name.rpartition(":")[2]]
        reserved = sum(int(f.reserved_concurrency or 0) for f in others) + int(reserved_concurrency)
        if account.concurrency - reserved < account.unreserved:
            raise lambda_error(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{account.unreserved}].",
            )
        return original(self, function_name, reserved_concurrency, *rest)

    if account.vcpus:
        replacements.around(InstanceBackend, "run_instances")(run_instances)
        replacements.around(InstanceBackend, "start_instances")(start_instances)
    replacements.around(LambdaBackend, "put_function_concurrency")(put_concurrency)


def _check(ec2: Any, account: Account, types: list[str]) -> None:
    running = _running(ec2)
    if len(running) + len(types) >= CLOSED_AT:
        raise ec2_error(
            "UnsupportedOperation",
            f"{CLOSED_AT} instances at once: a Learner Lab would now be deactivated and everything in it "
            "deleted. The local cloud only refuses the call.",
        )
    asked = _vcpus(types)
    if asked and asked + _vcpus(instance.instance_type for instance in running) > account.vcpus:
        raise ec2_error(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {account.vcpus} allows for "
            "the instance bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _vcpus(types: Iterable[str]) -> int:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return sum(INSTANCE_TYPES.get(name, {}).get("VCpuInfo", {}).get("DefaultVCpus", 0) for name in types)


def _running(ec2: Any) -> list[Any]:
    """The running instances of the region, in the order in which they were made."""
    every = (instance for reservation in ec2.reservations.values() for instance in reservation.instances)
    return [instance for instance in every if instance.state == "running"]


def _terminate_surplus(ec2: Any, account: Account) -> None:
    for instance in _running(ec2)[account.instances :]:
        instance.terminate()
