"""Buckets: made, found, listed, deleted, with and without versions.

What belongs here: those operations, names and regions. What does not: a bucket's settings (configurations).
S3 user guide: "Bucket naming rules", "Using versioning in S3 buckets"; S3 API reference: "CreateBucket".
"""

import ipaddress
import re
from typing import Any

from labkit.cloud.stores.s3.engine import Call, Engine, Reply
from labkit.cloud.stores.s3.settings import acls, encryption
from labkit.cloud.stores.s3.storage import Bucket
from labkit.cloud.stores.s3.wire.errors import (
    S3Error,
    invalid_argument,
    malformed_xml,
    no_bucket,
    not_emulated,
)
from labkit.deploy.targets import regions

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]").fullmatch
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
#: where the location is not told, and may not be asked for
CLASSIC = "us-east-1"
SHUT = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def check_name(name: str) -> None:
    """Raise S3Error for a name that no bucket may have."""
    reserved = name.startswith(_RESERVED_PREFIXES) or name.endswith(_RESERVED_SUFFIXES)
    if reserved or not _NAME(name) or _is_address(name):
        raise S3Error("InvalidBucketName", details={"BucketName": name})


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def create_bucket(engine: Engine, call: Call) -> Reply:
    """CreateBucket: private, encrypted, without ACLs, as all are since 2023."""
    check_name(call.bucket)
    given = call.input
    configuration = given.get("CreateBucketConfiguration") or {}
    region = _location(call.region, configuration)
    if given.get("ObjectLockEnabledForBucket"):
        raise not_emulated("Object Lock")
    if configuration.get("Location") or configuration.get("Bucket"):
        raise not_emulated("directory buckets")
    owner = given.get("ObjectOwnership", acls.ENFORCED)
    grants = acls.of_request(engine, call, switched_on=owner != acls.ENFORCED)
    with engine.storage.transaction():
        found = engine.storage.bucket(call.bucket)
        if found is not None:
            if found.region == region == CLASSIC:
                # where S3 began, asking twice is no mistake; it puts the bucket's ACL back
                engine.storage.put_setting(call.bucket, "acl", grants or None)
                return _made(call, region)
            raise S3Error("BucketAlreadyOwnedByYou", details={"BucketName": call.bucket})
        if public := [who for who, _ in grants if who in (acls.EVERYBODY, acls.SIGNED)]:
            words = "Bucket cannot have public ACLs set with BlockPublicAccess enabled"
            raise S3Error("InvalidBucketAclWithBlockPublicAccessError", words, details={"Grantee": public[0]})
        engine.storage.put_bucket(Bucket(call.bucket, region, int(engine.now())))
        rules = {"Rules": [{"ObjectOwnership": owner}]}
        settings = {"ownership": rules, "public_access_block": SHUT, "encryption": encryption.DEFAULT}
        for kind, value in settings.items():
            engine.storage.put_setting(call.bucket, kind, value)
        if grants:
            engine.storage.put_setting(call.bucket, "acl", grants)
        if tags := configuration.get("Tags"):
            engine.storage.put_setting(call.bucket, "tagging", tags)
    return _made(call, region)


def _made(call: Call, region: str) -> Reply:
    where = f"/{call.bucket}" if region == CLASSIC else f"http://{call.bucket}.s3.amazonaws.com/"
    return Reply({"Location": where, "BucketArn": f"arn:aws:s3:::{call.bucket}"})


def _location(region: str, configuration: dict[str, Any]) -> str:
    """Where the bucket is to be. Raises S3Error where the request asks one region for another."""
    wanted = configuration.get("LocationConstraint")
    if wanted == "EU":
        wanted = "eu-west-1"
    if wanted is not None and (wanted not in regions() or wanted == CLASSIC):
        raise S3Error("InvalidLocationConstraint", details={"LocationConstraint": wanted})
    if region == CLASSIC:
        return wanted or CLASSIC
    if wanted is None:
        raise S3Error("IllegalLocationConstraintException")
    if wanted != region:
        words = f"The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to."
        raise S3Error("IllegalLocationConstraintException", words)
    return str(wanted)


def delete_bucket(engine: Engine, call: Call) -> Reply:
    """DeleteBucket."""
    with engine.storage.transaction():
        bucket = engine.bucket(call)
        if not engine.storage.is_empty(bucket.name):
            kept = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
            raise S3Error(
                "BucketNotEmpty", kept if bucket.versioning else "", details={"BucketName": bucket.name}
            )
        gone = [
            part.body
            for upload in engine.storage.uploads_behind(bucket.name, "", 0)
            for part in engine.storage.parts(upload.id)
        ]
        engine.storage.drop_uploads_of(bucket.name)
        engine.storage.drop_bucket(bucket.name)
    engine.bodies.remove(gone)
    return Reply(status=204)


def head_bucket(engine: Engine, call: Call) -> Reply:
    """HeadBucket."""
    bucket = engine.bucket(call)
    named = {
        "BucketRegion": bucket.region,
        "AccessPointAlias": False,
        "BucketArn": f"arn:aws:s3:::{bucket.name}",
    }
    return Reply(named, parts=iter(()))


def list_buckets(engine: Engine, call: Call) -> Reply:
    """ListBuckets."""
    given = call.input
    prefix, region = given.get("Prefix") or "", given.get("BucketRegion") or ""
    behind, most = given.get("ContinuationToken") or "", given.get("MaxBuckets")
    if most is not None and not 1 <= most <= 10_000:
        words = "Argument max-buckets must be an integer between 1 and 10000"
        raise invalid_argument(words, "max-buckets", str(most))
    found = engine.storage.buckets(prefix, behind, most + 1 if most else -1, region)
    page = found[:most] if most else found
    paged = most is not None or "BucketRegion" in given or "Prefix" in given
    told = [
        {
            "Name": each.name,
            "CreationDate": each.made,
            "BucketArn": f"arn:aws:s3:::{each.name}",
            **({"BucketRegion": each.region} if paged else {}),
        }
        for each in page
    ]
    following = page[-1].name if len(found) > len(page) else None
    output = {"Buckets": told, "Owner": engine.owner, "ContinuationToken": following}
    return Reply(output | {"Prefix": given.get("Prefix")})


def get_bucket_location(engine: Engine, call: Call) -> Reply:
    """GetBucketLocation: the answer is one element, empty for the region where S3 began."""
    region = engine.bucket(call).region
    return Reply({"LocationConstraint": "" if region == CLASSIC else region})


def get_bucket_versioning(engine: Engine, call: Call) -> Reply:
    """GetBucketVersioning."""
    return Reply({"Status": engine.bucket(call).versioning or None})


def put_bucket_versioning(engine: Engine, call: Call) -> Reply:
    """PutBucketVersioning."""
    wanted = call.input["VersioningConfiguration"]
    if wanted.get("MFADelete") == "Enabled" or call.header("x-amz-mfa"):
        raise not_emulated("MFA delete")
    if "Status" not in wanted:
        raise malformed_xml()
    with engine.storage.transaction():
        bucket = engine.bucket(call)
        engine.storage.put_bucket(Bucket(bucket.name, bucket.region, bucket.made, wanted["Status"]))
    return Reply()


def region_of(engine: Engine, bucket: str) -> str:
    """Where a bucket is. Raises S3Error where there is none."""
    found = engine.storage.bucket(bucket)
    if found is None:
        raise no_bucket(bucket)
    return found.region
