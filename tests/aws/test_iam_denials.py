"""IAM as AWS's clients see it: boto3 over HTTP, through the door."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from labkit.aws.accounts import FULL
from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import Caller, PolicyDocument, Principal, PublicAccessBlock
from labkit.cloud.door import Door
from labkit.cloud.server.owner import Owner
from labkit.cloud.stores.s3.service import S3
from labkit.cloud.stores.s3_api import S3Api
from labkit.cloud.web.serving import Server

REGION = "ap-south-1"
OWNER = Owner.make().keys
ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/server"
SESSION = Principal(
    "session", f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/server/i-0123", ACCOUNT_ID, "AROA:i-0123", ROLE
)
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/images"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any], name: str = "p") -> PolicyDocument:
    return PolicyDocument(name, {"Version": "2012-10-17", "Statement": list(statements)})


@dataclass
class FakeIdentities:
    """The account's owner, and one session, ASIASESSION, whose policies the test sets."""

    policies: list[PolicyDocument] = field(default_factory=list)
    buckets: dict[str, PolicyDocument] = field(default_factory=dict)
    blocks: dict[str, PublicAccessBlock] = field(default_factory=dict)
    roles: dict[str, PolicyDocument] = field(default_factory=dict)
    bounds: PolicyDocument | None = None
    ended: bool = False

    def principal(self, access_key_id: str) -> Principal | None:
        if access_key_id == OWNER.access_key_id:
            return FULL.holder
        return SESSION if access_key_id == "ASIASESSION" and not self.ended else None

    def secret_key(self, access_key_id: str) -> str | None:
        return {"ASIASESSION": "sesame", OWNER.access_key_id: OWNER.secret_access_key}.get(access_key_id)

    def session_token(self, access_key_id: str) -> str | None:
        return "token" if access_key_id == "ASIASESSION" else None

    def expired(self, access_key_id: str) -> bool:
        return self.ended and access_key_id == "ASIASESSION"

    def identity_policies(self, principal: Principal) -> list[PolicyDocument]:
        return self.policies if principal == SESSION else []

    def boundary(self, principal: Principal) -> PolicyDocument | None:
        return self.bounds if principal == SESSION else None

    def bucket_policy(self, bucket: str) -> PolicyDocument | None:
        return self.buckets.get(bucket)

    def acl_policy(self, bucket: str, key: str) -> PolicyDocument | None:
        return None

    def public_access_block(self, bucket: str) -> PublicAccessBlock:
        return self.blocks.get(bucket, PublicAccessBlock())

    def holds(self, bucket: str, key: str = "") -> bool:
        return True

    def trust_policy(self, role_arn: str) -> PolicyDocument | None:
        return self.roles.get(role_arn)

    def profile_role(self, profile: str) -> str | None:
        return ROLE if profile.endswith("server") else None

    def iam_path(self, kind: str, name: str) -> str:
        return "/"

    def launch_template(self, region: str, wanted: dict[str, str]) -> dict[str, str]:
        return {}

    def partition_key(self, region: str, table: str) -> str | None:
        return "image_id"


