"""Buckets and bucket policies.

What belongs here: S3's types. What does not: objects.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from labkit.cloud.cloudformation.resources.base import (
    ApiResource,
    Context,
    Handler,
    Properties,
    Setting,
    tag_list,
)
from labkit.cloud.cloudformation.resources.iam import document

_RULE = frozenset(
    [
        "AbortIncompleteMultipartUpload",
        "ExpirationInDays",
        "Id",
        "NoncurrentVersionExpiration",
        "Prefix",
        "Status",
    ]
)
#: members of a CORS rule whose names in templates are not the API's
_CORS = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
_PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False
)


def _versioning(ctx: Context, bucket: str, value: Any) -> None:
    wanted = value or {"Status": "Suspended"}
    ctx.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=wanted)


def _public_access(ctx: Context, bucket: str, value: Any) -> None:
    if value is None:
        ctx.client("s3").delete_public_access_block(Bucket=bucket)
    else:
        ctx.client("s3").put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=_PRIVATE | value
        )


def _encryption(ctx: Context, bucket: str, value: Any) -> None:
    if value is None:
        ctx.client("s3").delete_bucket_encryption(Bucket=bucket)
        return
    rules = [_encryption_rule(rule) for rule in value["ServerSideEncryptionConfiguration"]]
    ctx.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _encryption_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    entry = dict(rule)
    if default := entry.pop("ServerSideEncryptionByDefault", None):
        entry["ApplyServerSideEncryptionByDefault"] = default
    return entry


def _ownership(ctx: Context, bucket: str, value: Any) -> None:
    if value is None:
        ctx.client("s3").delete_bucket_ownership_controls(Bucket=bucket)
    else:
        ctx.client("s3").put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=value)


def _lifecycle(ctx: Context, bucket: str, value: Any) -> None:
    if value is None:
        ctx.client("s3").delete_bucket_lifecycle(Bucket=bucket)
        return
    rules = {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}
    ctx.client("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    entry |= {"ID": rule["Id"]} if "Id" in rule else {}
    if "ExpirationInDays" in rule:
        entry["Expiration"] = {"Days": rule["ExpirationInDays"]}
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        entry |= {name: rule[name]} if name in rule else {}
    return entry


def _canned(value: str | None) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", value or "Private").lower()


def _acl(ctx: Context, bucket: str, value: Any) -> None:
    """`Private` is what a new bucket is, and the one value that needs no ACLs."""
    s3, canned = ctx.client("s3"), _canned(value)
    if canned != "private" or len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) > 1:
        s3.put_bucket_acl(Bucket=bucket, ACL=canned)


def _cors(ctx: Context, bucket: str, value: Any) -> None:
    if value is None:
        ctx.client("s3").delete_bucket_cors(Bucket=bucket)
        return
    rules = [{_CORS.get(name, name): each for name, each in rule.items()} for rule in value["CorsRules"]]
    ctx.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})


def _notifications(ctx: Context, bucket: str, value: Any) -> None:
    wanted = [_notification(each) for each in (value or {}).get("LambdaConfigurations", [])]
    told = {"LambdaFunctionConfigurations": wanted} if wanted else {}
    ctx.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)


def _notification(entry: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"LambdaFunctionArn": entry["Function"], "Events": [entry["Event"]]}
    if "Filter" in entry:
        told["Filter"] = {"Key": {"FilterRules": entry["Filter"]["S3Key"]["Rules"]}}
    return told


def _tags(ctx: Context, bucket: str, value: Any) -> None:
    own = {key: text for key, text in (value or {}).items() if not key.startswith("aws:")}
    system = {key: text for key, text in (value or {}).items() if key.startswith("aws:")}
    if own:
        ctx.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list(own)})
    else:
        ctx.client("s3").delete_bucket_tagging(Bucket=bucket)
    ctx.system_tags(bucket, system)


class Bucket(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html."""

    type_name = "AWS::S3::Bucket"
    service = "s3"
    settings: ClassVar[Mapping[str, Setting]] = {
        "Tags": _tags,
        "PublicAccessBlockConfiguration": _public_access,
        "VersioningConfiguration": _versioning,
        "BucketEncryption": _encryption,
        "OwnershipControls": _ownership,
        "AccessControl": _acl,
        "CorsConfiguration": _cors,
        "NotificationConfiguration": _notifications,
        "LifecycleConfiguration": _lifecycle,
    }
    emulated = frozenset({*settings, "BucketName"})
    inside: ClassVar[Mapping[str, frozenset[str]]] = {
        "LifecycleConfiguration": frozenset({"Rules"}),
        "LifecycleConfiguration.Rules": _RULE,
        "NotificationConfiguration": frozenset({"LambdaConfigurations"}),
    }
    name_property = "BucketName"
    delete_call, id_argument = "delete_bucket", "Bucket"
    gone = frozenset({"NoSuchBucket"})
    attribute_names = frozenset({"Arn", "DomainName", "RegionalDomainName", "DualStackDomainName"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Create it in the stack's region; a bucket without a name gets one in lower case."""
        name = str(new.get("BucketName") or ctx.name(63, lower=True))
        more: dict[str, Any] = {}
        if ctx.region != "us-east-1":
            more["CreateBucketConfiguration"] = {"LocationConstraint": ctx.region}
        canned = _canned(new.get("AccessControl"))
        if canned != "private" and "OwnershipControls" not in new:
            more["ACL"] = canned  # which S3 refuses: ACLs are off
        self.call(ctx, "create_bucket", Bucket=name, **more)
        return name

    def attributes(self, ctx: Context, physical_id: str, new: Properties) -> Mapping[str, Any]:
        """Names that follow from the bucket's."""
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{physical_id}.s3.amazonaws.com",
            "RegionalDomainName": f"{physical_id}.s3.{ctx.region}.amazonaws.com",
            "DualStackDomainName": f"{physical_id}.s3.dualstack.{ctx.region}.amazonaws.com",
        }


class BucketPolicy(ApiResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucketpolicy.html."""

    type_name = "AWS::S3::BucketPolicy"
    service = "s3"
    emulated = frozenset({"Bucket", "PolicyDocument"})
    updatable = frozenset({"PolicyDocument"})
    delete_call, id_argument = "delete_bucket_policy", "Bucket"
    gone = frozenset({"NoSuchBucket", "NoSuchBucketPolicy"})

    def create(self, ctx: Context, new: Properties) -> str:
        """Put it; the physical id is the bucket."""
        self.call(ctx, "put_bucket_policy", Bucket=new["Bucket"], Policy=document(new["PolicyDocument"]))
        return str(new["Bucket"])

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> None:
        """Put it again."""
        self.create(ctx, new)


HANDLERS: tuple[Handler, ...] = (Bucket(), BucketPolicy())
