"""Plain records that the control plane (moto) and the data plane (processes, network) share.

What belongs here: what one side tells the other, frozen and free of moto's types. What does not:
anything that acts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Credentials:
    """What AWS calls temporary security credentials. `expires_at`: seconds since the epoch."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float


@dataclass(frozen=True)
class FunctionRecord:
    """A Lambda function as GetFunction describes it. Equal records may share environments."""

    arn: str
    name: str
    version: str
    region: str
    account_id: str
    runtime: str
    handler: str
    role_arn: str
    timeout_seconds: int
    memory_mb: int
    environment: Mapping[str, str]
    code_sha256: str
    revision: str  # changes with every update of code or configuration
    log_group: str
    vpc_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    reserved_concurrency: int | None = None
    #: of events: how often a failing one comes again, and how old it may get
    retries: int = 2
    event_age_seconds: int = 21_600


@dataclass(frozen=True)
class InvocationResult:
    """What Invoke answers. `function_error` is "" or "Unhandled" (AWS's X-Amz-Function-Error)."""

    payload: bytes
    function_error: str = ""
    log_tail: str = ""
    version: str = "$LATEST"


@dataclass(frozen=True)
class InstanceRecord:
    """An EC2 instance as DescribeInstances shows it, with its user data (decoded) and role.

    `starts` counts StartInstances: another number is another boot, whatever was seen of the stop between them.
    """

    instance_id: str
    region: str
    account_id: str
    state: str
    image_id: str
    instance_type: str
    availability_zone: str
    vpc_id: str
    subnet_id: str
    private_ip: str
    public_ip: str
    mac: str
    security_group_ids: tuple[str, ...]
    user_data: bytes
    profile_arn: str
    role_arn: str
    imds_tokens: Literal["optional", "required"]
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata_tags: bool = False  # InstanceMetadataTags is "enabled"
    image_name: str = ""
    key_name: str = ""
    public_key: str = ""  # of its key pair, as a line of authorized_keys
    starts: int = 0


@dataclass(frozen=True)
class Permission:
    """One rule of a security group, one peer: a CIDR or another group's id. protocol -1 is all.

    `from_port`/`to_port` are inclusive and -1 where the protocol has none.
    """

    protocol: str
    from_port: int
    to_port: int
    cidr: str = ""
    group_id: str = ""


@dataclass(frozen=True)
class GroupRecord:
    """A security group."""

    group_id: str
    name: str
    vpc_id: str
    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]


@dataclass(frozen=True)
class RouteRecord:
    """One route: where packets for `cidr` go: "local", igw-…, nat-…, vpce-…, eni-… or "blackhole"."""

    cidr: str
    target: str


@dataclass(frozen=True)
class AclEntry:
    """One rule of a network ACL. Ports: of tcp and udp, −1 is all; for icmp `from_port` is the type."""

    number: int
    egress: bool
    protocol: str  # "-1", or a protocol's number or name
    from_port: int
    to_port: int
    cidr: str
    allows: bool


@dataclass(frozen=True)
class SubnetRecord:
    """A subnet with the routes of the table that applies to it (its own, or the VPC's main one).

    `acl` are the rules of its network ACL in any order; None lets everything pass.
    """

    subnet_id: str
    vpc_id: str
    cidr: str
    availability_zone: str
    routes: tuple[RouteRecord, ...]
    acl_id: str = ""
    acl: tuple[AclEntry, ...] | None = None


@dataclass(frozen=True)
class VpcRecord:
    """A VPC, its CIDR, and the internet gateway attached to it ("" where there is none)."""

    vpc_id: str
    cidr: str
    internet_gateway: str = ""
    dns_support: bool = True


@dataclass(frozen=True)
class NatGatewayRecord:
    """A NAT gateway: the subnet it stands in, and its Elastic IP address ("" for a private one)."""

    nat_gateway_id: str
    vpc_id: str
    subnet_id: str
    public_ip: str


@dataclass(frozen=True)
class GatewayEndpointRecord:
    """A gateway endpoint of a VPC ("com.amazonaws.<region>.s3"); routes name it as their target."""

    endpoint_id: str
    vpc_id: str
    service: str


@dataclass(frozen=True)
class NetworkState:
    """Everything of one account that decides whether a packet arrives, over all regions."""

    vpcs: tuple[VpcRecord, ...] = ()
    subnets: tuple[SubnetRecord, ...] = ()
    groups: tuple[GroupRecord, ...] = ()
    nat_gateways: tuple[NatGatewayRecord, ...] = ()
    gateway_endpoints: tuple[GatewayEndpointRecord, ...] = ()


@dataclass(frozen=True)
class InterfaceRecord:
    """One network interface of something that runs: an instance, or a function's environment.

    `vpc_id` "" is a function outside any VPC: it reaches the internet and no private address.
    """

    name: str
    vpc_id: str
    subnet_id: str
    address: str
    public_ip: str
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True)
class Principal:
    """Who signed a request: the account's root, an IAM user, a role's session, or nobody."""

    kind: Literal["root", "user", "session", "anonymous"]
    arn: str
    account_id: str
    user_id: str = ""
    role_arn: str = ""  # of a session


@dataclass(frozen=True)
class PolicyDocument:
    """A policy in force: what it is attached to (for messages) and its parsed JSON document."""

    name: str
    document: Mapping[str, object]


@dataclass(frozen=True)
class PublicAccessBlock:
    """A bucket's four public access block settings; none set is a bucket without the configuration."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False


@dataclass(frozen=True)
class Caller:
    """The socket a request came in on: from this machine, or from inside a sandbox.

    `name` is the instance id or the function's ARN; "" on this machine. It can't be forged.
    """

    place: Literal["host", "instance", "function"]
    name: str = ""
