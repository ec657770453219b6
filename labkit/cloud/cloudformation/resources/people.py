"""Users, groups, access keys, and inline policies that are resources of their own.

What belongs here: IAM's types about people. What does not: roles, managed policies and profiles (iam).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import Context, Handler, Properties, tag_changes, tag_list
from labkit.cloud.cloudformation.resources.iam import IamResource, document, inline


class _Holder(IamResource):
    """A user or a group: made by name, and holding policies. `kind` is "user" or "group"."""

    kind: ClassVar[str]

    def create(self, ctx: Context, new: Properties) -> str:
        """Create it; one without a name gets one."""
        name = str(new.get(self.name_property) or ctx.name(64))
        path = {"Path": new["Path"]} if "Path" in new else {}
        tags = {"Tags": tag_list(new["Tags"])} if new.get("Tags") else {}
        self.call(ctx, f"create_{self.kind}", **self._named(name), **path, **tags)
        return name

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Its policies."""
        self._change(ctx, physical_id, {}, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Change its policies."""
        self._change(ctx, physical_id, old, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Take everything away from it, then delete it."""
        self._change(ctx, physical_id, old, {})
        self.call(ctx, f"delete_{self.kind}", **self._named(physical_id))

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its ARN."""
        return {"Arn": f"arn:aws:iam::{ctx.account_id}:{self.kind}{new.get('Path', '/')}{physical_id}"}

    def _named(self, name: str) -> dict[str, str]:
        return {self.name_property: name}

    def _change(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        attached, wanted = old.get("ManagedPolicyArns", []), new.get("ManagedPolicyArns", [])
        for arn in [arn for arn in attached if arn not in wanted]:
            self.call(ctx, f"detach_{self.kind}_policy", **self._named(name), PolicyArn=arn)
        for arn in [arn for arn in wanted if arn not in attached]:
            self.call(ctx, f"attach_{self.kind}_policy", **self._named(name), PolicyArn=arn)
        before, after = inline(old), inline(new)
        for policy in [policy for policy in before if policy not in after]:
            self.call(ctx, f"delete_{self.kind}_policy", **self._named(name), PolicyName=policy)
        for policy, text in after.items():
            if before.get(policy) != text:
                self.call(
                    ctx,
                    f"put_{self.kind}_policy",
                    **self._named(name),
                    PolicyName=policy,
                    PolicyDocument=text,
                )


class User(_Holder):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-user.html."""

    type_name, kind, name_property = "AWS::IAM::User", "user", "UserName"
    emulated = frozenset({"UserName", "Path", "Groups", "ManagedPolicyArns", "Policies", "Tags"})
    updatable = frozenset({"Groups", "ManagedPolicyArns", "Policies", "Tags"})
    replaces = frozenset({"Path"})
    attribute_names = frozenset({"Arn"})

    def _change(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        """Groups and tags as well; the tags of a new user are put at its creation."""
        super()._change(ctx, name, old, new)
        before, after = old.get("Groups", []), new.get("Groups", [])
        for group in [group for group in before if group not in after]:
            self.call(ctx, "remove_user_from_group", UserName=name, GroupName=group)
        for group in [group for group in after if group not in before]:
            self.call(ctx, "add_user_to_group", UserName=name, GroupName=group)
        changed, removed = tag_changes(old, new) if old and new else ({}, [])
        if removed:
            self.call(ctx, "untag_user", UserName=name, TagKeys=removed)
        if changed:
            self.call(ctx, "tag_user", UserName=name, Tags=tag_list(changed))


class Group(_Holder):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-group.html."""

    type_name, kind, name_property = "AWS::IAM::Group", "group", "GroupName"
    emulated = frozenset({"GroupName", "Path", "ManagedPolicyArns", "Policies"})
    updatable = frozenset({"ManagedPolicyArns", "Policies"})
    replaces = frozenset({"Path"})
    attribute_names = frozenset({"Arn"})


class AccessKey(IamResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-accesskey.html.

    The secret is told once, by IAM as here: it is kept for GetAtt until the stack's operation has ended.
    """

    type_name = "AWS::IAM::AccessKey"
    emulated = frozenset({"UserName", "Status", "Serial"})
    updatable = frozenset({"Status"})
    attribute_names = frozenset({"SecretAccessKey"})

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def create(self, ctx: Context, new: Properties) -> str:
        """Make a key; its id is the physical id."""
        key = self.call(ctx, "create_access_key", UserName=new["UserName"])["AccessKey"]
        self._secrets[key["AccessKeyId"]] = key["SecretAccessKey"]
        return str(key["AccessKeyId"])

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Inactive where that is asked for."""
        if new.get("Status", "Active") != "Active":
            self.update(ctx, physical_id, {}, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Change its status."""
        status = new.get("Status", "Active")
        self.call(ctx, "update_access_key", UserName=new["UserName"], AccessKeyId=physical_id, Status=status)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete it."""
        self._secrets.pop(physical_id, None)
        self.call(ctx, "delete_access_key", UserName=old["UserName"], AccessKeyId=physical_id)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """The secret."""
        return {"SecretAccessKey": self._secrets.get(physical_id, "")}


class _InlinePolicy(IamResource):
    """A policy inside a role, user or group."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """What all three have."""
        owner = f"{cls.kind.capitalize()}Name"
        cls.emulated = frozenset({"PolicyName", "PolicyDocument", owner})
        cls.updatable = frozenset({"PolicyDocument"})
        super().__init_subclass__()

    def create(self, ctx: Context, new: Properties) -> str:
        """Put it."""
        text = document(new.get("PolicyDocument", {}))
        self.call(
            ctx,
            f"put_{self.kind}_policy",
            **self._owner(new),
            PolicyName=new["PolicyName"],
            PolicyDocument=text,
        )
        return f"{new['PolicyName']}|{new[f'{self.kind.capitalize()}Name']}"

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Put it again."""
        self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Take it away."""
        self.call(ctx, f"delete_{self.kind}_policy", **self._owner(old), PolicyName=old["PolicyName"])

    def _owner(self, properties: Properties) -> dict[str, str]:
        name = f"{self.kind.capitalize()}Name"
        return {name: properties[name]}


class RolePolicy(_InlinePolicy):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html."""

    type_name, kind = "AWS::IAM::RolePolicy", "role"


class UserPolicy(_InlinePolicy):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-userpolicy.html."""

    type_name, kind = "AWS::IAM::UserPolicy", "user"


class GroupPolicy(_InlinePolicy):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-grouppolicy.html."""

    type_name, kind = "AWS::IAM::GroupPolicy", "group"


class UserToGroupAddition(IamResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-usertogroupaddition.html."""

    type_name = "AWS::IAM::UserToGroupAddition"
    emulated = frozenset({"GroupName", "Users"})
    updatable = emulated

    def create(self, ctx: Context, new: Properties) -> str:
        """Add the users; a name for it."""
        self._change(ctx, {}, new)
        return ctx.name(128)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Add and remove those that differ; another group takes all."""
        self._change(ctx, old, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Remove the users."""
        self._change(ctx, old, {})

    def _change(self, ctx: Context, old: Properties, new: Properties) -> None:
        before, after = _memberships(old), _memberships(new)
        for group, user in sorted(before - after):
            self.call(ctx, "remove_user_from_group", GroupName=group, UserName=user)
        for group, user in sorted(after - before):
            self.call(ctx, "add_user_to_group", GroupName=group, UserName=user)


def _memberships(properties: Properties) -> set[tuple[str, str]]:
    return {(properties["GroupName"], user) for user in properties.get("Users", [])}


HANDLERS: tuple[Handler, ...] = (
    User(), Group(), AccessKey(), RolePolicy(), UserPolicy(), GroupPolicy(), UserToGroupAddition(),
)  # fmt: skip