@dataclass
class Cloud:
    """moto and S3 behind the door: one endpoint for this machine, one as seen from inside an instance."""

    identities: FakeIdentities
    door: Door
    changes: list[tuple[str, str]]
    host: str
    inside: str

    def client(self, service: str, **keys: Any) -> Any:
        """A client with the session's keys, from inside the instance."""
        keys = {"key": "ASIASESSION", "secret": "sesame", "token": "token", "endpoint": self.inside} | keys
        return boto3.client(
            service,
            region_name=keys.get("region", REGION),
            endpoint_url=keys["endpoint"],
            aws_access_key_id=keys["key"],
            aws_secret_access_key=keys["secret"],
            aws_session_token=keys["token"],
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )

    def admin(self, service: str) -> Any:
        """A client of the account's owner on this machine's own endpoint."""
        owner = {"key": OWNER.access_key_id, "secret": OWNER.secret_access_key}
        return self.client(service, **owner, token=None, endpoint=self.host)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    import moto.backends

    moto.backends.get_backend("dynamodb").reset()
    identities, changes = FakeIdentities(), []
    door = Door(
        DomainDispatcherApplication(create_backend_app),
        identities,
        facts=identities,
        on_change=lambda service, operation: changes.append((service, operation)),
        stores={"s3": S3Api(buckets := S3(ACCOUNT_ID, tmp_path))},
    )
    server = Server()
    endpoints = []
    for place in ("host", "instance"):
        listener = socket.create_server(("127.0.0.1", 0))
        endpoints.append(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server.serve(listener, door.for_caller(Caller(place)), name=place)  # type: ignore[arg-type]
    yield Cloud(identities, door, changes, *endpoints)
    server.close()
    buckets.close()


@pytest.fixture
def table(cloud: Cloud) -> str:
    cloud.admin("dynamodb").create_table(
        TableName="images",
        KeySchema=[{"AttributeName": "image_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "image_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "images"


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    cloud.admin("s3").create_bucket(
        Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return "pictures"


def error_of(call: Callable[..., Any], **parameters: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    assert response["ResponseMetadata"]["RequestId"]
    return (
        response["Error"]["Code"],
        response["Error"].get("Message", ""),
        response["ResponseMetadata"]["HTTPStatusCode"],
    )


ITEM = {"image_id": {"S": "one"}}


def test_dynamodb_denies_in_its_own_words(cloud: Cloud, table: str) -> None:
    """DynamoDB developer guide, "Troubleshooting": AccessDeniedException, HTTP 400."""
    code, message, status = error_of(cloud.client("dynamodb").put_item, TableName=table, Item=ITEM)
    assert (code, status) == ("AccessDeniedException", 400)
    assert message == (
        f"User: {SESSION.arn} is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
        "because no identity-based policy allows the dynamodb:PutItem action"
    )


def test_permission_on_one_table_is_enough_for_it_and_only_it(cloud: Cloud, table: str) -> None:
    """IAM user guide, "Policy evaluation logic": an allow on the resource's ARN."""
    cloud.identities.policies = [policy(allow(["dynamodb:PutItem", "dynamodb:UpdateItem"], TABLE))]
    cloud.client("dynamodb").put_item(TableName=table, Item=ITEM)
    assert (
        error_of(cloud.client("dynamodb").get_item, TableName=table, Key=ITEM)[0] == "AccessDeniedException"
    )
    assert error_of(cloud.client("dynamodb").put_item, TableName="other", Item=ITEM)[2] == 400


def test_explicit_deny_is_said(cloud: Cloud, table: str) -> None:
    """IAM user guide, "Troubleshoot access denied error messages": explicit denial."""
    cloud.identities.policies = [policy(allow("*"), deny("dynamodb:PutItem"))]
    _, message, _ = error_of(cloud.client("dynamodb").put_item, TableName=table, Item=ITEM)
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_leading_keys_open_only_own_rows(cloud: Cloud, table: str) -> None:
    """DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control"."""
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["one"]}}
    cloud.identities.policies = [policy(allow("dynamodb:*", TABLE, Condition=condition))]
    cloud.client("dynamodb").put_item(TableName=table, Item=ITEM)
    other = {"image_id": {"S": "two"}}
    assert error_of(cloud.client("dynamodb").put_item, TableName=table, Item=other)[2] == 400


def test_s3_denies_in_its_own_words(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Troubleshoot access denied (403 Forbidden) errors"."""
    code, message, status = error_of(cloud.client("s3").put_object, Bucket=bucket, Key="a/b.jpg", Body=b"x")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: {SESSION.arn} is not authorized to perform: s3:PutObject on resource: "
        '"arn:aws:s3:::pictures/a/b.jpg" because no identity-based policy allows the s3:PutObject action'
    )


def test_s3_policy_on_a_prefix(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Policy resources for Amazon S3": wildcards in keys; odd keys stay inside."""
    cloud.identities.policies = [policy(allow("s3:PutObject", "arn:aws:s3:::pictures/mine/*"))]
    s3 = cloud.client("s3")
    for key in ("mine/a.jpg", "mine/ü b+c%2F.jpg", "mine/x//y"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 100_000)
    assert error_of(s3.put_object, Bucket=bucket, Key="yours/a.jpg", Body=b"x")[2] == 403
    keys = [entry["Key"] for entry in cloud.admin("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(keys) == sorted(["mine/a.jpg", "mine/ü b+c%2F.jpg", "mine/x//y"])


def test_missing_object_is_forbidden_without_the_right_to_list(cloud: Cloud, bucket: str) -> None:
    """S3 API reference, GetObject: 404 with s3:ListBucket, 403 without."""
    cloud.identities.policies = [policy(allow("s3:GetObject"))]
    assert error_of(cloud.client("s3").get_object, Bucket=bucket, Key="none")[0] == "AccessDenied"
    assert error_of(cloud.client("s3").head_object, Bucket=bucket, Key="none")[0] == "403"
    cloud.identities.policies = [policy(allow(["s3:GetObject", "s3:ListBucket"]))]
    assert error_of(cloud.client("s3").get_object, Bucket=bucket, Key="none")[0] == "NoSuchKey"


def test_bucket_policy_denies_even_the_administrator(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Bucket policies": an explicit deny holds for everybody; root can take it away."""
    statement = deny("s3:PutObject", "arn:aws:s3:::pictures/*", Principal="*")
    cloud.identities.buckets[bucket] = policy(statement)
    code, message, _ = error_of(cloud.admin("s3").put_object, Bucket=bucket, Key="k", Body=b"x")
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in a resource-based policy")
    cloud.admin("s3").delete_bucket_policy(Bucket=bucket)


def test_policy_that_refuses_plain_http_lets_the_endpoint_pass(cloud: Cloud, bucket: str) -> None:
    """IAM user guide, aws:SecureTransport; the local endpoint counts as secure."""
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    cloud.identities.buckets[bucket] = policy(
        deny("s3:*", ["arn:aws:s3:::pictures", "arn:aws:s3:::pictures/*"], Principal="*", Condition=condition)
    )
    cloud.admin("s3").put_object(Bucket=bucket, Key="k", Body=b"x")


def test_nobody_reads_without_a_public_policy(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Blocking public access": anonymous requests and RestrictPublicBuckets."""
    cloud.admin("s3").put_object(Bucket=bucket, Key="k", Body=b"picture")

    def fetch() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"{cloud.inside}/{bucket}/k") as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    status, body = fetch()
    assert status == 403
    assert b"<Code>AccessDenied</Code><Message>Access Denied</Message>" in body
    cloud.identities.buckets[bucket] = policy(allow("s3:GetObject", "arn:aws:s3:::pictures/*", Principal="*"))
    assert fetch() == (200, b"picture")
    cloud.identities.blocks[bucket] = PublicAccessBlock(restrict_public_buckets=True)
    assert fetch()[0] == 403


def test_public_policy_is_blocked(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Blocking public access": BlockPublicPolicy rejects PutBucketPolicy."""
    cloud.identities.blocks[bucket] = PublicAccessBlock(block_public_policy=True)
    document = {"Statement": [allow("s3:GetObject", "arn:aws:s3:::pictures/*", Principal="*")]}
    code, message, status = error_of(
        cloud.admin("s3").put_bucket_policy, Bucket=bucket, Policy=json.dumps(document)
    )
    assert (code, status) == ("AccessDenied", 403)
    assert "BlockPublicPolicy" in message


def test_presigned_url_acts_as_its_signer(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Sharing objects with presigned URLs": the rights of whoever made it."""
    cloud.admin("s3").put_object(Bucket=bucket, Key="k k", Body=b"picture")
    cloud.identities.policies = [policy(allow("s3:GetObject"))]
    url = cloud.client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k k"})
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"picture"
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(url.replace("k%20k", "k")):
        pass
    with caught.value as error:
        assert b"SignatureDoesNotMatch" in error.read()


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("dynamodb", "list_tables", {}, ("UnrecognizedClientException", 400)),
        ("lambda", "list_functions", {}, ("UnrecognizedClientException", 403)),
        ("s3", "list_buckets", {}, ("InvalidAccessKeyId", 403)),
        ("iam", "list_roles", {}, ("InvalidClientTokenId", 403)),
        ("sts", "get_caller_identity", {}, ("InvalidClientTokenId", 403)),
        ("ec2", "describe_vpcs", {}, ("AuthFailure", 401)),
        ("ssm", "describe_parameters", {}, ("UnrecognizedClientException", 400)),
        ("cloudwatch", "list_metrics", {}, ("UnrecognizedClientException", 400)),
    ],
)
def test_unknown_key_inside_is_refused(
    cloud: Cloud, service: str, operation: str, parameters: dict[str, Any], expected: tuple[str, int]
) -> None:
    """API references, "Common errors": keys that were never given out."""
    client = cloud.client(service, key="test", secret="test", token=None)
    code, _, status = error_of(getattr(client, operation), **parameters)
    assert (code, status) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"secret": "wrong"}, {"s3": "SignatureDoesNotMatch", "dynamodb": "InvalidSignatureException"}),
        ({"token": "wrong"}, {"s3": "InvalidToken", "dynamodb": "UnrecognizedClientException"}),
        ({"token": None}, {"s3": "InvalidToken", "dynamodb": "UnrecognizedClientException"}),
    ],
)
def test_wrong_secret_or_token_is_refused(
    cloud: Cloud, keys: dict[str, Any], expected: dict[str, str]
) -> None:
    """IAM user guide, "Create a signed AWS API request"; also on this machine's own endpoint."""
    for endpoint in (cloud.inside, cloud.host):
        s3, dynamodb = (cloud.client(name, endpoint=endpoint, **keys) for name in ("s3", "dynamodb"))
        assert error_of(s3.list_buckets)[0] == expected["s3"]
        assert error_of(dynamodb.list_tables)[0] == expected["dynamodb"]


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("s3", "list_buckets", ("AuthorizationHeaderMalformed", 400)),
        ("ec2", "describe_vpcs", ("AuthFailure", 401)),
        ("sts", "get_caller_identity", ("SignatureDoesNotMatch", 403)),
        ("dynamodb", "list_tables", ("InvalidSignatureException", 400)),
        ("lambda", "list_functions", ("InvalidSignatureException", 403)),
    ],
)
def test_signature_for_a_region_that_does_not_exist_is_refused(
    cloud: Cloud, service: str, operation: str, expected: tuple[str, int]
) -> None:
    """IAM user guide, "Troubleshoot signed requests for AWS APIs": the credential scope's region."""
    for endpoint in (cloud.inside, cloud.host):
        client = cloud.client(service, endpoint=endpoint, region="us-esat-1")
        code, _, status = error_of(getattr(client, operation))
        assert (code, status) == expected


def test_ended_session_is_refused(cloud: Cloud) -> None:
    """STS API reference, "Common errors": ExpiredToken; DynamoDB says ExpiredTokenException."""
    cloud.identities.ended = True
    assert error_of(cloud.client("dynamodb").list_tables)[0] == "ExpiredTokenException"
    assert error_of(cloud.client("sts").get_caller_identity)[0] == "ExpiredToken"
    assert error_of(cloud.client("s3").list_buckets)[0] == "ExpiredToken"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "words"),
    [
        (
            "ec2",
            "describe_instances",
            {},
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. User: {user} is not authorized to perform: "
            "ec2:DescribeInstances because no identity-based policy allows the ec2:DescribeInstances action",
        ),
        (
            "iam",
            "create_role",
            {"RoleName": "r", "AssumeRolePolicyDocument": "{}"},
            "AccessDenied",
            "User: {user} is not authorized to perform: iam:CreateRole on resource: "
            "arn:aws:iam::{account}:role/r because no identity-based policy allows the iam:CreateRole action",
        ),
        (
            "lambda",
            "invoke",
            {"FunctionName": "f", "Payload": b"{}"},
            "AccessDeniedException",
            "User: {user} is not authorized to perform: lambda:InvokeFunction on resource: "
            "arn:aws:lambda:ap-south-1:{account}:function:f because no identity-based policy allows the "
            "lambda:InvokeFunction action",
        ),
        (
            "logs",
            "create_log_group",
            {"logGroupName": "/aws/lambda/f"},
            "AccessDeniedException",
            "User: {user} is not authorized to perform: logs:CreateLogGroup on resource: "
            "arn:aws:logs:ap-south-1:{account}:log-group:/aws/lambda/f:log-stream: because no identity-based "
            "policy allows the logs:CreateLogGroup action",
        ),
        (
            "cloudwatch",
            "list_metrics",
            {},
            "AccessDeniedException",
            "User: {user} is not authorized to perform: cloudwatch:ListMetrics on resource: * because no "
            "identity-based policy allows the cloudwatch:ListMetrics action",
        ),
        (
            "sts",
            "assume_role",
            {"RoleArn": ROLE, "RoleSessionName": "session"},
            "AccessDenied",
            "User: {user} is not authorized to perform: sts:AssumeRole on resource: " + ROLE,
        ),
    ],
)
def test_each_protocol_denies_in_its_words(
    cloud: Cloud, service: str, operation: str, parameters: dict[str, Any], code: str, words: str
) -> None:
    """IAM user guide, "Troubleshoot access denied error messages"; EC2 API reference, "Error codes"."""
    found, message, _ = error_of(getattr(cloud.client(service), operation), **parameters)
    told, _, encoded = message.partition(". Encoded authorization failure message: ")
    assert (found, told, bool(encoded)) == (
        code,
        words.format(user=SESSION.arn, account=ACCOUNT_ID),
        service == "ec2",
    )


