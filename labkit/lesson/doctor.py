"""Step 00: is this machine fit for the lab? Runs on Python 3.8 with nothing installed, before set-up.

What belongs here: looking at the machine, and the line that mends what is wrong, for each system. What
does not: printing (steps/00_doctor.py, labkit.cli), setting up (the file `lab`). Standard library only,
and nothing of the kit's own: those parts need a newer Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterator, Mapping  # noqa: UP035 — collections.abc.Mapping[...] needs Python 3.9

NUMBER = "00"
OLDEST_PYTHON = (3, 11)
PYTHONS = ("python3", "python3.13", "python3.12", "python3.11", "python3.14")
NEEDED_DISK, NEEDED_MEMORY, TERRAFORM_MEMORY = 1 << 30, 1 << 30, 2 << 30
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_DAY = 24 * 3600


@dataclass(frozen=True)
class Finding:
    """One thing looked at. state: "ok", "warn" (works, but know this) or "bad"; `do` mends it."""

    name: str
    state: str
    text: str
    do: str = ""


@dataclass(frozen=True)
class Machine:
    """What of the machine decides; read once, so that the reasoning can be tried without it.

    system: "debian", "fedora", "linux", "wsl2", "wsl1", "macos" or "windows". Sizes in bytes, -1: unknown.
    pythons: version by path; `venv` whether the best of them can make environments. `namespaces`: "" when
    the kernel allows them, else what it answered.
    """

    root: str
    system: str
    release: str
    disk_free: int
    writable: bool
    memory: int
    now: float
    newest_file: float
    pythons: Mapping[str, tuple[int, int]]
    venv: bool
    set_up: bool
    tools: Mapping[str, str]
    namespaces: str
    environment: Mapping[str, str]
    cores: int = 1


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
        yield f"{marks[finding.state]} {finding.name:<8} {finding.text}"
        if finding.do:
            yield f"           Do:  {finding.do}"
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


# ---- Judging: from facts to findings ---------------------------------------------------------------


def judge(machine: Machine) -> Iterator[Finding]:
    """Every finding on the machine, in the order in which to mend them."""
    yield _system(machine)
    if machine.system == "windows":
        return
    yield _place(machine)
    yield _clock(machine)
    yield _python(machine)
    yield _bash(machine)
    yield _terraform(machine)
    yield _memory(machine)
    yield _disk(machine)
    yield _sandbox(machine)
    if machine.environment:
        yield _proxy(machine)


_NAMES = {
    "debian": "Linux (Debian/Ubuntu)", "fedora": "Linux (Fedora)", "linux": "Linux", "wsl2": "Windows, WSL2",
    "wsl1": "Windows, WSL 1", "macos": "macOS", "windows": "Windows",
}  # fmt: skip


def _system(machine: Machine) -> Finding:
    name = f"{_NAMES[machine.system]} {machine.release}"
    if machine.system == "windows":
        return Finding(
            "system", "bad", name + ": the lab runs in WSL2.",
            "wsl --install -d Ubuntu   (PowerShell, once); then open Ubuntu",
        )  # fmt: skip
    if machine.system == "wsl1":
        return Finding(
            "system", "bad", name + " has no Linux kernel.",
            "wsl --set-version Ubuntu 2   (in PowerShell)",
        )  # fmt: skip
    if machine.system == "macos":
        return Finding(
            "system", "warn", name + ": untested here; the full lab wants a Linux machine.",
            "open the folder in the .devcontainer, or in a Linux virtual machine",
        )  # fmt: skip
    if machine.system == "wsl2":
        return Finding("system", "warn", name + ": should work like Linux; nobody has tried it yet.")
    return Finding("system", "ok", name)


def _place(machine: Machine) -> Finding:
    root = machine.root
    if machine.system in ("wsl2", "wsl1") and root.startswith("/mnt/"):
        text = f"This folder is on the Windows disk ({root}): slow, and line ends may change."
        name = os.path.basename(root)
        return Finding(
            "place", "bad", text,
            f"cp -r '{root}' ~/ && cd ~/'{name}' && ./lab doctor   (the old one stays)",
        )  # fmt: skip
    if machine.system == "macos" and (
        "/Desktop/" in root or "/Documents/" in root or "Mobile Documents" in root
    ):
        return Finding("place", "warn", root + ": iCloud may take files away here.", f"mv '{root}' ~/lab")
    if not machine.writable:
        return Finding(
            "place", "bad", root + " can't be written.", "copy the folder into your home directory"
        )
    return Finding("place", "ok", root)


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
            "python", "bad", f"Python 3.11 or newer is needed; found: {seen}.",
            install_line(machine.system),
        )  # fmt: skip
    path = fit[0]
    text = "{}.{} ({})".format(*machine.pythons[path], path)
    if machine.set_up:
        return Finding("python", "ok", text + "; the lab's own environment is set up")
    if not machine.venv:
        return Finding(
            "python", "bad", text + " can't make environments (venv).", install_line(machine.system)
        )
    return Finding("python", "ok", text + "; the first ./lab command sets up .venv, about a minute")


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


def _bash(machine: Machine) -> Finding:
    if machine.tools.get("bash"):
        return Finding("bash", "ok", machine.tools["bash"])
    return Finding("bash", "bad", "not found; your server's boot script is written in it.", "install bash")


def _terraform(machine: Machine) -> Finding:
    found = machine.tools.get("terraform")
    if not found:
        return Finding(
            "terraform", "warn", "not found: CloudFormation works without it.",
            "https://developer.hashicorp.com/terraform/install",
        )  # fmt: skip
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


def _sandbox(machine: Machine) -> Finding:
    """Whether the local cloud may give servers and functions addresses of their own."""
    if machine.system == "macos":
        return Finding(
            "sandbox", "warn", "macOS has no namespaces: the local cloud does not start here yet.",
            "use Linux in a virtual machine or a dev container",
        )  # fmt: skip
    if not machine.namespaces:
        return Finding("sandbox", "ok", "own processes, own network: real addresses, real security groups")
    text = f"this system refuses namespaces ({machine.namespaces})"
    return Finding("sandbox", "bad", text, _allow(machine))


def _allow(machine: Machine) -> str:
    if "apparmor" in machine.namespaces:
        return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    if "container" in machine.namespaces:
        return "start the container with --security-opt seccomp=unconfined --cap-add SYS_ADMIN"
    return "sudo sysctl -w user.max_user_namespaces=15000"


def _proxy(machine: Machine) -> Finding:
    hidden = machine.environment.get("no_proxy") or machine.environment.get("NO_PROXY") or ""
    if "127.0.0.1" in hidden or hidden.strip() == "*":
        return Finding("proxy", "ok", "set, and not used for this machine itself")
    return Finding(
        "proxy", "warn", "set: requests to your own machine may go there.",
        "export NO_PROXY=127.0.0.1,localhost,169.254.169.254 no_proxy=127.0.0.1,localhost,169.254.169.254",
    )  # fmt: skip


# ---- Reading the machine ----------------------------------------------------------------------------


def read_machine(root: str) -> Machine:
    """Every fact, read without changing anything; takes well under a second."""
    pythons = _pythons()
    system = _which_system()
    venv_python = os.path.join(root, ".venv", "bin", "python")
    return Machine(
        root=root,
        system=system,
        release=platform.release(),
        disk_free=shutil.disk_usage(root).free,
        writable=os.access(root, os.W_OK),
        memory=_memory_available(),
        now=time.time(),
        newest_file=max((p.stat().st_mtime for p in Path(root).glob("*.toml")), default=0.0),
        pythons=pythons,
        venv=_can_make_environments(pythons),
        set_up=os.path.exists(os.path.join(root, ".venv", ".lab-lock")) and os.access(venv_python, os.X_OK),
        tools={name: found for name in ("bash", "terraform") for found in [shutil.which(name)] if found},
        namespaces=_namespaces() if system not in ("macos", "windows") else "",
        environment={n: v for n, v in os.environ.items() if n.lower() in ("http_proxy", "no_proxy", "https_proxy")},
        cores=os.cpu_count() or 1,
    )  # fmt: skip


def _which_system() -> str:
    system = platform.system()
    if system == "Darwin":
        return "macos"
    if system != "Linux":
        return "windows"
    release = platform.release().lower()
    if "microsoft" in release:
        return "wsl2" if "wsl2" in release or "standard" in release else "wsl1"
    if shutil.which("apt-get"):
        return "debian"
    return "fedora" if shutil.which("dnf") else "linux"


def _pythons() -> dict[str, tuple[int, int]]:
    found = {}
    for name in PYTHONS:
        path = shutil.which(name)
        version = _version(path) if path else None
        if path and version:
            found[path] = version
    return found or {sys.executable: (sys.version_info[0], sys.version_info[1])}


def _version(path: str) -> tuple[int, int] | None:
    """The version of an interpreter; None for one that does not start (Xcode's and pyenv's place-holders)."""
    try:
        said = subprocess.run(
            [path, "-c", "import sys; print(*sys.version_info[:2])"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True,
        ).stdout.split()  # fmt: skip
        return int(said[0]), int(said[1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _can_make_environments(pythons: Mapping[str, tuple[int, int]]) -> bool:
    fit = [path for path, version in pythons.items() if version >= OLDEST_PYTHON]
    if not fit:
        return False
    tried = subprocess.run(
        [fit[0], "-c", "import venv, ensurepip"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return tried.returncode == 0


def _memory_available() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError):
        return -1


def _namespaces() -> str:
    """Try, in a child, to make a user, a mount and a network namespace; "" when it may."""
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        refused = libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWNET)
        os._exit(ctypes.get_errno() if refused else 0)
    number = os.waitpid(child, 0)[1] >> 8
    if number == 0 and not _restricted_by_apparmor():
        return ""
    where = "apparmor" if _restricted_by_apparmor() else "a container" if _in_container() else "the kernel"
    return "{}: {}".format(where, os.strerror(number) if number else "restricted")


def _restricted_by_apparmor() -> bool:
    try:
        text = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").read_text()
    except OSError:
        return False
    return text.strip() == "1" and os.geteuid() != 0


def _in_container() -> bool:
    return os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")
