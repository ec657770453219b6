"""S3: buckets as AWS makes them since April 2023."""

import contextlib
import http.client
import json
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, resource="arn:aws:s3:::BUCKET/*", **more):
    return {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": resource, **more}


def test_new_bucket_blocks_public_access(live):
    """S3 user guide, "Blocking public access": all four settings for new buckets."""
    found = live.s3.get_public_access_block(Bucket=live.bucket())["PublicAccessBlockConfiguration"]
    assert found == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )


def test_new_bucket_is_encrypted(live):
    """S3 user guide, "Setting default server-side encryption": SSE-S3; deleting brings it back."""
    bucket = live.bucket()
    live.s3.delete_bucket_encryption(Bucket=bucket)
    put = live.s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    head = live.s3.head_object(Bucket=bucket, Key="k")
    assert (put["ServerSideEncryption"], head["ServerSideEncryption"]) == ("AES256", "AES256")


def test_default_encryption_is_described(live):
    """S3 API reference, GetBucketEncryption."""
    found = live.s3.get_bucket_encryption(Bucket=live.bucket())["ServerSideEncryptionConfiguration"]
    (rule,) = found["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert rule["BucketKeyEnabled"] is False


def test_new_bucket_has_no_acls(live, refusal):
    """S3 user guide, "Disabling ACLs for all new buckets": BucketOwnerEnforced."""
    bucket, words = live.bucket(), "AccessControlListNotSupported: The bucket does not allow ACLs"
    assert refusal(live.s3.put_object, Bucket=bucket, Key="k", Body=b"x", ACL="public-read") == words
    assert refusal(live.s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == words


def test_acls_work_when_the_owner_wants_them(live):
    """S3 user guide, "Controlling ownership of objects": ObjectWriter; "Access control list (ACL) overview"."""
    bucket = live.bucket()
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    live.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    live.s3.delete_public_access_block(Bucket=bucket)
    live.s3.put_object(Bucket=bucket, Key="open", Body=b"x", ACL="public-read")
    live.s3.put_object(Bucket=bucket, Key="shut", Body=b"x")
    grants = live.s3.get_object_acl(Bucket=bucket, Key="open")["Grants"]
    assert {grant["Permission"] for grant in grants} == {"FULL_CONTROL", "READ"}
    assert [anybody(live, f"/{bucket}/{key}") for key in ("open", "shut")] == [200, 403]


def test_strangers_are_told_what_is_not_there(live):
    """S3 API reference, "List of error codes": NoSuchBucket for all, NoSuchKey for who may list the bucket."""
    closed, bucket = live.bucket(), live.bucket()
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    live.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    live.s3.delete_public_access_block(Bucket=bucket)
    live.s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    live.s3.put_object(Bucket=bucket, Key="shut", Body=b"x")
    paths = ("no-such-bucket-anywhere/k", f"{closed}/k", f"{bucket}/k", f"{bucket}/shut", bucket)
    assert [anybody(live, f"/{path}") for path in paths] == [404, 403, 404, 403, 200]


def anybody(live, path):
    """The status of a GET that nobody has signed."""
    try:
        with urllib.request.urlopen(f"{live.clients.target.endpoint_url}{path}") as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_harmless_acl_is_accepted(live):
    """S3 user guide, "Disabling ACLs": bucket-owner-full-control is accepted."""
    live.s3.put_object(Bucket=live.bucket(), Key="k", Body=b"x", ACL="bucket-owner-full-control")


def test_public_policy_is_blocked(live, refusal):
    """S3 user guide, "Block public access settings": BlockPublicPolicy."""
    bucket = live.bucket()
    text = policy(allow("*")).replace("BUCKET", bucket)
    assert refusal(live.s3.put_bucket_policy, Bucket=bucket, Policy=text).startswith("AccessDenied: ")


def test_public_policy_is_taken_without_the_block(live):
    """S3 user guide, "Block public access settings"."""
    bucket = live.bucket()
    live.s3.delete_public_access_block(Bucket=bucket)
    live.s3.put_bucket_policy(Bucket=bucket, Policy=policy(allow("*")).replace("BUCKET", bucket))
    assert json.loads(live.s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert live.s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


@pytest.mark.parametrize(
    "statement",
    [
        {**allow("*"), "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        allow({"AWS": "arn:aws:iam::123456789012:root"}),
        allow("*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
    ],
    ids=["deny plain HTTP", "own account", "own VPC"],
)
def test_policies_that_are_not_public_pass(live, statement):
    """S3 user guide, "The meaning of public"."""
    bucket = live.bucket()
    live.s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement).replace("BUCKET", bucket))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "MalformedPolicy: Policies must be valid JSON and the first byte must be '{'"),
        (policy(allow({"AWS": "1"}, "arn:aws:s3:::other/*")), "MalformedPolicy: Policy has invalid resource"),
        (
            policy({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::BUCKET"}),
            "MalformedPolicy: Missing required field Principal",
        ),
    ],
    ids=["no JSON", "another bucket", "no principal"],
)
def test_malformed_policies_are_refused(live, refusal, text, message):
    """S3 API reference, error responses: MalformedPolicy."""
    bucket = live.bucket()
    assert refusal(live.s3.put_bucket_policy, Bucket=bucket, Policy=text.replace("BUCKET", bucket)) == message


@pytest.mark.parametrize("name", ["Upper", "under_score", "double..dot", "192.168.1.1", "-start", "xn--name"])
def test_bucket_names_follow_the_rules(live, name):
    """S3 user guide, "Bucket naming rules". boto3 checks some names itself, other clients do not."""
    where = urlsplit(live.clients.target.endpoint_url)
    with contextlib.closing(http.client.HTTPConnection(where.netloc, timeout=20)) as connection:
        connection.request("PUT", f"/{name}", b"", live.signed("s3", "PUT", f"/{name}"))
        with connection.getresponse() as answer:
            assert b"InvalidBucketName" in answer.read()


def test_good_bucket_names_pass(live):
    """S3 user guide, "Bucket naming rules"."""
    for name in ("abc", "my.bucket-1", "a" * 63):
        place = {"LocationConstraint": live.clients.target.region}
        live.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
