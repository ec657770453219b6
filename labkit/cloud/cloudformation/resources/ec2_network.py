"""VPCs, subnets, gateways, routes, endpoints and addresses.

What belongs here: EC2's networking types but security groups (ec2_groups). What does not: instances.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import Context, Properties, Setting, require_empty, same
from labkit.cloud.cloudformation.resources.ec2 import Ec2Resource


def _vpc_attribute(name: str, default: bool) -> Setting:
    def apply(ctx: Context, physical_id: str, value: Any) -> None:
        wanted = default if value is None else value
        ctx.client("ec2").modify_vpc_attribute(VpcId=physical_id, **{name: {"Value": wanted}})

    return apply


def _subnet_attribute(name: str) -> Setting:
    def apply(ctx: Context, physical_id: str, value: Any) -> None:
        ctx.client("ec2").modify_subnet_attribute(SubnetId=physical_id, **{name: {"Value": bool(value)}})

    return apply


class Vpc(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpc.html."""

    type_name = "AWS::EC2::VPC"
    tag_type = "vpc"
    create_call, identity = "create_vpc", "Vpc.VpcId"
    arguments: ClassVar[Mapping[str, str]] = same("CidrBlock", "InstanceTenancy")
    settings: ClassVar[Mapping[str, Setting]] = {
        "EnableDnsSupport": _vpc_attribute("EnableDnsSupport", True),
        "EnableDnsHostnames": _vpc_attribute("EnableDnsHostnames", False),
    }
    replaces = frozenset({"InstanceTenancy"})
    delete_call, id_argument = "delete_vpc", "VpcId"
    gone = frozenset({"InvalidVpcID.NotFound"})
    read_call, read_argument, read_path = "describe_vpcs", "VpcIds", "Vpcs[0]"
    paths: ClassVar[Mapping[str, str]] = {
        "VpcId": "VpcId",
        "CidrBlock": "CidrBlock",
        "CidrBlockAssociations": "CidrBlockAssociationSet[].AssociationId",
    }
    attribute_names = frozenset({*paths, "DefaultSecurityGroup", "DefaultNetworkAcl"})

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> dict[str, Any]:
        """The description's, and the defaults that EC2 made with the VPC."""
        ec2 = ctx.client("ec2")
        vpc = {"Name": "vpc-id", "Values": [physical_id]}
        groups = ec2.describe_security_groups(Filters=[vpc, {"Name": "group-name", "Values": ["default"]}])
        acls = ec2.describe_network_acls(Filters=[vpc, {"Name": "default", "Values": ["true"]}])
        return {
            **super().attributes(ctx, physical_id, new),
            "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"],
            "DefaultNetworkAcl": acls["NetworkAcls"][0]["NetworkAclId"],
        }


