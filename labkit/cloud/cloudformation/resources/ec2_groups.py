"""Security groups and their rules.

What belongs here: groups, and rules as resources of their own. What does not: other networking.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import ApiResource, Context, Properties
from labkit.cloud.cloudformation.resources.ec2 import Ec2Resource

_PORTS = frozenset({"IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description"})
_INGRESS = _PORTS | {"SourceSecurityGroupId", "SourceSecurityGroupOwnerId", "SourcePrefixListId"}
_EGRESS = _PORTS | {"DestinationSecurityGroupId", "DestinationPrefixListId"}
_ALL_OUT = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}


def permission(rule: Properties) -> dict[str, Any]:
    """A rule as AuthorizeSecurityGroupIngress and its sisters take it (IpPermission)."""
    entry: dict[str, Any] = {"IpProtocol": rule["IpProtocol"]}
    entry |= {name: rule[name] for name in ("FromPort", "ToPort") if name in rule}
    said = {"Description": rule["Description"]} if "Description" in rule else {}
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefixes = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if group:
        owner = {"UserId": rule["SourceSecurityGroupOwnerId"]} if "SourceSecurityGroupOwnerId" in rule else {}
        entry["UserIdGroupPairs"] = [{"GroupId": group, **owner, **said}]
    if prefixes:
        entry["PrefixListIds"] = [{"PrefixListId": prefixes, **said}]
    if "CidrIp" in rule:
        entry["IpRanges"] = [{"CidrIp": rule["CidrIp"], **said}]
    if "CidrIpv6" in rule:
        entry["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **said}]
    return entry


class SecurityGroup(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html."""

    type_name = "AWS::EC2::SecurityGroup"
    tag_type = "security-group"
    create_call, identity = "create_security_group", "GroupId"
    arguments: ClassVar[Mapping[str, str]] = {
        "GroupDescription": "Description",
        "GroupName": "GroupName",
        "VpcId": "VpcId",
    }
    emulated = frozenset({*arguments, "SecurityGroupIngress", "SecurityGroupEgress"})
    inside: ClassVar[Mapping[str, frozenset[str]]] = {
        "SecurityGroupIngress": _INGRESS,
        "SecurityGroupEgress": _EGRESS,
    }
    updatable = frozenset({"SecurityGroupIngress", "SecurityGroupEgress"})
    name_property = "GroupName"
    delete_call, id_argument = "delete_security_group", "GroupId"
    gone = frozenset({"InvalidGroup.NotFound"})
    read_call, read_argument, read_path = "describe_security_groups", "GroupIds", "SecurityGroups[0]"
    paths: ClassVar[Mapping[str, str]] = {"GroupId": "GroupId", "Id": "GroupId", "VpcId": "VpcId"}

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """A group without a name gets one."""
        return {"GroupName": ctx.name(255), **super().create_arguments(ctx, new)}

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Its rules; rules out take the place of EC2's "everything out"."""
        self._change(ctx, physical_id, "ingress", [], new.get("SecurityGroupIngress", []))
        self._change(ctx, physical_id, "egress", [_ALL_OUT], _out(new))

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Take away the rules that went, add those that came; change the tags."""
        before, after = old.get("SecurityGroupIngress", []), new.get("SecurityGroupIngress", [])
        self._change(ctx, physical_id, "ingress", before, after)
        self._change(ctx, physical_id, "egress", _out(old), _out(new))
        self.retag(ctx, physical_id, old, new)

    def _change(
        self, ctx: Context, group_id: str, way: str, old: list[Properties], new: list[Properties]
    ) -> None:
        removed = [permission(rule) for rule in old if rule not in new]
        added = [permission(rule) for rule in new if rule not in old]
        if removed:
            self.call(ctx, f"revoke_security_group_{way}", GroupId=group_id, IpPermissions=removed)
        if added:
            self.call(ctx, f"authorize_security_group_{way}", GroupId=group_id, IpPermissions=added)


def _out(properties: Properties) -> list[Properties]:
    return properties.get("SecurityGroupEgress") or [_ALL_OUT]


class _Rule(ApiResource):
    """One rule of a security group, as a resource of its own."""

    service = "ec2"
    way: ClassVar[str] = ""
    gone = frozenset(
        {"InvalidGroup.NotFound", "InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"}
    )
    id_attribute = "Id"
    updatable = frozenset({"Description"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Authorize; the physical id is the rule's."""
        answer = self.call(ctx, f"authorize_security_group_{self.way}", **self._where(new))
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """The description is all that can change."""
        self.call(ctx, f"update_security_group_rule_descriptions_{self.way}", **self._where(new))

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Revoke."""
        self.call(ctx, f"revoke_security_group_{self.way}", **self._where(old))

    def _where(self, rule: Properties) -> dict[str, Any]:
        return {"GroupId": rule["GroupId"], "IpPermissions": [permission(rule)]}


class SecurityGroupIngress(_Rule):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupingress.html."""

    type_name = "AWS::EC2::SecurityGroupIngress"
    way = "ingress"
    emulated = _INGRESS | {"GroupId"}
    updatable = frozenset({"Description"})
    attribute_names = frozenset({"Id"})


class SecurityGroupEgress(_Rule):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupegress.html."""

    type_name = "AWS::EC2::SecurityGroupEgress"
    way = "egress"
    emulated = _EGRESS | {"GroupId"}
    updatable = frozenset({"Description"})
    attribute_names = frozenset({"Id"})
