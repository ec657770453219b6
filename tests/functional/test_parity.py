"""The comparison sees: ten differences, seeded one by one into what stands, are each found, and named.

The same comparison is drift: what was deployed against what stands now.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.base.events import ignore
from labkit.course.manifest import load
from labkit.deploy.inventory import Inventory
from labkit.deploy.parity import compare, in_words, table
from labkit.lesson import drift
from labkit.lesson.compare import parity
from labkit.lesson.context import Context
from labkit.lesson.model import Places

ROOT = Path(labkit.__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """The reference solution, deployed by CloudFormation."""
    places = Places(ROOT, tmp_path_factory.mktemp("lab"))
    with parity.deployed(places, load(ROOT), "cloudformation") as context:
        yield context


@pytest.fixture(scope="module")
def first(standing: Context) -> Inventory:
    return drift.existing(standing)


Seed = Callable[[Context, dict[str, str]], Any]


def by_client(service: str, operation: str, **arguments: Any) -> Seed:
    """A call with the deployment's outputs filled in, as in "{BucketName}"."""

    def call(context: Context, outputs: dict[str, str]) -> None:
        text = json.dumps(arguments)
        for name, value in outputs.items():
            text = text.replace(f"{{{name}}}", value)
        getattr(context.clients.client(service), operation)(**json.loads(text))

    return call


def group_id(context: Context, outputs: dict[str, str]) -> str:
    api = context.clients.client("ec2")
    found = api.describe_instances(InstanceIds=[outputs["InstanceId"]])["Reservations"][0]["Instances"][0]
    return str(found["SecurityGroups"][0]["GroupId"])


def open_ssh(context: Context, outputs: dict[str, str]) -> None:
    context.clients.client("ec2").authorize_security_group_ingress(
        GroupId=group_id(context, outputs), IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )


def close_the_door(context: Context, outputs: dict[str, str]) -> None:
    api, group = context.clients.client("ec2"), group_id(context, outputs)
    rules = api.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    api.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)


def cut_the_way_out(context: Context, outputs: dict[str, str]) -> None:
    api = context.clients.client("ec2")
    tables = api.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [outputs["VpcId"]]}])
    own = next(
        t for t in tables["RouteTables"] if any(r.get("GatewayId", "").startswith("igw") for r in t["Routes"])
    )
    api.delete_route(RouteTableId=own["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")


def allow_everything(context: Context, _: dict[str, str]) -> None:
    name = context.workspace.variant.name + "-lab-server"
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    context.clients.client("iam").put_role_policy(
        RoleName=name, PolicyName="images", PolicyDocument=json.dumps(policy)
    )


def forget_logs(context: Context, outputs: dict[str, str]) -> None:
    name = f"/aws/lambda/{outputs['LambdaFunctionName']}"
    context.clients.client("logs").put_retention_policy(logGroupName=name, retentionInDays=30)


SEEDED: list[tuple[str, Seed, str]] = [
    ("SSH opened", open_ssh, "security group server: Ingress"),
    ("door shut", close_the_door, "security group server: Ingress"),
    ("no way out", cut_the_way_out, "route table public: Routes"),
    ("rights widened", allow_everything, "role server: Policies.images.Statement"),
    ("logs kept longer", forget_logs, "log group process-image: Days"),
    ("versions off",
     by_client("s3", "put_bucket_versioning", Bucket="{BucketName}", VersioningConfiguration={"Status": "Suspended"}),
     "bucket images: Versioning"),
    ("bucket opened", by_client("s3", "delete_public_access_block", Bucket="{BucketName}"),
     "bucket images: PublicAccessBlock"),
    ("plain HTTP allowed", by_client("s3", "delete_bucket_policy", Bucket="{BucketName}"), "bucket images: Policy"),
    ("shorter time-out",
     by_client("lambda", "update_function_configuration", FunctionName="{LambdaFunctionName}", Timeout=3),
     "function process-image: Timeout"),
    ("tag lost",
     by_client("ec2", "delete_tags", Resources=["{VpcId}"], Tags=[{"Key": "lab:ttl"}]), "VPC vpc: Tags.lab:ttl"),
    ("table gone", by_client("dynamodb", "delete_table", TableName="{TableName}"), "table images"),
]  # fmt: skip


@pytest.mark.verify
def test_two_readings_of_the_same_are_the_same(standing: Context, first: Inventory) -> None:
    assert compare(first, drift.existing(standing)) == []


def test_what_the_template_states_is_what_exists(standing: Context, first: Inventory) -> None:
    """But for the code: the API gives its hash as a zip's, and what a zip holds differs between the engines."""
    stated = parity.stated_by_template(standing)
    differences = compare(stated, first)
    assert [(d.role, d.path) for d in differences] == [("function process-image", "Module")]


@pytest.mark.parametrize(("seed", "where"), [s[1:] for s in SEEDED], ids=[s[0] for s in SEEDED])
def test_a_seeded_difference_is_found_and_named(
    standing: Context, first: Inventory, seed: Seed, where: str
) -> None:
    before = drift.existing(standing)
    seed(standing, dict(standing.deployed().outputs))
    differences = compare(before, drift.existing(standing))
    assert {f"{d.role}: {d.path}".removesuffix(": ") for d in differences} == {where}
    assert any(where in line for line in table(differences, "before", "now"))
    assert all(where in in_words(difference) for difference in differences)
    assert compare(first, drift.existing(standing)), "it stays different from what was deployed"


@pytest.mark.terraform
@pytest.mark.verify
@pytest.mark.timeout(300)
def test_plan_and_template_state_the_same_and_seeded_differences_are_found(tmp_path: Path) -> None:
    """Seven at once, in main.tf: each is one line of the table, and nothing else is."""
    with parity.generated(Places(ROOT, tmp_path), load(ROOT), "terraform") as context:
        template = parity.stated_by_template(context)
        assert compare(template, parity.stated_by_plan(context)) == []
        path = context.workspace.path / "main.tf"
        text = path.read_text()
        for before, after, _ in SEEDED_IN_TERRAFORM:
            assert before in text
            text = text.replace(before, after, 1)
        path.write_text(text)
        found = compare(template, parity.stated_by_plan(context))
        assert {f"{d.role}: {d.path}".removesuffix(": ") for d in found} == {
            s[2] for s in SEEDED_IN_TERRAFORM
        }


SEEDED_IN_TERRAFORM = [
    ('Action   = "s3:PutObject"', 'Action   = "s3:*"', "role server: Policies.images.Statement"),
    ("http://${aws_instance.server.private_ip}", "http://${aws_instance.server.public_ip}",
     "function process-image: Variables.EC2_FLASK_URL"),
    ("from_port                    = var.port", "from_port                    = 22", "security group server: Ingress"),
    ('status = "Enabled"', 'status = "Suspended"', "bucket images: Versioning"),
    ('http_tokens = "required"', 'http_tokens = "optional"', "instance server: Metadata"),
    ("retention_in_days = 7", "retention_in_days = 30", "log group process-image: Days"),
    ('resource "aws_dynamodb_table" "images" {',
     'resource "aws_sqs_queue" "more" {\n  name = "more"\n}\n\nresource "aws_dynamodb_table" "images" {',
     "aws_sqs_queue aws_sqs_queue.more"),
]  # fmt: skip


@pytest.mark.terraform
@pytest.mark.verify
@pytest.mark.timeout(300)
def test_both_engines_create_the_same(tmp_path: Path) -> None:
    assert parity.run_parity(Places(ROOT, tmp_path), load(ROOT), ignore) == []
