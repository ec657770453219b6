"""Who may have Terraform graded where, and what is said of one that was stopped."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import DeployError, EngineError, SandboxUnavailable
from labkit.deploy.terraform_command import Setup
from labkit.grading.grade import Request, grade
from labkit.grading.systems.terraform_sandbox import (
    TerraformSandbox,
    endpoint_of,
    is_static,
    refuse_where_nothing_holds,
)
from labkit.sandbox.spec import Limits
from labkit.sandbox.tiers import LANDLOCK, NAMESPACES, POSIX, Choice

ROOT = Path(labkit.__file__).resolve().parent.parent
ENV = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="Terraform is not installed here"
)


def test_somebody_elses_terraform_is_refused_where_nothing_holds() -> None:
    refuse_where_nothing_holds(Choice(NAMESPACES))
    refuse_where_nothing_holds(Choice(LANDLOCK))
    with pytest.raises(SandboxUnavailable, match="Somebody else's Terraform is not run here") as caught:
        refuse_where_nothing_holds(Choice(POSIX))
    assert "Linux" in caught.value.hint


@pytest.mark.processes
def test_it_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TIER", "posix")
    result = tmp_path / "result.json"
    with pytest.raises(SandboxUnavailable):
        grade(Request(ROOT, "ada@uni.edu", tmp_path, engine="terraform", result=result))
    assert not result.exists()


@needs_terraform
@pytest.mark.verify  # as root Python is copied for it, which takes seconds
@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes as they are on Linux")
def test_ones_own_runs_in_the_least_tier_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TIER", "posix")
    (tmp_path / "lab").mkdir()
    setup = Setup(tmp_path / "kit")
    command = [setup.program(), "version"]
    with TerraformSandbox(setup, own=True) as own:
        assert "Terraform v" in own.run(command, tmp_path / "lab", ENV).output
    with TerraformSandbox(setup) as foreign, pytest.raises(SandboxUnavailable):
        foreign.run(command, tmp_path / "lab", ENV)


@pytest.mark.processes
@needs_terraform
def test_files_that_were_stopped_once_are_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    setup = Setup(tmp_path / "kit")
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "main.tf").write_text("locals {\n}\n")
    with TerraformSandbox(setup, limits=Limits(processes=400), seconds=0.001) as sandbox:
        for _ in range(2):
            with pytest.raises(DeployError, match="was stopped: with these files it takes more than"):
                sandbox.run([setup.program(), "plan"], folder, ENV)
        (folder / "terraform.tfstate").write_text("{}")
        sandbox.seconds = 60
        with pytest.raises(DeployError, match="was stopped"):
            sandbox.run([setup.program(), "plan"], folder, ENV)
        (folder / "main.tf").write_text("locals {\n  a = 1\n}\n")
        assert sandbox.run([setup.program(), "version"], folder, ENV).status == 0


@pytest.mark.processes
@needs_terraform
def test_a_plan_comes_back_and_can_be_shown(tmp_path: Path) -> None:
    setup = Setup(tmp_path / "kit")
    (tmp_path / "lab" / ".lab" / "plan-x").mkdir(parents=True)
    (tmp_path / "lab" / "main.tf").write_text('output "o" {\n  value = "planned"\n}\n')
    with TerraformSandbox(setup) as sandbox:
        for command in (["plan", "-out=.lab/plan-x/plan"], ["show", "-json", ".lab/plan-x/plan"]):
            done = sandbox.run([setup.program(), *command], tmp_path / "lab", ENV)
            assert done.status == 0, done.errors
    assert '"planned"' in done.output


@pytest.mark.processes
@needs_terraform
def test_a_machine_that_is_too_busy_is_not_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = Setup(tmp_path / "kit")
    (tmp_path / "lab").mkdir()
    with TerraformSandbox(setup, limits=Limits(processes=400), seconds=0.001) as sandbox:
        monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 1000.0, 1000.0))
        with pytest.raises(EngineError, match="too busy"):
            sandbox.run([setup.program(), "version"], tmp_path / "lab", ENV)
        sandbox.seconds = 60
        assert sandbox.run([setup.program(), "version"], tmp_path / "lab", ENV).status == 0


@pytest.mark.parametrize(
    "url",
    ["", "https://127.0.0.1:1", "http://127.0.0.1", "http://192.0.2.1:80", "http://localhost:1", "file:///x"],
)
def test_only_a_local_cloud_is_reached(url: str) -> None:
    with pytest.raises(EngineError):
        endpoint_of({"AWS_ENDPOINT_URL": url})
    assert endpoint_of(ENV) == ("127.0.0.1", 9)


def test_what_is_static(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n" * 20)
    (tmp_path / "short").write_bytes(b"\x7fELF")
    assert not is_static(tmp_path / "script")
    assert not is_static(tmp_path / "short")
    if sys.platform == "linux":
        assert not is_static(Path("/bin/sh"))
