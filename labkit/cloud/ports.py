"""What the parts of the local cloud ask of each other, as protocols: implementations are passed in.

What belongs here: the narrow interfaces between data plane parts. What does not: implementations.
"""

import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from labkit.aws.records import (
    Caller,
    Credentials,
    InstanceRecord,
    InterfaceRecord,
    PolicyDocument,
    Principal,
    PublicAccessBlock,
)
from labkit.base.errors import CloudError
from labkit.sandbox.spec import Bind, SandboxSpec

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Sandbox(Protocol):
    """A running sandboxed process."""

    @property
    def pid(self) -> int: ...

    @property
    def listeners(self) -> Sequence[socket.socket]: ...

    def fileno(self) -> int:
        """A descriptor that turns readable when the process has ended (a pidfd)."""
        ...

    def kill(self) -> None:
        """End it and everything in it; no error when it has ended already."""
        ...

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (negative: the signal), or None when `timeout` seconds were not enough."""
        ...

    def memory_bytes(self) -> int:
        """Resident private memory of everything in it."""
        ...


class Sandboxes(Protocol):
    """Starts sandboxed processes. File descriptors given are duplicated; the caller keeps its own.

    `disks_last`: a disk can be a folder of this machine.
    """

    @property
    def disks_last(self) -> bool: ...

    def start(
        self,
        spec: SandboxSpec,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        channel: int | None = None,
    ) -> Sandbox:
        """Start `spec`; `channel` becomes descriptor 3 inside. None means /dev/null (channel: none)."""
        ...

    def make_disk(self, name: str, *, size_mb: int, files: int, folder: Path | None = None) -> None:
        """An empty disk; with `folder` (only where `disks_last`) what lies in that."""
        ...

    def remove_disk(self, name: str) -> None: ...


class Fabric(Protocol):
    """The network: interfaces with real addresses, and the rules between them."""

    def attach(
        self,
        interface: InterfaceRecord,
        *,
        loopback: Sequence[str] = (),
        listen: Sequence[tuple[str, int]] = (),
        datagrams: Sequence[tuple[str, int]] = (),
    ) -> list[socket.socket]:
        """Make the interface; returns sockets listening inside it, one for each of `listen`, then UDP
        sockets for `datagrams`.

        An empty `address` asks for a free one in the subnet; see `address_of`.
        """
        ...

    def address_of(self, name: str) -> str: ...

    def update_interface(self, interface: InterfaceRecord) -> None:
        """Take over the groups and the public address of an interface that is attached."""
        ...

    def detach(self, name: str) -> None: ...

    def connect(self, name: str, address: str, port: int, *, timeout: float) -> socket.socket:
        """A TCP connection made from inside the interface's namespace ("internet": from outside)."""
        ...


class AwsAccess(Protocol):
    """How what runs inside reaches AWS's API: what an interface needs for it, and whose it is.

    `loopback`, `listen` and `datagrams` are handed to Fabric.attach; `hosts` are lines for /etc/hosts.
    """

    loopback: tuple[str, ...]
    listen: tuple[tuple[str, int], ...]
    datagrams: tuple[tuple[str, int], ...]
    hosts: str

    def open(self, name: str, caller: Caller, sockets: Sequence[socket.socket]) -> None:
        """Serve the interface `name`: sockets of `listen`, then of `datagrams`."""
        ...

    def close(self, name: str) -> None:
        """Serve it no more; unknown names are fine."""
        ...

    def binds(self) -> tuple[Bind, ...]:
        """What a sandbox must be shown."""
        ...

    def files(self, homes: Iterable[str]) -> Mapping[str, str]:
        """What must lie in a sandbox, given the home directories of its users."""
        ...


class NotTrusted(CloudError):
    """The trust policy of a role does not let an AWS service assume it."""


class CredentialIssuer(Protocol):
    """Gives temporary credentials of a role, as STS does for services."""

    def issue(self, role_arn: str, session_name: str, *, seconds: int, service: str = "") -> Credentials:
        """Raises CloudError when there is no such role, NotTrusted when it may not be assumed by `service` (if named)."""
        ...


