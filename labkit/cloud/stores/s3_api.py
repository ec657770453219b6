"""S3 behind the door: what the door has read in, the answer out; and what access control asks about buckets.

What belongs here: that seam. What does not: what the operations do (s3).
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

from labkit.aws.records import PolicyDocument, Principal, PublicAccessBlock
from labkit.cloud.door.contexts import Source
from labkit.cloud.door.middleware import Told
from labkit.cloud.door.reading import PREFLIGHT
from labkit.cloud.door.signatures.payloads import TRAILERS
from labkit.cloud.stores.s3.engine import Call
from labkit.cloud.stores.s3.service import S3
from labkit.cloud.stores.s3.settings import acls


class S3Api:
    """S3's buckets as the door asks them (ports.Buckets)."""

    def __init__(self, service: S3) -> None:
        self._service = service

    def answer(self, source: Source) -> Told:
        """The answer to one request; what S3 refuses is one too."""
        call = _call(source)
        if call.operation == PREFLIGHT:
            told = self._service.preflight(call.bucket, call)
        else:
            told = self._service.answer(call, lambda: call.body.read(max(call.size, 0)))
        return Told(told.status, told.headers, told.parts)

    def bucket_policy(self, bucket: str) -> PolicyDocument | None:
        """The bucket's policy, or None where there is no bucket or no policy."""
        text = self._service.engine.storage.setting(bucket, "policy")
        return PolicyDocument(f"arn:aws:s3:::{bucket}", _parsed(text)) if text else None

    def acl_policy(self, bucket: str, key: str) -> PolicyDocument | None:
        """What the ACLs of a bucket and an object allow, as a policy; None where they allow nothing."""
        document = acls.as_policy(self._service.engine, bucket, key)
        return PolicyDocument(f"acl of {bucket}", document) if document else None

    def public_access_block(self, bucket: str) -> PublicAccessBlock:
        """The bucket's four settings; none set where there is no bucket or no configuration."""
        found = self._service.engine.storage.setting(bucket, "public_access_block") or {}
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        return PublicAccessBlock(*(bool(found.get(name)) for name in names))

    def holds(self, bucket: str, key: str = "") -> bool:
        """Whether there is the bucket, or an object with this key in it."""
        storage = self._service.engine.storage
        if not key:
            return storage.bucket(bucket) is not None
        newest = storage.newest(bucket, key)
        return newest is not None and not newest.marker


def _call(source: Source) -> Call:
    asked, environ = source.asked, source.environ
    length = str(environ.get("CONTENT_LENGTH") or "")
    size = int(length) if length.isdigit() else (-1 if environ["REQUEST_METHOD"] == "PUT" else 0)
    given: dict[str, Any] = {
        name: value for name, value in asked.parameters.items() if name in ("Bucket", "Key")
    }
    if asked.form is not None:
        given["form"] = asked.form
    trailers: Any = environ.get(TRAILERS) or dict
    body: Any = environ["wsgi.input"]
    return Call(
        asked.operation, asked.region, given, environ, body, size, trailers, _told_as(source.principal)
    )


def _told_as(principal: Principal) -> str:
    return f"AWS:{principal.user_id}" if principal.user_id else ""


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Mapping[str, object]:
    document: Mapping[str, object] = json.loads(text)
    return document
