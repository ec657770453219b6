"""The comparison sees: ten differences, seeded one by one into what stands, are each found, and named.

The same comparison is drift: what was deployed against what stands now.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.deploy.inventory import Inventory
from labkit.deploy.parity import compare, in_words, table
from labkit.events import ignore
from labkit.lesson import drift, parity
from labkit.lesson.context import Context
from labkit.lesson.model import Places
from labkit.manifest import load

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


def test_two_readings_of_the_same_are_the_same(standing: Context, first: Inventory) -> None:
    assert compare(first, drift.existing(standing)) == []


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
def test_both_engines_create_the_same(tmp_path: Path) -> None:
    assert parity.run_parity(Places(ROOT, tmp_path), load(ROOT), ignore) == []
