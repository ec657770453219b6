"""What instances are joined with: key pairs, network interfaces, volumes, and sets of DHCP options.

What belongs here: those types of EC2. What does not: instances (ec2_instance), the network (ec2_network).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.base.text import whole
from labkit.cloud.cloudformation.resources.base import Context, Handler, Properties, Setting, same
from labkit.cloud.cloudformation.resources.ec2 import Ec2Resource


class KeyPair(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-keypair.html."""

    type_name = "AWS::EC2::KeyPair"
    tag_type = "key-pair"
    arguments: ClassVar[Mapping[str, str]] = same("KeyName", "KeyType", "PublicKeyMaterial")
    delete_call, id_argument = "delete_key_pair", "KeyName"
    gone = frozenset({"InvalidKeyPair.NotFound"})
    read_call, read_argument, read_path = "describe_key_pairs", "KeyNames", "KeyPairs[0]"
    paths: ClassVar[Mapping[str, str]] = same("KeyPairId", "KeyFingerprint")

    def create(self, ctx: Context, new: Properties) -> str:
        """Import the public key, or make a pair whose private key goes to the parameter /ec2/keypair/<id>."""
        arguments = self.create_arguments(ctx, new)
        if "PublicKeyMaterial" in new:
            arguments.pop("KeyType", None)
            self.call(ctx, "import_key_pair", **arguments)
            return str(new["KeyName"])
        made = self.call(ctx, "create_key_pair", **arguments)
        ctx.client("ssm").put_parameter(
            Name=_parameter(made["KeyPairId"]), Type="SecureString", Value=made["KeyMaterial"]
        )
        return str(new["KeyName"])

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Delete the pair, and the parameter with its private key."""
        described = self.describe(ctx, physical_id)
        super().delete(ctx, physical_id, old)
        if "PublicKeyMaterial" not in old:
            ctx.client("ssm").delete_parameters(Names=[_parameter(described["KeyPairId"])])


def _parameter(key_pair_id: str) -> str:
    return f"/ec2/keypair/{key_pair_id}"


def _interface_attribute(argument: str, default: Any) -> Setting:
    def apply(ctx: Context, physical_id: str, value: Any) -> None:
        wanted = default if value is None else value
        ctx.client("ec2").modify_network_interface_attribute(
            NetworkInterfaceId=physical_id,
            **{argument: wanted if argument == "Groups" else {"Value": wanted}},
        )

    return apply


class NetworkInterface(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkinterface.html."""

    type_name = "AWS::EC2::NetworkInterface"
    tag_type = "network-interface"
    create_call, identity = "create_network_interface", "NetworkInterface.NetworkInterfaceId"
    arguments: ClassVar[Mapping[str, str]] = {
        **same("Description", "PrivateIpAddress", "SubnetId"),
        "GroupSet": "Groups",
    }
    settings: ClassVar[Mapping[str, Setting]] = {
        "SourceDestCheck": _interface_attribute("SourceDestCheck", True),
        "GroupSet": _interface_attribute("Groups", []),
        "Description": _interface_attribute("Description", ""),
    }
    delete_call, id_argument = "delete_network_interface", "NetworkInterfaceId"
    gone = frozenset({"InvalidNetworkInterfaceID.NotFound"})
    read_call, read_argument, read_path = (
        "describe_network_interfaces",
        "NetworkInterfaceIds",
        "NetworkInterfaces[0]",
    )
    paths: ClassVar[Mapping[str, str]] = {
        "Id": "NetworkInterfaceId",
        "PrimaryPrivateIpAddress": "PrivateIpAddress",
        "SecondaryPrivateIpAddresses": "PrivateIpAddresses[?!Primary].PrivateIpAddress",
        "VpcId": "VpcId",
    }


