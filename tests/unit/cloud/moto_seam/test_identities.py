"""Who is behind a key, which policies apply, and credentials of roles."""

import json

import pytest

from labkit.aws.records import PublicAccessBlock
from labkit.base.errors import CloudError
from labkit.cloud.moto_seam.identity.identities import MotoIdentities
from labkit.cloud.moto_seam.identity.sts_keys import MotoCredentials
from labkit.deploy.targets import Keys

pytestmark = pytest.mark.slow

ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


class NoBuckets:
    """S3 without a bucket (ports.Buckets)."""

    def bucket_policy(self, bucket):
        return None

    def acl_policy(self, bucket, key):
        return None

    def public_access_block(self, bucket):
        return PublicAccessBlock()

    def holds(self, bucket, key=""):
        return False


@pytest.fixture
def identities():
    return MotoIdentities(NoBuckets(), Keys("AKIALABROOT", "secret"))


def test_root_key_is_the_accounts_root(identities):
    root = identities.principal("AKIALABROOT")
    assert (root.kind, root.arn) == ("root", "arn:aws:iam::123456789012:root")
    assert identities.secret_key("AKIALABROOT") == "secret"
    assert list(identities.identity_policies(root)) == []


def test_unknown_keys_are_nobody(aws, identities):
    assert identities.principal("AKIANOBODY") is None
    assert identities.secret_key("AKIANOBODY") is None
    assert not identities.expired("AKIANOBODY")


