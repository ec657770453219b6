"""S3: buckets as AWS makes them since April 2023. Each test shows plain moto's fault first."""

import json

import pytest

PLACE = {"LocationConstraint": "ap-south-1"}


def bucket(aws, name="bucket"):
    aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration=PLACE)
    return name


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, resource="arn:aws:s3:::bucket/*", **more):
    return {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": resource, **more}


def test_new_bucket_blocks_public_access(moto, refusal):
    """S3 user guide, "Blocking public access": all four settings for new buckets."""

    def scenario(aws):
        bucket(aws)
        refused = refusal(aws.s3.get_public_access_block, Bucket="bucket").split(":")[0]
        return refused or aws.s3.get_public_access_block(Bucket="bucket")["PublicAccessBlockConfiguration"]

    fault, right = moto.compare(scenario)
    assert fault == "NoSuchPublicAccessBlockConfiguration"
    assert right == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )


def test_new_bucket_is_encrypted(moto, refusal):
    """S3 user guide, "Setting default server-side encryption": SSE-S3; deleting brings it back."""

    def scenario(aws):
        bucket(aws)
        aws.s3.delete_bucket_encryption(Bucket="bucket")
        refused = refusal(aws.s3.get_bucket_encryption, Bucket="bucket").split(":")[0]
        put = aws.s3.put_object(Bucket="bucket", Key="k", Body=b"x")
        head = aws.s3.head_object(Bucket="bucket", Key="k")
        return refused, put.get("ServerSideEncryption"), head.get("ServerSideEncryption")

    fault, right = moto.compare(scenario)
    assert fault == ("ServerSideEncryptionConfigurationNotFoundError", None, None)
    assert right == ("", "AES256", "AES256")


def test_default_encryption_is_described(aws):
    """S3 API reference, GetBucketEncryption."""
    bucket(aws)
    (rule,) = aws.s3.get_bucket_encryption(Bucket="bucket")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert rule["BucketKeyEnabled"] is False


def test_new_bucket_has_no_acls(moto, refusal):
    """S3 user guide, "Disabling ACLs for all new buckets": BucketOwnerEnforced."""

    def scenario(aws):
        bucket(aws)
        put = refusal(aws.s3.put_object, Bucket="bucket", Key="k", Body=b"x", ACL="public-read")
        return put, refusal(aws.s3.put_bucket_acl, Bucket="bucket", ACL="public-read").split(":")[0]

    assert moto.compare(scenario) == (
        ("", ""),
        (
            "AccessControlListNotSupported: The bucket does not allow ACLs",
            "AccessControlListNotSupported",
        ),
    )


def test_acls_work_when_the_owner_wants_them(aws):
    """S3 user guide, "Controlling ownership of objects": ObjectWriter."""
    bucket(aws)
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    aws.s3.put_bucket_ownership_controls(Bucket="bucket", OwnershipControls=controls)
    aws.s3.put_object(Bucket="bucket", Key="k", Body=b"x", ACL="public-read")
    grants = aws.s3.get_object_acl(Bucket="bucket", Key="k")["Grants"]
    assert {grant["Permission"] for grant in grants} == {"FULL_CONTROL", "READ"}


def test_harmless_acl_is_accepted(aws):
    """S3 user guide, "Disabling ACLs": bucket-owner-full-control is accepted."""
    bucket(aws)
    aws.s3.put_object(Bucket="bucket", Key="k", Body=b"x", ACL="bucket-owner-full-control")


def test_public_policy_is_blocked(moto, refusal):
    """S3 user guide, "Block public access settings": BlockPublicPolicy."""

    def scenario(aws):
        bucket(aws)
        return refusal(aws.s3.put_bucket_policy, Bucket="bucket", Policy=policy(allow("*"))).split(":")[0]

    assert moto.compare(scenario) == ("", "AccessDenied")


def test_public_policy_is_taken_without_the_block(aws):
    """S3 user guide, "Block public access settings"."""
    bucket(aws)
    aws.s3.delete_public_access_block(Bucket="bucket")
    aws.s3.put_bucket_policy(Bucket="bucket", Policy=policy(allow("*")))
    assert json.loads(aws.s3.get_bucket_policy(Bucket="bucket")["Policy"])["Statement"]


@pytest.mark.parametrize(
    "statement",
    [
        {**allow("*"), "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        allow({"AWS": "arn:aws:iam::123456789012:root"}),
        allow("*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
    ],
    ids=["deny plain HTTP", "own account", "own VPC"],
)
def test_policies_that_are_not_public_pass(aws, statement):
    """S3 user guide, "The meaning of public"."""
    bucket(aws)
    aws.s3.put_bucket_policy(Bucket="bucket", Policy=policy(statement))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "MalformedPolicy: Policies must be valid JSON and the first byte must be '{'"),
        (policy(allow({"AWS": "1"}, "arn:aws:s3:::other/*")), "MalformedPolicy: Policy has invalid resource"),
        (
            policy({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}),
            "MalformedPolicy: Missing required field Principal",
        ),
    ],
    ids=["no JSON", "another bucket", "no principal"],
)
def test_malformed_policies_are_refused(moto, refusal, text, message):
    """S3 API reference, error responses: MalformedPolicy."""

    def scenario(aws):
        bucket(aws)
        return refusal(aws.s3.put_bucket_policy, Bucket="bucket", Policy=text)

    assert moto.compare(scenario) == ("", message)


@pytest.mark.parametrize("name", ["Upper", "under_score", "double..dot", "192.168.1.1", "-start", "xn--name"])
def test_bucket_names_follow_the_rules(moto, name):
    """S3 user guide, "Bucket naming rules"."""

    def scenario(aws):
        # boto3 checks some names itself, other clients do not: the raw request is what counts
        import urllib.error
        import urllib.request

        url = f"{aws.s3.meta.endpoint_url}/{name}"
        scope = (
            "AWS4-HMAC-SHA256 Credential=AAAAAAAAAAAAAAAAAAAA/20261101/us-east-1/s3/aws4_request, Signature=0"
        )
        request = urllib.request.Request(url, method="PUT", headers={"Authorization": scope})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return "InvalidBucketName" in error.read().decode()

    assert moto.compare(scenario) == (200, True)


def test_good_bucket_names_pass(aws):
    """S3 user guide, "Bucket naming rules"."""
    for name in ("abc", "my.bucket-1", "a" * 63):
        bucket(aws, name)
