"""Instances in moto's state as plain records.

What belongs here: reading. What does not: changing anything (ec2_lifecycle, ec2_addresses).
"""

import base64
from typing import Any, Literal

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import InstanceRecord
from labkit.cloud.moto_seam.backends import backend, in_use
from labkit.cloud.moto_seam.ec2.ec2_lifecycle import starts_of


def instances() -> tuple[InstanceRecord, ...]:
    """Every instance of the account, terminated ones too, in all regions."""
    return tuple(
        _record(region, instance)
        for region, ec2 in in_use("ec2")
        for reservation in list(ec2.reservations.values())
        for instance in list(reservation.instances)
    )


def user_data_of(instance: Any) -> bytes:
    """The instance's user data as it was before the API's base64."""
    return base64.b64decode(str(instance.user_data)) if instance.user_data else b""


def _record(region: str, instance: Any) -> InstanceRecord:
    interface = instance.nics.get(0)
    profile = (instance.iam_instance_profile or {}).get("Arn", "")
    return InstanceRecord(
        instance_id=instance.id,
        region=region,
        account_id=ACCOUNT_ID,
        state=instance.state,
        image_id=instance.image_id,
        image_name=_image_name(region, instance.image_id),
        instance_type=instance.instance_type,
        availability_zone=instance.availability_zone or "",
        vpc_id=interface.vpc_id if interface else "",
        subnet_id=interface.subnet_id if interface else "",
        private_ip=interface.private_ip_address if interface else "",
        public_ip=(interface.public_ip if interface else "") or "",
        mac=interface.mac_address if interface else "",
        security_group_ids=tuple(sorted(group.id for group in interface.group_set)) if interface else (),
        user_data=user_data_of(instance),
        profile_arn=profile,
        role_arn=_role_arn(profile),
        imds_tokens=_tokens(instance),
        tags={tag["key"]: tag["value"] for tag in instance.get_tags()},
        key_name=instance.key_name or "",
        public_key=_public_key(region, instance.key_name),
        starts=starts_of(instance),
    )


def _image_name(region: str, image_id: str) -> str:
    image = backend("ec2", region).amis.get(image_id)
    return str(image.name or "") if image else ""


def _public_key(region: str, name: str | None) -> str:
    """As cloud-init writes it: the key, called as its pair."""
    pair = backend("ec2", region).key_pairs.get(name)
    return " ".join([*pair.public_key.split()[:2], str(name)]) if pair else ""


def _tokens(instance: Any) -> Literal["optional", "required"]:
    return "required" if instance.metadata_options.http_tokens == "required" else "optional"


def _role_arn(profile_arn: str) -> str:
    for profile in list(backend("iam").instance_profiles.values()):
        if profile.arn == profile_arn and profile.roles:
            return str(profile.roles[0].arn)
    return ""
