"""A bucket's settings: documents that are checked, kept and given back, each taken only where something stands behind it.

What belongs here: the table of kinds, and what is refused by name. What does not: what the settings do.
S3 API reference, by the names of the operations.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.aws.iam.public import is_public
from labkit.aws.records import PolicyDocument
from labkit.cloud.stores.s3.engine import Call, Engine, Reply
from labkit.cloud.stores.s3.settings import cors, encryption, lifecycle, notifications, tags
from labkit.cloud.stores.s3.settings.policies import read_policy
from labkit.cloud.stores.s3.wire.errors import S3Error, malformed_xml, not_emulated

Operation = Callable[[Engine, Call], Reply]


@dataclass(frozen=True)
class Kind:
    """A setting that is a document: its name, the parameter that it is, its check, and the error where there is none.

    `whole`: answers are the document's parts, not the document in a part of its own.
    """

    name: str
    member: str
    absent: str
    check: Callable[[Mapping[str, Any]], Any] = lambda document: document
    whole: bool = False
    #: what a bucket has that has not been set, and after it was deleted
    default: Any = None

    def put(self, engine: Engine, call: Call) -> Reply:
        """Set it."""
        engine.bucket(call)
        engine.storage.put_setting(call.bucket, self.name, self.check(call.input[self.member]))
        return Reply()

    def get(self, engine: Engine, call: Call) -> Reply:
        """Tell it."""
        engine.bucket(call)
        found = engine.storage.setting(call.bucket, self.name)
        found = self.default if found is None else found
        if found is None:
            raise S3Error(self.absent, details={"BucketName": call.bucket})
        return Reply(found if self.whole else {self.member: found})

    def delete(self, engine: Engine, call: Call) -> Reply:
        """Forget it."""
        engine.bucket(call)
        engine.storage.put_setting(call.bucket, self.name, self.default)
        return Reply(status=204)


def _check_encryption(document: Mapping[str, Any]) -> Any:
    rules = document["Rules"]
    if len(rules) != 1:
        raise malformed_xml()
    default = rules[0].get("ApplyServerSideEncryptionByDefault")
    if default is None and not rules[0].get("BlockedEncryptionTypes"):
        raise malformed_xml()
    if default and default.get("KMSMasterKeyID") and default["SSEAlgorithm"] == "AES256":
        words = (
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        )
        raise S3Error("InvalidArgument", words)
    return {"Rules": [{"BucketKeyEnabled": False, **rules[0]}]}


def _check_ownership(document: Mapping[str, Any]) -> Any:
    if len(document["Rules"]) != 1:
        raise malformed_xml()
    return document


def _check_block(document: Mapping[str, Any]) -> Any:
    return {
        name: bool(document.get(name, False))
        for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    }


ENCRYPTION = Kind(
    "encryption",
    "ServerSideEncryptionConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    _check_encryption,
    default=encryption.DEFAULT,
)
BLOCK = Kind(
    "public_access_block",
    "PublicAccessBlockConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    _check_block,
)
OWNERSHIP = Kind("ownership", "OwnershipControls", "OwnershipControlsNotFoundError", _check_ownership)
CORS = Kind("cors", "CORSConfiguration", "NoSuchCORSConfiguration", cors.check, whole=True)
LIFECYCLE = Kind(
    "lifecycle", "LifecycleConfiguration", "NoSuchLifecycleConfiguration", lifecycle.check, whole=True
)


# -- tags: those of the bucket's owner, and those that AWS's own services put there ----------------------


def get_bucket_tagging(engine: Engine, call: Call) -> Reply:
    """GetBucketTagging."""
    engine.bucket(call)
    found = [*tags_of(engine, call.bucket)]
    if not found:
        raise S3Error("NoSuchTagSet", details={"BucketName": call.bucket})
    return Reply({"TagSet": found})


def tags_of(engine: Engine, bucket: str) -> list[dict[str, str]]:
    """All tags of a bucket."""
    system = engine.storage.setting(bucket, "system_tags") or []
    return [*system, *(engine.storage.setting(bucket, "tagging") or [])]


def put_bucket_tagging(engine: Engine, call: Call) -> Reply:
    """PutBucketTagging."""
    engine.bucket(call)
    system = engine.storage.setting(call.bucket, "system_tags") or []
    given = [
        tag for tag in call.input["Tagging"]["TagSet"] if tag not in system
    ]  # told, and sent back as they are
    engine.storage.put_setting(call.bucket, "tagging", tags.check(given, tags.OF_BUCKET))
    return Reply(status=204)


def delete_bucket_tagging(engine: Engine, call: Call) -> Reply:
    """DeleteBucketTagging."""
    engine.bucket(call)
    engine.storage.put_setting(call.bucket, "tagging", None)
    return Reply(status=204)


# -- the policy ----------------------------------------------------------------------------------------


def put_bucket_policy(engine: Engine, call: Call) -> Reply:
    """PutBucketPolicy."""
    engine.bucket(call)
    text = call.input["Policy"]
    read_policy(call.bucket, text)
    engine.storage.put_setting(call.bucket, "policy", text.decode("utf-8", "replace"))
    return Reply(status=204)


def get_bucket_policy(engine: Engine, call: Call) -> Reply:
    """GetBucketPolicy: the document as it was put."""
    data = _policy(engine, call).encode()
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(data))))
    return Reply(parts=iter((data,)), headers=headers)


def _policy(engine: Engine, call: Call) -> str:
    engine.bucket(call)
    found = engine.storage.setting(call.bucket, "policy")
    if found is None:
        raise S3Error("NoSuchBucketPolicy", details={"BucketName": call.bucket})
    return str(found)


def get_bucket_policy_status(engine: Engine, call: Call) -> Reply:
    """GetBucketPolicyStatus."""
    document = PolicyDocument(call.bucket, json.loads(_policy(engine, call)))
    return Reply({"PolicyStatus": {"IsPublic": is_public(document)}})


def delete_bucket_policy(engine: Engine, call: Call) -> Reply:
    """DeleteBucketPolicy."""
    engine.bucket(call)
    engine.storage.put_setting(call.bucket, "policy", None)
    return Reply(status=204)


# -- notifications -------------------------------------------------------------------------------------


def get_notifications(engine: Engine, call: Call) -> Reply:
    """GetBucketNotificationConfiguration."""
    engine.bucket(call)
    return Reply(engine.storage.setting(call.bucket, "notification") or {})


# -- settings that say: as ever --------------------------------------------------------------------------


def get_request_payment(engine: Engine, call: Call) -> Reply:
    """GetBucketRequestPayment: the owner pays."""
    engine.bucket(call)
    return Reply({"Payer": "BucketOwner"})


def put_request_payment(engine: Engine, call: Call) -> Reply:
    """PutBucketRequestPayment."""
    engine.bucket(call)
    if call.input["RequestPaymentConfiguration"]["Payer"] != "BucketOwner":
        raise not_emulated("Requester Pays")
    return Reply()


def get_nothing(engine: Engine, call: Call) -> Reply:
    """The answer of a setting that was never set, and is no error."""
    engine.bucket(call)
    return Reply({"IsTruncated": False} if call.operation.startswith("List") else {})


def put_logging(engine: Engine, call: Call) -> Reply:
    """PutBucketLogging: off is taken, on is not."""
    engine.bucket(call)
    if call.input["BucketLoggingStatus"].get("LoggingEnabled"):
        raise not_emulated("server access logging")
    return Reply()


def put_accelerate(engine: Engine, call: Call) -> Reply:
    """PutBucketAccelerateConfiguration: off is taken, on is not."""
    engine.bucket(call)
    if call.input["AccelerateConfiguration"].get("Status") == "Enabled":
        raise not_emulated("Transfer Acceleration")
    return Reply()


def get_abac(engine: Engine, call: Call) -> Reply:
    """GetBucketAbac: tags of buckets count in no policy until that is switched on."""
    engine.bucket(call)
    return Reply({"AbacStatus": {"Status": "Disabled"}})


def put_abac(engine: Engine, call: Call) -> Reply:
    """PutBucketAbac: off is taken, on is not."""
    engine.bucket(call)
    if call.input["AbacStatus"].get("Status") == "Enabled":
        raise not_emulated("attribute-based access control of buckets")
    return Reply()


def absent(code: str, message: str = "") -> Operation:
    """An operation that asks for a setting which no bucket has here."""

    def get(engine: Engine, call: Call) -> Reply:
        engine.bucket(call)
        raise S3Error(code, message, status=404, details={"BucketName": call.bucket})

    return get


def deleted(engine: Engine, call: Call) -> Reply:
    """A setting that no bucket has is deleted."""
    engine.bucket(call)
    return Reply(status=204)


_NO_CONFIGURATION = absent("NoSuchConfiguration", "The specified configuration does not exist.")
OPERATIONS: Mapping[str, Operation] = {
    "PutBucketEncryption": ENCRYPTION.put, "GetBucketEncryption": ENCRYPTION.get, "DeleteBucketEncryption": ENCRYPTION.delete,
    "PutPublicAccessBlock": BLOCK.put, "GetPublicAccessBlock": BLOCK.get, "DeletePublicAccessBlock": BLOCK.delete,
    "PutBucketOwnershipControls": OWNERSHIP.put, "GetBucketOwnershipControls": OWNERSHIP.get,
    "DeleteBucketOwnershipControls": OWNERSHIP.delete,
    "PutBucketCors": CORS.put, "GetBucketCors": CORS.get, "DeleteBucketCors": CORS.delete,
    "PutBucketLifecycleConfiguration": LIFECYCLE.put, "GetBucketLifecycleConfiguration": LIFECYCLE.get,
    "DeleteBucketLifecycle": LIFECYCLE.delete,
    "GetBucketTagging": get_bucket_tagging, "PutBucketTagging": put_bucket_tagging,
    "DeleteBucketTagging": delete_bucket_tagging,
    "PutBucketPolicy": put_bucket_policy, "GetBucketPolicy": get_bucket_policy, "DeleteBucketPolicy": delete_bucket_policy,
    "GetBucketPolicyStatus": get_bucket_policy_status,
    "GetBucketNotificationConfiguration": get_notifications, "PutBucketNotificationConfiguration": notifications.put,
    "GetBucketRequestPayment": get_request_payment, "PutBucketRequestPayment": put_request_payment,
    "GetBucketLogging": get_nothing, "PutBucketLogging": put_logging,
    "GetBucketAccelerateConfiguration": get_nothing, "PutBucketAccelerateConfiguration": put_accelerate,
    "GetBucketAbac": get_abac, "PutBucketAbac": put_abac,
    "GetBucketWebsite": absent("NoSuchWebsiteConfiguration"), "DeleteBucketWebsite": deleted,
    "GetBucketReplication": absent("ReplicationConfigurationNotFoundError"), "DeleteBucketReplication": deleted,
    "GetObjectLockConfiguration": absent("ObjectLockConfigurationNotFoundError"),
    "ListBucketAnalyticsConfigurations": get_nothing, "ListBucketInventoryConfigurations": get_nothing,
    "ListBucketMetricsConfigurations": get_nothing, "ListBucketIntelligentTieringConfigurations": get_nothing,
    "GetBucketAnalyticsConfiguration": _NO_CONFIGURATION, "GetBucketInventoryConfiguration": _NO_CONFIGURATION,
    "GetBucketMetricsConfiguration": _NO_CONFIGURATION, "GetBucketIntelligentTieringConfiguration": _NO_CONFIGURATION,
    "DeleteBucketAnalyticsConfiguration": _NO_CONFIGURATION, "DeleteBucketInventoryConfiguration": _NO_CONFIGURATION,
    "DeleteBucketMetricsConfiguration": _NO_CONFIGURATION,
    "DeleteBucketIntelligentTieringConfiguration": _NO_CONFIGURATION,
}  # fmt: skip
