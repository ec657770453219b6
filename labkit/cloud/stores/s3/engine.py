"""What every operation of S3 works with: the request as read, the state, the answer.

What belongs here: those three, and the looks at buckets and versions that all share. What does not: operations.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from labkit.cloud.stores.s3.bodies import Bodies, Readable
from labkit.cloud.stores.s3.storage import Bucket, Storage, Version
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, no_bucket, no_key

NULL = "null"
#: bytes of a key, and of an object that comes in one request
LONGEST_KEY, LARGEST = 1024, 5 << 30
#: what S3 itself gives out as version ids
_VERSION_ID = re.compile(r"[A-Za-z0-9._-]{32}").fullmatch


@dataclass(frozen=True)
class Call:
    """One request: its parameters by AWS's names, and its body.

    `size` is the body's, -1 where the request does not tell; `trailers` gives what came behind the body, once it is read.
    """

    operation: str
    region: str
    input: Mapping[str, Any]
    environ: Mapping[str, object]
    body: Readable
    size: int
    trailers: Callable[[], Mapping[str, str]] = field(default=dict)
    principal: str = ""

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return str(self.input["Bucket"])

    @property
    def key(self) -> str:
        """The object's key."""
        return str(self.input["Key"])

    def header(self, name: str) -> str:
        """A header, "" where it is not sent."""
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))


@dataclass(frozen=True)
class Reply:
    """An answer by AWS's names; `parts` is the body of an object."""

    output: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    parts: Iterable[bytes] | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Event:
    """Something that happened to an object, for whoever asked to be told (S3 user guide: "Amazon S3 Event Notifications")."""

    name: str
    bucket: str
    region: str
    key: str
    size: int
    etag: str
    version: str
    principal: str
    number: int


@dataclass(frozen=True)
class Engine:
    """All of S3's state in one account. `receiver` calls functions, `tell` is told what happened, after it did."""

    storage: Storage
    bodies: Bodies
    account: str
    receiver: Any
    tell: Callable[["Engine", Event], None]
    now: Callable[[], float] = time.time

    @property
    def owner(self) -> dict[str, str]:
        """The account as S3 calls it."""
        return {"ID": sha256(f"canonical user of {self.account}".encode()).hexdigest()}

    def bucket(self, call: Call) -> Bucket:
        """The bucket of a request. Raises S3Error where it is not there, or not whose the request says."""
        found = self.storage.bucket(call.bucket)
        if found is None:
            raise no_bucket(call.bucket)
        self.check_owner(call.input.get("ExpectedBucketOwner"))
        return found

    def check_owner(self, expected: str | None) -> None:
        """Raise S3Error where the caller expects the bucket to be somebody else's."""
        if expected and expected != self.account:
            if not re.fullmatch(r"\d{12}", expected):
                raise invalid_argument(
                    "The value of the expected bucket owner parameter must be an AWS Account ID"
                )
            raise S3Error("AccessDenied", "Access Denied", status=403)

    def object(self, call: Call) -> Version:
        """The version that a request is about, no delete marker. Raises S3Error where there is none."""
        self.bucket(call)
        return self.version_of(call.bucket, call.key, str(call.input.get("VersionId") or ""))

    def version_of(self, bucket: str, key: str, version: str) -> Version:
        """A version by its id, or the newest; no delete marker. Raises S3Error where there is none."""
        if not version:
            found = self.storage.newest(bucket, key)
            if found is None:
                raise no_key(key)
            if found.marker:
                headers = {"x-amz-delete-marker": "true", "x-amz-version-id": found.version}
                raise S3Error("NoSuchKey", details={"Key": key}, headers=headers)
            return found
        check_version_id(version)
        found = self.storage.version(bucket, key, version)
        if found is None:
            raise S3Error("NoSuchVersion", details={"Key": key, "VersionId": version})
        if found.marker:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": version, "Allow": "DELETE"}
            details = {"Method": "GET", "ResourceType": "DeleteMarker"}
            raise S3Error("MethodNotAllowed", details=details, headers=headers)
        return found

    def happened(self, name: str, version: Version, call: Call) -> None:
        """Tell of something that happened to a version."""
        bucket = self.storage.bucket(version.bucket)
        if bucket is not None:
            known = version.version if bucket.versioning else ""
            event = Event(
                name,
                bucket.name,
                bucket.region,
                version.key,
                version.size,
                version.etag,
                known,
                call.principal,
                version.id,
            )
            self.tell(self, event)


def check_key(key: str) -> None:
    """Raise S3Error for a key that no object can have."""
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > LONGEST_KEY:
        raise S3Error("KeyTooLongError", details={"Size": str(size), "MaxSizeAllowed": str(LONGEST_KEY)})


def check_version_id(version: str) -> None:
    """Raise S3Error for what can't be the id of a version."""
    if version != NULL and not _VERSION_ID(version):
        raise invalid_argument("Invalid version id specified", "versionId", version)


def shown_version(bucket: Bucket, version: Version) -> str | None:
    """The id of a version as answers tell it: not at all in buckets that never had versions."""
    return version.version if bucket.versioning else None
