"""Network ACLs, their entries, and which subnet has which.

What belongs here: EC2's network ACLs. What does not: what they do to packets (labkit.cloud.network).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import Context, Properties, same
from labkit.cloud.cloudformation.resources.ec2 import Ec2Resource


class NetworkAcl(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkacl.html."""

    type_name = "AWS::EC2::NetworkAcl"
    tag_type = "network-acl"
    create_call, identity = "create_network_acl", "NetworkAcl.NetworkAclId"
    arguments: ClassVar[Mapping[str, str]] = same("VpcId")
    delete_call, id_argument = "delete_network_acl", "NetworkAclId"
    gone = frozenset({"InvalidNetworkAclID.NotFound"})
    read_call, read_argument, read_path = "describe_network_acls", "NetworkAclIds", "NetworkAcls[0]"
    paths: ClassVar[Mapping[str, str]] = {"Id": "NetworkAclId"}


class NetworkAclEntry(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkaclentry.html."""

    type_name = "AWS::EC2::NetworkAclEntry"
    key = ("NetworkAclId", "RuleNumber", "Egress")
    updatable = frozenset({"Protocol", "RuleAction", "CidrBlock", "Ipv6CidrBlock", "PortRange", "Icmp"})
    emulated = frozenset({*key, *updatable})
    inside: ClassVar[Mapping[str, frozenset[str]]] = {
        "PortRange": frozenset({"From", "To"}),
        "Icmp": frozenset({"Code", "Type"}),
    }
    gone = frozenset({"InvalidNetworkAclEntry.NotFound", "InvalidNetworkAclID.NotFound"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Create; an entry has no id of its own, so it gets a name as CloudFormation makes them."""
        self.call(ctx, "create_network_acl_entry", **self._arguments(new))
        return ctx.name(128)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Replace what stands under the same number and direction."""
        self.call(ctx, "replace_network_acl_entry", **self._arguments(new))

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete what stands under its number and direction."""
        arguments = self._arguments(old)
        self.call(ctx, "delete_network_acl_entry", **{name: arguments[name] for name in self.key})

    @staticmethod
    def _arguments(new: Properties) -> dict[str, Any]:
        arguments = {"Egress": False, **new, "Protocol": str(new["Protocol"])}
        if "Icmp" in arguments:
            arguments["IcmpTypeCode"] = arguments.pop("Icmp")
        return arguments


class SubnetNetworkAclAssociation(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnetnetworkaclassociation.html."""

    type_name = "AWS::EC2::SubnetNetworkAclAssociation"
    emulated = frozenset({"SubnetId", "NetworkAclId"})
    id_attribute = "AssociationId"
    gone = frozenset({"InvalidNetworkAclID.NotFound", "InvalidAssociationID.NotFound"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Give the subnet this ACL in place of the one that it has; the physical id is the new association's."""
        return self._replaced(ctx, new["SubnetId"], new["NetworkAclId"])

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Give the subnet its VPC's default ACL again; one that has another by now, or is gone, is left alone."""
        for acl in self._acls(ctx, association__subnet_id=old["SubnetId"]):
            if physical_id in [each["NetworkAclAssociationId"] for each in acl["Associations"]]:
                default = self._acls(ctx, vpc_id=acl["VpcId"], default="true")
                self._replaced(ctx, old["SubnetId"], default[0]["NetworkAclId"])

    def _replaced(self, ctx: Context, subnet: str, acl: str) -> str:
        found = [
            each for one in self._acls(ctx, association__subnet_id=subnet) for each in one["Associations"]
        ]
        now = next(each["NetworkAclAssociationId"] for each in found if each["SubnetId"] == subnet)
        answer = self.call(ctx, "replace_network_acl_association", AssociationId=now, NetworkAclId=acl)
        return str(answer["NewAssociationId"])

    def _acls(self, ctx: Context, **filters: str) -> list[Any]:
        """The ACLs that fit; two underscores stand for a dot, one for a dash."""
        wanted = [
            {"Name": name.replace("__", ".").replace("_", "-"), "Values": [value]}
            for name, value in filters.items()
        ]
        found: list[Any] = self.call(ctx, "describe_network_acls", Filters=wanted)["NetworkAcls"]
        return found
