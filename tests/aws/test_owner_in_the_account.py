"""The account's owner and everybody else, at the cloud's socket on this machine: keys, signatures, URLs, forms."""

import re
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from labkit.deploy.targets import Clients, Keys

CALLS = {
    "sts": ("get_caller_identity", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "iam": ("list_users", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "dynamodb": ("list_tables", "UnrecognizedClientException", "InvalidSignatureException"),
    "lambda": ("list_functions", "UnrecognizedClientException", "InvalidSignatureException"),
    "ec2": ("describe_vpcs", "AuthFailure", "AuthFailure"),
    "s3": ("list_buckets", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
}


def refusals(live: Any, keys: Keys) -> dict[str, str]:
    """The code with which each service refuses these keys, "" where it does not."""
    found = {}
    for service, (call, *_) in CALLS.items():
        try:
            getattr(Clients(live.clients.target, keys).client(service), call)()
            found[service] = ""
        except ClientError as error:
            found[service] = error.response["Error"]["Code"]
    return found


@pytest.mark.parametrize("key", ["AKIAINVENTED0000000", "LABLOCALCLOUD", "test"])
def test_no_invented_key_is_the_owners(live: Any, key: str) -> None:
    """AWS API references, "Common errors"; EC2 API reference, "Error codes"; S3 API reference, "Error responses"."""
    assert refusals(live, Keys(key, "secret")) == {service: codes[1] for service, codes in CALLS.items()}


def test_the_owners_key_with_another_secret_is_nobodys(live: Any) -> None:
    """IAM user guide, "Troubleshoot signed requests"."""
    keys = Keys(live.clients.target.owner.access_key_id, "guessed")
    assert refusals(live, keys) == {service: codes[2] for service, codes in CALLS.items()}


def test_the_owner_has_no_session_token(live: Any) -> None:
    """A token that is not the key's is refused with the key."""
    owner = live.clients.target.owner
    code = refusals(live, Keys(owner.access_key_id, owner.secret_access_key, "token"))
    assert code["s3"] == "InvalidToken"
    assert "" not in code.values()


def test_keys_end_with_their_user_and_can_be_made_inactive(live: Any, aids: Any) -> None:
    """IAM user guide, "Managing access keys for IAM users"."""
    name = live.name("user")
    live.iam.create_user(UserName=name)
    made = live.iam.create_access_key(UserName=name)["AccessKey"]
    mine = live.as_(made).client("sts").get_caller_identity
    assert mine()["Arn"].endswith(f"user/{name}")
    which = {"UserName": name, "AccessKeyId": made["AccessKeyId"]}
    live.iam.update_access_key(**which, Status="Inactive")
    assert aids.refused(mine)[0] == "InvalidClientTokenId"
    live.iam.update_access_key(**which, Status="Active")
    assert mine()["Arn"].endswith(f"user/{name}")
    live.iam.delete_access_key(**which)
    live.iam.delete_user(UserName=name)
    assert aids.refused(mine)[0] == "InvalidClientTokenId"


def test_a_session_needs_its_own_token(live: Any) -> None:
    """STS API reference, AssumeRole: "the temporary security credentials, which include … a security token"."""
    arn = live.role(service="ec2.amazonaws.com")
    live.iam.update_assume_role_policy(
        RoleName=arn.rpartition("/")[2],
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"AWS":"arn:aws:iam::123456789012:root"}}]}',
    )
    mine, other = (
        live.sts.assume_role(RoleArn=arn, RoleSessionName=n)["Credentials"] for n in ("one", "two")
    )
    assert live.as_(mine).client("sts").get_caller_identity()["Arn"].endswith("/one")
    for token in ("", other["SessionToken"]):
        code = refusals(live, Keys(mine["AccessKeyId"], mine["SecretAccessKey"], token))
        assert code["sts"] == "InvalidClientTokenId"
        assert "" not in code.values()


def fetched(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode()
            return error.code, said.partition("<Message>")[2].partition("</Message>")[0] or said


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_the_owners_presigned_urls_are_verified_and_end(live: Any, version: str) -> None:
    """S3 user guide, "Sharing objects with presigned URLs"."""
    bucket, target = live.bucket(), live.clients.target
    live.s3.put_object(Bucket=bucket, Key="a k+ä", Body=b"picture")
    s3 = boto3.client(
        "s3", region_name=target.region, endpoint_url=target.endpoint_url, config=Config(signature_version=version),
        aws_access_key_id=target.owner.access_key_id, aws_secret_access_key=target.owner.secret_access_key,
    )  # fmt: skip
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a k+ä"})
    over = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a k+ä"}, ExpiresIn=-1)
    assert fetched(url) == (200, "picture")
    assert fetched(url.replace(bucket, "other"))[0] == 403
    assert "does not match" in fetched(re.sub("Signature=.{4}", "Signature=aaaa", url))[1]
    assert fetched(over)[0] in (400, 403)
    if version == "s3":
        assert fetched(over) == (403, "Request has expired")
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert fetched(url, **followed) == (200, "picture")
    assert fetched(url, Origin="http://evil.example")[0] == 403


def test_an_upload_form_stores_what_its_policy_allows(live: Any) -> None:
    """S3 API reference, "Browser-based uploads using POST"."""
    bucket = live.bucket()
    asked = live.s3.generate_presigned_post(bucket, "up/${filename}", None, [["content-length-range", 1, 10]])
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in asked["fields"].items()
    )

    def upload(text: str, parts: str = parts) -> int:
        file = f'--x\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n\r\n{text}\r\n--x--\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        request = urllib.request.Request(asked["url"], (parts + file).encode(), kind, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert upload("meow") == 204
    assert live.s3.get_object(Bucket=bucket, Key="up/cat.png")["Body"].read() == b"meow"
    assert upload("meow meow meow") == 400
    assert upload("meow", parts.replace("up/", "down/")) == 403
    assert upload("meow", "") == 403


def test_nested_bodies_are_refused_and_the_cloud_lives_on(live: Any) -> None:
    """DynamoDB API reference, "Common errors": SerializationException."""
    body = b'{"TableName": "t", "Item": ' + b'{"M": {"k": ' * 5000 + b"}}" * 5000 + b"}"
    target = {"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0"}
    headers = live.signed("dynamodb", "POST", "/", body, target)
    request = urllib.request.Request(live.clients.target.endpoint_url, body, headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as error:
        assert error.code == 400
        assert b"SerializationException" in error.read()
    assert live.sts.get_caller_identity()["Account"]
