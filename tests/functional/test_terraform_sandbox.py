"""Terraform's sandbox alone: what its files could do if nobody had looked at them before, and what a program in its
place could. As the user who runs the tests and as an ordinary one, in each tier that grades Terraform.

The probes are tests/battery/terraform_probes.py; the judge that they are aimed at is terraform_driver.py beside it.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.sandbox.memory import processes_below
from tests.functional.test_sandbox_battery import ORDINARY_UID, python_for

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.terraform,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what keeps it"),
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here"),
]
Outcome = dict[str, Any]
#: a program in Terraform's place gets at the cloud and at nothing else
GOT = {"cloud": "CLOUD"}
_TIERS = ["namespaces", "landlock"]


class Judge:
    """The driver, in a process of its own."""

    def __init__(self, tier: str, folder: Path, *, ordinary: bool) -> None:
        identity: dict[str, Any] = {}
        python = sys.executable
        path = [str(ROOT), sysconfig.get_path("purelib")]
        if ordinary:
            identity = {"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []}
            python = python_for(ORDINARY_UID)
            os.chown(folder, ORDINARY_UID, ORDINARY_UID)
        kept = {name: os.environ[name] for name in ("PATH", "LAB_TF_MIRROR") if name in os.environ}
        self._process = subprocess.Popen(
            [python, str(ROOT / "tests/battery/terraform_driver.py"), str(folder), str(ROOT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            env={**kept, "PYTHONPATH": ":".join(path), "PYTHONDONTWRITEBYTECODE": "1", "LAB_TIER": tier,
                 "GRADER_SECRET": "CANARY", "HOME": str(folder)},
            **identity,
        )  # fmt: skip
        self.tier = self._answer()["tier"]

    def _answer(self) -> Outcome:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line and "PermissionError" in (errors := self._process.stderr.read()):
            pytest.skip(f"an ordinary user can't read the kit here: {errors[-200:]}")
        assert line, errors
        found: Outcome = json.loads(line)
        return found

    @property
    def pid(self) -> int:
        """The driver's process."""
        return self._process.pid

    def ask(self, **asked: Any) -> Outcome:
        """Ask for one probe or run."""
        self.begin(**asked)
        return self._answer()

    def begin(self, **asked: Any) -> None:
        """Ask, and do not wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        """It ends by itself, with all that it started."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((tier, ordinary), id=f"{tier}, {'ordinary' if ordinary else 'current'} user",
                     marks=[pytest.mark.verify] if tier != "namespaces" or ordinary else [])
        for tier in _TIERS for ordinary in (False, True)
    ],
)  # fmt: skip
def judge(request: pytest.FixtureRequest) -> Iterator[Judge]:
    tier, ordinary = request.param
    if ordinary and os.getuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    with tempfile.TemporaryDirectory(prefix="terraform-judge-", ignore_cleanup_errors=True) as folder:
        made = Judge(tier, Path(folder), ordinary=ordinary)
        assert made.tier == tier
        try:
            yield made
        finally:
            made.close()


def test_a_program_in_terraforms_place_reaches_the_cloud_and_nothing_else(judge: Judge) -> None:
    outcome = judge.ask(probe="answers")
    said = json.loads(outcome["said"])
    assert len(said) > 45
    got = {name: what for name, what in said.items() if what is not None and not isinstance(what, dict)}
    allowed = dict(GOT)
    if (
        judge.tier == "landlock"
    ):  # as docs/tiers.md says: the same user's Unix sockets with a path, address-blind
        allowed |= {name: got[name] for name in ("socket_with_a_path",) if name in got}
    assert got == allowed
    assert not outcome["heard"]
    assert not outcome["outside"]


@pytest.mark.verify
@pytest.mark.parametrize(
    ("probe", "reason"), [("fills_memory", "memory"), ("never_ends", "time"), ("floods", "output")]
)
def test_what_would_go_on_for_ever_is_ended(judge: Judge, probe: str, reason: str) -> None:
    outcome = judge.ask(probe=probe)
    assert (outcome["code"], outcome["reason"]) in ((-9, reason), (-9, "exit"), (-24, "exit"))


@pytest.mark.verify
def test_a_fork_bomb_stays_small(judge: Judge) -> None:
    outcome = judge.ask(probe="forks")
    assert outcome["reason"] == "memory" or int(outcome["said"]) < 100


@pytest.mark.verify
def test_the_disk_and_the_number_of_files_are_limited(judge: Judge) -> None:
    written, made = judge.ask(probe="fills_the_disk"), judge.ask(probe="makes_files")
    if judge.tier == "namespaces":
        assert int(written["said"]) <= 40
        assert int(made["said"]) <= 1024
    else:
        assert int(written["said"]) <= 40 * 24, "each file is limited"


def test_links_pipes_folders_and_large_files_are_no_results(judge: Judge) -> None:
    assert judge.ask(probe="leaves_odd_results")["left"] == []
    assert judge.ask(probe="leaves_much")["left"] == []


def test_no_process_is_left(judge: Judge) -> None:
    assert judge.ask(probe="leaves_a_process")["more"] == 0


