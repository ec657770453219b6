"""What EC2 refuses to delete because something else still needs it, and what goes with what is deleted.

What belongs here: the checks before a delete or detach, and its consequences. What does not: instances
(ec2_lifecycle), and the deleting itself, which is moto's.

AWS: Amazon EC2 API reference, "Error codes for the Amazon EC2 API" (DependencyViolation).
"""

from collections.abc import Iterator
from typing import Any

from labkit.cloud.moto_seam.ec2.network_records import BLACKHOLE, target_of
from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.functions.lambda_records import functions
from labkit.cloud.moto_seam.replacing import Replacements


def correct_dependencies(replacements: Replacements) -> None:
    """Refuse a delete that would leave something without what it stands on."""
    import moto.ec2.models.internet_gateways as gateways
    import moto.ec2.models.nat_gateways as nat_gateways
    import moto.ec2.models.route_tables as tables
    import moto.ec2.models.security_groups as groups
    import moto.ec2.models.subnets as subnets
    import moto.ec2.models.vpcs as vpcs
    import moto.ec2.responses.elastic_network_interfaces as interface_responses
    import moto.ec2.responses.security_groups as group_responses

    replacements.around(nat_gateways.NatGatewayBackend, "delete_nat_gateway")(_delete_nat_gateway)
    replacements.around(vpcs.VPCBackend, "create_vpc_endpoint")(_create_endpoint)
    replacements.around(vpcs.VPCBackend, "delete_vpc")(_delete_vpc)
    replacements.around(subnets.SubnetBackend, "delete_subnet")(_delete_subnet)
    replacements.around(groups.SecurityGroupBackend, "delete_security_group")(_delete_group)
    replacements.around(gateways.InternetGatewayBackend, "detach_internet_gateway")(_detach_gateway)
    replacements.around(gateways.InternetGatewayBackend, "attach_internet_gateway")(_attach_gateway)
    replacements.around(tables.Route, "state")(_route_state)
    replacements.around(group_responses.SecurityGroups, "delete_security_group")(_refuse_default_group)
    replacements.around(interface_responses.ElasticNetworkInterfaces, "delete_network_interface")(
        _refuse_attached_interface
    )


def _delete_vpc(original: Any, self: Any, vpc_id: str) -> Any:
    if any(_things_in_vpc(self, vpc_id)):
        raise ec2_error("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self, vpc_id)


def _things_in_vpc(ec2: Any, vpc_id: str) -> Iterator[bool]:
    yield any(igw.vpc and igw.vpc.id == vpc_id for igw in ec2.internet_gateways.values())
    yield any(not group.is_default for group in ec2.groups.get(vpc_id, {}).values())
    yield any(eni.subnet.vpc_id == vpc_id for eni in ec2.enis.values())
    yield any(end.vpc_id == vpc_id and end.state != "deleted" for end in ec2.vpc_end_points.values())


def _delete_subnet(original: Any, self: Any, subnet_id: str) -> Any:
    in_use = any(eni.subnet.id == subnet_id for eni in self.enis.values())
    if in_use or any(subnet_id in function.subnet_ids for function in functions()):
        message = f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
        raise ec2_error("DependencyViolation", message)
    deleted = original(self, subnet_id)
    for table in self.route_tables.values():  # plain moto keeps them, and the table with them
        for association in [key for key, target in table._associations.items() if target == subnet_id]:
            del table._associations[association]
    return deleted


def _delete_group(original: Any, self: Any, name: str | None = None, group_id: str | None = None) -> None:
    group = self.get_security_group_by_name_or_id(group_id or name)
    if group is not None and any(_users_of_group(self, group.id)):
        raise ec2_error("DependencyViolation", f"resource {group.id} has a dependent object")
    original(self, name, group_id)


def _users_of_group(ec2: Any, group_id: str) -> Iterator[bool]:
    yield any(group_id == group.id for eni in ec2.enis.values() for group in eni.group_set)
    yield any(group_id in function.security_group_ids for function in functions())
    yield any(
        rule.source_group.get("GroupId") == group_id
        for groups in ec2.groups.values()
        for group in groups.values()
        if group.id != group_id
        for rule in (*group.ingress_rules, *group.egress_rules)
    )


def _refuse_default_group(original: Any, self: Any) -> Any:
    group = self.ec2_backend.get_security_group_from_id(self._get_param("GroupId"))
    if group is not None and group.is_default:
        message = f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
        raise ec2_error("CannotDelete", message)
    return original(self)


def _refuse_attached_interface(original: Any, self: Any) -> Any:
    interface = self.ec2_backend.enis.get(self._get_param("NetworkInterfaceId"))
    if interface is not None and interface.attachment_id is not None:
        message = f"Network interface '{interface.id}' is currently in use."
        raise ec2_error("InvalidParameterValue", message)
    return original(self)


def _detach_gateway(original: Any, self: Any, internet_gateway_id: str, vpc_id: str) -> Any:
    if any(eni.public_ip for eni in self.enis.values() if eni.subnet.vpc_id == vpc_id):
        raise ec2_error(
            "DependencyViolation",
            f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) "
            "before detaching the gateway.",
        )
    return original(self, internet_gateway_id, vpc_id)


def _attach_gateway(original: Any, self: Any, internet_gateway_id: str, vpc_id: str) -> Any:
    for other in self.internet_gateways.values():
        if other.vpc is not None and other.vpc.id == vpc_id and other.id != internet_gateway_id:
            raise ec2_error(
                "InvalidParameterValue", f"Network {vpc_id} already has an internet gateway attached"
            )
    return original(self, internet_gateway_id, vpc_id)


def _route_state(getter: Any, self: Any) -> str:
    return "blackhole" if target_of(self) == BLACKHOLE else "active"


def _delete_nat_gateway(original: Any, self: Any, nat_gateway_id: str) -> Any:
    """Its interface and its Elastic IP are free again; plain moto keeps both for ever."""
    gateway = self.nat_gateways.get(nat_gateway_id)
    if gateway is None:
        message = f"NAT gateway {nat_gateway_id} was not found"
        raise ec2_error("NatGatewayNotFound", message)
    for elastic in self.addresses:
        if elastic.eni is gateway._eni:
            self.disassociate_address(association_id=elastic.association_id)
    if gateway._eni.id in self.enis:
        self.delete_network_interface(gateway._eni.id)
    return original(self, nat_gateway_id)


def _create_endpoint(
    original: Any,
    self: Any,
    vpc_id: str,
    service_name: str,
    endpoint_type: str | None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    # AWS's default; plain moto can't delete an endpoint that has no type
    return original(self, vpc_id, service_name, endpoint_type or "Gateway", *args, **kwargs)
