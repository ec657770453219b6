"""Step 00: is this machine fit for the lab? Runs on Python 3.8 with nothing installed, before set-up.

What belongs here: the line that mends what is wrong, for each system. What does not: reading the machine
(labkit.lesson.machine), printing (steps/00_doctor.py, labkit.cli.main), setting up (the file `lab`). Standard library
only, and of the kit's own only what needs no newer Python.
"""

from __future__ import annotations

import json
import os
import textwrap
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterator  # noqa: UP035 — collections.abc's need Python 3.9

from labkit.lesson.machine import HANDY, OLDEST_PYTHON, PROGRAMS, Machine, read_machine

NEEDED_DISK, NEEDED_MEMORY, TERRAFORM_MEMORY = 1 << 30, 1 << 30, 2 << 30
_LANDLOCK_WITH_PORTS = 4
_DAY = 24 * 3600


@dataclass(frozen=True)
class Finding:
    """One thing looked at. state: "ok", "warn" (works, but know this) or "bad"; `do` mends it."""

    name: str
    state: str
    text: str
    do: str = ""


def examine(root: str) -> list[Finding]:
    """Look at this machine."""
    return list(judge(read_machine(root)))


def passed(findings: list[Finding]) -> bool:
    """Whether nothing is bad."""
    return all(finding.state != "bad" for finding in findings)


def lines(findings: list[Finding]) -> Iterator[str]:
    """The findings for people, each with what to do, in 80 columns."""
    marks = {"ok": "✓", "warn": "!", "bad": "✗"}
    for finding in findings:
        lead = f"{marks[finding.state]} {finding.name:<9} "
        yield from textwrap.wrap(
            finding.text,
            80,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_long_words=False,
            break_on_hyphens=False,
        )
        if finding.do:
            yield f"            Do:  {finding.do}"
    yield ""
    if passed(findings):
        yield "✓ This machine is fit for the lab. Next:  ./lab generate --student YOUR-ID"
    else:
        yield "✗ Not yet. Mend the lines with ✗ from top to bottom, then:  ./lab doctor"


def remember(state: Path, findings: list[Finding]) -> None:
    """Keep the findings in `state`/doctor.json, so that `./lab` knows this step is done."""
    state.mkdir(parents=True, exist_ok=True)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    value = {"at": now, "passed": passed(findings), "findings": [asdict(f) for f in findings]}
    temporary = state / ".doctor.json.new"
    temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    os.replace(str(temporary), str(state / "doctor.json"))


def judge(machine: Machine) -> Iterator[Finding]:
    """Every finding on the machine, in the order in which to mend them."""
    yield _system(machine)
    if machine.system == "windows":
        return
    yield _place(machine)
    if machine.windows_lines:
        yield _lines(machine)
    yield _clock(machine)
    yield _python(machine)
    for name, why in PROGRAMS.items():
        yield _program(machine, name, why)
    if missing := [name for name in HANDY if not machine.tools.get(name)]:
        yield _handy(machine, missing)
    yield _terraform(machine)
    yield _memory(machine)
    yield _disk(machine)
    yield _sandbox(machine)
    if any(name.lower().endswith("_proxy") for name in machine.environment):
        yield _proxy(machine)


_NAMES = {
    "debian": "Linux (Debian/Ubuntu)",
    "fedora": "Linux (Fedora)",
    "linux": "Linux",
    "wsl2": "Windows, WSL2",
    "wsl1": "Windows, WSL 1",
    "macos": "macOS",
    "windows": "Windows",
}


def _system(machine: Machine) -> Finding:
    name = f"{_NAMES[machine.system]} {machine.release}"
    if machine.system == "windows":
        return Finding(
            "system",
            "bad",
            name + ": the lab runs in WSL2.",
            "wsl --install -d Ubuntu   (PowerShell, once); then open Ubuntu",
        )
    if machine.system == "wsl1":
        return Finding(
            "system", "bad", name + " has no Linux kernel.", "wsl --set-version Ubuntu 2   (in PowerShell)"
        )
    if machine.system == "macos":
        return Finding("system", "warn", name + ": written for it, not yet run on one by us.")
    if machine.system == "wsl2":
        return Finding("system", "warn", name + ": should work like Linux; nobody has tried it yet.")
    return Finding("system", "ok", name)


