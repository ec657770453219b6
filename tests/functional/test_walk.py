"""A student's way through the steps; the reference solution's, by the numbered files as they are typed."""

import sys
from pathlib import Path

import pytest

from tests.functional.conftest import ROOT

ADA = ("--student", "ada@uni.edu")
SOLUTION = (*ADA, "--solution")
pytestmark = pytest.mark.slow


def test_the_reference_solution_goes_all_the_way(lab) -> None:
    for number in ("01", "03", "05", "10"):
        script = next((ROOT / "steps").glob(f"{number}_*.py"))
        run = lab.typed(sys.executable, str(script), "--json", *SOLUTION)
        assert run.status == 0, run
        assert run.result["passed"]
        assert all(check["passed"] for check in run.result["checks"])
    checks = [c["name"] for c in run.result["checks"]]
    assert checks == ["nothing is left"]


@pytest.mark.verify
def test_a_second_deployment_changes_nothing(deployed_solution) -> None:
    run = deployed_solution.step("03", *SOLUTION)
    assert run.status == 0, run
    assert not [e for e in run.events if e["kind"] == "resource"]


def test_own_pictures_are_processed(deployed_solution, images: Path) -> None:
    run = deployed_solution.step("05", *SOLUTION, "--image", str(images))
    assert run.status == 0, run
    stored = [c for c in run.result["checks"] if "stored and recorded" in c["name"]]
    assert len(stored) == len([p for p in images.iterdir() if p.suffix != ".md"])


@pytest.mark.verify
def test_changed_code_replaces_the_server(deployed_solution) -> None:
    app = deployed_solution.workspace("ada@uni.edu.solution") / "flask_app.py"
    before = deployed_solution.step("03", *SOLUTION).result["facts"]["InstanceId"]
    app.write_text(app.read_text() + "\n# changed\n")
    run = deployed_solution.step("03", *SOLUTION)
    assert run.status == 0, run
    assert run.result["facts"]["InstanceId"] != before
    assert deployed_solution.step("05", *SOLUTION).status == 0


def test_the_starter_deploys_and_stops_at_its_first_gap(lab) -> None:
    assert lab.step("01", *ADA).status == 0
    assert lab.step("03", *ADA).status == 0
    run = lab.step("05", *ADA)
    assert run.status == 1
    failed = [c for c in run.result["checks"] if not c["passed"]]
    assert [c["gap"] for c in failed] == ["lambda-network"]
    assert failed[0]["hint"]
    assert lab.step("10", *ADA).status == 0


def test_two_students_differ_in_everything_that_is_theirs(lab) -> None:
    facts = [lab.step("01", "--student", who).result["facts"] for who in ("ada@uni.edu", "bob@uni.edu")]
    for name in ("Your names begin with", "Your network", "Your server's port", "Your objects' prefix"):
        assert facts[0][name] != facts[1][name], name
    tokens = {
        who: (lab.workspace(who) / ".lab" / "workspace.json").read_text()
        for who in ("ada@uni.edu", "bob@uni.edu")
    }
    assert tokens["ada@uni.edu"] != tokens["bob@uni.edu"]


def test_changed_files_are_never_overwritten(lab) -> None:
    lab.step("01", *ADA)
    mine = lab.workspace("ada@uni.edu") / "flask_app.py"
    mine.write_text("# mine\n")
    run = lab.step("01", *ADA)
    assert mine.read_text() == "# mine\n"
    assert any("flask_app.py" in e["text"] for e in run.events if e["kind"] == "note")
    run = lab.step("01", *ADA, "--force")
    assert mine.read_text() != "# mine\n"
    backups = list(mine.parent.rglob("flask_app.py*bak*"))
    assert [p.read_text() for p in backups] == ["# mine\n"]
