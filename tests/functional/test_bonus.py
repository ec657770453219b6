"""Bonus lines, apart from the 100 points: both engines make the same; the lab stood on AWS."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import labkit
from labkit.course.manifest import load
from labkit.course.variant import make_variant
from labkit.deploy import aws_evidence
from labkit.deploy.targets import Clients

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(labkit.__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "labkit" / "grading" / "result.schema.json").read_text())
ADA, TARGET = ("--student", "ada@uni.edu", "--solution"), ("--target", "deployed")
VARIANT = make_variant(load(ROOT).salt, "ada@uni.edu")


def judged(lab: Any, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The verdict on the one bonus line that was asked for."""
    run = lab.run("grade", "--json", *ADA, *arguments, timeout=250)
    assert run.status == status, run
    jsonschema.validate(run.result, SCHEMA)
    assert run.result["score"] == 0, "a bonus is apart"
    asked = [line for line in run.result["bonus"]["lines"] if line["verdict"]["reason"] != "not asked for"]
    (only,) = asked
    return {**only["verdict"], "earned": only["earned"]}


def collected(lab: Any) -> dict[str, Any]:
    """What ./lab evidence would write down, of the local cloud."""
    return aws_evidence.collect(Clients(lab.target(load(ROOT).region)), VARIANT)


def on_aws(value: dict[str, Any]) -> dict[str, Any]:
    """The same, as if AWS had said it."""
    return {**value, "account": aws_evidence.account_hash("400000000004", VARIANT)}


def another_group(value: dict[str, Any]) -> dict[str, Any]:
    group = next(role for role in value["inventory"] if role.startswith("security group server"))
    return {**value, "inventory": {**value["inventory"], group: {**value["inventory"][group], "Ingress": []}}}


WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda value: {**value, "account": aws_evidence.account_hash("123456789012", VARIANT)}, "the local cloud's account"),
    (lambda value: {**value, "token": "0" * 20}, "another token"),
    (lambda value: {**value, "requests": value["requests"][:1] * 3}, "1 of 3"),
    (lambda value: {**value, "requests": [{"id": str(uuid.uuid4()), "status": 504}] * 3}, "0 of 3"),
    (lambda value: {**value, "inventory": {}}, "stood there"),
    (another_group, "another Ingress"),
    (lambda _: [1], "is not what step"),
]  # fmt: skip


@pytest.mark.verify
def test_evidence_of_aws_is_compared_with_what_the_files_make(deployed_solution: Any) -> None:
    lab = deployed_solution
    path = lab.workspace("ada@uni.edu.solution") / aws_evidence.FILE
    asked = (*TARGET, "--only", "aws-evidence")
    assert "was not handed in" in judged(lab, *asked)["reason"]
    true = on_aws(collected(lab))
    path.write_text(json.dumps(true))
    assert judged(lab, *asked)["outcome"] == "passed"
    for change, words in WRONG:
        path.write_text(json.dumps(change(true)))
        verdict = judged(lab, *asked)
        assert verdict["outcome"] == "failed"
        assert words in verdict["reason"]


def test_without_credentials_the_evidence_says_what_to_do(lab: Any) -> None:
    assert lab.run("generate", *ADA[:2]).status == 0
    nowhere = lab.with_variables(
        AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y", AWS_MAX_ATTEMPTS="1"
    )  # fmt: skip
    run = nowhere.run("evidence", "--json")
    assert run.status != 0
    assert "AWS's endpoint does not answer" in run.error["message"]
    assert not (lab.workspace("ada@uni.edu") / aws_evidence.FILE).exists()


@pytest.mark.verify
@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
@pytest.mark.parametrize("engine", ["cloudformation", "terraform"])
def test_parity_is_tried_with_both_engines(lab: Any, engine: str) -> None:
    assert lab.run("generate", *ADA).status == 0
    folder = lab.workspace("ada@uni.edu.solution")
    asked = ("--only", "parity", "--engine", engine)
    assert "was not handed in" in judged(lab, *asked)["reason"]
    (folder / "comparison.json").write_text("{}")
    assert judged(lab, *asked)["outcome"] == "passed"
    main = folder / "main.tf"
    text = main.read_text()
    assert "retention_in_days = 7" in text
    main.write_text(text.replace("retention_in_days = 7", "retention_in_days = 14"))
    verdict = judged(lab, *asked)
    assert (verdict["outcome"], verdict["earned"]) == ("failed", 2.0)
    assert "Days is 7 by CloudFormation, 14 by Terraform" in verdict["reason"]


@pytest.mark.skipif(shutil.which("terraform", path="/usr/bin:/bin") is not None, reason="it can't be hidden")
@pytest.mark.verify
@pytest.mark.parametrize("asked", [("--only", "parity"), ("--only", "deploys", "--engine", "terraform")])
def test_an_engine_that_is_not_here_is_not_the_students_fault(lab: Any, asked: tuple[str, ...]) -> None:
    assert lab.run("generate", *ADA).status == 0
    (lab.workspace("ada@uni.edu.solution") / "comparison.json").write_text("{}")
    run = lab.with_variables(PATH="/usr/bin:/bin").run("grade", "--json", *ADA, *asked)
    assert run.status == 75, run
    lines = {line["id"]: line["verdict"] for line in [*run.result["lines"], *run.result["bonus"]["lines"]]}
    assert lines[asked[1]]["outcome"] == "not judged"
    assert "Terraform is not installed here" in lines[asked[1]]["reason"]
