"""What a template states is read as an inventory would read what exists, and every seeded difference is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import DeployError
from labkit.course.build import TEMPLATE, build
from labkit.course.manifest import load
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.deploy.inventory import Inventory
from labkit.deploy.parity import compare, table
from labkit.deploy.stated import cloudformation, parts
from labkit.deploy.stated.parts import Place
from labkit.deploy.stated.terraform import computed, resources
from labkit.deploy.template import environment, resolve

ROOT = Path(labkit.__file__).resolve().parent.parent
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
OUTSIDE = cloudformation.Outside(("eu-west-1a", "eu-west-1b"), {IMAGE: "ami-1"})
PLACE = Place("hybrid-abc", "123456789012", "eu-west-1")


@pytest.fixture(scope="module")
def text() -> str:
    """The reference's template as it is built for one student."""
    manifest = load(ROOT)
    variant = make_variant(manifest.salt, "ada@uni.edu")
    files = Renderer(ROOT, manifest.files).render(variant.values(), solution=True)
    return build({name: data.encode() for name, data in files.items()}, variant).files[TEMPLATE].decode()


@pytest.fixture(scope="module")
def read() -> Callable[[str], Inventory]:
    variant = make_variant(load(ROOT).salt, "ada@uni.edu")
    place = Place(variant.name, "123456789012", "eu-west-1")
    return lambda text: cloudformation.read(text, place, OUTSIDE, {})


SEEDED = [
    ("door wider", "SourceSecurityGroupId: !Ref FunctionGroup", "CidrIp: 10.0.0.0/8", "security group server: Ingress"),
    ("no way out", "DestinationCidrBlock: 0.0.0.0/0", "DestinationCidrBlock: 10.0.0.0/8", "route table public: Routes"),
    ("other zone", "!Select [0, !GetAZs", "!Select [1, !GetAZs", "subnet public: AvailabilityZone"),
    ("rights wider", "Action: s3:PutObject", "Action: s3:*", "role server: Policies.images.Statement"),
    ("another role's trust", "Service: ec2.amazonaws.com", "Service: lambda.amazonaws.com",
     "role server: Trust.Statement"),
    ("no versions", "Status: Enabled", "Status: Suspended", "bucket images: Versioning"),
    ("a block less", "BlockPublicPolicy: true", "BlockPublicPolicy: false",
     "bucket images: PublicAccessBlock.BlockPublicPolicy"),
    ("other encryption", "SSEAlgorithm: AES256", "SSEAlgorithm: aws:kms", "bucket images: Encryption"),
    ("plain HTTP for some", "Action: s3:*\n", "Action: s3:GetObject\n", "bucket images: Policy.Statement"),
    ("other key", "AttributeType: S", "AttributeType: N", "table images: Attributes"),
    ("metadata v1", "HttpTokens: required", "HttpTokens: optional", "instance server: Metadata"),
    ("no public address", "AssociatePublicIpAddress: true", "AssociatePublicIpAddress: false",
     "instance server: HasPublicAddress"),
    ("public address called", "http://${Server.PrivateIp}", "http://${Server.PublicIp}",
     "function process-image: Variables.EC2_FLASK_URL"),
    ("shorter time-out", "Timeout: !Ref LambdaTimeout", "Timeout: 3", "function process-image: Timeout"),
    ("other code", "def lambda_handler", "def lambda_handlers", "function process-image: Module"),
    ("other boot script", "set -", "set +", "instance server: UserData"),
    ("logs for ever", "      RetentionInDays: 7\n", "", "log group process-image: Days"),
    ("a tag less", '        - {Key: "lab:ttl", Value: !Ref TimeToLive}\n', "", "VPC vpc: Tags.lab:ttl"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "where"), [s[1:] for s in SEEDED], ids=[s[0] for s in SEEDED])
def test_a_seeded_difference_is_named(
    text: str, read: Callable[[str], Inventory], before: str, after: str, where: str
) -> None:
    assert before in text
    differences = compare(read(text), read(text.replace(before, after, 1)))
    assert {f"{d.role}: {d.path}" for d in differences} == {where}
    assert any(where in line for line in table(differences, "one", "other"))