def test_users_key_and_policies(aws, identities):
    """IAM user guide, "Managing access keys" and "Identity-based policies": own, attached, groups'."""
    aws.iam.create_user(UserName="ada")
    key = aws.iam.create_access_key(UserName="ada")["AccessKey"]
    aws.iam.create_group(GroupName="class")
    aws.iam.add_user_to_group(GroupName="class", UserName="ada")
    aws.iam.put_user_policy(UserName="ada", PolicyName="own", PolicyDocument=json.dumps(ALLOW))
    aws.iam.put_group_policy(GroupName="class", PolicyName="shared", PolicyDocument=json.dumps(ALLOW))
    aws.iam.attach_group_policy(GroupName="class", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    user = identities.principal(key["AccessKeyId"])
    assert (user.kind, user.arn) == ("user", "arn:aws:iam::123456789012:user/ada")
    assert identities.secret_key(key["AccessKeyId"]) == key["SecretAccessKey"]
    assert identities.session_token(key["AccessKeyId"]) is None
    policies = {policy.name: policy.document for policy in identities.identity_policies(user)}
    assert policies.keys() == {"own", "shared", "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    assert policies["own"] == ALLOW


def test_inactive_and_deleted_keys_are_nobody(aws, identities):
    """IAM user guide, "Managing access keys"."""
    aws.iam.create_user(UserName="ada")
    key = aws.iam.create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]
    aws.iam.update_access_key(UserName="ada", AccessKeyId=key, Status="Inactive")
    assert identities.principal(key) is None
    aws.iam.update_access_key(UserName="ada", AccessKeyId=key, Status="Active")
    assert identities.principal(key) is not None
    aws.iam.delete_access_key(UserName="ada", AccessKeyId=key)
    assert identities.principal(key) is None


@pytest.mark.parametrize(
    "name",
    [
        "service-role/AWSLambdaVPCAccessExecutionRole",
        "service-role/AWSLambdaBasicExecutionRole",
        "AmazonSSMManagedInstanceCore",
    ],
)
def test_managed_policies_of_aws_can_be_attached(moto, refusal, name):
    """AWS managed policy reference guide."""
    arn = f"arn:aws:iam::aws:policy/{name}"

    def scenario(aws):
        aws.role()
        return refusal(aws.iam.attach_role_policy, RoleName="lab", PolicyArn=arn).split(":")[0]

    assert moto.compare(scenario) == ("NoSuchEntity", "")


def test_managed_policies_of_aws_can_be_read_and_listed(aws):
    """IAM API reference, GetPolicy, GetPolicyVersion, ListPolicies."""
    policy = aws.iam.get_policy(PolicyArn=BASIC)["Policy"]
    version = aws.iam.get_policy_version(PolicyArn=BASIC, VersionId=policy["DefaultVersionId"])
    assert "logs:PutLogEvents" in version["PolicyVersion"]["Document"]["Statement"][0]["Action"]
    listed = aws.iam.get_paginator("list_policies").paginate(Scope="AWS", PathPrefix="/service-role/")
    assert BASIC in [policy["Arn"] for page in listed for policy in page["Policies"]]


def test_unknown_managed_policy_is_refused(aws, refusal):
    """IAM API reference, AttachRolePolicy."""
    aws.role()
    arn = "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"  # the path is missing, as many write it
    assert refusal(aws.iam.attach_role_policy, RoleName="lab", PolicyArn=arn).startswith("NoSuchEntity")


def test_issued_credentials_are_the_roles_session(aws, identities):
    """STS API reference, GetCallerIdentity; IAM user guide, "Unique identifiers": ASIA, AROA."""
    role = aws.role()
    aws.iam.put_role_policy(RoleName="lab", PolicyName="own", PolicyDocument=json.dumps(ALLOW))
    aws.iam.attach_role_policy(RoleName="lab", PolicyArn=BASIC)
    issued = MotoCredentials().issue(role, "f", seconds=3600)
    client = aws.client(
        "sts",
        aws_access_key_id=issued.access_key_id,
        aws_secret_access_key=issued.secret_access_key,
        aws_session_token=issued.session_token,
    )
    identity = client.get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/lab/f"
    assert identity["Account"] == "123456789012"
    assert identity["UserId"].startswith("AROA")
    assert identity["UserId"].endswith(":f")
    assert issued.access_key_id.startswith("ASIA")
    session = identities.principal(issued.access_key_id)
    assert (session.kind, session.arn, session.role_arn) == ("session", identity["Arn"], role)
    assert identities.secret_key(issued.access_key_id) == issued.secret_access_key
    assert identities.session_token(issued.access_key_id) == issued.session_token
    assert {policy.name for policy in identities.identity_policies(session)} == {"own", BASIC}


def test_assumed_roles_are_sessions_too(aws, identities):
    """STS API reference, AssumeRole."""
    role = aws.role()
    keys = aws.sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    session = identities.principal(keys["AccessKeyId"])
    assert (session.kind, session.role_arn) == ("session", role)
    assert session.arn.endswith(":assumed-role/lab/me")


def test_expired_session_is_nobody(aws, identities):
    """STS, "Temporary security credentials": they can't be used after they expire."""
    issued = MotoCredentials().issue(aws.role(), "f", seconds=-1)
    assert identities.principal(issued.access_key_id) is None
    assert identities.expired(issued.access_key_id)


def test_long_expired_sessions_are_dropped(aws, identities):
    role = aws.role()
    old = MotoCredentials().issue(role, "old", seconds=-7200)
    MotoCredentials().issue(role, "new", seconds=60)
    assert identities.secret_key(old.access_key_id) is None


def test_session_of_a_deleted_role_has_no_rights(aws, identities):
    """IAM user guide, "Deleting roles": sessions lose their permissions."""
    role = aws.role()
    aws.iam.put_role_policy(RoleName="lab", PolicyName="own", PolicyDocument=json.dumps(ALLOW))
    issued = MotoCredentials().issue(role, "f", seconds=60)
    aws.iam.delete_role_policy(RoleName="lab", PolicyName="own")
    aws.iam.delete_role(RoleName="lab")
    assert list(identities.identity_policies(identities.principal(issued.access_key_id))) == []
    assert identities.trust_policy(role) is None


def test_role_that_is_not_there_gives_no_credentials(aws):
    with pytest.raises(CloudError, match="no role"):
        MotoCredentials().issue("arn:aws:iam::123456789012:role/x", "f", seconds=60)


def test_root_is_named_as_aws_names_it(moto):
    """STS API reference, GetCallerIdentity: the account's root user."""

    def scenario(aws):
        answer = aws.sts.get_caller_identity()
        return answer["Arn"], answer["UserId"]

    assert moto.compare(scenario) == (
        ("arn:aws:sts::123456789012:user/moto", "AKIAIOSFODNN7EXAMPLE"),
        ("arn:aws:iam::123456789012:root", "123456789012"),
    )


def test_secrets_do_not_repeat_with_motos_seed(aws):
    """Secrets come from the system, so a seeded moto can't make them guessable."""
    from moto.moto_api._internal import mock_random

    role = aws.role()
    secrets = set()
    for _ in range(3):
        mock_random.seed(1)
        secrets.add(MotoCredentials().issue(role, "f", seconds=60).secret_access_key)
    mock_random.seed()
    assert len(secrets) == 3


def test_trust_policies_are_read(aws, identities):
    role = aws.role()
    trust = identities.trust_policy(role)
    assert trust.document["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
