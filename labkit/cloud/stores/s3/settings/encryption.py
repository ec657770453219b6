"""Server-side encryption: what a request asks for, what a bucket gives, and keys that callers bring.

Nothing is encrypted here: bodies lie on the student's own machine. What is kept is what AWS would tell, and that a
caller's key is needed to read what was written with it.

What belongs here: those headers. What does not: a bucket's setting (configurations).
S3 user guide: "Protecting data with server-side encryption".
"""

import base64
import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.s3.engine import Call, Engine
from labkit.cloud.stores.s3.storage import Version
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_argument, invalid_request

DEFAULT: Mapping[str, Any] = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}
#: what answers tell of an object's encryption
TOLD = (
    "ServerSideEncryption",
    "SSEKMSKeyId",
    "BucketKeyEnabled",
    "SSECustomerAlgorithm",
    "SSECustomerKeyMD5",
)
_CUSTOMER = "Requests specifying Server Side Encryption with Customer provided keys must provide"


def wanted(engine: Engine, call: Call) -> dict[str, Any]:
    """How a new object is encrypted, by the request or by its bucket; "key" is a hash of the caller's key."""
    own = _customer(call.input, "")
    asked = call.input.get("ServerSideEncryption")
    if own is not None and asked:
        raise invalid_argument(
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            "x-amz-server-side-encryption",
            str(asked),
        )
    rule = (engine.storage.setting(call.bucket, "encryption") or DEFAULT)["Rules"][0]
    if own is not None:
        _check_allowed(rule, call.bucket)
        return own
    if asked is None and call.input.get("SSEKMSKeyId"):
        raise invalid_argument(
            "x-amz-server-side-encryption-aws-kms-key-id needs x-amz-server-side-encryption: aws:kms"
        )
    if asked is not None:
        return _method(engine, call, asked, call.input.get("SSEKMSKeyId"), call.input.get("BucketKeyEnabled"))
    default = rule.get("ApplyServerSideEncryptionByDefault", {"SSEAlgorithm": "AES256"})
    return _method(
        engine, call, default["SSEAlgorithm"], default.get("KMSMasterKeyID"), rule.get("BucketKeyEnabled")
    )


def _check_allowed(rule: Mapping[str, Any], bucket: str) -> None:
    blocked = (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType", [])
    if "SSE-C" in blocked:
        words = (
            f"Server-side encryption with customer-provided keys (SSE-C) is blocked for the bucket {bucket}."
        )
        raise S3Error("AccessDenied", words, status=403)


def _method(
    engine: Engine, call: Call, method: str, key: str | None, bucket_key: bool | None
) -> dict[str, Any]:
    if method == "AES256":
        if key:
            words = "x-amz-server-side-encryption-aws-kms-key-id is only for x-amz-server-side-encryption: aws:kms"
            raise invalid_argument(words)
        return {"ServerSideEncryption": "AES256"}
    if method not in ("aws:kms", "aws:kms:dsse"):
        raise invalid_argument(
            "The encryption method specified is not supported", "x-amz-server-side-encryption", method
        )
    found = {"ServerSideEncryption": method, "SSEKMSKeyId": _key_arn(engine, call.region, key)}
    return found | ({"BucketKeyEnabled": True} if bucket_key else {})


def _key_arn(engine: Engine, region: str, key: str | None) -> str:
    """The key's ARN; without a key that of the account's own for S3 (alias aws/s3)."""
    if key and key.startswith("arn:"):
        return key
    name = key or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{engine.account}/{region}/aws/s3"))
    return f"arn:aws:kms:{region}:{engine.account}:{name if name.startswith('alias/') else f'key/{name}'}"


def _customer(given: Mapping[str, Any], prefix: str) -> dict[str, Any] | None:
    """A caller's own key: its algorithm, its digest and a hash of it; None where there is none."""
    algorithm = given.get(f"{prefix}SSECustomerAlgorithm")
    key, digest = given.get(f"{prefix}SSECustomerKey"), given.get(f"{prefix}SSECustomerKeyMD5")
    if algorithm is None and key is None and digest is None:
        return None
    if algorithm is None:
        raise invalid_argument(f"{_CUSTOMER} a valid encryption algorithm.")
    if algorithm != "AES256":
        words = "The Encryption request you specified is not valid. Supported value: AES256."
        raise S3Error("InvalidEncryptionAlgorithmError", words)
    if key is None:
        raise invalid_argument(f"{_CUSTOMER} an appropriate secret key.")
    if digest is None:
        raise invalid_argument(f"{_CUSTOMER} the client calculated MD5 of the secret key.")
    try:
        secret = base64.b64decode(key, validate=True)
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise invalid_argument("The secret key was invalid for the specified algorithm.")
    if base64.b64encode(hashlib.md5(secret, usedforsecurity=False).digest()).decode() != digest:
        raise invalid_argument("The calculated MD5 hash of the key did not match the hash that was provided.")
    told = {"SSECustomerAlgorithm": algorithm, "SSECustomerKeyMD5": digest}
    return told | {"key": hashlib.sha256(secret).hexdigest()}


def check_part(facts: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise S3Error where a part does not come with the key with which its upload was begun."""
    stored, own = facts.get("sse", {}).get("key"), _customer(given, "")
    if stored is None and own is not None:
        raise invalid_request(
            "The multipart upload initiate did not request encryption. Please resend the request without sending "
            "encryption parameters."
        )
    if stored is not None and own is None:
        raise invalid_request(
            "The multipart upload initiate requested encryption. Subsequent part requests must include the "
            "appropriate encryption parameters."
        )
    if own is not None and own["key"] != stored:
        raise invalid_request("The provided encryption parameters did not match the ones used originally.")


def check_key(found: Version, given: Mapping[str, Any], prefix: str = "") -> None:
    """Raise S3Error where an object was written with a caller's key, and this is not it.

    `prefix` is CopySource for the source of a copy.
    """
    stored, own = found.facts.get("sse", {}), _customer(given, prefix)
    if "key" not in stored:
        if own is not None:
            raise invalid_request("The encryption parameters are not applicable to this object.")
    elif own is None:
        raise invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
            "to retrieve the object."
        )
    elif own["key"] != stored["key"]:
        raise S3Error("AccessDenied", "Access Denied", status=403)


def told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer tells of the encryption."""
    stored = facts.get("sse", {})
    return {name: stored[name] for name in TOLD if name in stored}