def test_a_resource_more_or_less_is_named(text: str, read: Callable[[str], Inventory]) -> None:
    more = text.replace("Resources:\n", "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n", 1)
    (added,) = compare(read(text), read(more))
    assert (added.role, added.left, added.right) == ("AWS::SQS::Queue Queue", "—", "exists")


def test_with_the_accounts_own_role_no_role_is_stated(text: str, read: Callable[[str], Inventory]) -> None:
    (line,) = [line for line in text.splitlines() if line == '    Default: ""']
    chosen = read(text.replace(line, "    Default: LabRole"))
    assert not [role for role in chosen if role.startswith(("role", "instance profile"))]
    assert chosen["function process-image"]["Role"] == "arn:aws:iam::123456789012:role/LabRole"


# ---- Intrinsic functions ------------------------------------------------------------------------------

NAMES = environment(
    {"Conditions": {
        "No": {"Fn::Equals": [{"Ref": "Empty"}, "x"]},
        "Yes": {"Fn::And": [
            {"Fn::Not": [{"Condition": "No"}]}, {"Fn::Or": [{"Condition": "No"}, {"Fn::Equals": [1, "1"]}]}]}}},
    {"Port": "5417", "Empty": "", "AWS::Region": "eu-west-1"}, lambda name, attribute: f"{name}/{attribute}", ("a", "b"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"Fn::Sub": "p${Port}-${!Port}-${A.Arn}"}, "p5417-${Port}-A/Arn"),
        ({"Fn::Sub": ["${x}${Port}", {"x": {"Ref": "A"}}]}, "A/5417"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Port"}]]}, "a-5417"),
        ({"Fn::Select": ["1", {"Fn::GetAZs": ""}]}, "b"),
        ({"Fn::If": ["No", 1, {"Fn::GetAtt": ["A", "B"]}]}, "A/B"),
        (
            {"a": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "b": [{"Ref": "AWS::NoValue"}, 2]},
            {"b": [2]},
        ),
        ({"Fn::Base64": {"Ref": "Port"}}, "NTQxNw=="),
        ({"Fn::Cidr": ["10.0.0.0/16", 1, 8]}, ["10.0.0.0/24"]),
    ],
)
def test_intrinsic_functions_are_resolved(value: object, result: object) -> None:
    assert resolve(value, NAMES) == result


def test_conditions_are_decided() -> None:
    assert NAMES.conditions == {"No": False, "Yes": True}


@pytest.mark.parametrize(
    "value", [{"Fn::ImportValue": "x"}, {"Fn::Select": [7, ["a"]]}, {"Fn::FindInMap": ["M", "a", "b"]}]
)
def test_what_can_not_be_resolved_is_said(value: object) -> None:
    with pytest.raises(DeployError, match="can't be resolved before anything exists"):
        resolve(value, NAMES)


# ---- Parts and plans ------------------------------------------------------------------------------------


def test_what_is_not_stated_has_awss_default() -> None:
    bucket = parts.bucket("b", {})
    assert set(bucket.properties["PublicAccessBlock"].values()) == {True}
    assert (bucket.properties["Versioning"], bucket.properties["Encryption"]) == ("never", ["AES256"])
    assert set(parts.bucket("b", {}, blocks={}).properties["PublicAccessBlock"].values()) == {False}
    assert parts.rule("-1", 0, 0, "x")["FromPort"] is None


def planned(address: str, **after: object) -> dict[str, object]:
    return {
        "mode": "managed", "address": address, "type": address.split(".")[0],
        "change": {"after": after, "after_unknown": {"id": True}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (planned("aws_s3_bucket.b", bucket="n"), {"id": "n", "arn": "arn:aws:s3:::n"}),
        (planned("aws_iam_role.r", name="n"), {"id": "n", "arn": "arn:aws:iam::123456789012:role/n"}),
        (planned("aws_route.r"), None),
    ],
)
def test_terraform_is_told_what_aws_will_give(entry: dict[str, object], told: dict[str, str] | None) -> None:
    (resource,) = resources({"resource_changes": [entry]}).values()
    assert computed(resource, PLACE) == told
