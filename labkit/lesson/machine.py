"""The facts of a machine that decide whether it is fit for the lab. Runs on Python 3.8 with nothing installed.

What belongs here: reading them, without changing anything. What does not: judging them (labkit.lesson.doctor).
Standard library only, and of the kit's own only what needs no newer Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping  # noqa: UP035 — collections.abc's need Python 3.9

from labkit.base import wsl

OLDEST_PYTHON = (3, 11)
PYTHONS = ("python3", "python3.13", "python3.12", "python3.11", "python3.14")
_LANDLOCK = 444
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
#: what the lab needs, and what for
PROGRAMS = {
    "bash": "your server's boot script is written in it",
    "curl": "boot scripts ask the metadata service with it",
}
#: what is good to have
HANDY = ("make", "git")


@dataclass(frozen=True)
class Machine:
    """What of the machine decides; read once, so that the reasoning can be tried without it.

    system: "debian", "fedora", "linux", "wsl2", "wsl1", "macos" or "windows". Sizes in bytes, -1: unknown.
    pythons: version by path; `venv` whether the best of them can make environments. `namespaces`: "" when
    the kernel allows them, else what it answered. `windows_lines`: a file of the kit that has them. `landlock`:
    its version, 0 for none.
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
    on_windows_disk: bool = False
    windows_lines: str = ""
    landlock: int = 0


def read_machine(
    root: str, *, read: Callable[[str], str] = wsl.read, which: Callable[[str], str | None] = shutil.which
) -> Machine:
    """Every fact, read without changing anything; takes well under a second.

    `read` gives the texts of /proc, "" for what is hidden; `which` finds programs.
    """
    pythons = _pythons(which)
    system = _which_system(read("/proc/version"), which)
    venv_python = os.path.join(root, ".venv", "bin", "python")
    return Machine(
        root=root,
        system=system,
        release=platform.release(),
        disk_free=shutil.disk_usage(root).free,
        writable=os.access(root, os.W_OK),
        memory=_memory_available(read("/proc/meminfo")),
        now=time.time(),
        newest_file=max((p.stat().st_mtime for p in Path(root).glob("*.toml")), default=0.0),
        pythons=pythons,
        venv=_can_make_environments(pythons),
        set_up=os.path.exists(os.path.join(root, ".venv", ".lab-lock")) and os.access(venv_python, os.X_OK),
        tools={name: found for name in (*PROGRAMS, *HANDY, "terraform") for found in [which(name)] if found},
        namespaces=_namespaces() if system not in ("macos", "windows") else "",
        environment={
            n: v
            for n, v in os.environ.items()
            if n.lower() in ("http_proxy", "no_proxy", "https_proxy", "lab_tier")
        },
        cores=os.cpu_count() or 1,
        on_windows_disk=wsl.on_windows_disk(os.path.realpath(root), read("/proc/mounts")),
        windows_lines=_windows_lines(root),
        landlock=_landlock() if system not in ("macos", "windows") else 0,
    )


def _which_system(version: str, which: Callable[[str], str | None]) -> str:
    system = platform.system()
    if system == "Darwin":
        return "macos"
    if system != "Linux":
        return "windows"
    if wsl.kind(version):
        return wsl.kind(version)
    if which("apt-get"):
        return "debian"
    return "fedora" if which("dnf") else "linux"


def _windows_lines(root: str) -> str:
    """The first of the kit's own text files that has Windows line ends; "" when none has."""
    for path in (Path(root, "lab"), Path(root, "lab.toml"), *sorted(Path(root, "templates").glob("*/*"))):
        with contextlib.suppress(OSError):
            if b"\r\n" in path.read_bytes():
                return str(path.relative_to(root))
    return ""


def _landlock() -> int:
    return max(0, int(ctypes.CDLL(None, use_errno=True).syscall(_LANDLOCK, None, 0, 1)))


def _pythons(which: Callable[[str], str | None]) -> dict[str, tuple[int, int]]:
    found = {}
    for name in PYTHONS:
        path = which(name)
        version = _version(path) if path else None
        if path and version:
            found[path] = version
    return found or {sys.executable: (sys.version_info[0], sys.version_info[1])}


def _version(path: str) -> tuple[int, int] | None:
    """The version of an interpreter; None for one that does not start (Xcode's and pyenv's place-holders)."""
    try:
        said = subprocess.run(
            [path, "-c", "import sys; print(*sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=True,
        ).stdout.split()
        return int(said[0]), int(said[1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _can_make_environments(pythons: Mapping[str, tuple[int, int]]) -> bool:
    fit = [path for path, version in pythons.items() if version >= OLDEST_PYTHON]
    if not fit:
        return False
    tried = subprocess.run(
        [fit[0], "-c", "import venv, ensurepip"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return tried.returncode == 0


def _memory_available(meminfo: str) -> int:
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
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
