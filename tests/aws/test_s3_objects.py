"""S3: objects, versions, listings, conditions and events, through the door of a whole cloud."""

import json
import urllib.request
from typing import Any

NOTE = """
import json, os, boto3
def lambda_handler(event, context):
    record = event["Records"][0]
    boto3.client("dynamodb").put_item(TableName=os.environ["TABLE"], Item={
        "id": {"S": record["s3"]["object"]["key"]}, "name": {"S": record["eventName"]}})
"""


def versioned(live: Any) -> str:
    bucket: str = live.bucket()
    live.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def test_a_deleted_object_is_there_under_its_version(live: Any, aids: Any) -> None:
    """S3 user guide, "Working with delete markers": a delete without a version only marks."""
    bucket = versioned(live)
    version = live.s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    marker = live.s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"]
    assert aids.refused(live.s3.get_object, Bucket=bucket, Key="k")[0] == "NoSuchKey"
    assert live.s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"1"
    live.s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert live.s3.get_object(Bucket=bucket, Key="k")["VersionId"] == version


def test_an_object_that_is_there_is_not_written_over_where_that_is_asked(live: Any, aids: Any) -> None:
    """S3 user guide, "How to prevent object overwrites with conditional writes"."""
    bucket = live.bucket()
    etag = live.s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    again = {"Bucket": bucket, "Key": "k", "Body": b"2"}
    assert aids.refused(live.s3.put_object, **again, IfNoneMatch="*")[0] == "PreconditionFailed"
    assert aids.refused(live.s3.put_object, **again, IfMatch='"other"')[0] == "PreconditionFailed"
    assert live.s3.put_object(**again, IfMatch=etag)["ETag"] != etag


def test_a_wrong_checksum_is_refused_and_nothing_is_stored(live: Any, aids: Any) -> None:
    """S3 user guide, "Checking object integrity"."""
    bucket = live.bucket()
    wrong = {"Bucket": bucket, "Key": "k", "Body": b"1", "ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert aids.refused(live.s3.put_object, **wrong)[0] == "BadDigest"
    assert live.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_pages_of_a_listing_go_on_though_what_they_named_is_deleted(live: Any) -> None:
    """S3 API reference, ListObjectsV2: a continuation token is a place in the order of keys; prefixes count as keys."""
    bucket = live.bucket()
    for key in ("a", "b/1", "b/2", "c", "d"):
        live.s3.put_object(Bucket=bucket, Key=key, Body=b"")
    first = live.s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert [each["Key"] for each in first["Contents"]] == ["a"]
    assert first["CommonPrefixes"] == [{"Prefix": "b/"}]
    live.s3.delete_object(Bucket=bucket, Key="b/2")
    token = first["NextContinuationToken"]
    second = live.s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=2, ContinuationToken=token)
    assert [each["Key"] for each in second["Contents"]] == ["c", "d"]
    assert not second["IsTruncated"]


def test_parts_but_the_last_have_five_megabytes(live: Any, aids: Any) -> None:
    """S3 user guide, "Amazon S3 multipart upload limits"."""
    bucket = live.bucket()
    upload = live.s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [
        {"PartNumber": n, "ETag": live.s3.upload_part(**named, PartNumber=n, Body=b"x")["ETag"]}
        for n in (1, 2)
    ]
    refused = aids.refused(live.s3.complete_multipart_upload, **named, MultipartUpload={"Parts": parts})
    assert refused[0] == "EntityTooSmall"
    live.s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts[:1]})
    assert live.s3.head_object(Bucket=bucket, Key="k")["ETag"].endswith('-1"')


def test_a_presigned_url_gives_a_range(live: Any) -> None:
    """S3 user guide, "Download and upload objects with presigned URLs"."""
    bucket = live.bucket()
    live.s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    url = live.s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Range": "bytes=2-4"})) as answer:
        assert (answer.status, answer.read()) == (206, b"234")


def test_deleting_versions_needs_a_permission_of_its_own(live: Any, aids: Any) -> None:
    """S3 API reference, DeleteObjects: s3:DeleteObjectVersion for a key that names a version."""
    bucket, user = versioned(live), live.name("user")
    live.iam.create_user(UserName=user)
    allowed = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    live.iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=aids.policy(allowed))
    s3 = live.as_(live.iam.create_access_key(UserName=user)["AccessKey"]).client("s3")
    version = live.s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    one = {"Bucket": bucket, "Delete": {"Objects": [{"Key": "k", "VersionId": version}]}}
    code, words = aids.refused(s3.delete_objects, **one)
    assert code == "AccessDenied"
    assert "s3:DeleteObjectVersion" in words
    assert s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]["DeleteMarker"]
    assert live.s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"1"


def test_an_event_reaches_a_function_that_lets_s3_call_it(live: Any, aids: Any) -> None:
    """S3 user guide, "Granting permissions to publish event notification messages to a destination"."""
    bucket, table = live.bucket(), live.name("told")
    live.dynamodb.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    name = live.function(NOTE, Environment={"Variables": {"TABLE": table}})
    arn = live.lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    wanted = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    rules = [{"Name": "suffix", "Value": ".jpg"}]
    told = {
        "Bucket": bucket,
        "NotificationConfiguration": {
            "LambdaFunctionConfigurations": [{**wanted, "Filter": {"Key": {"FilterRules": rules}}}]
        },
    }
    code, words = aids.refused(live.s3.put_bucket_notification_configuration, **told)
    assert (code, words) == ("InvalidArgument", "Unable to validate the following destination configurations")
    live.lambda_.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )  # fmt: skip
    live.s3.put_bucket_notification_configuration(**told)
    for key in ("text.txt", "picture one.jpg"):
        live.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(key).encode())
    rows = aids.eventually(lambda: live.dynamodb.scan(TableName=table)["Items"])
    assert rows == [{"id": {"S": "picture+one.jpg"}, "name": {"S": "ObjectCreated:Put"}}]


def test_the_tagging_api_tells_of_buckets_and_tables(live: Any) -> None:
    """API references: Resource Groups Tagging API, GetResources; a bucket shows in its own region."""
    bucket, table, tags = live.bucket(), live.name("tagged"), [{"Key": "course", "Value": live.name("c")}]
    live.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    live.dynamodb.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST", Tags=tags,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    asked = {"TagFilters": [{"Key": "course", "Values": [tags[0]["Value"]]}]}
    api = live.clients.client("resourcegroupstaggingapi")
    found = api.get_resources(**asked)["ResourceTagMappingList"]
    assert sorted(each["ResourceARN"].rpartition(":")[2] for each in found) == sorted(
        [bucket, f"table/{table}"]
    )
    only = api.get_resources(**asked, ResourceTypeFilters=["s3"])["ResourceTagMappingList"]
    assert only == [{"ResourceARN": f"arn:aws:s3:::{bucket}", "Tags": tags}]
