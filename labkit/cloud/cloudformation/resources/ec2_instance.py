"""Instances and launch templates.

What belongs here: what RunInstances takes. What does not: networks, groups.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.aws.templates.errors import ResourceFailed
from labkit.cloud.cloudformation.resources.base import Context, Properties, same
from labkit.cloud.cloudformation.resources.ec2 import Ec2Resource

_INTERFACE = frozenset(
    [
        "AssociatePublicIpAddress",
        "DeleteOnTermination",
        "Description",
        "DeviceIndex",
        "GroupSet",
        "NetworkInterfaceId",
        "PrivateIpAddress",
        "SubnetId",
    ]
)
_INTERFACE_ARGUMENTS = {"GroupSet": "Groups"}
_METADATA = frozenset(["HttpEndpoint", "HttpPutResponseHopLimit", "HttpTokens", "InstanceMetadataTags"])
_METADATA_DEFAULTS = {
    "HttpEndpoint": "enabled",
    "HttpPutResponseHopLimit": 1,
    "HttpTokens": "optional",
    "InstanceMetadataTags": "disabled",
}
_ENDED = ("terminated", "shutting-down")


class Instance(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-instance.html."""

    type_name = "AWS::EC2::Instance"
    tag_type = "instance"
    arguments: ClassVar[Mapping[str, str]] = same(
        *[
            "ImageId",
            "InstanceType",
            "KeyName",
            "SubnetId",
            "SecurityGroupIds",
            "SecurityGroups",
            "PrivateIpAddress",
        ],
        *[
            "BlockDeviceMappings",
            "DisableApiTermination",
            "EbsOptimized",
            "MetadataOptions",
            "LaunchTemplate",
        ],
        "InstanceInitiatedShutdownBehavior",
    )
    emulated = frozenset(
        {*arguments, "UserData", "IamInstanceProfile", "NetworkInterfaces", "AvailabilityZone", "Tenancy"}
        | {"Monitoring", "SourceDestCheck", "PropagateTagsToVolumeOnCreation"}
    )
    inside: ClassVar[Mapping[str, frozenset[str]]] = {
        "NetworkInterfaces": _INTERFACE,
        "MetadataOptions": _METADATA,
    }
    updatable = frozenset(
        [
            "InstanceType",
            "UserData",
            "SecurityGroupIds",
            "DisableApiTermination",
            "SourceDestCheck",
            "MetadataOptions",
            "IamInstanceProfile",
            "InstanceInitiatedShutdownBehavior",
        ]
    )
    replaces = frozenset(
        ["BlockDeviceMappings", "EbsOptimized", "Monitoring", "PropagateTagsToVolumeOnCreation", "Tenancy"]
    )
    gone = frozenset({"InvalidInstanceID.NotFound"})
    read_call, read_argument = "describe_instances", "InstanceIds"
    read_path = "Reservations[0].Instances[0]"
    paths: ClassVar[Mapping[str, str]] = {
        **same("InstanceId", "VpcId", "State"),
        "PrivateIp": "PrivateIpAddress",
        "PublicIp": "PublicIpAddress || ''",
        "PrivateDnsName": "PrivateDnsName",
        "PublicDnsName": "PublicDnsName || ''",
        "AvailabilityZone": "Placement.AvailabilityZone",
        "State.Name": "State.Name",
        "State.Code": "State.Code",
    }

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """RunInstances' names for the properties that are called otherwise."""
        arguments = super().create_arguments(ctx, new) | {"MinCount": 1, "MaxCount": 1}
        placement = {name: new[name] for name in ("AvailabilityZone", "Tenancy") if name in new}
        if placement:
            arguments["Placement"] = placement
        if "IamInstanceProfile" in new:
            arguments["IamInstanceProfile"] = {"Name": new["IamInstanceProfile"]}
        if "NetworkInterfaces" in new:
            arguments["NetworkInterfaces"] = [_interface(item) for item in new["NetworkInterfaces"]]
        if "Monitoring" in new:
            arguments["Monitoring"] = {"Enabled": new["Monitoring"]}
        if new.get("PropagateTagsToVolumeOnCreation") and "TagSpecifications" in arguments:
            tags = arguments["TagSpecifications"][0]["Tags"]
            arguments["TagSpecifications"].append({"ResourceType": "volume", "Tags": tags})
        return arguments

    def create(self, ctx: Context, new: Properties) -> str:
        """Run one instance. boto3 encodes user data, so it goes decoded."""
        arguments = self.create_arguments(ctx, new)
        if "UserData" in new:
            # the template holds base64; boto3's RunInstances encodes what it is given, whatever it is
            arguments["UserData"] = _decoded(new["UserData"])
        answer = self.call(ctx, "run_instances", **arguments)
        return str(answer["Instances"][0]["InstanceId"])

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait until it runs, as CloudFormation does."""
        if new.get("SourceDestCheck") is False:
            self._modify(ctx, physical_id, SourceDestCheck={"Value": False})
        ctx.until(lambda: self._runs(ctx, physical_id), f"instance {physical_id} to be running")

    def _runs(self, ctx: Context, physical_id: str) -> bool:
        description = self.describe(ctx, physical_id)
        if description["State"]["Name"] in _ENDED:
            reason = description.get("StateReason", {}).get("Message") or "no reason was given"
            raise ResourceFailed(
                f"Instance {physical_id} failed to stabilize. Current state: terminated. Reason: {reason}"
            )
        return bool(description["State"]["Name"] == "running")

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Change what EC2 changes in place; type and user data with a stop and a start between."""
        changed = {name for name in self.updatable if old.get(name) != new.get(name)}
        if changed & {"InstanceType", "UserData"}:
            self._restart_with(ctx, physical_id, new, changed)
        if "SecurityGroupIds" in changed:
            self._modify(ctx, physical_id, Groups=new.get("SecurityGroupIds", []))
        if "DisableApiTermination" in changed:
            self._modify(
                ctx, physical_id, DisableApiTermination={"Value": new.get("DisableApiTermination", False)}
            )
        if "SourceDestCheck" in changed:
            self._modify(ctx, physical_id, SourceDestCheck={"Value": new.get("SourceDestCheck", True)})
        if "InstanceInitiatedShutdownBehavior" in changed:
            behaviour = new.get("InstanceInitiatedShutdownBehavior", "stop")
            self._modify(ctx, physical_id, InstanceInitiatedShutdownBehavior={"Value": behaviour})
        if "MetadataOptions" in changed:
            options = _METADATA_DEFAULTS | dict(new.get("MetadataOptions", {}))
            self.call(ctx, "modify_instance_metadata_options", InstanceId=physical_id, **options)
        if "IamInstanceProfile" in changed:
            self._change_profile(ctx, physical_id, new.get("IamInstanceProfile"))
        self.retag(ctx, physical_id, old, new)

    def _restart_with(self, ctx: Context, physical_id: str, new: Properties, changed: set[str]) -> None:
        self.call(ctx, "stop_instances", InstanceIds=[physical_id])
        ctx.until(lambda: self._state(ctx, physical_id) == "stopped", f"instance {physical_id} to be stopped")
        if "InstanceType" in changed:
            self._modify(ctx, physical_id, InstanceType={"Value": new["InstanceType"]})
        if "UserData" in changed:
            self._modify(ctx, physical_id, UserData={"Value": _decoded(new.get("UserData", ""))})
        self.call(ctx, "start_instances", InstanceIds=[physical_id])
        ctx.until(lambda: self._runs(ctx, physical_id), f"instance {physical_id} to be running")

    def _change_profile(self, ctx: Context, physical_id: str, name: str | None) -> None:
        mine = [{"Name": "instance-id", "Values": [physical_id]}]
        found = self.call(ctx, "describe_iam_instance_profile_associations", Filters=mine)
        for association in found["IamInstanceProfileAssociations"]:
            self.call(ctx, "disassociate_iam_instance_profile", AssociationId=association["AssociationId"])
        if name:
            profile = {"Name": name}
            self.call(
                ctx, "associate_iam_instance_profile", InstanceId=physical_id, IamInstanceProfile=profile
            )

    def _modify(self, ctx: Context, physical_id: str, **change: Any) -> None:
        self.call(ctx, "modify_instance_attribute", InstanceId=physical_id, **change)

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Terminate, and wait until it is."""
        self.call(ctx, "terminate_instances", InstanceIds=[physical_id])
        ctx.until(
            lambda: self._state(ctx, physical_id) == "terminated", f"instance {physical_id} to be terminated"
        )

    def _state(self, ctx: Context, physical_id: str) -> str:
        description = self.describe(ctx, physical_id)
        return str(description["State"]["Name"]) if description else "terminated"


def _interface(item: Properties) -> dict[str, Any]:
    """NetworkInterfaces[] as RunInstances takes it."""
    renamed = {_INTERFACE_ARGUMENTS.get(name, name): value for name, value in item.items()}
    return renamed | {"DeviceIndex": int(item.get("DeviceIndex", 0))}


def _decoded(user_data: str) -> bytes:
    try:
        return base64.b64decode(user_data, validate=True)
    except binascii.Error as error:
        raise ResourceFailed("Invalid BASE64 encoding of user data.") from error


class LaunchTemplate(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-launchtemplate.html."""

    type_name = "AWS::EC2::LaunchTemplate"
    create_call, identity = "create_launch_template", "LaunchTemplate.LaunchTemplateId"
    arguments: ClassVar[Mapping[str, str]] = same(
        "LaunchTemplateName", "LaunchTemplateData", "VersionDescription", "TagSpecifications"
    )
    updatable = frozenset({"LaunchTemplateData", "VersionDescription"})
    replaces = frozenset({"TagSpecifications"})
    name_property = "LaunchTemplateName"
    delete_call, id_argument = "delete_launch_template", "LaunchTemplateId"
    gone = frozenset({"InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.NotFoundException"})
    read_call, read_argument = "describe_launch_templates", "LaunchTemplateIds"
    read_path = "LaunchTemplates[0]"
    paths: ClassVar[Mapping[str, str]] = {
        "LaunchTemplateId": "LaunchTemplateId",
        "LatestVersionNumber": "to_string(LatestVersionNumber)",
        "DefaultVersionNumber": "to_string(DefaultVersionNumber)",
    }

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """A template without a name gets one."""
        return {"LaunchTemplateName": ctx.name(128), **super().create_arguments(ctx, new)}

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Every change is a new version; the default version stays."""
        fields = {name: new[name] for name in ("LaunchTemplateData", "VersionDescription") if name in new}
        self.call(ctx, "create_launch_template_version", LaunchTemplateId=physical_id, **fields)