class NetworkInterfaceAttachment(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-networkinterfaceattachment.html."""

    type_name = "AWS::EC2::NetworkInterfaceAttachment"
    create_call, identity = "attach_network_interface", "AttachmentId"
    arguments: ClassVar[Mapping[str, str]] = same("DeviceIndex", "InstanceId", "NetworkInterfaceId")
    gone = frozenset({"InvalidAttachmentID.NotFound"})
    id_attribute = "AttachmentId"

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The index, a text in templates, is a number for EC2."""
        index = whole(str(new["DeviceIndex"]))
        number = {"DeviceIndex": index} if index is not None and index >= 0 else {}
        return super().create_arguments(ctx, new) | number

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Detach, and wait until it is free."""
        self.call(ctx, "detach_network_interface", AttachmentId=physical_id, Force=True)
        ctx.until(lambda: self._is_free(ctx, old["NetworkInterfaceId"]), f"{physical_id} to be detached")

    def _is_free(self, ctx: Context, interface: str) -> bool:
        found = self.call(ctx, "describe_network_interfaces", NetworkInterfaceIds=[interface])
        return bool(found["NetworkInterfaces"][0]["Status"] == "available")


class Volume(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-volume.html."""

    type_name = "AWS::EC2::Volume"
    tag_type = "volume"
    create_call, identity = "create_volume", "VolumeId"
    arguments: ClassVar[Mapping[str, str]] = same(
        "AvailabilityZone", "Encrypted", "Iops", "KmsKeyId", "Size", "SnapshotId", "Throughput", "VolumeType"
    )
    updatable = frozenset({"Size", "VolumeType", "Iops", "Throughput"})
    replaces = frozenset({"AvailabilityZone", "Encrypted", "KmsKeyId", "SnapshotId"})
    delete_call, id_argument = "delete_volume", "VolumeId"
    gone = frozenset({"InvalidVolume.NotFound"})
    id_attribute = "VolumeId"

    def settle(self, ctx: Context, physical_id: str, new: Properties) -> None:
        """Wait until it is available."""
        ctx.until(lambda: self._state(ctx, physical_id) != "creating", f"{physical_id} to be available")

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Make it larger or of another kind; change its tags."""
        changes = {
            name: new[name]
            for name in sorted(self.updatable & {*new} - {"Tags"})
            if old.get(name) != new[name]
        }
        if changes:
            self.call(ctx, "modify_volume", VolumeId=physical_id, **changes)
        self.retag(ctx, physical_id, old, new)

    def _state(self, ctx: Context, volume: str) -> str:
        return str(self.call(ctx, "describe_volumes", VolumeIds=[volume])["Volumes"][0]["State"])


class VolumeAttachment(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-volumeattachment.html."""

    type_name = "AWS::EC2::VolumeAttachment"
    create_call = "attach_volume"
    arguments: ClassVar[Mapping[str, str]] = same("Device", "InstanceId", "VolumeId")
    gone = frozenset({"IncorrectState", "InvalidVolume.NotFound", "InvalidAttachment.NotFound"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Attach; the physical id is `<volume>|<instance>`."""
        self.call(ctx, self.create_call, **self.create_arguments(ctx, new))
        return f"{new['VolumeId']}|{new['InstanceId']}"

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """Detach."""
        self.call(ctx, "detach_volume", VolumeId=old["VolumeId"], InstanceId=old["InstanceId"])


class DhcpOptions(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-dhcpoptions.html."""

    type_name = "AWS::EC2::DHCPOptions"
    tag_type = "dhcp-options"
    create_call, identity = "create_dhcp_options", "DhcpOptions.DhcpOptionsId"
    keys: ClassVar[Mapping[str, str]] = {
        "DomainName": "domain-name",
        "DomainNameServers": "domain-name-servers",
        "NtpServers": "ntp-servers",
        "NetbiosNameServers": "netbios-name-servers",
        "NetbiosNodeType": "netbios-node-type",
    }
    emulated = frozenset(keys)
    delete_call, id_argument = "delete_dhcp_options", "DhcpOptionsId"
    gone = frozenset({"InvalidDhcpOptionID.NotFound"})
    id_attribute = "DhcpOptionsId"

    def create_arguments(self, ctx: Context, new: Properties) -> dict[str, Any]:
        """The options by EC2's names, each a list of texts."""
        given = {key: new[name] for name, key in self.keys.items() if name in new}
        listed = {key: value if isinstance(value, list) else [str(value)] for key, value in given.items()}
        options = [{"Key": key, "Values": values} for key, values in listed.items()]
        return {**super().create_arguments(ctx, new), "DhcpConfigurations": options}


class VpcDhcpOptionsAssociation(Ec2Resource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcdhcpoptionsassociation.html."""

    type_name = "AWS::EC2::VPCDHCPOptionsAssociation"
    create_call = "associate_dhcp_options"
    arguments: ClassVar[Mapping[str, str]] = same("DhcpOptionsId", "VpcId")
    gone = frozenset({"InvalidVpcID.NotFound"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Associate; the physical id is `<options>|<VPC>`."""
        self.call(ctx, self.create_call, **self.create_arguments(ctx, new))
        return f"{new['DhcpOptionsId']}|{new['VpcId']}"

    def delete(self, ctx: Context, physical_id: str, old: Properties) -> None:
        """The VPC has the default options again."""
        self.call(ctx, self.create_call, DhcpOptionsId="default", VpcId=old["VpcId"])


HANDLERS: tuple[Handler, ...] = (
    KeyPair(),
    NetworkInterface(),
    NetworkInterfaceAttachment(),
    Volume(),
    VolumeAttachment(),
    DhcpOptions(),
    VpcDhcpOptionsAssociation(),
)
