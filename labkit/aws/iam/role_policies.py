"""All policies that apply to a role, as the APIs of IAM and S3 describe them: the local cloud's, or a real account's.

What belongs here: from answers to the records that the analysis reads. What does not: analysing them
(labkit.aws.iam.analysis).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from labkit.aws.iam.analysis import Policies
from labkit.aws.network.descriptions import ApiClients
from labkit.aws.records import PolicyDocument, Principal


def policies_of(clients: ApiClients, role_arn: str, session: str) -> Policies:
    """What applies to the role's session of this name: inline, attached, boundary, bucket and trust policies.

    Raises botocore's ClientError where the role does not exist.
    """
    iam, name = clients.client("iam"), role_arn.rsplit("/", 1)[-1]
    role = iam.get_role(RoleName=name)["Role"]
    account = role_arn.split(":")[4]
    principal = Principal(
        "session",
        f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        account,
        f"{role['RoleId']}:{session}",
        role_arn,
    )
    boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    return Policies(
        principal,
        tuple(_identity(iam, name)),
        _managed(iam, boundary) if boundary else None,
        {**_trusts(iam), **_buckets(clients.client("s3"))},
        {tag["Key"]: tag["Value"] for tag in role.get("Tags", ())},
    )


def _identity(iam: Any, role: str) -> Iterator[PolicyDocument]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            found = iam.get_role_policy(RoleName=role, PolicyName=name)
            yield PolicyDocument(name, _document(found["PolicyDocument"]))
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for attached in page["AttachedPolicies"]:
            yield _managed(iam, attached["PolicyArn"])


def _managed(iam: Any, arn: str) -> PolicyDocument:
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    return PolicyDocument(policy["PolicyName"], _document(version["Document"]))


def _trusts(iam: Any) -> dict[str, PolicyDocument]:
    return {
        role["Arn"]: PolicyDocument(
            f"trust of {role['RoleName']}", _document(role["AssumeRolePolicyDocument"])
        )
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
    }


def _buckets(s3: Any) -> dict[str, PolicyDocument]:
    from botocore.exceptions import ClientError

    found = {}
    for name in (bucket["Name"] for bucket in s3.list_buckets()["Buckets"]):
        try:
            text = s3.get_bucket_policy(Bucket=name)["Policy"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchBucketPolicy", "NoSuchBucket"):
                raise
            continue
        found[f"arn:aws:s3:::{name}"] = PolicyDocument(f"policy of {name}", _document(text))
    return found


def _document(value: object) -> Mapping[str, object]:
    """boto3 gives IAM's documents parsed and S3's as text."""
    document: Mapping[str, object] = json.loads(value) if isinstance(value, str) else value  # type: ignore[assignment]
    return document
