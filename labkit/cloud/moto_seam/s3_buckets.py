"""Buckets as AWS has made them since 2023: private, encrypted, without ACLs.

What belongs here: a new bucket's defaults, and what then is refused. What does not: who may do what
(labkit.aws.iam).

AWS: Amazon S3 user guide, "Blocking public access to your Amazon S3 storage", "Controlling ownership of
objects and disabling ACLs for your bucket", "Setting default server-side encryption", "Bucket naming rules".
"""

import ipaddress
import json
import re
from typing import Any

from labkit.aws.iam.matching import matches
from labkit.cloud.moto_seam.errors import s3_error
from labkit.cloud.moto_seam.replacing import Replacements

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
OWNER_ENFORCED = "BucketOwnerEnforced"
ACLS_DISABLED = "The bucket does not allow ACLs"
#: canned ACLs that say nothing more than that the bucket's owner owns all
HARMLESS_ACLS = frozenset({"", "private", "bucket-owner-full-control"})
GRANTS = ("read", "write", "read-acp", "write-acp", "full-control")
GRANT_HEADERS = tuple(f"x-amz-grant-{grant}" for grant in GRANTS)


def correct_buckets(replacements: Replacements) -> None:
    """New buckets get AWS's defaults; what those forbid is refused."""
    from moto.s3 import responses
    from moto.s3.models import FakeBucket, S3Backend
    from moto.s3.responses import S3Response

    replacements.put(responses, "cors_matches_origin", _origin_fits)
    replacements.around(FakeBucket, "__init__")(_new_bucket)
    replacements.around(S3Backend, "create_bucket")(_create_bucket)
    replacements.around(S3Backend, "delete_bucket_encryption")(_delete_encryption)
    replacements.around(S3Backend, "put_bucket_policy")(_put_policy)
    replacements.around(S3Response, "_acl_from_headers")(_acl_from_headers)
    replacements.around(FakeBucket, "get_permission")(_get_permission)


def _get_permission(original: Any, self: Any, action: str, resource: str) -> Any:
    """The door has decided, conditions included; moto would take every Deny as unconditional."""
    from moto.iam.access_control import PermissionResult

    return PermissionResult.PERMITTED


def _origin_fits(origin: str | None, allowed: list[str]) -> bool:
    """Whether a rule allows the origin. Of rules moto makes regular expressions, which may take for ever or be none.

    Amazon S3 user guide, "Elements of a CORS configuration": one * stands for any text.
    """
    return any(matches(rule.replace("?", "%3F"), origin or "") for rule in allowed)


def default_encryption() -> dict[str, Any]:
    """SSE-S3, as PutBucketEncryption would have set it."""
    algorithm = {"SSEAlgorithm": "AES256"}
    return {"Rule": {"ApplyServerSideEncryptionByDefault": algorithm, "BucketKeyEnabled": False}}


def _new_bucket(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    from moto.s3.models import PublicAccessBlock

    original(self, *args, **kwargs)
    self.public_access_block = PublicAccessBlock(True, True, True, True)
    self.encryption = default_encryption()
    self.ownership_rule = OWNER_ENFORCED


def _create_bucket(original: Any, self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
    reserved = bucket_name.startswith(RESERVED_PREFIXES) or bucket_name.endswith(RESERVED_SUFFIXES)
    if reserved or not NAME.fullmatch(bucket_name) or _is_address(bucket_name):
        raise s3_error("InvalidBucketName", "The specified bucket is not valid.")
    return original(self, bucket_name, *args, **kwargs)


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _delete_encryption(original: Any, self: Any, bucket_name: str) -> None:
    # a bucket is never without encryption: deleting the configuration brings the default back
    self.get_bucket(bucket_name).encryption = default_encryption()


def _put_policy(original: Any, self: Any, bucket_name: str, policy: bytes) -> None:
    bucket = self.get_bucket(bucket_name)
    document = _checked_policy(bucket_name, policy)
    block = bucket.public_access_block
    if block is not None and block.block_public_policy and _is_public(document):
        raise s3_error(
            "AccessDenied",
            "User is not authorized to perform: s3:PutBucketPolicy on resource: "
            f'"arn:aws:s3:::{bucket_name}" because public policies are prevented by the BlockPublicPolicy '
            "setting in S3 Block Public Access.",
        )
    original(self, bucket_name, policy)


def _checked_policy(bucket_name: str, policy: bytes) -> dict[str, Any]:
    try:
        document = json.loads(policy)
    except ValueError:
        raise s3_error(
            "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"
        ) from None
    if not isinstance(document, dict) or not _statements(document):
        raise s3_error("MalformedPolicy", "Missing required field Statement")
    bucket = f"arn:aws:s3:::{bucket_name}"
    for statement in _statements(document):
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise s3_error("MalformedPolicy", "Missing required field Principal")
        for resource in _as_list(statement.get("Resource") or statement.get("NotResource")):
            if resource != bucket and not resource.startswith((f"{bucket}/", f"{bucket}*")):
                raise s3_error("MalformedPolicy", "Policy has invalid resource")
    return document


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements = document.get("Statement") or []
    return [statements] if isinstance(statements, dict) else list(statements)


def _is_public(document: dict[str, Any]) -> bool:
    """Whether a statement gives everybody something, without a condition that names who."""
    return any(
        statement.get("Effect") == "Allow"
        and _everybody(statement.get("Principal"))
        and not _narrowed(statement)
        for statement in _statements(document)
    )


def _everybody(principal: Any) -> bool:
    return principal == "*" or (isinstance(principal, dict) and "*" in _as_list(principal.get("AWS")))


def _narrowed(statement: dict[str, Any]) -> bool:
    """Conditions that S3 counts as naming fixed values (user guide, "The meaning of public")."""
    naming = {
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourceaccount",
        "aws:sourceowner",
        "aws:userid",
        "aws:principalorgid",
        "aws:principalarn",
        "aws:principalaccount",
        "s3:dataaccesspointarn",
    }
    keys = {key.lower() for test in (statement.get("Condition") or {}).values() for key in test}
    return bool(keys & naming)


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _acl_from_headers(original: Any, self: Any, headers: Any) -> Any:
    canned = headers.get("x-amz-acl", "")
    granted = any(name in headers for name in GRANT_HEADERS)
    if not canned and not granted:
        return None  # as moto's answer, without its look at each header
    if granted or canned not in HARMLESS_ACLS:
        bucket = self.backend.buckets.get(self.bucket_name)
        kept = bucket.ownership_rule if bucket is not None else None
        if headers.get("x-amz-object-ownership", kept) == OWNER_ENFORCED:
            raise s3_error("AccessControlListNotSupported", ACLS_DISABLED)
    return original(self, headers)
