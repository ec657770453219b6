"""The doctor: every finding says what it saw and the line that mends it, on every system."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import labkit
from labkit.lesson import doctor
from labkit.lesson.doctor import Machine

ROOT = Path(labkit.__file__).parent.parent
GB = 1 << 30
FIT = Machine(
    root="/home/ana/lab", system="debian", release="6.1", disk_free=9 * GB, writable=True, memory=8 * GB, now=2e9,
    newest_file=1.9e9, pythons={"/usr/bin/python3": (3, 12)}, venv=True, set_up=False,
    tools={"bash": "/bin/bash", "terraform": "/bin/terraform"}, namespaces="", environment={}, cores=4,
)  # fmt: skip


def finding(machine: Machine, name: str) -> doctor.Finding:
    return next(f for f in doctor.judge(machine) if f.name == name)


def test_a_fit_machine_has_nothing_to_mend() -> None:
    findings = list(doctor.judge(FIT))
    assert doctor.passed(findings)
    assert not [f for f in findings if f.state != "ok"]


@pytest.mark.parametrize(
    ("machine", "name", "state", "words"),
    [
        (replace(FIT, system="windows"), "system", "bad", "wsl --install"),
        (replace(FIT, system="wsl1"), "system", "bad", "--set-version Ubuntu 2"),
        (replace(FIT, system="macos"), "sandbox", "warn", "virtual machine"),
        (replace(FIT, system="wsl2", root="/mnt/c/Users/ana/lab"), "place", "bad", "cp -r '/mnt/c/Users/ana/lab'"),
        (replace(FIT, system="macos", root="/Users/ana/Documents/lab"), "place", "warn", "mv "),
        (replace(FIT, writable=False), "place", "bad", "home"),
        (replace(FIT, now=1.5e9), "clock", "bad", "clock"),
        (replace(FIT, now=1.5e9, system="wsl2"), "clock", "bad", "wsl --shutdown"),
        (replace(FIT, pythons={"/usr/bin/python3": (3, 10)}), "python", "bad", "python3-venv"),
        (replace(FIT, pythons={"/usr/bin/python3": (3, 9)}, system="macos"), "python", "bad", "brew install"),
        (replace(FIT, venv=False), "python", "bad", "python3-venv"),
        (replace(FIT, tools={}), "bash", "bad", "bash"),
        (replace(FIT, tools={"bash": "/bin/bash"}), "terraform", "warn", "developer.hashicorp.com"),
        (replace(FIT, memory=GB // 2), "memory", "warn", "close"),
        (replace(FIT, memory=GB // 2, system="wsl2"), "memory", "warn", ".wslconfig"),
        (replace(FIT, disk_free=1000), "disk", "bad", "free"),
        (replace(FIT, namespaces="apparmor: restricted"), "sandbox", "bad", "apparmor_restrict"),
        (replace(FIT, namespaces="a container: refused"), "sandbox", "bad", "seccomp=unconfined"),
        (replace(FIT, namespaces="the kernel: No space left"), "sandbox", "bad", "max_user_namespaces"),
        (replace(FIT, environment={"http_proxy": "http://p"}), "proxy", "warn", "NO_PROXY"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_cure(machine: Machine, name: str, state: str, words: str) -> None:
    found = finding(machine, name)
    assert found.state == state
    assert words in found.do
    assert doctor.passed(list(doctor.judge(machine))) == (state != "bad")


def test_a_proxy_that_leaves_this_machine_alone_is_fine() -> None:
    assert finding(replace(FIT, environment={"no_proxy": "127.0.0.1"}), "proxy").state == "ok"


@pytest.mark.parametrize(
    "file", ["labkit/__init__.py", "labkit/lesson/__init__.py", "labkit/lesson/doctor.py"]
)
def test_it_parses_on_python_3_8(file: str) -> None:
    ast.parse((ROOT / file).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("launcher", sorted((ROOT / "steps").glob("*.py")), ids=lambda p: p.name)
def test_launchers_parse_on_python_3_8(launcher: Path) -> None:
    ast.parse(launcher.read_text(), feature_version=(3, 8))


def test_the_launcher_runs_with_nothing_installed(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "steps" / "00_doctor.py")],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LAB_BASE": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not run.stderr
    assert run.stdout.startswith("00 Is this machine fit")
    kept = json.loads((tmp_path / ".lab" / "doctor.json").read_text())
    assert kept["passed"] == (run.returncode == 0)
    assert {f["name"] for f in kept["findings"]} >= {
        "system",
        "place",
        "clock",
        "python",
        "memory",
        "sandbox",
    }


def test_this_machine_is_read() -> None:
    machine = doctor.read_machine(str(ROOT))
    assert machine.pythons
    assert machine.disk_free > 0