class LogWriter(Protocol):
    """Writes lines to CloudWatch Logs with the permissions of a role; returns nothing either way."""

    def write(
        self, *, role_arn: str, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]]
    ) -> None:
        """`lines`: (milliseconds since the epoch, text). Dropped when the role may not write."""
        ...


class Serving(Protocol):
    """Serves HTTP on sockets that already listen."""

    def serve(
        self,
        listener: socket.socket,
        app: "WSGIApplication",
        *,
        name: str,
        tls: "ssl.SSLContext | None" = None,
    ) -> None:
        """Answer on `listener` with the WSGI application `app` until `stop` or close."""
        ...

    def stop(self, name: str) -> None: ...


class Buckets(Protocol):
    """What access control must know about S3's buckets."""

    def bucket_policy(self, bucket: str) -> PolicyDocument | None: ...

    def acl_policy(self, bucket: str, key: str) -> PolicyDocument | None: ...

    def public_access_block(self, bucket: str) -> PublicAccessBlock: ...

    def holds(self, bucket: str, key: str = "") -> bool:
        """Whether there is the bucket, or an object with this key in it."""
        ...


class Identities(Protocol):
    """Who is behind an access key, and which policies hang on whom and what."""

    def principal(self, access_key_id: str) -> Principal | None:
        """The principal of an access key that this cloud gave out, or None."""
        ...

    def secret_key(self, access_key_id: str) -> str | None: ...

    def identity_policies(self, principal: Principal) -> Iterable[PolicyDocument]:
        """Inline and managed policies of the user (and its groups) or of the session's role."""
        ...

    def boundary(self, principal: Principal) -> PolicyDocument | None:
        """The permissions boundary of the user or of the session's role, or None."""
        ...

    def bucket_policy(self, bucket: str) -> PolicyDocument | None: ...

    def acl_policy(self, bucket: str, key: str) -> PolicyDocument | None:
        """What the ACLs of a bucket and an object allow, as a policy; None where they allow nothing."""
        ...

    def public_access_block(self, bucket: str) -> PublicAccessBlock: ...

    def holds(self, bucket: str, key: str = "") -> bool:
        """Whether there is the bucket, or an object with this key in it."""
        ...

    def trust_policy(self, role_arn: str) -> PolicyDocument | None:
        """Who may assume the role, or None where there is no such role."""
        ...

    def session_token(self, access_key_id: str) -> str | None:
        """The token that must come with a session's key; None for keys that need none."""
        ...

    def expired(self, access_key_id: str) -> bool:
        """Whether the key is that of a session which has ended."""
        ...


class Facts(Protocol):
    """What access control must know about resources beyond policies."""

    def profile_role(self, profile: str) -> str | None:
        """The ARN of the role in an instance profile, given by name or ARN."""
        ...

    def iam_path(self, kind: str, name: str) -> str:
        """The path of a role, user, group or instance profile by its name; "/" without such a one."""
        ...

    def launch_template(self, region: str, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """What a launch template gives to RunInstances, in the query protocol's names; empty without it.

        `wanted` is a LaunchTemplateSpecification: LaunchTemplateId or LaunchTemplateName, and Version.
        """
        ...

    def partition_key(self, region: str, table: str) -> str | None:
        """The name of a DynamoDB table's partition key."""
        ...

    def endpoint_policy(self, endpoint_id: str) -> PolicyDocument | None:
        """The policy of a VPC endpoint."""
        ...

    def role_tags(self, role_arn: str) -> Mapping[str, str]:
        """A role's tags; none without such a role."""
        ...

    def table_tags(self, region: str, table: str) -> Mapping[str, str]:
        """A DynamoDB table's tags, the table given by name or ARN; none without such a table."""
        ...

    def instance(self, instance_id: str) -> InstanceRecord | None:
        """An instance of any region."""
        ...
