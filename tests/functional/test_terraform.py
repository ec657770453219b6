"""The lab with the real Terraform and the real AWS provider, through the kit and by hand.

One apply is shared by all tests here (the provider itself waits 35 s of its 40); they run in the order in which
they stand, from what is deployed to nothing.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.deploy.inventory import Inventory
from labkit.deploy.parity import compare

ADA = ("--student", "ada@uni.edu", "--solution")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here"),
]


@pytest.fixture(scope="module")
def terraform_lab(new_lab: Callable[[], object]) -> Iterator[object]:
    """The reference solution, deployed by Terraform."""
    lab = new_lab()
    try:
        assert lab.step("01", *ADA).status == 0
        run = lab.step("03", *ADA, "--engine", "terraform", timeout=240)
        assert run.status == 0, run
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def by_hand(terraform_lab, tmp_path: Path) -> Callable[[str], object]:
    """Runs a line in the student's folder, in the shell that `./lab cloud shell` opens."""

    def run_line(line: str) -> object:
        shell = tmp_path / "shell"
        folder = terraform_lab.workspace("ada@uni.edu.solution")
        shell.write_text(f'#!/bin/sh\ncd "{folder}" && {line}\n')
        shell.chmod(0o755)
        return terraform_lab.with_variables(SHELL=str(shell)).run("cloud", "shell", timeout=240)

    return run_line


def test_every_resource_is_reported_and_every_output_is_there(terraform_lab) -> None:
    run = terraform_lab.step("03", *ADA, "--check")
    assert run.status == 0, run
    record = json.loads((terraform_lab.workspace("ada@uni.edu.solution") / ".lab/workspace.json").read_text())
    assert record["engine"] == "terraform"
    assert record["deployed"]["outputs"] == run.result["facts"]


def test_images_go_through(terraform_lab) -> None:
    run = terraform_lab.step("05", *ADA)
    assert run.status == 0, run
    assert all(check["passed"] for check in run.result["checks"])
    assert len(run.result["checks"]) == 5, "the path, three images, and the server's role"


@pytest.mark.verify
def test_terraform_by_hand_agrees_with_the_kit(terraform_lab, by_hand) -> None:
    """Plain `terraform plan -detailed-exitcode` in the student's folder: 0 is "nothing to change"."""
    planned = by_hand("terraform plan -input=false -no-color -detailed-exitcode")
    assert planned.status == 0, planned
    outputs = by_hand("terraform output -json")
    text = outputs.output
    found = json.loads(text[text.index("{") :])
    facts = terraform_lab.step("03", *ADA, "--check").result["facts"]
    assert {name: entry["value"] for name, entry in found.items()} == facts


@pytest.fixture(scope="module")
def created_by_terraform(terraform_lab) -> Inventory:
    """What exists after the deployment, by the record that step 03 keeps for drift."""
    return inventory_of(terraform_lab.workspace("ada@uni.edu.solution"))


def inventory_of(folder: Path) -> Inventory:
    found: Inventory = json.loads((folder / ".lab" / "deployed-inventory.json").read_text())
    return found


def test_what_terraform_created_is_on_record(created_by_terraform: Inventory) -> None:
    assert len(created_by_terraform) == 14


def test_another_engine_is_refused_while_something_stands(terraform_lab) -> None:
    run = terraform_lab.step("03", *ADA, "--engine", "cloudformation")
    assert run.status == 1
    assert "made with Terraform" in run.error["message"]
    assert "./lab destroy" in run.error["hint"]


@pytest.fixture
def change(terraform_lab) -> Iterator[Callable[[str], None]]:
    """Changes one of the student's files until the end of the test."""
    folder, before = terraform_lab.workspace("ada@uni.edu.solution"), {}

    def append(name: str) -> None:
        before[name] = (folder / name).read_text()
        (folder / name).write_text(before[name] + "\n# changed\n")

    yield append
    for name, text in before.items():
        (folder / name).write_text(text)


def test_a_plan_replaces_the_server_and_changes_the_function_in_place(terraform_lab, change) -> None:
    change("flask_app.py")
    change("lambda_function.py")
    run = terraform_lab.step("02", *ADA)
    assert run.status == 0, run
    assert run.result["plan"] == {"create": 0, "update": 1, "replace": 1, "delete": 0}
    assert any("aws_instance.server would be replaced" in event["text"] for event in run.events)
    assert not [event for event in run.events if "drift" in event]


@pytest.mark.verify
def test_changed_function_code_is_deployed_in_place(terraform_lab, change) -> None:
    change("lambda_function.py")
    run = terraform_lab.step("03", *ADA, timeout=240)
    assert run.status == 0, run
    touched = {(e["id"], e["status"]) for e in run.events if e["kind"] == "resource"}
    assert {name for name, _ in touched} == {"aws_lambda_function.process_image"}
    assert ("aws_lambda_function.process_image", "UPDATE_COMPLETE") in touched


def test_terraform_by_hand_destroys_what_the_kit_made(terraform_lab, by_hand) -> None:
    destroyed = by_hand("terraform destroy -input=false -no-color -auto-approve")
    assert destroyed.status == 0, destroyed
    run = terraform_lab.step("10", *ADA, "--check")
    assert run.status == 0, run
    assert [(check["name"], check["passed"]) for check in run.result["checks"]] == [("nothing is left", True)]
    assert terraform_lab.step("03", *ADA, "--check").status == 1


@pytest.mark.verify
def test_what_terraform_made_by_hand_the_kit_goes_on_with(terraform_lab, by_hand) -> None:
    """Plain `terraform init` and `terraform apply` from nothing, in the folder as `./lab plan` left it."""
    assert terraform_lab.step("02", *ADA).status == 0  # it packs the code as it is now
    shutil.rmtree(terraform_lab.workspace("ada@uni.edu.solution") / ".terraform")
    for line in (
        "terraform init -input=false -no-color",
        "terraform apply -input=false -no-color -auto-approve",
    ):
        done = by_hand(line)
        assert done.status == 0, done
    run = terraform_lab.step("03", *ADA, timeout=240)
    assert run.status == 0, run
    assert not [event for event in run.events if event["kind"] == "resource"], "nothing was left to do"
    assert terraform_lab.step("05", *ADA).status == 0
    run = terraform_lab.step("10", *ADA, timeout=240)
    assert run.status == 0, run
    assert any("emptied the bucket" in event["text"] for event in run.events)


def test_after_a_destroy_the_other_engine_creates_the_same(
    terraform_lab, created_by_terraform: Inventory
) -> None:
    run = terraform_lab.step("03", *ADA, "--engine", "cloudformation")
    assert run.status == 0, run
    folder = terraform_lab.workspace("ada@uni.edu.solution")
    assert compare(created_by_terraform, inventory_of(folder)) == []
    assert terraform_lab.step("10", *ADA).status == 0
