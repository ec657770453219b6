"""Whether Linux runs inside Windows (WSL), and what follows: the Windows disk, a machine that Windows stops.

What belongs here: pure functions over the texts of /proc. What does not: what to tell (the doctor, the local
cloud's life). Parses on Python 3.8: the doctor needs it before any set-up.
"""

from __future__ import annotations

import os

#: the kinds of file system under which WSL shows the disks of Windows
_WINDOWS_DISKS = ("9p", "drvfs", "v9fs")


def kind(version: str) -> str:
    """ "wsl2", "wsl1" or "" from the text of /proc/version."""
    text = version.lower()
    if "microsoft" not in text:
        return ""
    return "wsl2" if "wsl2" in text or "microsoft-standard" in text else "wsl1"


def on_windows_disk(path: str, mounts: str) -> bool:
    """Whether `path` lies on a disk of Windows, from the text of /proc/mounts."""
    best = ("", "", "")
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        place = fields[1].replace("\\040", " ").rstrip("/")
        if (path + "/").startswith(place + "/") and len(place) >= len(best[1]):
            best = (fields[0], place, fields[2])
    return best[2] in _WINDOWS_DISKS and (":" in best[0] or best[0] == "drvfs")


def booted_at(stat: str) -> float:
    """When the machine started, in seconds since the epoch, from the text of /proc/stat; 0.0: unknown."""
    for line in stat.splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def read(path: str) -> str:
    """The text of a file of /proc; "" where it is hidden or missing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def stopped_by_windows(started_at: float, version: str, stat: str) -> bool:
    """Whether what started then ended with WSL's virtual machine, which Windows has started anew since."""
    return bool(kind(version)) and started_at < booted_at(stat)


def here() -> str:
    """The kind of WSL that this is."""
    return kind(read("/proc/version")) if os.name == "posix" else ""
