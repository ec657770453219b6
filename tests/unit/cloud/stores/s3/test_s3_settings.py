"""Buckets and their settings: what is taken is given back, what nothing stands behind is refused by name."""

import json

import pytest

from tests.unit.cloud.stores.s3_door import REGION, client_of

FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:f"


def test_names_and_places(url, s3, bucket, refusal):
    """S3 API reference, CreateBucket; user guide, "Bucket naming rules"."""
    place = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    assert refusal(s3.create_bucket, Bucket=bucket, **place) == "BucketAlreadyOwnedByYou 409"
    assert refusal(s3.create_bucket, Bucket="other") == "IllegalLocationConstraintException 400"
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    assert refusal(s3.create_bucket, Bucket="other", **elsewhere) == "IllegalLocationConstraintException 400"
    nowhere = {"CreateBucketConfiguration": {"LocationConstraint": "mars-1"}}
    assert refusal(s3.create_bucket, Bucket="other", **nowhere) == "InvalidLocationConstraint 400"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    classic = client_of(url, "us-east-1")
    for _ in range(2):  # where S3 began, asking twice is no mistake
        classic.create_bucket(Bucket="classic")
    assert classic.get_bucket_location(Bucket="classic")["LocationConstraint"] is None
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["bucket", "classic"]
    assert s3.head_bucket(Bucket="classic")["BucketRegion"] == "us-east-1"


def test_a_bucket_is_deleted_when_it_is_empty(s3, versioned, refusal):
    """S3 API reference, DeleteBucket: old versions and delete markers count."""
    s3.put_bucket_tagging(Bucket=versioned, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert refusal(s3.delete_bucket, Bucket=versioned) == "BucketNotEmpty 409"
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=versioned)
    assert refusal(s3.head_bucket, Bucket=versioned) == "404 404"
    s3.create_bucket(Bucket=versioned, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert refusal(s3.get_bucket_tagging, Bucket=versioned) == "NoSuchTagSet 404"
    assert "Status" not in s3.get_bucket_versioning(Bucket=versioned)


SETTINGS = {
    "cors": (
        "CORSConfiguration",
        {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        "CORSRules",
    ),
    "encryption": (
        "ServerSideEncryptionConfiguration",
        {
            "Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
            ]
        },
        "ServerSideEncryptionConfiguration",
    ),
    "ownership_controls": (
        "OwnershipControls",
        {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        "OwnershipControls",
    ),
    "tagging": ("Tagging", {"TagSet": [{"Key": "a", "Value": "1"}]}, "TagSet"),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_are_given_back(s3, bucket, kind):
    """S3 API reference, PutBucketCors and its like."""
    member, document, told = SETTINGS[kind]
    getattr(s3, f"put_bucket_{kind}")(Bucket=bucket, **{member: document})
    found = getattr(s3, f"get_bucket_{kind}")(Bucket=bucket)[told]
    assert found == (document if told in (member,) else document[told])


def test_the_bucket_encrypts(s3, bucket):
    """S3 user guide, "Setting default server-side encryption behavior for Amazon S3 buckets"."""
    member, document, _ = SETTINGS["encryption"]
    s3.put_bucket_encryption(Bucket=bucket, **{member: document})
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert (put["ServerSideEncryption"], put["BucketKeyEnabled"]) == ("aws:kms", True)
    assert put["SSEKMSKeyId"].startswith(f"arn:aws:kms:{REGION}:123456789012:key/")


def test_lifecycle_rules_end_objects(s3, bucket):
    """S3 user guide, "Lifecycle configuration elements"; x-amz-expiration."""
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]
    assert 'rule-id="r"' in s3.put_object(Bucket=bucket, Key="old/k", Body=b"")["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="new/k", Body=b"")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "i.html"}}}),
        ("put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Enabled"}}),
        (
            "put_bucket_logging",
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "b", "TargetPrefix": ""}}},
        ),
        ("put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
        (
            "put_bucket_notification_configuration",
            {
                "NotificationConfiguration": {
                    "QueueConfigurations": [{"QueueArn": "a", "Events": ["s3:ObjectCreated:*"]}]
                }
            },
        ),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled", "MFADelete": "Enabled"}}),
        ("restore_object", {"Key": "k"}),
        ("get_object_torrent", {"Key": "k"}),
    ],
)
def test_what_nothing_stands_behind_is_refused_by_name(s3, bucket, refusal, operation, arguments):
    """docs/s3.md: never taken and ignored."""
    assert refusal(getattr(s3, operation), Bucket=bucket, **arguments) == "NotImplemented 501"


