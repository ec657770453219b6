"""S3's operations asked without HTTP, by the parameters that AWS's description names."""

import io
from collections.abc import Callable
from typing import Any

from labkit.cloud.stores.s3.engine import Call, Reply
from labkit.cloud.stores.s3.service import S3, perform
from tests.unit.cloud.stores.s3_door import REGION

Ask = Callable[..., Reply]


def asker(service: S3) -> Ask:
    """What does one operation on the bucket "bucket"; raises S3Error."""

    def ask(operation: str, key: str = "", data: bytes = b"", **given: Any) -> Reply:
        named = {"Bucket": "bucket", **({"Key": key} if key else {}), **given}
        if operation == "CreateBucket":
            named["CreateBucketConfiguration"] = {"LocationConstraint": REGION}
        call = Call(operation, REGION, named, {"REQUEST_METHOD": ""}, io.BytesIO(data), len(data))
        return perform(service.engine, call)

    return ask
