"""What runs inside a sandbox, as the kernel tells it from outside: nothing inside can dress it up.

What belongs here: reading /proc below one process, and ending a process found there. What does not: what an
instance says of itself (labkit.cloud.instances). Linux only.

A process shows its environment to its own user and to whoever may trace it. In a container root often may not: then
this module runs as that user, who tells on standard output: python -I -m labkit.cloud.server.looking PROCESS.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.base.errors import CloudError

_LISTENING = "0A"
#: how the kernel writes an IPv6 address in which an IPv4 one is mapped
_MAPPED = "0000000000000000FFFF0000" if sys.byteorder == "little" else "00000000000000000000FFFF"
_MOST = 1 << 17
_PR_SET_DUMPABLE = 4


@dataclass(frozen=True)
class _Listener:
    """A listening TCP socket: its port, and whether its address is one of IPv6."""

    port: int
    ipv6: bool


@dataclass(frozen=True)
class Program:
    """A process inside: its number there, command line, environment, and the TCP ports it listens on.

    `listens`: where IPv4 reaches it. `listens_ipv6`: by a socket of IPv6, of which the kernel does not tell whether it
    takes IPv4 too.
    """

    pid: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    listens: tuple[int, ...]
    listens_ipv6: tuple[int, ...] = ()


def programs(root: int, *, proc: str = "/proc") -> list[Program]:
    """Everything below process `root` (as this machine numbers it), by age; nothing when that is 0 or gone.

    Raises CloudError where the system does not show its processes: macOS, or a hidden /proc.
    """
    if not os.path.isdir(f"{proc}/self/task"):
        raise _hidden()
    processes = list(_below(root))
    found = _seen(root, processes)
    closed = [pid for pid in processes if _is_closed(pid)] if os.geteuid() == 0 else []
    for owner in {_owner(pid) for pid in closed}:
        found += _as_owner(root, owner)
    seen = {program.pid for program in found}
    if any(_is_closed(pid) and _number_inside(pid) not in seen for pid in closed):
        raise _hidden()
    return sorted(found, key=lambda program: program.pid)


def _seen(root: int, processes: Iterable[int]) -> list[Program]:
    listeners = _listeners(root)
    return [program for pid in processes if (program := _program(pid, listeners)) is not None]


def _is_closed(pid: int) -> bool:
    """Whether it is there, and we may not look into it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            file.read(1)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _owner(pid: int) -> tuple[int, int]:
    """Its user and group; root's when it is gone."""
    with contextlib.suppress(OSError):
        found = os.stat(f"/proc/{pid}")
        return found.st_uid, found.st_gid
    return 0, 0


def _as_owner(root: int, owner: tuple[int, int]) -> list[Program]:
    """What that user sees of its own. Graded code may be the same user: it can end this look, not change it."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "labkit.cloud.server.looking", str(root)], user=owner[0], group=owner[1], env={},
            extra_groups=[], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/", check=True, timeout=30,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise _hidden() from error
    return [
        Program(
            each["pid"],
            tuple(each["command"]),
            each["environment"],
            tuple(each["listens"]),
            tuple(each["listens_ipv6"]),
        )
        for each in json.loads(done.stdout)
    ]


def _hidden() -> CloudError:
    return CloudError(
        "This system does not show what runs in a server.",
        hint="Grade on Linux with /proc in sight, as an ordinary user or where root may trace.",
    )


def kill(root: int, inside: int) -> bool:
    """End (kill -9) the process below `root` that is called `inside` there; waits until it is gone."""
    for pid in _below(root):
        if _number_inside(pid) == inside:
            return _end(pid)
    return False


def _end(pid: int) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], 5.0)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _below(root: int) -> Iterator[int]:
    """The descendants of a process."""
    for task in Path(f"/proc/{root}/task").glob("*/children") if root else ():
        with contextlib.suppress(OSError):  # the thread ended between the two looks
            for child in task.read_text().split():
                yield int(child)
                yield from _below(int(child))


def _program(pid: int, listeners: Mapping[str, _Listener]) -> Program | None:
    """None when it ends while we look."""
    folder = Path(f"/proc/{pid}")
    try:
        command = _texts(folder / "cmdline")
        environment = dict(each.partition("=")[::2] for each in _texts(folder / "environ"))
        return Program(_number_inside(pid), command, environment, *_ports_of(folder, listeners))
    except (OSError, ValueError):
        return None


def _texts(path: Path) -> tuple[str, ...]:
    with open(path, "rb") as file:
        data = file.read(_MOST)
    return tuple(part.decode(errors="replace") for part in data.split(b"\0") if part)


def _number_inside(pid: int) -> int:
    """Its number in the innermost namespace; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return 0


def _listeners(root: int) -> dict[str, _Listener]:
    """Socket inode → listener, of all TCP sockets that listen in the network of `root`."""
    found = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{root}/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING:
                    address, _, port = fields[1].rpartition(":")
                    ipv6 = name == "tcp6" and not address.startswith(_MAPPED)
                    found[f"socket:[{fields[9]}]"] = _Listener(int(port, 16), ipv6)
    return found


def _ports_of(folder: Path, listeners: Mapping[str, _Listener]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ports of the process's sockets of IPv4, and of IPv6."""
    names = set()
    for entry in (folder / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed between the two looks
            names.add(os.readlink(entry))
    mine = [listeners[name] for name in names if name in listeners]
    ipv4, ipv6 = ({each.port for each in mine if each.ipv6 is kind} for kind in (False, True))
    return tuple(sorted(ipv4)), tuple(sorted(ipv6 - ipv4))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)  # nobody traces this process
    mine = [pid for pid in _below(int(sys.argv[1])) if os.stat(f"/proc/{pid}").st_uid == os.geteuid()]
    sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in _seen(int(sys.argv[1]), mine)]))