def test_role_can_be_assumed_when_it_trusts(cloud: Cloud) -> None:
    """STS API reference, AssumeRole: the trust policy names the caller, or the account and IAM allows."""
    trusting = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    sts = cloud.client("sts")
    parameters = {"RoleArn": f"{ROLE}-x", "RoleSessionName": "again"}
    cloud.identities.policies = [policy(allow("sts:AssumeRole"))]
    assert error_of(sts.assume_role, **parameters)[0] == "AccessDenied"
    cloud.identities.roles[f"{ROLE}-x"] = policy({**trusting, "Principal": {"AWS": ACCOUNT_ID}})
    assert sts.assume_role(**parameters)["Credentials"]["SessionToken"]
    cloud.identities.policies = []
    assert error_of(sts.assume_role, **parameters)[0] == "AccessDenied"
    cloud.identities.roles[f"{ROLE}-x"] = policy({**trusting, "Principal": {"AWS": ROLE}})
    assert sts.assume_role(**parameters)["Credentials"]["SessionToken"]


def test_role_is_passed_on_only_with_permission(cloud: Cloud) -> None:
    """IAM user guide, "Grant a user permissions to pass a role to an AWS service"."""
    cloud.identities.policies = [policy(allow(["lambda:*", "ec2:*"]))]
    parameters = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"x"}, "Handler": "a.b"}
    code, message, _ = error_of(cloud.client("lambda").create_function, **parameters)
    assert (code, "iam:PassRole on resource: " + ROLE in message) == ("AccessDeniedException", True)
    code, message, _ = error_of(
        cloud.client("ec2").run_instances,
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": "server"},
    )
    assert (code, "iam:PassRole on resource: " + ROLE in message) == ("UnauthorizedOperation", True)


