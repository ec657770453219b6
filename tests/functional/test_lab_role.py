"""With the account's own role (`--lab-role`) neither engine creates an IAM resource: Learner Labs forbid it."""

import json
import shutil
from pathlib import Path

import pytest

import labkit
from labkit.cloud.lifecycle import LocalCloud
from labkit.deploy import inventory
from labkit.events import ignore
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places
from labkit.manifest import load

ROOT = Path(labkit.__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def context(base: Path, **options: str) -> Context:
    places = Places(ROOT, base)
    chosen = Options("ada@uni.edu", solution=True, lab_role="LabRole", **options)  # type: ignore[arg-type]
    return Context(places, load(ROOT), chosen, ignore, LocalCloud(places.state / "cloud"))


def make_role(made: Context) -> None:
    """The role and the profile that a Learner Lab's account brings along, as far as this lab needs them."""
    api = made.clients.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
            }
        ],
    }
    may = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "dynamodb:*", "logs:*", "ec2:*"], "Resource": "*"}
        ],
    }
    api.create_role(RoleName="LabRole", AssumeRolePolicyDocument=json.dumps(trust))
    api.put_role_policy(RoleName="LabRole", PolicyName="lab", PolicyDocument=json.dumps(may))
    api.create_instance_profile(InstanceProfileName="LabInstanceProfile")
    api.add_role_to_instance_profile(InstanceProfileName="LabInstanceProfile", RoleName="LabRole")


@pytest.fixture
def learner_lab(tmp_path: Path):
    made = context(tmp_path)
    try:
        run_step(made, "01")
        existing = {role["RoleName"] for role in made.clients.client("iam").list_roles()["Roles"]}
        if "LabRole" not in existing:
            make_role(made)
        yield made
    finally:
        made.cloud.stop()


def test_the_lab_works_with_the_accounts_own_role(learner_lab: Context) -> None:
    for step in ("03", "05"):
        result = run_step(learner_lab, step)
        assert result.passed, result.checks
    variant = learner_lab.workspace.variant
    found = inventory.read(learner_lab.clients, prefix=variant.name, tag_value=variant.code)
    assert not [role for role in found if role.startswith(("role", "instance profile"))]
    assert found["function process-image"]["Role"].endswith(":role/LabRole")
    assert run_step(learner_lab, "10").passed
    roles = {role["RoleName"] for role in learner_lab.clients.client("iam").list_roles()["Roles"]}
    assert "LabRole" in roles, "the account's own role stays"


def test_the_choice_holds_until_another_is_made(learner_lab: Context, tmp_path: Path) -> None:
    assert learner_lab.source.choices == {"lab_role": "LabRole"}
    later = Context(
        learner_lab.places,
        learner_lab.manifest,
        Options("ada@uni.edu", solution=True),
        ignore,
        learner_lab.cloud,
    )
    assert later.source.choices == {"lab_role": "LabRole"}
    assert not context(tmp_path, engine="terraform").source.choices.keys() - {"lab_role"}


@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
def test_terraform_plans_no_iam_resource(tmp_path: Path, learner_lab: Context) -> None:
    made = context(tmp_path, engine="terraform")
    made.workspace.write_build()
    planned = made.engine.plan()
    assert planned.count("create") == len(planned.changes) >= 15
    assert not [change for change in planned.changes if change.type.startswith("aws_iam")]
