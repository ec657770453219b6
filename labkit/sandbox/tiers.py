"""Which kind of sandbox this machine gives: tried for real, the best first.

What belongs here: the tiers, their promises, and choosing. What does not: how any of them works, nor why a
machine refuses namespaces (diagnosis.py).
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from labkit.base.errors import SandboxError, SandboxUnavailable, UsageError

if TYPE_CHECKING:
    from labkit.sandbox.host import SandboxHost
    from labkit.sandbox.portable.host import PortableHost

AnyHost = Union["SandboxHost", "PortableHost"]

NAMESPACES, LANDLOCK, POSIX = "namespaces", "landlock", "posix"
#: from the best down
TIERS = (NAMESPACES, LANDLOCK, POSIX)
#: what LAB_TIER may say: a tier, or the best of those without namespaces
CHOICES: Mapping[str, tuple[str, ...]] = {
    "": TIERS,
    "auto": TIERS,
    "portable": (LANDLOCK, POSIX),
    **{tier: (tier,) for tier in TIERS},
}
VARIABLE, REQUIRED_VARIABLE = "LAB_TIER", "LAB_REQUIRE_TIER"

_EXPOSED = {
    NAMESPACES: "",
    LANDLOCK: "It limits no disk space, and keeps nobody from Unix sockets or from permissions of files of yours.",
    POSIX: "It protects against accidents only, not against code that means harm.",
}
_AS_ROOT = "Sandboxes run as root itself, since other users can't read its Python: use an ordinary account."
_PLAIN_USERS = "Each sandbox runs as a user of its own, so it can't read or change files of yours."


@dataclass(frozen=True)
class Choice:
    """The tier in use: why not a better one, what it does not protect against, how to get the better one.

    `reason` and `fix` are empty for the best tier; `exposed` is empty where every promise holds.
    """

    tier: str
    reason: str = ""
    exposed: str = ""
    fix: str = ""

    def banner(self) -> str:
        """One line for people; "" for the best tier."""
        if self.tier == NAMESPACES:
            return ""
        return " ".join(part for part in (f"Sandbox: {self.tier}.", self.reason, self.exposed) if part)


@dataclass(frozen=True)
class Opened:
    """A host that starts sandboxes, and the choice that led to it. The host is the caller's to close."""

    host: AnyHost
    choice: Choice


Opener = Callable[[str, Sequence[str]], AnyHost]


def open_best(
    preload: Sequence[str] = (), *, wanted: str = "", required: str = "", opener: Opener | None = None
) -> Opened:
    """The best host that this machine gives, among those that `wanted` names (see CHOICES).

    `required`: the least tier that will do. Raises UsageError for unknown names, SandboxUnavailable, with the
    reason and the fix of the best one, when none will do.
    """
    candidates = _candidates(wanted, required)
    refusals: list[SandboxUnavailable] = []
    for tier in candidates:
        try:
            host = (opener or open_tier)(tier, preload)
        except SandboxUnavailable as refusal:
            refusals.append(refusal)
            continue
        return Opened(host, _choice(tier, host, refusals))
    raise refusals[0]


def suffices(tier: str, required: str) -> bool:
    """Whether `tier` is at least as good as `required`. Raises UsageError for an unknown one."""
    _candidates("", required)
    return TIERS.index(tier) <= TIERS.index(required)


def wanted_here() -> tuple[str, str]:
    """What the environment says: LAB_TIER and LAB_REQUIRE_TIER."""
    return os.environ.get(VARIABLE, ""), os.environ.get(REQUIRED_VARIABLE, "")


def _candidates(wanted: str, required: str) -> tuple[str, ...]:
    for name, value, known in (
        (VARIABLE, wanted, tuple(CHOICES)),
        ("--require-tier", required, ("", *TIERS)),
    ):
        if value not in known:
            raise UsageError(
                f"{name} is {value!r}, which is no tier.",
                hint=f"Use one of: {', '.join(filter(None, known))}",
            )
    enough = TIERS[: TIERS.index(required) + 1] if required else TIERS
    candidates = tuple(tier for tier in CHOICES[wanted] if tier in enough)
    if not candidates:
        raise UsageError(
            f"{VARIABLE}={wanted} is less than the tier {required} that is required.",
            hint=f"Unset {VARIABLE}, or require less.",
        )
    return candidates


def _choice(tier: str, host: AnyHost, refusals: Sequence[SandboxUnavailable]) -> Choice:
    reason, fix = (refusals[0].message, refusals[0].hint) if refusals else ("", "")
    if not refusals and tier != NAMESPACES:
        reason, fix = f"{VARIABLE} asks for it.", f"Unset {VARIABLE} for the best that this machine gives."
    exposed = _EXPOSED[tier]
    if tier != NAMESPACES and os.geteuid() == 0:
        exposed += f" {_PLAIN_USERS if getattr(host, 'separates_users', False) else _AS_ROOT}"
    return Choice(tier, reason, exposed, fix)


def open_tier(tier: str, preload: Sequence[str], *, python: str = sys.executable) -> AnyHost:
    """The host of one tier. `python` is for those without namespaces. Raises SandboxUnavailable where this machine
    refuses it."""
    if tier == NAMESPACES:
        return _open_namespaces(preload)
    from labkit.sandbox.portable.host import PortableHost

    if tier == LANDLOCK and (missing := _no_landlock()):
        raise SandboxUnavailable(f"This machine has no Landlock: {missing}", hint="Use Linux 6.7 or newer.")
    return PortableHost.open(preload, landlock=tier == LANDLOCK, python=python)


def _open_namespaces(preload: Sequence[str]) -> "SandboxHost":
    if sys.platform != "linux":
        raise SandboxUnavailable(
            "Only Linux has namespaces.", hint="Use Linux; on Windows, WSL2; on a Mac, the .devcontainer."
        )
    from labkit.sandbox.host import SandboxHost

    host = SandboxHost.open(preload)
    try:
        host.network("open_router", router="probe")
        host.network("close_router", router="probe")
    except SandboxError as error:
        host.close()
        raise SandboxUnavailable(
            f"This machine can't run the lab's network: {error.message}", hint=error.hint
        ) from error
    return host


def _no_landlock() -> str:
    """Why Landlock can't be used here; "" when it can."""
    if sys.platform != "linux":
        return "only Linux has it."
    from labkit.sandbox.portable import landlock

    found = landlock.version()
    if found >= landlock.WITH_PORTS:
        return ""
    return f"version {found} of it does not limit connections." if found else "the kernel does not offer it."
