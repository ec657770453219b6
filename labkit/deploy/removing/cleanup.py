"""Deleting what no engine knows any more: what survivors finds, in an order in which it can go.

What belongs here: one way to delete for each kind. What does not: finding (labkit.deploy.removing.survivors).

Needed when a run was killed between a resource and its record, when a state file is lost, when files are broken,
and for what AWS makes by itself (a function's log group, network interfaces).
"""

from collections.abc import Callable, Mapping
from typing import Any

from labkit.base.errors import DeployError
from labkit.base.events import Emit, Event
from labkit.deploy.changeset import error_text
from labkit.deploy.model import Engine, Survivor
from labkit.deploy.removing import survivors
from labkit.deploy.targets import Clients


def demolish(clients: Clients, engine: Engine, emit: Emit, *, prefix: str, tag_value: str) -> None:
    """Delete a lab whole: empty its buckets, let its engine destroy, delete what that did not know.

    An engine that fails (broken files, something in its way) is no reason to keep what costs: it is told, and the
    engine tries again once the rest is gone. What is left after all is for survivors.find.
    """
    for bucket in own_buckets(clients, engine, prefix):
        count = survivors.empty_bucket(clients, bucket)
        if count:
            emit(Event("note", f"emptied the bucket {bucket}: {count} objects and versions"))
    trouble = not _went_through(engine.destroy, emit)
    for leftover in delete(clients, prefix=prefix, tag_value=tag_value):
        emit(Event("note", f"deleted {leftover.kind} {leftover.identifier}, which the engine had left"))
    if trouble:
        _went_through(engine.destroy, emit)  # what was in its way is gone now


def own_buckets(clients: Clients, engine: Engine, prefix: str) -> list[str]:
    """The lab's own buckets: those that its engine made, whatever they are called, and those named after it."""
    try:
        made = engine.buckets()
    except DeployError:  # a broken state: what is named after the lab is found all the same
        made = ()
    return list(dict.fromkeys([*survivors.buckets_named(clients, prefix), *made]))


def _went_through(destroy: Callable[[], None], emit: Emit) -> bool:
    try:
        destroy()
    except DeployError as error:
        emit(Event("warning", f"{error.message.rstrip('.')}. What is left is deleted by name and tag."))
        return False
    return True


def delete(clients: Clients, *, prefix: str, tag_value: str) -> list[Survivor]:
    """Delete every survivor of a lab, its stacks at the end; returns what was deleted.

    What can't be deleted is left for the listing afterwards, which names it.
    """
    found = survivors.find(clients, prefix=prefix, tag_value=tag_value)
    for item in found:
        if item.kind == "security group":
            _drop_rules(clients, item.identifier)
    done: list[Survivor] = []
    for kind in _DELETERS:
        done += [item for item in found if item.kind == kind and _deleted(clients, item)]
    return done


def _deleted(clients: Clients, item: Survivor) -> bool:
    from botocore.exceptions import ClientError, WaiterError

    try:
        _DELETERS[item.kind](clients, item.identifier)
    except (ClientError, WaiterError) as error:
        code = error_text(error)[0]
        return code.endswith((".NotFound", "NotFoundException", "NoSuchEntity", "NoSuchBucket"))
    return True


def _stack(clients: Clients, name: str) -> None:
    """A stack that its engine did not delete: another engine's run does not know it. What it held is gone by now."""
    api = clients.client("cloudformation")
    identifier = api.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    api.delete_stack(StackName=name)
    patience = {"Delay": 0.1, "MaxAttempts": 300} if clients.target.is_local else {}
    api.get_waiter("stack_delete_complete").wait(StackName=identifier, WaiterConfig=patience)


def _function(clients: Clients, name: str) -> None:
    clients.client("lambda").delete_function(FunctionName=name)


def _instance(clients: Clients, instance: str) -> None:
    api = clients.client("ec2")
    api.terminate_instances(InstanceIds=[instance])
    patience = {"Delay": 0.1, "MaxAttempts": 300} if clients.target.is_local else {}
    api.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig=patience)


def _interface(clients: Clients, interface: str) -> None:
    clients.client("ec2").delete_network_interface(NetworkInterfaceId=interface)


def _volume(clients: Clients, volume: str) -> None:
    clients.client("ec2").delete_volume(VolumeId=volume)


def _drop_rules(clients: Clients, group: str) -> None:
    """Groups that name each other can only be deleted once their rules are gone."""
    api = clients.client("ec2")
    found = api.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    if found["IpPermissions"]:
        api.revoke_security_group_ingress(GroupId=group, IpPermissions=found["IpPermissions"])


def _group(clients: Clients, group: str) -> None:
    clients.client("ec2").delete_security_group(GroupId=group)


def _route_table(clients: Clients, table: str) -> None:
    api = clients.client("ec2")
    found = api.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    for association in found["Associations"]:
        api.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    api.delete_route_table(RouteTableId=table)


def _gateway(clients: Clients, gateway: str) -> None:
    api = clients.client("ec2")
    found = api.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"][0]
    for attachment in found["Attachments"]:
        api.detach_internet_gateway(InternetGatewayId=gateway, VpcId=attachment["VpcId"])
    api.delete_internet_gateway(InternetGatewayId=gateway)


def _subnet(clients: Clients, subnet: str) -> None:
    clients.client("ec2").delete_subnet(SubnetId=subnet)


def _vpc(clients: Clients, vpc: str) -> None:
    clients.client("ec2").delete_vpc(VpcId=vpc)


def _bucket(clients: Clients, bucket: str) -> None:
    survivors.empty_bucket(clients, bucket)
    clients.client("s3").delete_bucket(Bucket=bucket)


def _table(clients: Clients, table: str) -> None:
    api = clients.client("dynamodb")
    api.delete_table(TableName=table)
    patience = {"Delay": 0.1, "MaxAttempts": 300} if clients.target.is_local else {}
    api.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig=patience)


def _log_group(clients: Clients, group: str) -> None:
    clients.client("logs").delete_log_group(logGroupName=group)


def _profile(clients: Clients, profile: str) -> None:
    api = clients.client("iam")
    for role in api.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]:
        api.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role["RoleName"])
    api.delete_instance_profile(InstanceProfileName=profile)


def _role(clients: Clients, role: str) -> None:
    api: Any = clients.client("iam")
    for name in api.list_role_policies(RoleName=role)["PolicyNames"]:
        api.delete_role_policy(RoleName=role, PolicyName=name)
    for policy in api.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        api.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    api.delete_role(RoleName=role)


#: kind → how one is deleted; in an order in which nothing is needed any more when its turn comes
_DELETERS: Mapping[str, Callable[[Clients, str], None]] = {
    "function": _function,
    "instance": _instance,
    "network interface": _interface,
    "volume": _volume,
    "security group": _group,
    "route table": _route_table,
    "internet gateway": _gateway,
    "subnet": _subnet,
    "VPC": _vpc,
    "bucket": _bucket,
    "table": _table,
    "log group": _log_group,
    "instance profile": _profile,
    "role": _role,
    "stack": _stack,
}
