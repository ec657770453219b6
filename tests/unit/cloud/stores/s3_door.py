"""S3 behind a door that lets everybody in, on a loopback port.

What belongs here: serving it. What does not: what is expected of it.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from labkit.aws.records import Caller, PolicyDocument, Principal, PublicAccessBlock
from labkit.cloud.door import Door
from labkit.cloud.stores.s3.service import S3
from labkit.cloud.stores.s3_api import S3Api
from labkit.cloud.web.serving import Server

ACCOUNT, REGION, KEY, SECRET = "123456789012", "ap-south-1", "A" * 20, "secret"
ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCOUNT)


class Everybody:
    """One key, which is the account's own (ports.Identities)."""

    def __init__(self, buckets: S3Api) -> None:
        self._buckets = buckets

    def principal(self, access_key_id: str) -> Principal | None:
        return ROOT if access_key_id == KEY else None

    def secret_key(self, access_key_id: str) -> str | None:
        return SECRET

    def session_token(self, access_key_id: str) -> str | None:
        return None

    def expired(self, access_key_id: str) -> bool:
        return False

    def identity_policies(self, principal: Principal) -> tuple[PolicyDocument, ...]:
        return ()

    def boundary(self, principal: Principal) -> PolicyDocument | None:
        return None

    def trust_policy(self, role_arn: str) -> PolicyDocument | None:
        return None

    def bucket_policy(self, bucket: str) -> PolicyDocument | None:
        return self._buckets.bucket_policy(bucket)

    def acl_policy(self, bucket: str, key: str) -> PolicyDocument | None:
        return self._buckets.acl_policy(bucket, key)

    def public_access_block(self, bucket: str) -> PublicAccessBlock:
        return self._buckets.public_access_block(bucket)

    def holds(self, bucket: str, key: str = "") -> bool:
        return self._buckets.holds(bucket, key)


def nothing_else(_: Any, start: Any) -> list[bytes]:
    """The application for other services: there is none."""
    start("404 Not Found", [("Content-Length", "0")])
    return []


@contextlib.contextmanager
def serving(service: S3, app: Any = nothing_else) -> Iterator[str]:
    """The URL of a door with this S3 behind it."""
    api = S3Api(service)
    door = Door(app, Everybody(api), on_change=lambda *_: None, stores={"s3": api})
    server, listener = Server(), socket.create_server(("127.0.0.1", 0))
    server.serve(listener, door.for_caller(Caller("host")), name="host")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.close()


def client_of(url: str, region: str = REGION, **settings: Any) -> Any:
    """A client of boto3 that tries once."""
    kept = {"total_max_attempts": 1, "mode": "standard"}
    config = Config(retries=kept, s3={"addressing_style": "path"}, **settings)
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return boto3.client("s3", region_name=region, endpoint_url=url, config=config, **keys)


@contextlib.contextmanager
def open_s3(folder: Path, *, durable: bool = False) -> Iterator[tuple[S3, str]]:
    """An S3 of its own and its URL."""
    service = S3(ACCOUNT, folder, durable=durable)
    try:
        with serving(service) as url:
            yield service, url
    finally:
        service.close()


def forget_buckets(service: S3) -> None:
    """As a new account has none."""
    storage = service.engine.storage
    with storage.transaction():
        for bucket in storage.buckets():
            for version in list(storage.versions_behind(bucket.name, "", None)):
                storage.drop_version(version)
            storage.drop_uploads_of(bucket.name)
            storage.drop_bucket(bucket.name)
