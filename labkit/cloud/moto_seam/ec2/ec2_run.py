"""What EC2 checks before it runs an instance, where plain moto runs anything.

What belongs here: RunInstances' and CreateSubnet's checks and defaults, and the size of user data.
What does not: the life of an instance (ec2_lifecycle) and its addresses (ec2_addresses).

AWS: Amazon EC2 API reference, RunInstances; EC2 user guide, "Run commands when you launch an instance".
"""

import base64
import functools
from typing import Any

from labkit.aws.images import HERE
from labkit.cloud.moto_seam.backends import backend
from labkit.cloud.moto_seam.ec2.ec2_records import user_data_of
from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.identity.trust import is_new
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.pace import Pace

USER_DATA_LIMIT = 16_384
USER_DATA_TOO_LONG = f"User data is limited to {USER_DATA_LIMIT} bytes"


def correct_run(replacements: Replacements, pace: Pace) -> None:
    """Refuse what the account has not got, or not yet; run in the default subnet when none is named."""
    import moto.ec2.models as ec2
    import moto.ec2.models.amis as amis
    import moto.ec2.models.instances as instances
    import moto.ec2.models.subnets as subnets
    import moto.ec2.responses.instances as responses

    replacements.around(ec2.EC2Backend, "__init__")(_open_default_vpc)
    replacements.put(amis.AmiBackend, "_load_amis", _load_images)
    replacements.around(instances.InstanceBackend, "run_instances")(_run_instances)
    replacements.around(instances.InstanceBackend, "modify_instance_attribute")(_modify_attribute)
    replacements.around(subnets.SubnetBackend, "create_subnet")(_create_subnet)
    replacements.around(responses, "filter_iam_instance_profiles")(functools.partial(_find_profile, pace))
    replacements.around(responses, "parse_user_data")(_parse_user_data)


def _open_default_vpc(original: Any, self: Any, region_name: str, account_id: str) -> None:
    """The default VPC has an internet gateway and a route to it (VPC user guide, "Default VPC components")."""
    original(self, region_name, account_id)
    vpc = self.get_default_vpc()
    gateway = self.create_internet_gateway()
    self.attach_internet_gateway(gateway.id, vpc.id)
    main = self.get_main_route_table(vpc.id) if hasattr(self, "get_main_route_table") else None
    tables = [main] if main else [table for table in self.route_tables.values() if table.vpc_id == vpc.id]
    self.create_route(tables[0].id, "0.0.0.0/0", gateway_id=gateway.id)


def _run_instances(
    original: Any, self: Any, image_id: str, count: int, user_data: Any, groups: Any, **kwargs: Any
) -> Any:
    _check_user_data(user_data)
    if image_id or not kwargs.get("launch_template"):
        _check_image(self, image_id)
        _check_type(self, kwargs, image_id)
    _check_zone(self, kwargs.get("placement"))
    _choose_default_subnet(self, kwargs)
    _check_groups(self, kwargs)
    _name_profile(kwargs)
    known = set(self.reservations)
    try:
        reservation = original(self, image_id, count, user_data, groups, **kwargs)
    except Exception:
        _withdraw(self, known)
        raise
    for instance in reservation.instances:
        # moto shows no group where the default one or an interface's own applies
        instance.security_groups = list(instance.nics[0].group_set)
    return reservation


def _withdraw(ec2: Any, known: set[str]) -> None:
    """All of the instances run, or none: what a refused call has made goes away again."""
    for reservation_id in set(ec2.reservations) - known:
        for instance in ec2.reservations[reservation_id].instances:
            instance.terminate()
        del ec2.reservations[reservation_id]


def _check_user_data(user_data: Any) -> None:
    holder = type("Holder", (), {"user_data": user_data})
    if len(user_data_of(holder)) > USER_DATA_LIMIT:
        raise ec2_error("InvalidParameterValue", USER_DATA_TOO_LONG)


def _check_image(ec2: Any, image_id: str | None) -> None:
    if not image_id:
        raise ec2_error("MissingParameter", "The request must contain the parameter ImageId")
    if not image_id.startswith("ami-"):
        raise ec2_error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    if image_id not in ec2.amis:
        raise ec2_error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist. {HERE}")


