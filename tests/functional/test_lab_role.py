"""In a Learner Lab the account's own role serves the lab: neither engine creates an IAM resource."""

import json
import shutil
from pathlib import Path

import pytest

import labkit
from labkit.base.events import ignore
from labkit.cli.main import main
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import load
from labkit.deploy import inventory
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places

ROOT = Path(labkit.__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def context(base: Path, *, account: str = "", **options: str) -> Context:
    places = Places(ROOT, base)
    chosen = Options("ada@uni.edu", solution=True, **options)  # type: ignore[arg-type]
    return Context(places, load(ROOT), chosen, ignore, LocalCloud(places.state / "cloud", wanted=account))


@pytest.fixture
def learner_lab(tmp_path: Path):
    made = context(tmp_path, account="learner-lab")
    try:
        assert made.clients.target.region == "us-east-1", "the lab's own region gives way"
        run_step(made, "01")
        yield made
    finally:
        made.cloud.stop()


def roles(made: Context) -> set[str]:
    return {role["RoleName"] for role in made.clients.client("iam").list_roles()["Roles"]}


def goes_through(made: Context) -> None:
    """Deploy, process, destroy; what stands meanwhile uses LabRole, and no role was made."""
    for step in ("03", "05"):
        result = run_step(made, step)
        assert result.passed, result.checks
    variant = made.workspace.variant
    found = inventory.read(made.clients, prefix=variant.name, tag_value=variant.code)
    assert not [role for role in found if role.startswith(("role", "instance profile"))]
    assert found["function process-image"]["Role"].endswith(":role/LabRole")
    assert run_step(made, "10").passed
    assert roles(made) == {"LabRole", "voclabs"}, "the account's own roles stay, and no other came"


@pytest.mark.verify
def test_the_lab_works_with_the_accounts_own_role(learner_lab: Context) -> None:
    assert learner_lab.source.choices["lab_role"] == "LabRole", "nobody has to say so"
    goes_through(learner_lab)


@pytest.mark.verify
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
def test_terraform_works_with_the_accounts_own_role(learner_lab: Context, tmp_path: Path) -> None:
    goes_through(context(tmp_path, engine="terraform"))


@pytest.mark.verify
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
def test_terraform_plans_no_iam_resource(tmp_path: Path, learner_lab: Context) -> None:
    made = context(tmp_path, engine="terraform")
    made.workspace.write_build()
    planned = made.engine.plan()
    assert planned.count("create") == len(planned.changes) >= 15
    assert not [change for change in planned.changes if change.type.startswith("aws_iam")]


def test_the_account_is_chosen_at_start_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_BASE", str(tmp_path))
    cloud = LocalCloud(tmp_path / ".lab" / "cloud")

    def said(*words: str) -> dict[str, str]:
        main(["cloud", *words, "--json"])
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1])["result"])

    try:
        assert said("start", "--account", "learner-lab")["account"] == "learner-lab"
        assert main(["cloud", "start", "--account", "full"]) != 0
        assert "of the kind learner-lab, not full" in capsys.readouterr().out
        assert main(["cloud", "status", "--account", "full"]) == 2
        capsys.readouterr()
        cloud.stop()
        assert said("start")["account"] == "learner-lab", "the choice holds"
        cloud.stop()
        assert said("start", "--account", "full")["account"] == "full"
    finally:
        cloud.stop()
