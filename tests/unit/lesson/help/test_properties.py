"""Property names and kinds of every resource type, from AWS's schemas."""

import pytest

from labkit.base.errors import UsageError
from labkit.lesson.help import properties

REGION = "ap-south-1"


def shown(word: str) -> str:
    return "\n".join(text for text, _ in properties.card(word, REGION))


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("AWS::S3::Bucket", ["PublicAccessBlockConfiguration", "!GetAtt gives: ", "./lab what AWS::S3::Bucket."]),
        ("aws::s3::bucket.publicaccessblockconfiguration", ["BlockPublicAcls", "true or false"]),
        ("AWS::S3::BucketPolicy", ["! PolicyDocument", "must be there"]),
        ("AWS::EC2::SecurityGroup.SecurityGroupIngress", ["SourceSecurityGroupId", "! IpProtocol"]),
        ("AWS::Lambda::Function.VpcConfig", ["list of: text"]),
        ("AWS::DynamoDB::Table.TableName", ["it is text"]),
    ],
)  # fmt: skip
def test_a_type_and_what_is_inside_its_properties(word: str, words: list[str]) -> None:
    text = shown(word)
    for each in words:
        assert each in text, text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("AWS::S3::BuketPolicy", "AWS::S3::BucketPolicy"),
        ("AWS::S3::Bucket.Versioning", "VersioningConfiguration"),
        ("X::Y", "AWS::S3::Bucket"),
    ],
)
def test_a_name_that_does_not_exist_is_told_with_its_neighbours(word: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        properties.card(word, REGION)
    assert near in caught.value.hint