def test_changes_are_told_and_reads_are_not(cloud: Cloud, table: str, bucket: str) -> None:
    """The reconciler's wake-up: after calls that succeeded and may have changed something."""
    cloud.changes.clear()
    cloud.admin("dynamodb").describe_table(TableName=table)
    cloud.admin("s3").list_buckets()
    cloud.admin("ec2").describe_vpcs()
    error_of(cloud.admin("dynamodb").delete_table, TableName="none")
    assert cloud.changes == []
    cloud.admin("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    cloud.admin("dynamodb").delete_table(TableName=table)
    assert cloud.changes == [("s3", "PutObject"), ("dynamodb", "DeleteTable")]


def attempt(client: Any, number: int, invocation: str = "one") -> Any:
    """The client, whose requests say that they are this attempt of the invocation."""

    def said(request: Any, **_: Any) -> None:
        request.headers["amz-sdk-invocation-id"] = invocation
        request.headers["amz-sdk-request"] = f"attempt={number}; max=25"

    client.meta.events.register("before-send", said)
    return client


def test_a_further_attempt_gets_the_answer_that_was_lost(cloud: Cloud, bucket: str) -> None:
    """Attempts of one call share the header amz-sdk-invocation-id."""
    group = {"GroupName": "one", "Description": "d"}
    first = attempt(cloud.admin("ec2"), 1).create_security_group(**group)
    assert attempt(cloud.admin("ec2"), 2).create_security_group(**group)["GroupId"] == first["GroupId"]
    for client in (
        cloud.admin("ec2"), attempt(cloud.admin("ec2"), 1), attempt(cloud.admin("ec2"), 2, "another"),
    ):  # fmt: skip
        assert error_of(client.create_security_group, **group)[0] == "InvalidGroup.Duplicate"
    stranger = attempt(cloud.client("ec2"), 2)
    assert error_of(stranger.create_security_group, **group)[0] == "UnauthorizedOperation"


def test_an_attempt_that_failed_is_made_again(cloud: Cloud) -> None:
    logs = {"logGroupName": "again"}
    assert error_of(attempt(cloud.admin("logs"), 1).delete_log_group, **logs)[0]
    cloud.admin("logs").create_log_group(**logs)
    attempt(cloud.admin("logs"), 2).delete_log_group(**logs)
    assert not cloud.admin("logs").describe_log_groups()["logGroups"]


def test_refusals_are_remembered_with_their_reason(cloud: Cloud, table: str) -> None:
    """What a step shows to a student whose policy is missing an action."""
    cloud.identities.policies = [policy(deny("dynamodb:*", Sid="NoTables"), name="mine")]
    error_of(cloud.client("dynamodb").put_item, TableName=table, Item=ITEM)
    refusal = cloud.door.refusals[-1]
    assert (refusal.caller.place, refusal.principal) == ("instance", SESSION.arn)
    assert (refusal.action, refusal.resource) == ("dynamodb:PutItem", TABLE)
    assert (refusal.reason, refusal.policy, refusal.statement) == ("explicit-deny", "mine", "NoTables")


def test_metadata_keys_keep_their_underscores(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Working with object metadata": user-defined metadata."""
    s3 = cloud.admin("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"made_by": "a", "made-at": "b"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"made_by": "a", "made-at": "b"}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/moto-api/reset", {}),
        ("/moto-api/", {"Host": "motoapi.amazonaws.com"}),
        ("/x", {"Host": "motoapi.amazonaws.com"}),
        ("/latest/meta-data/iam/security-credentials/", {}),
        ("/latest/api/token", {"Host": "169.254.169.254"}),
        ("/anything", {"Host": "169.254.169.254"}),
    ],
)
def test_motos_own_interfaces_are_closed(cloud: Cloud, path: str, headers: dict[str, str]) -> None:
    for endpoint in (cloud.host, cloud.inside):
        request = urllib.request.Request(endpoint + path, headers=headers, method="POST", data=b"")
        with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
            pass
        with caught.value as error:
            assert error.code == 404


