"""What an instance is made of: its interface, its limits, the sandbox of one boot.

What belongs here: a record turned into what the sandboxes and the network are given. What does not: its life (manager).
"""

import base64

from labkit.aws.records import InstanceRecord, InterfaceRecord
from labkit.cloud.instances.image import Image, is_amazon_linux_2, skeleton
from labkit.cloud.instances.metadata import private_name
from labkit.cloud.instances.secure_shell import host_keys
from labkit.cloud.instances.system.environment import BASE
from labkit.cloud.ports import AwsAccess
from labkit.sandbox.spec import Limits, SandboxSpec

#: what the warm parent must have imported before it forks instances
ENTRY_MODULE = "labkit.cloud.instances.system.init"
_ENTRY = f"{ENTRY_MODULE}:main"
_DISK_PATHS = ("/etc", "/opt", "/var", "/usr/local", "/home", "/root", "/srv", "/usr/share/nginx/html")
_HOMES = ("/root", "/home/ec2-user")
#: memory of an instance type's size in MiB, never more than this machine can give to a class of them
_MEMORY_MB = {"nano": 512, "micro": 1024, "small": 2048}
_MOST_MEMORY_MB = 2048


def interface_of(record: InstanceRecord) -> InterfaceRecord:
    """The instance's one network interface; it is called as the instance."""
    return InterfaceRecord(
        name=record.instance_id,
        vpc_id=record.vpc_id,
        subnet_id=record.subnet_id,
        address=record.private_ip,
        public_ip=record.public_ip,
        security_group_ids=record.security_group_ids,
    )


def limits_of(record: InstanceRecord) -> Limits:
    """What an instance of this type may use."""
    memory = _MEMORY_MB.get(record.instance_type.partition(".")[2], _MOST_MEMORY_MB)
    return Limits(
        memory_mb=memory,
        processes=128,
        cpu_seconds=24 * 3600,
        file_mb=128,
        open_files=4096,
        disk_mb=256,
        files=16384,
    )


def spec_of(record: InstanceRecord, image: Image, access: AwsAccess) -> SandboxSpec:
    """The sandbox of one boot."""
    arguments = {
        "instance_id": record.instance_id,
        "hostname": private_name(record),
        "system": "Amazon Linux 2" if is_amazon_linux_2(record) else "Amazon Linux 2023",
        "user_data": base64.b64encode(record.user_data).decode(),
        "skeleton": {**skeleton(record, access.hosts), **host_keys()},
        "links": image.links(record),
    }
    return SandboxSpec(
        name=record.instance_id,
        entry=_ENTRY,
        arguments=arguments,
        env=BASE,
        cwd="/",
        hostname=private_name(record).partition(".")[0],
        interface=record.instance_id,
        binds=(*image.binds(), *access.binds()),
        files=access.files(_HOMES),
        usr_layers=(image.layer,),
        disk=record.instance_id,
        disk_paths=_DISK_PATHS,
        writable_root=True,
        uid=0,
        title="/sbin/init",
        pretend_root=True,
        limits=limits_of(record),
    )