def test_a_function_that_may_not_be_called_is_not_told(s3, bucket, refusal):
    """S3 API reference, PutBucketNotificationConfiguration: the destination is validated."""
    told = {
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}]
    }
    put = s3.put_bucket_notification_configuration
    assert refusal(put, Bucket=bucket, NotificationConfiguration=told) == "InvalidArgument 400"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Effect": "Perhaps"}, "Invalid effect"),
        ({"Action": "ec2:RunInstances"}, "invalid action"),
        ({"Resource": "arn:aws:s3:::other/*"}, "invalid resource"),
        ({"Principal": "me"}, "Invalid principal"),
        ({"Resources": "x"}, "Unknown field Resources"),
        ({"Condition": "x"}, "Conditions do not apply"),
    ],
)
def test_policies_that_are_none(s3, bucket, change, words):
    """S3 API reference, "List of error codes": MalformedPolicy."""
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"
    }  # fmt: skip
    document = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    document["Statement"] = [statement | change]
    with pytest.raises(s3.exceptions.ClientError, match=words):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def test_with_acls_off_only_full_control_for_the_owner_is_taken(s3, bucket, refusal):
    """S3 user guide, "Troubleshooting" of Object Ownership: AccessControlListNotSupported."""
    held = s3.get_bucket_acl(Bucket=bucket)
    owner, grants = held["Owner"], held["Grants"]
    reading = [{**grants[0], "Permission": "READ"}]
    for wanted, answer in (
        (grants, ""),
        ([], "AccessControlListNotSupported 400"),
        (reading, "AccessControlListNotSupported 400"),
        (grants + reading, "AccessControlListNotSupported 400"),
    ):
        policy = {"Owner": owner, "Grants": wanted}
        assert refusal(s3.put_bucket_acl, Bucket=bucket, AccessControlPolicy=policy) == answer


def told(acl):
    return [
        (each["Grantee"].get("URI", "owner").rpartition("/")[2], each["Permission"]) for each in acl["Grants"]
    ]


@pytest.mark.parametrize(
    ("given", "grants"),
    [
        ({}, [("owner", "FULL_CONTROL")]),
        ({"ACL": "private"}, [("owner", "FULL_CONTROL")]),
        ({"ACL": "log-delivery-write"}, [("owner", "FULL_CONTROL"), ("LogDelivery", "WRITE"), ("LogDelivery", "READ_ACP")]),
        ({"GrantRead": "uri=http://acs.amazonaws.com/groups/s3/LogDelivery"}, [("LogDelivery", "READ")]),
    ],
)  # fmt: skip
def test_a_bucket_is_made_with_the_acl_that_was_asked_for(s3, given, grants):
    """S3 API reference, CreateBucket: x-amz-acl, x-amz-grant-*; named grants are all there is."""
    s3.create_bucket(Bucket="listed", CreateBucketConfiguration={"LocationConstraint": REGION},
                     ObjectOwnership="ObjectWriter", **given)  # fmt: skip
    assert told(s3.get_bucket_acl(Bucket="listed")) == grants


def test_an_acl_without_grants_is_told_as_one(s3, bucket):
    """S3 user guide, "ACL overview": an ACL holds what its document says, the owner's grant too."""
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": owner, "Grants": []})
    assert told(s3.get_bucket_acl(Bucket=bucket)) == []


def test_a_new_bucket_takes_no_acl_unless_its_owner_wants_them(s3, refusal):
    """S3 user guide, "Controlling ownership of objects": InvalidBucketAclWithObjectOwnership."""
    where = {"LocationConstraint": REGION}
    for acl, answer in (("public-read", "InvalidBucketAclWithObjectOwnership 400"), ("private", "")):
        assert (
            refusal(s3.create_bucket, Bucket=f"with-{acl}", CreateBucketConfiguration=where, ACL=acl)
            == answer
        )