class Subnet(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnet.html."""

    type_name = "AWS::EC2::Subnet"
    tag_type = "subnet"
    create_call, identity = "create_subnet", "Subnet.SubnetId"
    arguments: ClassVar[Mapping[str, str]] = same(
        "VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId"
    )
    settings: ClassVar[Mapping[str, Setting]] = {
        "MapPublicIpOnLaunch": _subnet_attribute("MapPublicIpOnLaunch")
    }
    delete_call, id_argument = "delete_subnet", "SubnetId"
    gone = frozenset({"InvalidSubnetID.NotFound"})
    read_call, read_argument, read_path = "describe_subnets", "SubnetIds", "Subnets[0]"
    paths: ClassVar[Mapping[str, str]] = same(
        "SubnetId", "VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId"
    )


class InternetGateway(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-internetgateway.html."""

    type_name = "AWS::EC2::InternetGateway"
    tag_type = "internet-gateway"
    create_call, identity = "create_internet_gateway", "InternetGateway.InternetGatewayId"
    delete_call, id_argument = "delete_internet_gateway", "InternetGatewayId"
    gone = frozenset({"InvalidInternetGatewayID.NotFound"})
    read_call, read_argument, read_path = (
        "describe_internet_gateways",
        "InternetGatewayIds",
        "InternetGateways[0]",
    )
    paths: ClassVar[Mapping[str, str]] = same("InternetGatewayId")


class VpcGatewayAttachment(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcgatewayattachment.html."""

    type_name = "AWS::EC2::VPCGatewayAttachment"
    emulated = frozenset({"VpcId", "InternetGatewayId"})
    updatable = frozenset({"InternetGatewayId"})
    gone = frozenset({"Gateway.NotAttached", "InvalidInternetGatewayID.NotFound", "InvalidVpcID.NotFound"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Attach; the physical id is `IGW|<vpc>`."""
        self.call(ctx, "attach_internet_gateway", **new)
        return f"IGW|{new['VpcId']}"

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Another gateway takes the place."""
        self.delete(ctx, physical_id, old)
        self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Detach."""
        self.call(ctx, "detach_internet_gateway", **old)


class RouteTable(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-routetable.html."""

    type_name = "AWS::EC2::RouteTable"
    tag_type = "route-table"
    create_call, identity = "create_route_table", "RouteTable.RouteTableId"
    arguments: ClassVar[Mapping[str, str]] = same("VpcId")
    delete_call, id_argument = "delete_route_table", "RouteTableId"
    gone = frozenset({"InvalidRouteTableID.NotFound"})
    read_call, read_argument, read_path = "describe_route_tables", "RouteTableIds", "RouteTables[0]"
    paths: ClassVar[Mapping[str, str]] = same("RouteTableId")


class Route(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-route.html."""

    type_name = "AWS::EC2::Route"
    create_call = "create_route"
    targets = frozenset(
        [
            "GatewayId",
            "NatGatewayId",
            "InstanceId",
            "NetworkInterfaceId",
            "VpcEndpointId",
            "VpcPeeringConnectionId",
        ]
    )
    arguments: ClassVar[Mapping[str, str]] = same("RouteTableId", "DestinationCidrBlock", *sorted(targets))
    updatable = targets
    gone = frozenset({"InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"})
    attribute_names = frozenset({"CidrBlock"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Create; the physical id is `<table>|<destination>`."""
        self.call(ctx, self.create_call, **new)
        return f"{new['RouteTableId']}|{new['DestinationCidrBlock']}"

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Another target."""
        self.call(ctx, "replace_route", **new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete the route of its table and destination."""
        key = {name: old[name] for name in ("RouteTableId", "DestinationCidrBlock")}
        self.call(ctx, "delete_route", **key)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> dict[str, Any]:
        """The destination."""
        return {"CidrBlock": new["DestinationCidrBlock"]}


class SubnetRouteTableAssociation(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnetroutetableassociation.html."""

    type_name = "AWS::EC2::SubnetRouteTableAssociation"
    create_call, identity = "associate_route_table", "AssociationId"
    arguments: ClassVar[Mapping[str, str]] = same("SubnetId", "RouteTableId")
    delete_call, id_argument = "disassociate_route_table", "AssociationId"
    gone = frozenset({"InvalidAssociationID.NotFound"})
    id_attribute = "Id"


class VpcEndpoint(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpoint.html."""

    type_name = "AWS::EC2::VPCEndpoint"
    tag_type = "vpc-endpoint"
    create_call, identity = "create_vpc_endpoint", "VpcEndpoint.VpcEndpointId"
    arguments: ClassVar[Mapping[str, str]] = same(
        *(
            [
                "VpcId",
                "ServiceName",
                "VpcEndpointType",
                "RouteTableIds",
                "SubnetIds",
                "SecurityGroupIds",
                "PolicyDocument",
            ]
        ),
        "PrivateDnsEnabled",
    )
    updatable = frozenset({"RouteTableIds", "SubnetIds", "PolicyDocument"})
    replaces = frozenset({"SecurityGroupIds", "PrivateDnsEnabled"})
    gone = frozenset({"InvalidVpcEndpointId.NotFound"})
    read_call, read_argument, read_path = "describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints[0]"
    paths: ClassVar[Mapping[str, str]] = {"Id": "VpcEndpointId", "NetworkInterfaceIds": "NetworkInterfaceIds"}

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The policy goes as text."""
        return super().create_arguments(ctx, _with_policy_text(new))

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Add and remove route tables and subnets; the policy and the tags."""
        changes: dict[str, Any] = {}
        for name in ("RouteTableIds", "SubnetIds"):
            before, after = old.get(name, []), new.get(name, [])
            changes[f"Add{name}"] = [item for item in after if item not in before]
            changes[f"Remove{name}"] = [item for item in before if item not in after]
        if old.get("PolicyDocument") != new.get("PolicyDocument"):
            changes |= _policy_change(new)
        if changes := {name: value for name, value in changes.items() if value}:
            self.call(ctx, "modify_vpc_endpoint", VpcEndpointId=physical_id, **changes)
        self.retag(ctx, physical_id, old, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete; EC2 answers 200 with a list of what it could not delete."""
        answer = self.call(ctx, "delete_vpc_endpoints", VpcEndpointIds=[physical_id])
        require_empty(answer.get("Unsuccessful", []))


def _with_policy_text(new: Properties) -> Properties:
    policy = new.get("PolicyDocument")
    return {**new, "PolicyDocument": json.dumps(policy)} if isinstance(policy, dict) else new


def _policy_change(new: Properties) -> dict[str, Any]:
    if "PolicyDocument" in new:
        return {"PolicyDocument": _with_policy_text(new)["PolicyDocument"]}
    return {"ResetPolicy": True}


class ElasticIpAssociation(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eipassociation.html."""

    type_name = "AWS::EC2::EIPAssociation"
    create_call, identity = "associate_address", "AssociationId"
    arguments: ClassVar[Mapping[str, str]] = {
        **same("AllocationId", "InstanceId", "NetworkInterfaceId", "PrivateIpAddress"),
        "EIP": "PublicIp",
    }
    delete_call, id_argument = "disassociate_address", "AssociationId"
    gone = frozenset({"InvalidAssociationID.NotFound"})


class ElasticIp(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eip.html."""

    type_name = "AWS::EC2::EIP"
    tag_type = "elastic-ip"
    create_call, identity = "allocate_address", "PublicIp"
    arguments: ClassVar[Mapping[str, str]] = same("Domain")
    emulated = frozenset({"Domain", "InstanceId"})
    updatable = frozenset({"InstanceId"})
    replaces = frozenset({"Domain"})
    gone = frozenset({"InvalidAllocationID.NotFound", "InvalidAddress.NotFound"})
    read_call, read_argument, read_path = "describe_addresses", "PublicIps", "Addresses[0]"
    paths: ClassVar[Mapping[str, str]] = same("AllocationId", "PublicIp")

    def tagged_id(self, ctx: Context, physical_id: str) -> str:
        """Tags hang on the allocation."""
        return str(self.describe(ctx, physical_id)["AllocationId"])

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Associate it with the instance, where one is named."""
        if "InstanceId" in new:
            allocation = self.tagged_id(ctx, physical_id)
            self.call(ctx, "associate_address", AllocationId=allocation, InstanceId=new["InstanceId"])

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Move it to another instance; change its tags."""
        if old.get("InstanceId") != new.get("InstanceId"):
            self._disassociate(ctx, physical_id)
            self.settle(ctx, physical_id, new)
        self.retag(ctx, self.tagged_id(ctx, physical_id), old, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Disassociate and release."""
        self._disassociate(ctx, physical_id)
        self.call(ctx, "release_address", AllocationId=self.tagged_id(ctx, physical_id))

    def _disassociate(self, ctx: Context, physical_id: str) -> None:
        association = self.describe(ctx, physical_id).get("AssociationId")
        if association:
            self.call(ctx, "disassociate_address", AssociationId=association)


class NatGateway(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html."""

    type_name = "AWS::EC2::NatGateway"
    tag_type = "natgateway"
    create_call, identity = "create_nat_gateway", "NatGateway.NatGatewayId"
    arguments: ClassVar[Mapping[str, str]] = same(
        "SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress"
    )
    id_argument, delete_call = "NatGatewayId", "delete_nat_gateway"
    gone = frozenset({"NatGatewayNotFound"})
    read_call, read_argument, read_path = "describe_nat_gateways", "NatGatewayIds", "NatGateways[0]"
    paths: ClassVar[Mapping[str, str]] = {
        "NatGatewayId": "NatGatewayId",
        "EniId": "NatGatewayAddresses[0].NetworkInterfaceId",
    }

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait until it is available."""
        ctx.until(lambda: self._state(ctx, physical_id) == "available", f"{physical_id} to be available")

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete, and wait until it is."""
        super().delete(ctx, physical_id, old)
        ctx.until(lambda: self._state(ctx, physical_id) == "deleted", f"{physical_id} to be deleted")

    def _state(self, ctx: Context, physical_id: str) -> str:
        description = self.describe(ctx, physical_id)
        return str(description["State"]) if description else "deleted"
