"""A new thing of an old name has no tags: plain moto gives it those of the one that was deleted."""


def test_a_new_bucket_does_not_inherit_tags(moto, refusal):
    """Amazon S3 API reference, DeleteBucket; GetBucketTagging: "NoSuchTagSet" where there are none."""

    def scenario(aws):
        s3 = aws.client("s3")
        where = {"CreateBucketConfiguration": {"LocationConstraint": "ap-south-1"}}
        s3.create_bucket(Bucket="again", **where)
        s3.put_bucket_tagging(Bucket="again", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
        s3.delete_bucket(Bucket="again")
        s3.create_bucket(Bucket="again", **where)
        return refusal(s3.get_bucket_tagging, Bucket="again")

    fault, right = moto.compare(scenario)
    assert fault == ""
    assert right.startswith("NoSuchTagSet")


def test_a_new_log_group_does_not_inherit_tags(moto):
    """CloudWatch Logs API reference, DeleteLogGroup."""

    def scenario(aws):
        logs = aws.client("logs")
        logs.create_log_group(logGroupName="again", tags={"a": "1"})
        arn = logs.describe_log_groups(logGroupNamePrefix="again")["logGroups"][0]["logGroupArn"]
        logs.delete_log_group(logGroupName="again")
        logs.create_log_group(logGroupName="again")
        return logs.list_tags_for_resource(resourceArn=arn)["tags"]

    assert moto.compare(scenario) == ({"a": "1"}, {})


def test_a_bucket_that_is_not_empty_keeps_its_tags(aws, refusal):
    """Amazon S3 API reference, DeleteBucket: BucketNotEmpty."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="full", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    s3.put_bucket_tagging(Bucket="full", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.put_object(Bucket="full", Key="k", Body=b"x")
    assert refusal(s3.delete_bucket, Bucket="full").startswith("BucketNotEmpty")
    assert s3.get_bucket_tagging(Bucket="full")["TagSet"] == [{"Key": "a", "Value": "1"}]
