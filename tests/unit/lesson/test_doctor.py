"""The doctor: every finding says what it saw and the line that mends it, on every system."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import labkit
from labkit.lesson import doctor
from labkit.lesson.machine import Machine, read_machine

ROOT = Path(labkit.__file__).parent.parent
GB = 1 << 30
FIT = Machine(
    root="/home/ana/lab", system="debian", release="6.1", disk_free=9 * GB, writable=True, memory=8 * GB, now=2e9,
    newest_file=1.9e9, pythons={"/usr/bin/python3": (3, 12)}, venv=True, set_up=False,
    tools={name: f"/bin/{name}" for name in ("bash", "curl", "make", "git", "terraform")}, namespaces="", environment={},
    cores=4, landlock=7,
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
        (replace(FIT, system="macos"), "sandbox", "warn", ".devcontainer"),
        (replace(FIT, windows_lines="templates/app/flask_app.py"), "lines", "bad", "core.autocrlf false"),
        (replace(FIT, system="wsl2", root="/mnt/c/Users/ana/lab", on_windows_disk=True), "place", "bad", "cp -r '/mnt/c/Users/ana/lab'"),
        (replace(FIT, system="macos", root="/Users/ana/Documents/lab"), "place", "warn", "mv "),
        (replace(FIT, writable=False), "place", "bad", "home"),
        (replace(FIT, now=1.5e9), "clock", "bad", "clock"),
        (replace(FIT, now=1.5e9, system="wsl2"), "clock", "bad", "wsl --shutdown"),
        (replace(FIT, pythons={"/usr/bin/python3": (3, 10)}), "python", "bad", "python3-venv"),
        (replace(FIT, pythons={"/usr/bin/python3": (3, 9)}, system="macos"), "python", "bad", "brew install"),
        (replace(FIT, venv=False), "python", "bad", "python3-venv"),
        (replace(FIT, tools={"curl": "/bin/curl"}), "bash", "bad", "apt-get install -y bash"),
        (replace(FIT, tools={"bash": "/bin/bash"}, system="fedora"), "curl", "bad", "dnf install -y curl"),
        (replace(FIT, tools={"bash": "/bin/bash", "curl": "/bin/curl"}), "terraform", "warn", "developer.hashicorp.com"),
        (replace(FIT, memory=GB // 2), "memory", "warn", "close"),
        (replace(FIT, memory=GB // 2, system="wsl2"), "memory", "warn", ".wslconfig"),
        (replace(FIT, disk_free=1000), "disk", "bad", "free"),
        (replace(FIT, environment={"LAB_TIER": "posix"}), "sandbox", "warn", "unset LAB_TIER"),
        (replace(FIT, environment={"LAB_TIER": "none"}), "sandbox", "warn", "unset LAB_TIER"),
        (replace(FIT, namespaces="apparmor: restricted"), "sandbox", "warn", "apparmor_restrict"),
        (replace(FIT, namespaces="a container: refused"), "sandbox", "warn", "docker run"),
        (replace(FIT, namespaces="the kernel: No space left"), "sandbox", "warn", "max_user_namespaces"),
        (replace(FIT, environment={"http_proxy": "http://p"}), "proxy", "warn", "NO_PROXY"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_cure(machine: Machine, name: str, state: str, words: str) -> None:
    found = finding(machine, name)
    assert found.state == state
    assert words in found.do
    assert doctor.passed(list(doctor.judge(machine))) == (state != "bad")


@pytest.mark.parametrize(
    ("machine", "tier"),
    [
        (FIT, "namespaces"),
        (replace(FIT, namespaces="a container: refused"), "landlock"),
        (replace(FIT, namespaces="a container: refused", landlock=3), "posix"),
        (replace(FIT, system="macos", landlock=0), "posix"),
    ],
)
def test_the_tier_is_named_with_what_it_does_not_protect_against(machine: Machine, tier: str) -> None:
    found = finding(machine, "sandbox")
    assert found.text.startswith(f"{tier}: ")
    assert ("Same lessons" in found.text) == (tier != "namespaces")


WSL2 = "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@build)"


@pytest.mark.processes
def test_wsl_is_read_from_proc_and_a_folder_on_the_windows_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab").write_bytes(b"#!/bin/sh\r\n")
    mounts = f"/dev/sdc / ext4 rw 0 0\nC:\\134 {tmp_path.parent} 9p rw,aname=drvfs;path=C: 0 0\n"
    texts = {"/proc/version": WSL2, "/proc/mounts": mounts, "/proc/meminfo": "MemAvailable: 524288 kB\n"}
    machine = read_machine(str(tmp_path), read=lambda path: texts[path])
    assert (machine.system, machine.memory, machine.windows_lines) == ("wsl2", 1 << 29, "lab")
    states = {f.name: f.state for f in doctor.judge(machine)}
    assert (states["place"], states["lines"], states["memory"]) == ("bad", "bad", "warn")


@pytest.mark.processes
def test_a_hidden_proc_and_missing_programs_are_told_not_tripped_over() -> None:
    machine = read_machine(str(ROOT), read=lambda _: "", which=lambda _: None)
    found = {f.name: f for f in doctor.judge(machine)}
    assert {found[name].state for name in ("bash", "curl")} == {"bad"}
    assert found["place"].state == "ok"


@pytest.mark.processes
@pytest.mark.parametrize("name", ["MINGW64_NT-10.0-22631", "MSYS_NT-10.0", "CYGWIN_NT-10.0"])
def test_git_bash_and_its_like_are_refused_in_one_sentence_that_names_wsl(tmp_path: Path, name: str) -> None:
    (tmp_path / "uname").write_text(f"#!/bin/sh\necho {name}\n")
    (tmp_path / "uname").chmod(0o755)
    run = subprocess.run(
        ["/bin/sh", str(ROOT / "lab"), "doctor"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1
    assert "WSL" in run.stderr


def test_cmd_and_powershell_are_told_the_same() -> None:
    assert "WSL" in (ROOT / "lab.cmd").read_text()


def test_a_tier_that_is_asked_for_is_no_proxy() -> None:
    asked = replace(FIT, environment={"LAB_TIER": "posix"})
    assert [f.name for f in doctor.judge(asked)] == [
        f.name for f in doctor.judge(replace(FIT, environment={}))
    ]


def test_a_proxy_that_leaves_this_machine_alone_is_fine() -> None:
    assert finding(replace(FIT, environment={"no_proxy": "127.0.0.1"}), "proxy").state == "ok"


@pytest.mark.parametrize(
    "file",
    [
        "labkit/__init__.py",
        "labkit/lesson/__init__.py",
        "labkit/lesson/doctor.py",
        "labkit/lesson/machine.py",
    ],
)
def test_it_parses_on_python_3_8(file: str) -> None:
    ast.parse((ROOT / file).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("launcher", sorted((ROOT / "steps").glob("*.py")), ids=lambda p: p.name)
def test_launchers_parse_on_python_3_8(launcher: Path) -> None:
    ast.parse(launcher.read_text(), feature_version=(3, 8))


@pytest.mark.processes
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


@pytest.mark.processes
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_who_reads_no_further_changes_nothing_about_an_unfit_machine(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "steps" / "00_doctor.py"), *words],
        env={"PATH": str(tmp_path), "LAB_BASE": str(tmp_path)},  # no bash, no curl
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (run.returncode, run.stderr) == (1, "")
    assert json.loads((tmp_path / ".lab" / "doctor.json").read_text())["passed"] is False


@pytest.mark.processes
def test_this_machine_is_read() -> None:
    machine = read_machine(str(ROOT))
    assert machine.pythons
    assert machine.disk_free > 0


def test_make_and_git_are_handy_and_not_needed() -> None:
    tools = {name: path for name, path in FIT.tools.items() if name not in ("make", "git")}
    (handy,) = [f for f in doctor.judge(replace(FIT, tools=tools)) if f.state != "ok"]
    assert (handy.state, handy.do.split()[-2:]) == ("warn", ["make", "git"])
