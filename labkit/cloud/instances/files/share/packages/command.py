"""What dnf's commands do: install, remove, list, update.

Whether Amazon's repository is reached, the system's own Python finds out: this program is none that sees the network
everywhere.
"""
# ruff: noqa: T201

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from . import pythons
from .catalogue import PRESENT, PROGRAMS, why_lacking
from .own import OWN
from .places import PACKAGES, SYSTEM_PYTHON, link, note, noted, on_machine
from .places import PROGRAMS as INSTALLED

_ALL_PACKAGES = "https://docs.aws.amazon.com/linux/al2023/release-notes/all-packages.html"
_WITH_VALUE = (
    "--setopt",
    "--enablerepo",
    "--disablerepo",
    "--repo",
    "--releasever",
    "-x",
    "--exclude",
    "-c",
    "--config",
)
_UPDATES = (
    "update",
    "upgrade",
    "check-update",
    "makecache",
    "distro-sync",
    "upgrade-minimal",
    "update-minimal",
)


def lacking(name: str) -> str:
    """Why a package can't be installed here though Amazon's repository has it; "" where it can, or has not."""
    if name.startswith("@"):
        return "it has no groups of packages; name the packages"
    if "://" in name or name.endswith(".rpm"):
        return "it installs no package files from elsewhere"
    if name in PRESENT or name in OWN or pythons.parsed(name) is not None:
        return ""
    if name in PROGRAMS:
        absent = [program for program in PROGRAMS[name][:1] if not on_machine(program)]
        return f"it runs this machine's {absent[0]}, and this machine has none" if absent else ""
    return why_lacking(name)


def known(name: str) -> bool:
    """Whether it can be installed here."""
    here = name in PRESENT or name in OWN or name in PROGRAMS or pythons.parsed(name) is not None
    return here and not lacking(name)


def is_installed(name: str) -> bool:
    """Whether the package is there: with the image, or since."""
    return name in PRESENT or noted(name)


def install(name: str) -> None:
    """Make what the package brings appear."""
    found = pythons.parsed(name)
    if found is not None:
        pythons.install(*found)
    for program in PROGRAMS.get(name, ()):
        if there := on_machine(program):
            link(program, there)
    if name.startswith("nodejs"):
        link("npm", "/usr/share/lab/lacking")
        link("npx", "/usr/share/lab/lacking")
    if name in OWN:
        OWN[name]()
    note(name)


def repository() -> str:
    """The host of Amazon's repository in this region."""
    with open("/etc/dnf/vars/awsregion", encoding="utf-8") as file:
        region = file.read().strip()
    return f"al2023-repos-{region}-de612dc2.s3.dualstack.{region}.amazonaws.com"


def fetched_metadata() -> bool:
    """Whether the repository's list of packages could be fetched; says so where not."""
    asked = [SYSTEM_PYTHON, "-I", "/usr/share/lab/reaching.py", repository()]
    problem = subprocess.run(asked, stdout=subprocess.PIPE, text=True).stdout.strip()
    if problem:
        print("Errors during downloading metadata for repository 'amazonlinux':", file=sys.stderr)
        print(f"  - {problem}", file=sys.stderr)
        print(
            "Error: Failed to download metadata for repo 'amazonlinux': Cannot prepare internal mirrorlist: "
            f"{problem}",
            file=sys.stderr,
        )
    return not problem


def run_install(names: Sequence[str]) -> int:
    """Install what is here, and say what is not; dnf's exit status.

    A name that nobody knows stops everything, as dnf does. What only the local cloud lacks is named, the rest is
    installed, and the status is 1.
    """
    if any(not is_installed(name) for name in names) and not fetched_metadata():
        return 1
    print("Last metadata expiration check: 0:00:00 ago.")
    wanted = [name for name in dict.fromkeys(names) if not is_installed(name)]
    missing = [name for name in wanted if not known(name) and not lacking(name)]
    if missing:
        return _no_match(missing)
    for name in names:
        if name not in wanted:
            print(f"Package {name} is already installed.")
    absent = {name: why for name in wanted if (why := lacking(name))}
    fresh = [name for name in wanted if name not in absent]
    for name in fresh:
        install(name)
    print("Dependencies resolved.")
    print("\nInstalled:\n  " + "  ".join(fresh) + "\n" if fresh else "Nothing to do.")
    if absent:
        return _say_absent(absent)
    print("Complete!")
    return 0


