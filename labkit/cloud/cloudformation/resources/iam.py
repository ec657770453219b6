"""Roles, policies and instance profiles.

What belongs here: IAM's types. What does not: the capabilities that a stack needs (prepare).
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.names import suffix
from labkit.cloud.cloudformation.resources.base import (
    ApiResource,
    Context,
    Handler,
    Properties,
    Setting,
    same,
    tag_changes,
    tag_list,
)

_PATH = {"Path": "Path"}
_MANY_VERSIONS = 5  # IAM keeps at most five versions of a managed policy
_DEFAULT_SESSION_SECONDS = 3600


def document(value: Any) -> str:
    """A policy document as IAM takes it."""
    return value if isinstance(value, str) else json.dumps(value)


class IamResource(ApiResource):
    """A resource of IAM: making one needs a capability."""

    service = "iam"
    gone = frozenset({"NoSuchEntity"})
    capability = True


def _trust(ctx: Context, name: str, value: Any) -> None:
    ctx.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=document(value))


def _boundary(ctx: Context, name: str, value: Any) -> None:
    if value is None:
        ctx.client("iam").delete_role_permissions_boundary(RoleName=name)
    else:
        ctx.client("iam").put_role_permissions_boundary(RoleName=name, PermissionsBoundary=value)


def _role_field(name: str, default: Any) -> Setting:
    def apply(ctx: Context, role: str, value: Any) -> None:
        ctx.client("iam").update_role(RoleName=role, **{name: default if value is None else value})

    return apply


class Role(IamResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html."""

    type_name = "AWS::IAM::Role"
    create_call, identity = "create_role", "Role.RoleName"
    arguments: ClassVar[Mapping[str, str]] = same(
        "RoleName",
        "Path",
        "Description",
        "MaxSessionDuration",
        "AssumeRolePolicyDocument",
        "PermissionsBoundary",
    )
    settings: ClassVar[Mapping[str, Setting]] = {
        "AssumeRolePolicyDocument": _trust,
        "PermissionsBoundary": _boundary,
        "Description": _role_field("Description", ""),
        "MaxSessionDuration": _role_field("MaxSessionDuration", _DEFAULT_SESSION_SECONDS),
    }
    emulated = frozenset({*arguments, "ManagedPolicyArns", "Policies", "Tags"})
    updatable = frozenset({*settings, "ManagedPolicyArns", "Policies", "Tags"})
    name_property = "RoleName"
    attribute_names = frozenset({"Arn", "RoleId"})

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """Documents go as text; a role without a name gets one."""
        arguments = {"RoleName": ctx.name(64), **super().create_arguments(ctx, new)}
        arguments["AssumeRolePolicyDocument"] = document(new["AssumeRolePolicyDocument"])
        return arguments | ({"Tags": tag_list(new["Tags"])} if new.get("Tags") else {})

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Its policies."""
        self._change_policies(ctx, physical_id, {}, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Change fields, policies and tags."""
        super().update(ctx, physical_id, old, new)
        self._change_policies(ctx, physical_id, old, new)
        changed, removed = tag_changes(old, new)
        if removed:
            self.call(ctx, "untag_role", RoleName=physical_id, TagKeys=removed)
        if changed:
            self.call(ctx, "tag_role", RoleName=physical_id, Tags=tag_list(changed))

    def _change_policies(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        attached, wanted = old.get("ManagedPolicyArns", []), new.get("ManagedPolicyArns", [])
        for arn in [arn for arn in attached if arn not in wanted]:
            self.call(ctx, "detach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in [arn for arn in wanted if arn not in attached]:
            self.call(ctx, "attach_role_policy", RoleName=name, PolicyArn=arn)
        before, after = inline(old), inline(new)
        for policy in [policy for policy in before if policy not in after]:
            self.call(ctx, "delete_role_policy", RoleName=name, PolicyName=policy)
        for policy, text in after.items():
            if before.get(policy) != text:
                self.call(ctx, "put_role_policy", RoleName=name, PolicyName=policy, PolicyDocument=text)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Take its policies away, then the role."""
        self._change_policies(ctx, physical_id, old, {})
        self.call(ctx, "delete_role", RoleName=physical_id)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """ARN and id."""
        role = self.call(ctx, "get_role", RoleName=physical_id)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def inline(properties: Properties) -> dict[str, str]:
    """The inline policies as texts, by name."""
    policies = properties.get("Policies", [])
    return {item["PolicyName"]: document(item["PolicyDocument"]) for item in policies}


#: whom a policy hangs on: the property, IAM's word in calls, the argument that names it
_HOLDERS = (("Roles", "role", "RoleName"), ("Users", "user", "UserName"), ("Groups", "group", "GroupName"))


class Policy(IamResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-policy.html."""

    type_name = "AWS::IAM::Policy"
    emulated = frozenset({"PolicyName", "PolicyDocument", "Roles", "Users", "Groups"})
    updatable = emulated

    def create(self, ctx: Context, new: Properties) -> str:
        """Put it on everybody named; the physical id is one of CloudFormation's own."""
        self.update(ctx, "", {}, new)
        return f"{ctx.stack_name[:4]}-{ctx.logical_id[:4]}-{suffix()}"

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Put it where it should be, take it from where it was."""
        text = document(new["PolicyDocument"])
        for name, holder, argument in _HOLDERS:
            for item in new.get(name, []):
                names = {argument: item, "PolicyName": new["PolicyName"]}
                self.call(ctx, f"put_{holder}_policy", **names, PolicyDocument=text)
        for where in _places(old):
            if where not in _places(new):
                self._remove(ctx, where)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Take it from everybody who is still there."""
        for where in _places(old):
            self._remove(ctx, where)

    def _remove(self, ctx: Context, where: tuple[str, str, str, str]) -> None:
        holder, argument, item, policy = where
        iam = ctx.client("iam")
        try:
            getattr(iam, f"delete_{holder}_policy")(**{argument: item, "PolicyName": policy})
        except iam.exceptions.NoSuchEntityException:
            return  # gone with its holder


def _places(properties: Properties) -> list[tuple[str, str, str, str]]:
    return [
        (holder, argument, item, properties["PolicyName"])
        for name, holder, argument in _HOLDERS
        for item in properties.get(name, [])
    ]


class ManagedPolicy(IamResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-managedpolicy.html."""

    type_name = "AWS::IAM::ManagedPolicy"
    create_call, identity = "create_policy", "Policy.Arn"
    arguments: ClassVar[Mapping[str, str]] = {
        "ManagedPolicyName": "PolicyName",
        **same("Path", "Description"),
    }
    emulated = frozenset({*arguments, "PolicyDocument", "Roles", "Users", "Groups"})
    updatable = frozenset({"PolicyDocument", "Roles", "Users", "Groups"})
    name_property = "ManagedPolicyName"
    attribute_names = frozenset({"PolicyArn", "PolicyId"})

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The document goes as text; a policy without a name gets one."""
        text = document(new["PolicyDocument"])
        return {"PolicyName": ctx.name(128), **super().create_arguments(ctx, new), "PolicyDocument": text}

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Attach it to everybody named."""
        self._attach(ctx, physical_id, {}, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """A new document is a new default version."""
        if document(old["PolicyDocument"]) != document(new["PolicyDocument"]):
            self._drop_versions(ctx, physical_id, keep=_MANY_VERSIONS - 1)
            text = document(new["PolicyDocument"])
            self.call(
                ctx, "create_policy_version", PolicyArn=physical_id, PolicyDocument=text, SetAsDefault=True
            )
        self._attach(ctx, physical_id, old, new)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Detach it, drop its old versions, delete it."""
        self._attach(ctx, physical_id, old, {})
        self._drop_versions(ctx, physical_id, keep=1)
        self.call(ctx, "delete_policy", PolicyArn=physical_id)

    def _attach(self, ctx: Context, arn: str, old: Properties, new: Properties) -> None:
        for name, holder, argument in _HOLDERS:
            before, after = old.get(name, []), new.get(name, [])
            for item in [item for item in before if item not in after]:
                self.call(ctx, f"detach_{holder}_policy", **{argument: item, "PolicyArn": arn})
            for item in [item for item in after if item not in before]:
                self.call(ctx, f"attach_{holder}_policy", **{argument: item, "PolicyArn": arn})

    def _drop_versions(self, ctx: Context, arn: str, keep: int) -> None:
        versions = self.call(ctx, "list_policy_versions", PolicyArn=arn)["Versions"]
        spare = [item["VersionId"] for item in versions if not item["IsDefaultVersion"]]
        oldest_first = sorted(spare, key=lambda version: int(version[1:]))
        for version in oldest_first[: max(0, len(versions) - keep)]:
            self.call(ctx, "delete_policy_version", PolicyArn=arn, VersionId=version)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """ARN and id."""
        policy = self.call(ctx, "get_policy", PolicyArn=physical_id)["Policy"]
        return {"PolicyArn": policy["Arn"], "PolicyId": policy["PolicyId"]}


class InstanceProfile(IamResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-instanceprofile.html."""

    type_name = "AWS::IAM::InstanceProfile"
    create_call, identity = "create_instance_profile", "InstanceProfile.InstanceProfileName"
    arguments: ClassVar[Mapping[str, str]] = {"InstanceProfileName": "InstanceProfileName", **_PATH}
    emulated = frozenset({*arguments, "Roles"})
    updatable = frozenset({"Roles"})
    name_property = "InstanceProfileName"
    attribute_names = frozenset({"Arn"})

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """A profile without a name gets one."""
        return {"InstanceProfileName": ctx.name(128), **super().create_arguments(ctx, new)}

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Its role."""
        self.update(ctx, physical_id, {}, new)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Another role takes the place."""
        before, after = old.get("Roles", []), new.get("Roles", [])
        for role in [role for role in before if role not in after]:
            self.call(
                ctx, "remove_role_from_instance_profile", InstanceProfileName=physical_id, RoleName=role
            )
        for role in [role for role in after if role not in before]:
            self.call(ctx, "add_role_to_instance_profile", InstanceProfileName=physical_id, RoleName=role)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Take the role out, then delete it."""
        self.update(ctx, physical_id, old, {})
        self.call(ctx, "delete_instance_profile", InstanceProfileName=physical_id)

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Its ARN."""
        profile = self.call(ctx, "get_instance_profile", InstanceProfileName=physical_id)["InstanceProfile"]
        return {"Arn": profile["Arn"]}


HANDLERS: tuple[Handler, ...] = (Role(), Policy(), ManagedPolicy(), InstanceProfile())
