"""An S3 of its own for each test, asked by boto3 through the door."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.cloud.stores.s3_door import REGION, client_of, open_s3


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where S3 answers."""
    with open_s3(tmp_path) as (_, where):
        yield where


@pytest.fixture
def s3(url: str) -> Any:
    """A client."""
    return client_of(url)


@pytest.fixture
def bucket(s3: Any) -> str:
    """An empty bucket."""
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    return "bucket"


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """An empty bucket that keeps versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture(name="refusal")
def _refusal() -> Callable[..., str]:
    """`refusal(call, **arguments)` is the code and the status of S3's error, "" when the call succeeds."""

    def refused(call: Callable[..., Any], **arguments: Any) -> str:
        try:
            call(**arguments)
        except ClientError as error:
            return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
        return ""

    return refused