def _say_absent(absent: dict[str, str]) -> int:
    sys.stdout.flush()
    for name, why in absent.items():
        print(f"Local cloud: AWS has {name}; the local cloud has not: {why}.", file=sys.stderr)
    print(f"Error: Local cloud: not installed here: {' '.join(absent)}", file=sys.stderr)
    return 1


def _no_match(missing: Sequence[str]) -> int:
    for name in missing:
        print(f"No match for argument: {name}")
    sys.stdout.flush()
    print(f"Error: Unable to find a match: {' '.join(missing)}", file=sys.stderr)
    print(
        f"Local cloud: it knows the packages that labs use. All of Amazon's: {_ALL_PACKAGES}", file=sys.stderr
    )
    return 1


def run_remove(names: Sequence[str]) -> int:
    """Let packages and their programs disappear."""
    for name in names:
        if os.path.exists(f"{PACKAGES}/{name}"):
            os.unlink(f"{PACKAGES}/{name}")
        for program in (name, *PROGRAMS.get(name, ())):
            if os.path.lexists(f"{INSTALLED}/{program}"):
                os.unlink(f"{INSTALLED}/{program}")
    print("Complete!")
    return 0


def run_list(names: Sequence[str]) -> int:
    """List what is installed."""
    shown = sorted({*PRESENT, *(os.listdir(PACKAGES) if os.path.isdir(PACKAGES) else ())})
    chosen = [name for name in shown if name in names or names in (["installed"], [])]
    if not chosen:
        print("Error: No matching Packages to list", file=sys.stderr)
        return 1
    print("Installed Packages")
    print("\n".join(f"{name}.x86_64  @System" for name in chosen))
    return 0


def run_group(names: Sequence[str]) -> int:
    """Refuse a group of packages."""
    return _say_absent({f"the group {' '.join(names)}": "it has no groups of packages; name the packages"})


def run_update(names: Sequence[str]) -> int:
    """Everything is as new as it can be."""
    if not fetched_metadata():
        return 1
    return run_clean(names)


def run_clean(names: Sequence[str]) -> int:
    """Nothing is kept that could be cleaned."""
    print("Last metadata expiration check: 0:00:00 ago.\nDependencies resolved.\nNothing to do.\nComplete!")
    return 0


_VERBS: dict[str, Callable[[list[str]], int]] = {
    "install": run_install, "reinstall": run_install, "localinstall": run_install, "remove": run_remove,
    "erase": run_remove, "autoremove": run_remove, "clean": run_clean, "groupinstall": run_group, "group": run_group,
    **dict.fromkeys(_UPDATES, run_update),
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Carry out one command line; returns dnf's exit status."""
    rest, names = list(words), []
    while rest:
        word = rest.pop(0)
        if word in _WITH_VALUE and rest:
            rest.pop(0)
        elif not word.startswith("-"):
            names.append(word)
    verb, names = (names[0], names[1:]) if names else ("", [])
    if verb == "list":
        return run_list([name for name in names if name != "installed"])
    if verb in _VERBS:
        return _VERBS[verb](names)
    if verb in (
        "info",
        "search",
        "provides",
        "repolist",
        "history",
        "config-manager",
        "module",
        "versionlock",
    ):
        print(f"Local cloud: its dnf has no {verb}; AWS's has.", file=sys.stderr)
        return 1
    print(f"No such command: {verb}. Please use /usr/bin/dnf --help", file=sys.stderr)
    return 1