def _place(machine: Machine) -> Finding:
    root = machine.root
    if machine.on_windows_disk:
        text = f"This folder is on the Windows disk ({root}): slow, and line ends may change."
        name = os.path.basename(root)
        return Finding(
            "place", "bad", text, f"cp -r '{root}' ~/ && cd ~/'{name}' && ./lab doctor   (the old one stays)"
        )
    if machine.system == "macos" and (
        "/Desktop/" in root or "/Documents/" in root or "Mobile Documents" in root
    ):
        return Finding("place", "warn", root + ": iCloud may take files away here.", f"mv '{root}' ~/lab")
    if not machine.writable:
        return Finding(
            "place", "bad", root + " can't be written.", "copy the folder into your home directory"
        )
    return Finding("place", "ok", root)


def _lines(machine: Machine) -> Finding:
    return Finding(
        "lines",
        "bad",
        f"{machine.windows_lines} has Windows line ends; your server would not boot.",
        "git config core.autocrlf false && git rm -rq --cached . && git reset -q --hard"
        "\n           (or unpack the zip again, inside Ubuntu)",
    )


def _clock(machine: Machine) -> Finding:
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(machine.now))
    if machine.now < machine.newest_file - _DAY:
        do = {"wsl2": "wsl --shutdown   (in PowerShell), then open Ubuntu again"}.get(
            machine.system, "set the clock; AWS refuses requests that are minutes off"
        )
        return Finding("clock", "bad", shown + ": earlier than the lab's own files.", do)
    return Finding("clock", "ok", shown + " (AWS refuses a clock that is minutes off)")


def _python(machine: Machine) -> Finding:
    fit = [path for path, version in machine.pythons.items() if version >= OLDEST_PYTHON]
    if not fit:
        seen = ", ".join("{}.{}".format(*v) for v in machine.pythons.values()) or "none"
        return Finding(
            "python", "bad", f"Python 3.11 or newer is needed; found: {seen}.", install_line(machine.system)
        )
    path = fit[0]
    text = "{}.{} ({})".format(*machine.pythons[path], path)
    if machine.set_up:
        return Finding("python", "ok", text + "; the lab's own environment is set up")
    if not machine.venv:
        return Finding(
            "python", "bad", text + " can't make environments (venv).", install_line(machine.system)
        )
    return Finding("python", "ok", text + "; the first command of the lab sets up .venv, about a minute")


def install_line(system: str) -> str:
    """The one command that installs what the lab needs on this system."""
    return {
        "debian": "sudo apt-get update && sudo apt-get install -y python3 python3-venv",
        "wsl2": "sudo apt-get update && sudo apt-get install -y python3 python3-venv",
        "fedora": "sudo dnf install -y python3.12",
        "macos": "brew install python@3.12   (then open a new terminal)",
    }.get(system, "install Python 3.11 or newer from your system's packages") + _OLD_RELEASE.get(system, "")


_OLD_RELEASE = dict.fromkeys(
    ("debian", "wsl2"),
    "\n           Ubuntu 22.04 has 3.10 only; without sudo:  pip install uv && uv python install 3.12",
)


#: what the machine itself must have, and for what


def _program(machine: Machine, name: str, why: str) -> Finding:
    if machine.tools.get(name):
        return Finding(name, "ok", machine.tools[name])
    return Finding(name, "bad", f"not found; {why}.", package_line(machine.system, name))


#: for `make demo` and getting newer versions; the lab itself goes without


def _handy(machine: Machine, missing: list[str]) -> Finding:
    names = " and ".join(missing)
    text = "not found; the lab works without, `make demo` and updates by git do not."
    return Finding(names, "warn", text, package_line(machine.system, " ".join(missing)))