_AWS = 'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n    }\n  }\n}\n'
APPLY = [["apply", "-auto-approve", "-no-color", "-input=false"]]
INIT = [["init", "-no-color", "-input=false"]]
PLAN = [*INIT, ["plan", "-no-color", "-input=false"]]
_EXEC = 'resource "terraform_data" "x" {\n  provisioner "local-exec" {\n    command = "touch /tmp/ran-by-terraform; cat @CANARY@"%s\n  }\n}'
#: what Terraform does by itself if the files are not looked at
FILES: dict[str, tuple[str, list[list[str]]]] = {
    "file": ('output "o" {\n  value = file("@CANARY@")\n}', APPLY),
    "filebase64": ('output "o" {\n  value = base64decode(filebase64("@CANARY@"))\n}', APPLY),
    "templatefile": ('output "o" {\n  value = templatefile("@CANARY@", {})\n}', APPLY),
    "above": ('output "o" {\n  value = file("../secret/canary.txt")\n}', APPLY),
    "environment": ('output "o" {\n  value = file("/proc/1/environ")\n}', APPLY),
    "program": (_EXEC % "", [*INIT, *APPLY]),
    "program by name": (_EXEC % '\n    interpreter = ["/usr/bin/env", "sh", "-c"]', [*INIT, *APPLY]),
    "external": ('data "external" "x" {\n  program = ["touch", "/tmp/ran-by-terraform"]\n}', PLAN),
    "http": ('data "http" "x" {\n  url = "http://127.0.0.1:@PORT@"\n}', PLAN),
    "module": ('module "x" {\n  source = "http://127.0.0.1:@PORT@/m.zip"\n}', PLAN),
    "module of git": ('module "x" {\n  source = "git::http://127.0.0.1:@PORT@/m"\n}', PLAN),
    "state": ('terraform {\n  backend "http" {\n    address = "http://127.0.0.1:@PORT@"\n  }\n}', PLAN),
    "memory": (
        'locals {\n  n = range(1000)\n  m = length([for a in local.n : [for b in local.n : [for c in local.n : [for d in local.n : a + b + c + d]]]])\n}\noutput "o" {\n  value = local.m\n}',
        APPLY,
    ),
    "output": ('output "o" {\n  value = [for a in range(1000) : [for b in range(400) : "%s"]]\n}' % ("x" * 100), APPLY),
    "many programs": (_EXEC.replace('"x" {', '"x" {\n  count = 500', 1) % "", [*INIT, *APPLY]),
}  # fmt: skip
#: … with the provider, whose start alone takes seconds
WITH_PROVIDER = {
    "endpoint": ('provider "aws" {\n  endpoints {\n    sts = "http://127.0.0.1:@PORT@"\n  }\n}\ndata "aws_caller_identity" "x" {\n}', PLAN),
    "address ranges": ('data "aws_ip_ranges" "x" {\n  url = "http://127.0.0.1:@PORT@"\n}', PLAN),
    "upload": ('resource "aws_s3_object" "x" {\n  bucket = "b"\n  key = "k"\n  source = "@CANARY@"\n}', APPLY),
    "zip": ('resource "aws_lambda_function" "x" {\n  function_name = "f"\n  role = "r"\n  filename = "@CANARY@"\n}', APPLY),
    "profile": ('provider "aws" {\n  profile = "p"\n  shared_config_files = ["./cfg"]\n}\ndata "aws_caller_identity" "x" {\n}', PLAN),
}  # fmt: skip
_CONFIG = "[profile p]\ncredential_process = /bin/sh -c 'touch /tmp/ran-by-terraform'\n"


def _contained(judge: Judge, files: dict[str, str], commands: list[list[str]]) -> str:
    outcome = judge.ask(files=files, commands=commands)
    assert not outcome["canary"], outcome["said"]
    assert not outcome["reached"], outcome["said"]
    assert not outcome["ran"], outcome["said"]
    said: str = outcome["said"]
    return said


_SAMPLE = {"file", "program", "module of git"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in _SAMPLE else [pytest.mark.verify]) for name in FILES]
)
def test_files_that_nobody_looked_at_get_at_nothing(judge: Judge, name: str) -> None:
    text, commands = FILES[name]
    said = _contained(judge, {"main.tf": text}, commands)
    if name == "memory":
        # where others want the processors, its time is up before
        assert "more than" in said or "too busy" in said
    if "program" in name:
        assert "local-exec" in said, "it came as far as the program"


@pytest.mark.verify
@pytest.mark.parametrize("name", WITH_PROVIDER)
def test_nor_do_they_with_the_provider(judge: Judge, name: str) -> None:
    text, commands = WITH_PROVIDER[name]
    init = INIT if commands is APPLY else []
    _contained(judge, {"main.tf": _AWS + text, "cfg": _CONFIG}, [*init, *commands])


def test_it_is_really_terraform(judge: Judge) -> None:
    outcome = judge.ask(files={"main.tf": 'output "o" {\n  value = upper("works")\n}'}, commands=APPLY)
    assert outcome["status"] == 0, outcome["said"]
    assert "WORKS" in outcome["said"]


def test_a_killed_judge_leaves_nothing(tmp_path: Path, until: Callable[..., None]) -> None:
    judge = Judge("namespaces", tmp_path, ordinary=False)
    started = set(processes_below(judge.pid))
    judge.begin(probe="goes_on")
    until(lambda: set(processes_below(judge.pid)) - started, seconds=60, what="the probe")
    below = [pid for pid in processes_below(judge.pid) if pid != judge.pid]
    judge.kill()
    until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in below),
        seconds=60,
        what="the end of all of it",
    )
