"""What permissions calls need (service authorization reference; S3: "Required permissions")."""

from dataclasses import dataclass
from typing import Any

import pytest

from labkit.aws.iam.actions import needs
from labkit.aws.iam.calls import ApiCall
from labkit.aws.iam.dynamodb import leading_keys
from labkit.aws.iam.public import is_public
from labkit.aws.records import PolicyDocument

R, A = "ap-south-1", "123456789012"
ROLE = f"arn:aws:iam::{A}:role/r"


@dataclass(frozen=True)
class Account:
    """Every instance profile holds `role`; what is called deep is at /a/b/."""

    role: str | None

    def profile_role(self, profile: str) -> str | None:
        return self.role

    def iam_path(self, kind: str, name: str) -> str:
        return "/a/b/" if name == "deep" else "/"


def needed(service: str, operation: str, **parameters: Any) -> list[tuple[str, list[str]]]:
    names = {name.replace("__", "."): value for name, value in parameters.items()}
    found = needs(ApiCall(service, operation, R, A, names), Account(ROLE))
    return [(need.action, list(need.resources)) for need in found]


OBJECT, BUCKET = "arn:aws:s3:::b/k/x", "arn:aws:s3:::b"
TABLE = f"arn:aws:dynamodb:{R}:{A}:table/t"


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("ListBuckets", {}, [("s3:ListAllMyBuckets", ["*"])]),
        ("HeadBucket", {"Bucket": "b"}, [("s3:ListBucket", [BUCKET])]),
        ("ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", [BUCKET])]),
        ("HeadObject", {"Bucket": "b", "Key": "k/x"}, [("s3:GetObject", [OBJECT])]),
        (
            "GetObject",
            {"Bucket": "b", "Key": "k/x", "VersionId": "1"},
            [("s3:GetObjectVersion", [OBJECT])],
        ),
        ("CreateMultipartUpload", {"Bucket": "b", "Key": "k/x"}, [("s3:PutObject", [OBJECT])]),
        ("UploadPart", {"Bucket": "b", "Key": "k/x"}, [("s3:PutObject", [OBJECT])]),
        ("DeleteObject", {"Bucket": "b", "Key": "k/x"}, [("s3:DeleteObject", [OBJECT])]),
        (
            "DeleteObjects",
            {"Bucket": "b", "Keys": ["k/x", "y"]},
            [("s3:DeleteObject", [OBJECT, f"{BUCKET}/y"])],
        ),
        (
            "DeleteObjects",
            {"Bucket": "b", "Keys": ["k/x"], "Versions": ["y"]},
            [("s3:DeleteObject", [OBJECT]), ("s3:DeleteObjectVersion", [f"{BUCKET}/y"])],
        ),
        (
            "DeleteObjects",
            {"Bucket": "b", "Keys": [], "Versions": ["k/x"]},
            [("s3:DeleteObjectVersion", [OBJECT])],
        ),
        (
            "CopyObject",
            {"Bucket": "b", "Key": "k/x", "CopySource": "/c/a%20b?versionId=3"},
            [("s3:GetObjectVersion", ["arn:aws:s3:::c/a b"]), ("s3:PutObject", [OBJECT])],
        ),
        ("PutPublicAccessBlock", {"Bucket": "b"}, [("s3:PutBucketPublicAccessBlock", [BUCKET])]),
        ("GetBucketEncryption", {"Bucket": "b"}, [("s3:GetEncryptionConfiguration", [BUCKET])]),
    ],
)
def test_s3(operation: str, parameters: dict[str, Any], expected: Any) -> None:
    assert needed("s3", operation, **parameters) == expected


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("PutItem", {"TableName": "t"}, [("dynamodb:PutItem", [TABLE])]),
        ("PutItem", {"TableName": TABLE}, [("dynamodb:PutItem", [TABLE])]),
        ("Query", {"TableName": "t", "IndexName": "i"}, [("dynamodb:Query", [f"{TABLE}/index/i"])]),
        ("ListTables", {}, [("dynamodb:ListTables", ["*"])]),
        ("TagResource", {"ResourceArn": TABLE}, [("dynamodb:TagResource", [TABLE])]),
        (
            "BatchWriteItem",
            {"RequestItems": {"u": [], "t": []}},
            [("dynamodb:BatchWriteItem", [TABLE, TABLE[:-1] + "u"])],
        ),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "t"}}]},
            [("dynamodb:ConditionCheckItem", [TABLE]), ("dynamodb:PutItem", [TABLE])],
        ),
        (
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "t"}}]},
            [("dynamodb:GetItem", [TABLE])],
        ),
        (
            "ExecuteStatement",
            {"Statement": 'SELECT * FROM "t"."i" WHERE a = 1'},
            [("dynamodb:PartiQLSelect", [f"{TABLE}/index/i"])],
        ),
        (
            "BatchExecuteStatement",
            {"Statements": [{"Statement": 'insert into "t" value {}'}]},
            [("dynamodb:PartiQLInsert", [TABLE])],
        ),
    ],
)
def test_dynamodb(operation: str, parameters: dict[str, Any], expected: Any) -> None:
    assert needed("dynamodb", operation, **parameters) == expected


