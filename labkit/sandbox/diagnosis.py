"""Why a machine refuses the sandbox, and the line that allows it.

What belongs here: pure reasoning from a refusal and a few facts of the machine. What does not: trying
(probe.py).
"""

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from labkit.sandbox.stages import MOUNTS, NETWORK, OWNER, PROCESSES, ROUTER, Refused

#: as in docs/tiers.md and .devcontainer, where it is said what each grants
CONTAINER_FLAGS = (
    "--cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined"
)
_OLDEST = (5, 14)


@dataclass(frozen=True)
class Facts:
    """What of this machine explains a refusal. Numbers are -1 where the kernel has no such setting."""

    system: str
    kernel: tuple[int, int]
    is_root: bool
    in_container: bool
    max_user_namespaces: int = -1
    unprivileged_userns_clone: int = -1
    apparmor_restricts: int = -1


def facts_of_this_machine() -> Facts:
    """Read the facts; nothing is tried."""
    major, minor = platform.release().split(".")[:2]
    return Facts(
        system=platform.system(),
        kernel=(int(major), int("".join(filter(str.isdigit, minor[:3])) or 0)),
        is_root=os.geteuid() == 0,
        in_container=Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
        max_user_namespaces=_setting("user/max_user_namespaces"),
        unprivileged_userns_clone=_setting("kernel/unprivileged_userns_clone"),
        apparmor_restricts=_setting("kernel/apparmor_restrict_unprivileged_userns"),
    )


def _setting(name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys", name).read_text())
    return -1


def explain(refused: Refused, facts: Facts) -> tuple[str, str]:
    """One sentence with what was refused and by what, and the next thing to do."""
    seen = f"the {refused.stage} was refused ({refused.reason})"
    if facts.system != "Linux":
        return f"{seen}.", "Use Linux; on Windows, WSL2; on a Mac, a Linux virtual machine."
    if facts.kernel < _OLDEST:
        version = ".".join(map(str, facts.kernel))
        return f"{seen}; Linux {version} is too old.", "Use Linux 5.14 or newer."
    if refused.stage in (OWNER, PROCESSES, MOUNTS) and (setting := _switched_off(facts)):
        return f"{seen}; {setting[0]}.", f"Run: sudo sysctl -w {setting[1]}"
    if facts.in_container:
        fix = f"Open the folder in its .devcontainer, or start the container with: {CONTAINER_FLAGS}"
        return f"{seen}; the container that we are in forbids it.", fix
    if refused.stage in (NETWORK, ROUTER):
        return f"{seen}.", "Run: sudo modprobe -a veth nf_tables nf_conntrack"
    return (
        f"{seen}.",
        "Run `unshare --user --map-root-user --mount --net true` to see whether the system allows it.",
    )


def _switched_off(facts: Facts) -> tuple[str, str] | None:
    """The setting that forbids namespaces, in words, and how to set it."""
    if facts.max_user_namespaces == 0:
        return "user.max_user_namespaces is 0", "user.max_user_namespaces=15000"
    if facts.is_root:
        return None
    if facts.unprivileged_userns_clone == 0:
        return "this system keeps namespaces for root", "kernel.unprivileged_userns_clone=1"
    if facts.apparmor_restricts == 1:
        return (
            "AppArmor restricts namespaces of ordinary programs",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return None
