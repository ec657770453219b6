"""S3's operations: the request as the door has read it in, the answer's status, headers and body out.

What belongs here: which operation is which function, which are not there, and how answers and errors look. What does
not: the functions.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from labkit.cloud.stores.s3 import copies, deletes, listings, multipart, objects, uploads
from labkit.cloud.stores.s3.bodies import Bodies
from labkit.cloud.stores.s3.engine import Call, Engine, Reply
from labkit.cloud.stores.s3.settings import acls, buckets, configurations, cors, lifecycle, notifications
from labkit.cloud.stores.s3.storage import Storage
from labkit.cloud.stores.s3.wire import description, reading, writing
from labkit.cloud.stores.s3.wire.errors import S3Error, no_bucket, not_emulated
from labkit.cloud.stores.s3.wire.forms import post_object

#: bytes of the largest document that a request may be
LONGEST_DOCUMENT = 2 << 20
_EMPTY = ("CompleteMultipartUpload", "CreateBucket", "PutBucketAcl", "PutObjectAcl")
_OPERATIONS: Mapping[str, Callable[[Engine, Call], Reply]] = {
    **configurations.OPERATIONS,
    "CreateBucket": buckets.create_bucket, "DeleteBucket": buckets.delete_bucket, "HeadBucket": buckets.head_bucket,
    "ListBuckets": buckets.list_buckets, "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketVersioning": buckets.get_bucket_versioning, "PutBucketVersioning": buckets.put_bucket_versioning,
    "GetBucketAcl": acls.get_bucket_acl, "PutBucketAcl": acls.put_bucket_acl, "GetObjectAcl": acls.get_object_acl,
    "PutObjectAcl": acls.put_object_acl,
    "PutObject": objects.put_object, "GetObject": objects.get_object, "HeadObject": objects.head_object,
    "GetObjectAttributes": objects.get_object_attributes, "GetObjectTagging": objects.get_object_tagging,
    "PutObjectTagging": objects.put_object_tagging, "DeleteObjectTagging": objects.delete_object_tagging,
    "CopyObject": copies.copy_object, "DeleteObject": deletes.delete_object, "DeleteObjects": deletes.delete_objects,
    "CreateMultipartUpload": multipart.create_multipart_upload, "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part_copy, "ListParts": multipart.list_parts,
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "ListObjects": listings.list_objects, "ListObjectsV2": listings.list_objects_v2,
    "ListObjectVersions": listings.list_object_versions, "ListMultipartUploads": listings.list_multipart_uploads,
    "PostObject": post_object,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """An answer as it goes out."""

    status: str
    headers: list[tuple[str, str]]
    parts: Iterable[bytes]


class S3:
    """Every operation of S3 in one account. For any thread."""

    def __init__(
        self,
        account: str,
        folder: Path,
        *,
        durable: bool = False,
        receiver: notifications.Receiver | None = None,
    ) -> None:
        """`folder` is for large bodies and, where the state is to be `durable`, for all of it; made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        storage = Storage(folder / "objects.sqlite" if durable else None)
        bodies = Bodies(storage, folder / "bodies")
        self.engine = Engine(
            storage, bodies, account, receiver or notifications.NoReceiver(), notifications.told
        )
        self._swept, self._sweeping = time.monotonic(), threading.Lock()

    def close(self) -> None:
        """Let go of the files."""
        self.engine.storage.close()

    def answer(self, call: Call, document: Callable[[], bytes]) -> Told:
        """The answer to a request; what S3 refuses is one too. `document` reads a body that is no object."""
        request_id = secrets.token_hex(8).upper()
        name = str(call.input.get("Bucket", ""))
        try:
            reply = self._perform(call, document)
            told = _written(call, reply)
        except S3Error as error:
            told = _refused(call, error, request_id)
        told.headers.extend([("x-amz-request-id", request_id), ("x-amz-id-2", secrets.token_urlsafe(48))])
        if "HTTP_ORIGIN" in call.environ:
            told.headers.extend(cors.headers_for(self.engine, name, call.environ))
        return told

    def read_object(self, bucket: str, key: str, version: str = "") -> bytes:
        """The bytes of an object, for a service of AWS. Raises S3Error where there is none."""
        engine = self.engine
        with engine.storage.reading():
            if engine.storage.bucket(bucket) is None:
                raise no_bucket(bucket)
            found = engine.version_of(bucket, key, version)
            pieces = engine.bodies.open(engine.storage.segments(found.id), 0, found.size - 1)
        return b"".join(pieces)

    def put_system_tags(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Put AWS's own tags beside a bucket's: S3 refuses them from clients."""
        told = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.engine.storage.put_setting(bucket, "system_tags", told or None)

    def tagged(self, region: str) -> list[tuple[str, Mapping[str, str], str]]:
        """ARN, tags and resource type of each bucket of a region."""
        engine = self.engine
        tags = {
            each.name: {tag["Key"]: tag["Value"] for tag in configurations.tags_of(engine, each.name)}
            for each in engine.storage.buckets(region=region)
        }
        return [(f"arn:aws:s3:::{name}", told, "s3:bucket") for name, told in tags.items()]

    def preflight(self, bucket: str, call: Call) -> Told:
        """The answer to a page of another origin that asks whether it may ask."""
        try:
            headers = cors.answer_preflight(self.engine, bucket, call.environ)
        except S3Error as error:
            return _refused(call, error, secrets.token_hex(8).upper())
        return Told("200 OK", [*headers, ("Content-Length", "0")], [])

    def _perform(self, call: Call, document: Callable[[], bytes]) -> Reply:
        self._sweep(call)
        known = call.operation in _OPERATIONS
        return perform(self.engine, self._read(call, document) if known else call)

    def _read(self, call: Call, document: Callable[[], bytes]) -> Call:
        """The call with all its parameters."""
        if call.operation == "PostObject":
            return call
        given = {**call.input, **reading.read_head(call.operation, call.environ)}
        member = reading.payload_of(call.operation)
        if member and member != "Body":
            given |= self._payload(call, member, document)
        return Call(
            call.operation,
            call.region,
            given,
            call.environ,
            call.body,
            call.size,
            call.trailers,
            call.principal,
        )

    def _payload(self, call: Call, member: str, document: Callable[[], bytes]) -> dict[str, Any]:
        if call.size > LONGEST_DOCUMENT:
            raise S3Error("MaxMessageLengthExceeded", "Your request was too big.")
        data = document()
        uploads.check_document(call, data, whole=call.operation == "CompleteMultipartUpload")
        if member == "Policy":
            return {member: data}
        if not data.strip():
            if call.operation in _EMPTY:
                return {}
            raise S3Error("MissingRequestBodyError")
        return {member: reading.read_document(call.operation, data)}

    def _sweep(self, call: Call) -> None:
        """Now and then, end what lifecycle rules end."""
        if time.monotonic() - self._swept < lifecycle.EVERY or not self._sweeping.acquire(blocking=False):
            return
        try:
            self._swept = time.monotonic()
            lifecycle.expire(self.engine, call)
        finally:
            self._sweeping.release()


def perform(engine: Engine, call: Call) -> Reply:
    """Do one operation. Raises S3Error for what S3 refuses, and for what is not here."""
    operation = _OPERATIONS.get(call.operation)
    if operation is None:
        raise not_emulated(call.operation) if call.operation else S3Error("MethodNotAllowed")
    return operation(engine, call)


def _written(call: Call, reply: Reply) -> Told:
    if call.operation == "PostObject":
        body = b"".join(reply.parts or ())
        return Told(_line(reply.status), [*reply.headers, ("Content-Length", str(len(body)))], [body])
    headers = [*writing.write_head(call.operation, reply.output), *reply.headers]
    if reply.parts is not None:
        return Told(_line(reply.status), headers, reply.parts)
    if call.operation == "GetBucketLocation":
        body = f'{writing.DECLARATION}<LocationConstraint xmlns="{writing.NAMESPACE}">{reply.output["LocationConstraint"]}</LocationConstraint>'.encode()
    else:
        body = writing.write_document(call.operation, reply.output) if reply.status != 204 else b""
    if body:
        headers.append(("Content-Type", "application/xml"))
    if reply.status != 204:
        headers.append(("Content-Length", str(len(body))))
    return Told(_line(reply.status), headers, [body])


def _line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _refused(call: Call, error: S3Error, request_id: str) -> Told:
    headers = list(error.headers.items())
    if error.status == 304:
        return Told(_line(304), headers, [])
    body = error_document(error, request_id)
    headers += [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return Told(_line(error.status), headers, [] if call.environ.get("REQUEST_METHOD") == "HEAD" else [body])


def error_document(error: S3Error, request_id: str) -> bytes:
    """An error as S3 writes it."""
    escape = writing.escape
    told = "".join(
        f"<{name}>{escape(value)}</{name}>" for name, value in error.details.items() if value is not None
    )
    text = (
        f"{writing.DECLARATION}<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>{told}"
        f"<RequestId>{request_id}</RequestId><HostId>{secrets.token_urlsafe(48)}</HostId></Error>"
    )
    return text.encode("utf-8", "surrogatepass")


def operations() -> list[str]:
    """The operations that work here, by AWS's names."""
    return sorted(set(_OPERATIONS) & set(description.model()["operations"]))