def test_virtual_hosts_name_the_bucket(cloud: Cloud, bucket: str) -> None:
    """S3 user guide, "Virtual hosting of general purpose buckets"."""
    cloud.admin("s3").put_object(Bucket=bucket, Key="a/k", Body=b"picture")
    cloud.identities.buckets[bucket] = policy(allow("s3:GetObject", "arn:aws:s3:::pictures/*", Principal="*"))
    for host in ("pictures.s3.ap-south-1.amazonaws.com", "pictures.s3.amazonaws.com"):
        request = urllib.request.Request(f"{cloud.inside}/a/k", headers={"Host": host})
        with urllib.request.urlopen(request) as response:
            assert response.read() == b"picture"


@pytest.mark.parametrize(
    "request_of",
    [
        {"path": "/?Action=DeleteTable&TableName=images", "target": "DynamoDB_20120810.GetItem"},
        {"path": "/", "target": "DynamoDB_20120810.GetItem", "type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_second_operation_in_a_request_is_refused(cloud: Cloud, request_of: dict[str, str]) -> None:
    """Two parts of a request that name two operations could have one checked and the other done."""
    scope = "test/20260101/ap-south-1/dynamodb/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Target": request_of["target"],
        "Content-Type": request_of.get("type", "application/x-amz-json-1.0"),
    }
    request = urllib.request.Request(cloud.host + request_of["path"], headers=headers, data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
        pass
    with caught.value as error:
        assert error.code == 400
