"""AWS rehearsed: the steps, unchanged, through AWS's own names with TLS and credentials from a home's files."""

import json
import shutil
from typing import Any

import pytest

from labkit.dev.allowances import actions
from tests.functional.conftest import ROOT

pytestmark = pytest.mark.slow


def rehearsed(lab: Any, *words: str, timeout: float = 110) -> Any:
    """`./lab rehearse …` of the reference solution; skips where this machine has no namespaces for it."""
    assert lab.run("generate", "--student", "ada@uni.edu", "--solution").status == 0
    run = lab.run("rehearse", *words, timeout=timeout)
    if "can't be set up on this machine" in run.output:
        assert "Nothing was run" in run.output
        pytest.skip("no namespaces here")
    return run


def test_the_steps_go_through_as_in_a_learner_lab_and_leave_nothing(lab: Any) -> None:
    run = rehearsed(lab, "--json")
    assert run.status == 0, run
    assert [step["step"] for step in run.result["steps"]] == [
        "plan", "deploy", "wire", "process", "measure", "destroy",
    ]  # fmt: skip
    banners = [event["text"] for event in run.events if event["kind"] == "step"]
    assert all("AWS, Learner Lab (rehearsal, not AWS), us-east-1" in text for text in banners[1:]), banners
    assert any("brings its own role, LabRole" in event["text"] for event in run.events)
    kept = next(
        (lab.base / ".lab" / "rehearsal" / "base" / "work").glob("ada*/measurements/measurement.json")
    )
    assert json.loads(kept.read_text())["about"]["rehearsal"] is True
    assert not (lab.base / "work" / "ada@uni.edu.solution" / ".lab" / "learner-lab").exists()
    needed = json.loads((lab.base / ".lab" / "rehearsal" / "stage" / "needed.json").read_text())
    allowed = actions((ROOT / "docs" / "aws-policy.json").read_text())
    assert {action for action, _ in needed} <= allowed, "./lab dev allowances"


SIDE_BY_SIDE = """
set -e
cd "$KIT"
lab() { sh ./lab "$@" --plain; }
lab deploy > /dev/null
env | grep AWS_ && exit 3
lab deploy --target aws --region us-west-2 --engine terraform --yes > /dev/null
lab deploy --target aws --region us-east-1 < /dev/null || echo refused
lab
lab evidence || echo none
echo 'aws sts get-caller-identity --query Arn; terraform -chdir="work/ada@uni.edu.solution" output BucketName' | lab shell
lab destroy > /dev/null
lab
lab destroy > /dev/null
"""


@pytest.mark.verify
@pytest.mark.terraform
def test_a_local_lab_and_one_on_aws_stand_side_by_side(lab: Any) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed here")
    made = lab.with_variables(KIT=str(ROOT))
    run = rehearsed(made, "--account", "full", "--", "sh", "-c", SIDE_BY_SIDE, timeout=400)
    assert run.status == 0, run
    both, after = run.output.split("In this shell AWS commands mean")
    assert "Your lab stands in us-west-2; in us-east-1 it would be a second one" in both
    assert "refused" in both
    assert "target: AWS (rehearsal, not AWS), us-west-2, account …9012" in both
    assert "also stands: in the local cloud   (--target local)" in both
    assert "A rehearsal is no evidence of AWS" in both
    assert "arn:aws:iam::123456789012:root" in after
    assert '-images-123456789012-us-west-2"' in after
    assert "target: local cloud, running" in after
    assert "also stands" not in after


#: what every such rehearsal meets, whatever its seed
MET = ("throttled", "lost", "boot late", "function pending", "interface lingers", "log lines late")


@pytest.mark.verify
@pytest.mark.parametrize(
    ("seed", "account", "engine"),
    [
        (1, "learner-lab", "cloudformation"),
        (2, "full", "cloudformation"),
        (3, "full", "terraform"),
        (4, "learner-lab", "cloudformation"),
    ],
)
def test_the_steps_end_well_under_what_aws_does_in_time(
    lab: Any, seed: int, account: str, engine: str
) -> None:
    if engine == "terraform" and shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed here")
    words = (
        "--as-slow-as-aws",
        "--seed",
        str(seed),
        "--factor",
        "60",
        "--account",
        account,
        "--engine",
        engine,
    )
    run = rehearsed(lab, *words, "--json", timeout=400)
    assert run.status == 0, run
    weather = next(event["weather"] for event in run.events if "weather" in event)
    assert min(weather.get(kind, 0) for kind in MET) > 0, weather