F = f"arn:aws:lambda:{R}:{A}:function:f"
LOGS = f"arn:aws:logs:{R}:{A}:log-group"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", [F])]),
        ("lambda", "Invoke", {"FunctionName": F}, [("lambda:InvokeFunction", [F])]),
        ("lambda", "Invoke", {"FunctionName": f"{A}:function:f"}, [("lambda:InvokeFunction", [F])]),
        (
            "lambda",
            "GetFunction",
            {"FunctionName": "f", "Qualifier": "live"},
            [("lambda:GetFunction", [f"{F}:live"])],
        ),
        ("lambda", "ListFunctions", {}, [("lambda:ListFunctions", ["*"])]),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/g", "logStreamName": "s"},
            [("logs:PutLogEvents", [f"{LOGS}:/g:log-stream:s"])],
        ),
        ("logs", "DescribeLogGroups", {}, [("logs:DescribeLogGroups", [f"{LOGS}::log-stream:"])]),
        ("iam", "GetRole", {"RoleName": "r"}, [("iam:GetRole", [ROLE])]),
        ("iam", "ListUsers", {}, [("iam:ListUsers", [f"arn:aws:iam::{A}:user/"])]),
        (
            "iam",
            "AddRoleToInstanceProfile",
            {"InstanceProfileName": "p", "RoleName": "r"},
            [
                ("iam:AddRoleToInstanceProfile", [f"arn:aws:iam::{A}:instance-profile/p"]),
                ("iam:PassRole", [ROLE]),
            ],
        ),
        (
            "iam",
            "CreateRole",
            {"RoleName": "r", "Path": "/team/"},
            [("iam:CreateRole", [f"arn:aws:iam::{A}:role/team/r"])],
        ),
        (
            "iam",
            "DeleteRole",
            {"RoleName": "deep"},
            [("iam:DeleteRole", [f"arn:aws:iam::{A}:role/a/b/deep"])],
        ),
        (
            "iam",
            "CreateAccessKey",
            {"UserName": "deep"},
            [("iam:CreateAccessKey", [f"arn:aws:iam::{A}:user/a/b/deep"])],
        ),
        (
            "iam",
            "AddUserToGroup",
            {"UserName": "u", "GroupName": "g"},
            [("iam:AddUserToGroup", [f"arn:aws:iam::{A}:group/g"])],
        ),
        ("sts", "AssumeRole", {"RoleArn": ROLE}, [("sts:AssumeRole", [ROLE])]),
        ("sts", "GetCallerIdentity", {}, []),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/aws/service/x", "mine"]},
            [
                (
                    "ssm:GetParameters",
                    [f"arn:aws:ssm:{R}::parameter/aws/service/x", f"arn:aws:ssm:{R}:{A}:parameter/mine"],
                )
            ],
        ),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "s", "RoleARN": ROLE},
            [
                ("cloudformation:CreateStack", [f"arn:aws:cloudformation:{R}:{A}:stack/s/*"]),
                ("iam:PassRole", [ROLE]),
            ],
        ),
        (
            "ec2",
            "DescribeInstances",
            {"InstanceId__1": "i-0123456789abcdef0"},
            [("ec2:DescribeInstances", ["*"])],
        ),
        (
            "ec2",
            "StopInstances",
            {"InstanceId__1": "i-0123456789abcdef0"},
            [("ec2:StopInstances", [f"arn:aws:ec2:{R}:{A}:instance/i-0123456789abcdef0"])],
        ),
        (
            "ec2",
            "CreateVpc",
            {"CidrBlock": "10.0.0.0/16"},
            [("ec2:CreateVpc", [f"arn:aws:ec2:{R}:{A}:vpc/*"])],
        ),
        ("monitoring", "ListMetrics", {}, [("cloudwatch:ListMetrics", ["*"])]),
        ("sqs", "SendMessage", {}, [("sqs:SendMessage", ["*"])]),
    ],
)
def test_others(service: str, operation: str, parameters: dict[str, Any], expected: Any) -> None:
    assert needed(service, operation, **parameters) == expected


