"""Step 08: both engines tried out with a student's files, and the table filled in from what was seen."""

import json
import os
import shutil
from typing import Any

import pytest

from labkit.lesson.compare import comparison

SOLUTION = ("--student", "ada@uni.edu", "--solution")
pytestmark = [pytest.mark.slow, pytest.mark.verify]


@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("terraform"), reason="no Terraform here")
def test_both_engines_are_tried_and_the_table_is_compared(lab: Any) -> None:
    lab = lab.with_variables(TF_CLI_CONFIG_FILE=os.environ.get("TF_CLI_CONFIG_FILE", "/nonexistent"))
    assert lab.run("generate", *SOLUTION).status == 0
    run = lab.run("compare", *SOLUTION, "--json", timeout=500)
    assert [check["passed"] for check in run.result["checks"]] == [True, False], run
    folder = lab.workspace("ada@uni.edu.solution")
    trials = {t["engine"]: t for t in json.loads((folder / comparison.DATA).read_text())["trials"]}
    cfn, terraform = trials["cloudformation"], trials["terraform"]
    assert (cfn["shown"], cfn["repaired"], cfn["left"], cfn["kept_on_disk"]) == ([], False, [], False)
    assert terraform["shown"] == ["update aws_lambda_function.process_image"]
    assert terraform["repaired"]
    assert terraform["kept_on_disk"]
    assert len(terraform["left"]) > 5, "what a failed apply leaves"
    _fill(folder / comparison.TABLE, trials)
    again = lab.run("compare", *SOLUTION, "--check", "--compare", str(folder / comparison.DATA), "--json")
    assert again.status == 0, again
    assert again.result["facts"]["beside it"].startswith("local, ap-south-1")
    assert not (folder / "terraform.tfstate").exists(), "the student's own folder is not touched"


def _fill(path: Any, trials: dict[str, Any]) -> None:
    text = path.read_text()
    for row in comparison.ROWS:
        cells = [str(comparison.expected(trials[name])[row.key]) for name in ("cloudformation", "terraform")]
        text = text.replace(f"| {row.words} | … | … |", f"| {row.words} | {' | '.join(cells)} |")
    path.write_text(text)


def test_without_terraform_it_is_said_before_anything_begins(lab: Any, tmp_path: Any) -> None:
    lab.run("generate", *SOLUTION)
    without = (
        lab.with_variables(PATH="/usr/bin:/bin")
        if not shutil.which("terraform", path="/usr/bin:/bin")
        else None
    )
    if without is None:
        pytest.skip("Terraform is among the system's programs here")
    run = without.run("compare", *SOLUTION, "--json")
    assert run.status != 0
    assert "not installed" in run.error["message"]
    assert without.run("compare", *SOLUTION, "--compare", str(tmp_path / "none.json"), "--json").status == 2
    checked = without.run("compare", *SOLUTION, "--check", "--json")
    assert checked.result["checks"][0]["reason"] == "not yet"