def _check_type(ec2: Any, kwargs: dict[str, Any], image_id: str) -> None:
    name = kwargs["instance_type"]
    if kwargs.get("is_instance_type_default"):
        return
    architectures = types_offered(ec2.region_name).get(name)
    if architectures is None:
        raise ec2_error("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
    image = ec2.amis[image_id].architecture
    if image not in architectures:
        raise ec2_error(
            "InvalidParameterValue",
            f"The architecture '{','.join(architectures)}' of the specified instance type does not match the "
            f"architecture '{image}' of the specified AMI. Specify an instance type and an AMI that have "
            "matching architectures, and try again. You can use 'describe-instance-types' or "
            "'describe-images' to discover the architecture of the instance type or AMI.",
        )


@functools.cache
def types_offered(region: str) -> dict[str, list[str]]:
    """The instance types of a region, and the architectures of each."""
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

    offered = INSTANCE_TYPE_OFFERINGS["region"].get(region, [])
    names = {offering["InstanceType"] for offering in offered} & INSTANCE_TYPES.keys()
    return {name: INSTANCE_TYPES[name]["ProcessorInfo"]["SupportedArchitectures"] for name in names}


def _check_zone(ec2: Any, zone: str | None) -> None:
    if zone and zone not in _zones(ec2):
        raise ec2_error("InvalidParameterValue", f"Invalid availability zone: [{zone}]")


def _zones(ec2: Any) -> list[str]:
    return [zone.name for zone in ec2.describe_availability_zones()]


def _choose_default_subnet(ec2: Any, kwargs: dict[str, Any]) -> None:
    """Without a subnet the instance goes to the default one, not to an address outside every subnet."""
    if kwargs.get("subnet_id") or kwargs.get("nics"):
        return
    defaults = ec2.get_default_subnets() if ec2.get_default_vpc() else {}
    zone = kwargs.get("placement") or min(defaults, default="")
    if zone not in defaults:
        raise ec2_error("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
    kwargs["subnet_id"] = defaults[zone].id


def _check_groups(ec2: Any, kwargs: dict[str, Any]) -> None:
    subnet_id = kwargs.get("subnet_id")
    for group_id in kwargs.get("security_group_ids") or ():
        group = ec2.get_security_group_from_id(group_id) if isinstance(group_id, str) else group_id
        if group and subnet_id and group.vpc_id != ec2.get_subnet(subnet_id).vpc_id:
            raise ec2_error(
                "InvalidParameter",
                f"Security group {group.id} and subnet {subnet_id} belong to different networks.",
            )


def _name_profile(kwargs: dict[str, Any]) -> None:
    """The instance has its profile from the first moment; plain moto adds it after it has appeared."""
    name, arn = kwargs.get("iam_instance_profile_name"), kwargs.get("iam_instance_profile_arn")
    for profile in backend("iam").instance_profiles.values():
        if name == profile.name or arn == profile.arn:
            kwargs["iam_instance_profile"] = {"Arn": profile.arn, "Id": profile.id}


def _find_profile(
    pace: Pace,
    original: Any,
    account_id: str,
    partition: str,
    iam_instance_profile_arn: str | None,
    iam_instance_profile_name: str | None,
) -> Any:
    """The instance profile; EC2's error, not IAM's, when there is none or it holds no role."""
    from moto.iam.exceptions import NotFoundException

    kind, value = ("name", iam_instance_profile_name) if iam_instance_profile_name else ("arn", None)
    begin = (
        f"Value ({value or iam_instance_profile_arn}) for parameter iamInstanceProfile.{kind} is invalid. "
    )
    label = "name" if kind == "name" else "ARN"
    try:
        profile = original(account_id, partition, iam_instance_profile_arn, iam_instance_profile_name)
    except NotFoundException:
        profile = None
    if profile is None or is_new(profile, pace):
        raise ec2_error("InvalidParameterValue", f"{begin}Invalid IAM Instance Profile {label}")
    if not profile.roles:
        raise ec2_error("InvalidParameterValue", f"{begin}IAM Instance Profile has no associated IAM Roles")
    return profile


def _parse_user_data(original: Any, value: Any) -> Any:
    """ModifyInstanceAttribute gives bytes, already decoded; plain moto decodes them a second time."""
    return original(base64.b64encode(value) if isinstance(value, bytes) else value)


def _modify_attribute(original: Any, self: Any, instance_id: str, key: str, value: Any) -> Any:
    if key == "user_data":
        _check_user_data(value)
    if key in ("user_data", "instance_type") and self.get_instance(instance_id).state != "stopped":
        raise ec2_error(
            "IncorrectInstanceState", f"The instance '{instance_id}' is not in the 'stopped' state."
        )
    return original(self, instance_id, key, value)


def _create_subnet(original: Any, self: Any, vpc_id: str, cidr_block: str, *args: Any, **kwargs: Any) -> Any:
    """Only zones of the region; a new subnet gives no public addresses (plain moto's first in a zone does)."""
    zone = args[1] if len(args) > 1 else kwargs.get("availability_zone")
    zones = _zones(self)
    if zone and zone not in zones:
        raise ec2_error(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be "
            f"created in the following availability zones: {', '.join(zones)}.",
        )
    subnet = original(self, vpc_id, cidr_block, *args, **kwargs)
    if not self.get_vpc(vpc_id).is_default:
        subnet.map_public_ip_on_launch = False
        subnet.default_for_az = False
    return subnet


def _load_images(self: Any) -> None:
    """The Amazon Linux images of this region that SSM's public parameters name, and no other region's."""
    from moto.core.parse import default_timestamp_parser
    from moto.ec2.models.amis import Ami
    from moto.utilities.utils import load_resource

    try:
        images = load_resource(f"ec2/resources/latest_amis/{self.region_name}.json")
    except FileNotFoundError:  # a region that moto has no images of
        return
    for image in images:
        image["owner_alias"] = "amazon"
        if image.get("creation_date"):
            image["creation_date"] = default_timestamp_parser(image["creation_date"])
        self.amis[image["ami_id"]] = Ami(self, **image)
