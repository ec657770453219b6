"""Starting and signalling processes inside the instance.

What belongs here: system calls about processes. What does not: which processes, and when (services).
Runs inside the instance: standard library only.
"""

import errno
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from labkit.cloud.instances.system.environment import (
    PATH,
    Account,
    MissingFile,
    UnknownGroup,
    UnknownUser,
    accounts,
    arguments,
    check_group,
    unit_environment,
)
from labkit.cloud.instances.system.runs import SpawnError
from labkit.cloud.instances.system.units import Command, Service

#: "power fails", which macOS does not have
POWER_SIGNALS = tuple(getattr(signal, name) for name in ("SIGPWR",) if hasattr(signal, name))
#: what this Python handles or ignores, and a program must find at its default
DEFAULT_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    *POWER_SIGNALS,
)

_HAS_PROC = os.path.isdir("/proc/self")


@dataclass(frozen=True)
class Prepared:
    """A process ready to start: program, arguments, environment, directory."""

    program: str
    words: list[str]
    environment: Mapping[str, str]
    directory: str


def prepare(
    service: Service, command: Command, invocation: str, manager: Mapping[str, str] = MappingProxyType({})
) -> Prepared:
    """What `command` of `service` would be; `manager` is systemd's own environment. Raises SpawnError with systemd's status and words."""
    try:
        values = unit_environment(service, invocation, read=read_text, passwd=passwd(), manager=manager)
        check_group(service.group, read_text("/etc/group"))
    except MissingFile as error:
        raise SpawnError(
            1, f"Failed to load environment files: {error}: No such file or directory"
        ) from error
    except UnknownGroup as error:
        raise SpawnError(216, f"Failed to determine group credentials: No such process ({error})") from error
    except UnknownUser as error:
        raise SpawnError(217, f"Failed to determine user credentials: No such process ({error})") from error
    words = arguments(command, values)
    return Prepared(locate(words[0]), words, values, _directory(service, words[0]))


def _directory(service: Service, program: str) -> str:
    if os.path.isdir(service.working_directory):
        return service.working_directory
    if service.working_directory_optional:
        return "/"
    raise SpawnError(
        200,
        f"Changing to the requested working directory failed: No such file or directory"
        f" ({service.working_directory}). Failed at step CHDIR spawning {program}: No such file or directory",
    )


def locate(program: str) -> str:
    """The program's absolute path. Raises SpawnError (203/EXEC) when there is none."""
    candidates = [program] if program.startswith("/") else [f"{d}/{program}" for d in PATH.split(":")]
    found = next((c for c in candidates if os.path.exists(c)), "")
    if found and os.access(found, os.X_OK) and not os.path.isdir(found):
        return found
    why = "Permission denied" if found else "No such file or directory"
    raise SpawnError(203, f"Failed at step EXEC spawning {program}: {why}")


def passwd() -> Mapping[str, Account]:
    """The instance's accounts."""
    return accounts(read_text("/etc/passwd"))


def read_text(path: str) -> str:
    """The text of a small file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def spawn(prepared: Prepared, stdout: int, stderr: int) -> int:
    """Start it in a session of its own; returns its process id. Raises SpawnError (203/EXEC)."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    try:
        os.chdir(prepared.directory)
        return os.posix_spawn(
            prepared.program,
            prepared.words,
            prepared.environment,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=DEFAULT_SIGNALS,
        )
    except OSError as error:
        raise SpawnError(203, f"Failed at step EXEC spawning {prepared.program}: {_why(error)}") from error
    finally:
        os.chdir("/")


def _why(error: OSError) -> str:
    return "Exec format error" if error.errno == errno.ENOEXEC else error.strerror or str(error)


def signal_run(invocation: str, leaders: set[int], number: int) -> bool:
    """Signal every process of one run of a unit; False when there is none. 0 only asks.

    Without control groups a process is known by the session it was started in, and, when it has left
    that, by the INVOCATION_ID in the environment that systemd gave it.
    """
    found = False
    for pid in members(invocation, leaders):
        found = _send(pid, number) or found
    return found


def members(invocation: str, leaders: set[int]) -> list[int]:
    """The processes of one run of a unit, as `signal_run` knows them."""
    mark = f"INVOCATION_ID={invocation}".encode()
    return [
        pid for pid in _processes() if _session(pid) in leaders or (_alive(pid) and mark in _environment(pid))
    ]


def own_memory(pid: int) -> int:
    """Bytes that a process holds for itself, its files' pages left out; 0 where that can't be read."""
    try:
        found = re.search(r"^RssAnon:\s+(\d+) kB", read_text(f"/proc/{pid}/status"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0


def _processes() -> Iterator[int]:
    own = os.getpid()
    ids = os.listdir("/proc") if _HAS_PROC else _listed_by_ps()
    return (int(each) for each in ids if each.isdigit() and int(each) != own)


def _listed_by_ps() -> list[str]:
    """Where there is no /proc: what runs, without zombies."""
    done = subprocess.run(
        ["ps", "-A", "-o", "pid=", "-o", "stat="], capture_output=True, text=True, check=False
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return [row[0] for row in rows if len(row) == 2 and not row[1].startswith("Z")]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid) if _alive(pid) else -1
    except OSError:
        return -1


def _alive(pid: int) -> bool:
    """Whether it runs: a zombie has ended, only its parent has not looked yet."""
    if not _HAS_PROC:
        return True  # the list was made without zombies
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True