def package_line(system: str, name: str) -> str:
    """The one command that installs the package `name` on this system."""
    commands = {
        "debian": "sudo apt-get update && sudo apt-get install -y ",
        "wsl2": "sudo apt-get update && sudo apt-get install -y ",
        "fedora": "sudo dnf install -y ",
        "macos": "brew install ",
    }
    return commands.get(system, "install from your system's packages: ") + name


def _terraform(machine: Machine) -> Finding:
    found = machine.tools.get("terraform")
    if not found:
        return Finding(
            "terraform",
            "warn",
            "not found: CloudFormation works without it.",
            "https://developer.hashicorp.com/terraform/install",
        )
    if 0 <= machine.memory < TERRAFORM_MEMORY:
        return Finding("terraform", "warn", f"{found} (wants 2 GB; use CloudFormation here)")
    return Finding("terraform", "ok", found)


def _memory(machine: Machine) -> Finding:
    if machine.memory < 0:
        return Finding("memory", "warn", "could not be read; the lab needs 1 GB, Terraform 2 GB.")
    text = f"{machine.memory / (1 << 30):.1f} GB free (lab 1 GB, Terraform 2 GB), {machine.cores} cores"
    if machine.memory >= NEEDED_MEMORY:
        return Finding("memory", "ok", text)
    do = "close programs"
    if machine.system == "wsl2":
        do = "give WSL more: memory=4GB below [wsl2] in C:\\Users\\YOU\\.wslconfig, then wsl --shutdown"
    return Finding("memory", "warn", text, do)


def _disk(machine: Machine) -> Finding:
    text = f"{machine.disk_free / (1 << 30):.1f} GB free"
    if machine.disk_free < NEEDED_DISK:
        return Finding("disk", "bad", text + "; the lab needs 1 GB.", "free some space")
    return Finding("disk", "ok", text)


#: the kit's lesser tiers (labkit.sandbox.tiers), and what each does not protect against
_LESSER = {
    "landlock": "no limit on disk space, Unix sockets open",
    "posix": "it protects against accidents only",
}


def _sandbox(machine: Machine) -> Finding:
    """Which kind of sandbox the local cloud will have: the lessons are the same in each."""
    asked = machine.environment.get("LAB_TIER", "")
    if asked not in ("", "namespaces"):
        better = "landlock" if machine.landlock >= _LANDLOCK_WITH_PORTS else "posix"
        tier = better if asked == "portable" else asked
        lacks = f"Same lessons; {_LESSER[tier]}." if tier in _LESSER else "There is no such kind of sandbox."
        return Finding("sandbox", "warn", f"{tier}: LAB_TIER asks for it. {lacks}", "unset LAB_TIER")
    if machine.system != "macos" and not machine.namespaces:
        return Finding("sandbox", "ok", "namespaces: own processes, own network, real addresses and groups")
    tier = "landlock" if machine.landlock >= _LANDLOCK_WITH_PORTS else "posix"
    why = (
        "macOS has no namespaces"
        if machine.system == "macos"
        else f"namespaces refused ({machine.namespaces})"
    )
    return Finding("sandbox", "warn", f"{tier}: {why}. Same lessons; {_LESSER[tier]}.", _allow(machine))


def _allow(machine: Machine) -> str:
    """How to get the best tier."""
    if machine.system == "macos":
        return "for the full thing, open the folder in its .devcontainer (docs/tiers.md)"
    if "apparmor" in machine.namespaces:
        return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if "container" in machine.namespaces:
        return "use the .devcontainer, or the docker run line in docs/tiers.md"
    return "sudo sysctl -w user.max_user_namespaces=15000"


def _proxy(machine: Machine) -> Finding:
    hidden = machine.environment.get("no_proxy") or machine.environment.get("NO_PROXY") or ""
    if "127.0.0.1" in hidden or hidden.strip() == "*":
        return Finding("proxy", "ok", "set, and not used for this machine itself")
    return Finding(
        "proxy",
        "warn",
        "set. The kit goes around it; your own curl or AWS CLI would not, outside ./lab shell.",
        "export NO_PROXY=127.0.0.1,localhost,169.254.169.254 no_proxy=127.0.0.1,localhost,169.254.169.254",
    )
