"""The permissions of Amazon S3's operations.

What belongs here: S3's operations, whose names and resources differ most from its actions. What does
not: bucket policies and public access (the door). S3 user guide: "Required permissions for Amazon S3
API operations"; service authorization reference: "Actions, resources, and condition keys for S3".
"""

from collections.abc import Callable
from urllib.parse import unquote

from labkit.aws.iam.calls import ApiCall, Need

#: operations whose action has another name
ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "SelectObjectContent": "GetObject",
    "PostObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
}

#: actions on a version of an object, where the request names one
VERSIONED = {
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}


def s3_needs(call: ApiCall) -> list[Need]:
    """The permissions that a call of S3 needs."""
    special = _SPECIAL.get(call.operation)
    if special:
        return special(call)
    action = ACTIONS.get(call.operation, call.operation)
    if call.text("VersionId"):
        action = VERSIONED.get(action, action)
    return [Need(f"s3:{action}", [_resource(call)])]


def _resource(call: ApiCall) -> str:
    bucket, key = call.text("Bucket"), call.text("Key")
    if not bucket:
        return "*"
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def _copy(call: ApiCall) -> list[Need]:
    source, _, version = call.text("CopySource").partition("?versionId=")
    read = "s3:GetObjectVersion" if version else "s3:GetObject"
    path = unquote(source).removeprefix("/").removeprefix("arn:aws:s3:::")
    return [Need(read, [f"arn:aws:s3:::{path}"]), Need("s3:PutObject", [_resource(call)])]


def _delete_many(call: ApiCall) -> list[Need]:
    """`Keys` are those that get a delete marker, `Versions` those of which the request names one that goes."""
    bucket = call.text("Bucket")
    named = {name: _texts(call.parameters.get(name)) for name in ("Keys", "Versions")}
    keys = named["Keys"] or ([] if named["Versions"] else ["*"])
    asked = (("s3:DeleteObject", keys), ("s3:DeleteObjectVersion", named["Versions"]))
    return [
        Need(action, [f"arn:aws:s3:::{bucket}/{name}" for name in names]) for action, names in asked if names
    ]


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _attributes(call: ApiCall) -> list[Need]:
    version = "Version" if call.text("VersionId") else ""
    resources = [_resource(call)]
    return [
        Need(f"s3:GetObject{version}", resources),
        Need(f"s3:GetObject{version}Attributes", resources),
    ]


_SPECIAL: dict[str, Callable[[ApiCall], list[Need]]] = {
    "CopyObject": _copy,
    "UploadPartCopy": _copy,
    "DeleteObjects": _delete_many,
    "GetObjectAttributes": _attributes,
    "Preflight": lambda _: [],
}