def test_roles_are_passed_to_a_service() -> None:
    """IAM user guide, "Granting a user permissions to pass a role to an AWS service"."""
    call = ApiCall("ec2", "RunInstances", R, A, {"IamInstanceProfile.Name": "p", "ImageId": "ami-0123456789"})
    run, passing = needs(call, Account(ROLE))
    assert f"arn:aws:ec2:{R}::image/ami-0123456789" in run.resources
    assert f"arn:aws:ec2:{R}:{A}:instance/*" in run.resources
    assert (passing.action, passing.resources) == ("iam:PassRole", [ROLE])
    assert passing.context == {"iam:passedtoservice": "ec2.amazonaws.com"}
    assert len(needs(call, Account(None))) == 1


def test_leading_keys_of_each_operation() -> None:
    """DynamoDB developer guide, "dynamodb:LeadingKeys"."""
    key = {"id": {"S": "a"}, "sort": {"N": "1"}}
    batch = {"t": [{"PutRequest": {"Item": key}}, {"DeleteRequest": {"Key": {"id": {"S": "b"}}}}]}
    for parameters, expected in (
        ({"TableName": "t", "Item": key}, ("a",)),
        ({"TableName": "t", "Key": key}, ("a",)),
        ({"RequestItems": batch}, ("a", "b")),
        ({"RequestItems": {"t": {"Keys": [key]}}}, ("a",)),
        ({"TableName": "t"}, ()),
    ):
        assert leading_keys(ApiCall("dynamodb", "X", R, A, parameters), "id") == expected


@pytest.mark.parametrize(
    ("principal", "condition", "public"),
    [
        ("*", {}, True),
        ({"AWS": "*"}, {}, True),
        ({"AWS": A}, {}, False),
        ("*", {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, False),
        ("*", {"StringLike": {"aws:SourceVpc": "vpc-*"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
        ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ("*", {"Bool": {"aws:SecureTransport": "true"}}, True),
    ],
)
def test_public_policies(principal: Any, condition: dict[str, Any], public: bool) -> None:
    """S3 user guide, "Blocking public access": the meaning of "public"."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Principal": principal}
    document = {"Statement": [statement | {"Condition": condition}]}
    assert is_public(PolicyDocument("b", document)) is public


def test_a_policy_that_only_denies_is_not_public() -> None:
    document = {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"}}
    assert not is_public(PolicyDocument("b", document))
