"""IAM: trust policies and names are checked when they are given; the simulator and STS's decoder say why."""

import json

import pytest

from tests.aws import live as aids
from tests.aws.test_every_operation import client_of

ASSUME = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def trust(**changes):
    return json.dumps({"Version": "2012-10-17", "Statement": [{**ASSUME, **changes}]})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[]a", "This policy contains invalid Json"), ("[]", "Syntax errors in policy."),
        (trust(Principal={"Service": "ec2.amazon.com"}), 'Invalid principal in policy: "SERVICE":"ec2.amazon.com"'),
        (trust(Principal={"Service": "lamda.amazonaws.com"}), 'Invalid principal in policy: "SERVICE":"lamda.amazonaws.com"'),
        (trust(Resource="*"), "Has prohibited field Resource"), (trust(Effect="allow"), "Syntax errors in policy."),
        (trust(Action="s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust().replace("Principal", "Principle"), "Syntax errors in policy."),
        (trust(Principal={"AWS": "arn:aws:iam::123456789012:user/none"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/none"'),
        (json.dumps({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole"}}), "Missing required field Principal"),
    ],
)  # fmt: skip
def test_a_trust_policy_that_can_not_be_is_refused(aws, refusal, document, words):
    """IAM API reference, CreateRole and UpdateAssumeRolePolicy: MalformedPolicyDocument."""
    assert (
        refusal(aws.iam.create_role, RoleName="r", AssumeRolePolicyDocument=document)
        == f"MalformedPolicyDocument: {words}"
    )
    aws.iam.create_role(RoleName="kept", AssumeRolePolicyDocument=trust())
    changed = refusal(aws.iam.update_assume_role_policy, RoleName="kept", PolicyDocument=document)
    assert changed == f"MalformedPolicyDocument: {words}"


@pytest.mark.parametrize(
    "document",
    [trust(), trust(Principal={"AWS": "123456789012"}), trust(Principal={"AWS": "*"}), trust(Action=["sts:AssumeRole", "sts:TagSession"]),
     trust(Principal={"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "logs.eu-west-1.amazonaws.com"]}),
     trust(Principal={"AWS": "arn:aws:iam::999999999999:role/theirs"}, Condition={"StringEquals": {"sts:ExternalId": "x"}})],
)  # fmt: skip
def test_a_right_trust_policy_is_taken(aws, document):
    """IAM user guide, "AWS JSON policy elements: Principal"."""
    assert aws.iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["RoleName"] == "r"


def test_what_is_not_there_is_said_in_iams_words(aws, refusal):
    """IAM API reference, "Common errors": NoSuchEntity names what it looked for."""
    assert refusal(aws.iam.get_role, RoleName="x") == "NoSuchEntity: The role with name x cannot be found."
    said = refusal(aws.iam.get_instance_profile, InstanceProfileName="x")
    assert said == "NoSuchEntity: Instance Profile x cannot be found."


def test_values_are_held_to_awss_own_description(live):
    """IAM API reference, "Common errors" (ValidationError); STS API reference, AssumeRole: before anybody asks who may."""
    iam, sts, logs = (client_of(live, name) for name in ("iam", "sts", "logs"))
    code, words = aids.refused(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=trust())
    assert (code, "The specified value for roleName is invalid" in words) == ("ValidationError", True)
    code, words = aids.refused(sts.assume_role, RoleArn="nonsense", RoleSessionName="a:b")
    assert (code, words.startswith("2 validation errors detected: Value 'nonsense' at 'roleArn'")) == (
        "ValidationError",
        True,
    )
    code, words = aids.refused(logs.put_retention_policy, logGroupName="/g", retentionInDays=2)
    assert code == "InvalidParameterException"
    assert aids.refused(iam.get_role) == (
        "ValidationError",
        "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null",
    )


def test_aws_own_policies_are_nobodys_to_change(live):
    """IAM user guide, "AWS managed policies": you can't change the permissions defined in them."""
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    for call, more in (
        (live.iam.delete_policy, {}),
        (live.iam.tag_policy, {"Tags": [{"Key": "k", "Value": "v"}]}),
    ):
        assert aids.refused(call, PolicyArn=arn, **more)[0] == "AccessDenied"
    assert live.iam.get_policy(PolicyArn=arn)["Policy"]["Arn"] == arn


def test_the_simulator_decides_as_requests_are_decided(live):
    """IAM API reference, SimulatePrincipalPolicy, SimulateCustomPolicy, EvaluationResult."""
    allow = {
        "Effect": "Allow",
        "Action": "s3:Get*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}},
    }
    role = live.role(allow, {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"})
    asked = {
        "PolicySourceArn": role,
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
        "ResourceArns": ["arn:aws:s3:::b/k"],
    }
    without = live.iam.simulate_principal_policy(**asked)["EvaluationResults"]
    assert [(e["EvalDecision"], e["MissingContextValues"]) for e in without] == [
        ("implicitDeny", ["aws:securetransport"]), ("explicitDeny", ["aws:securetransport"]),
    ]  # fmt: skip
    entry = {
        "ContextKeyName": "aws:SecureTransport",
        "ContextKeyValues": ["true"],
        "ContextKeyType": "boolean",
    }
    first = live.iam.simulate_principal_policy(**asked, ContextEntries=[entry])["EvaluationResults"][0]
    assert (first["EvalDecision"], first["MatchedStatements"][0]["SourcePolicyId"]) == ("allowed", "p")
    bounded = live.iam.simulate_custom_policy(
        PolicyInputList=[aids.policy(allow | {"Condition": {}})], ActionNames=["s3:GetObject"],
        PermissionsBoundaryPolicyInputList=[aids.policy({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"})],
    )["EvaluationResults"][0]  # fmt: skip
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_a_denial_of_ec2_can_be_decoded(live):
    """STS API reference, DecodeAuthorizationMessage: who was denied what, and by which statement."""
    user = live.name("user")
    live.iam.create_user(UserName=user)
    keys = live.iam.create_access_key(UserName=user)["AccessKey"]
    _, words = aids.refused(live.as_(keys).client("ec2").create_vpc, CidrBlock="10.0.0.0/16")
    told = json.loads(
        live.sts.decode_authorization_message(EncodedMessage=words.split()[-1])["DecodedMessage"]
    )
    assert (told["explicitDeny"], told["context"]["action"]) == (False, "ec2:CreateVpc")
    assert (
        aids.refused(live.sts.decode_authorization_message, EncodedMessage="x")[0]
        == "InvalidAuthorizationMessageException"
    )
