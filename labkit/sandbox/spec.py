"""What a sandboxed process is given: plain records that cross from the caller to the warm parent.

What belongs here: the records and their limits, with defaults. What does not: how they are enforced.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bind:
    """A path of this machine shown inside the sandbox, read-only unless `writable`."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Limits:
    """What a sandbox may use. Reaching a limit fails the call or ends the sandbox, never the machine."""

    memory_mb: int = 512
    processes: int = 64
    cpu_seconds: int = 600
    file_mb: int = 64
    open_files: int = 256
    disk_mb: int = 128
    files: int = 8192


@dataclass(frozen=True)
class SandboxSpec:
    """One sandboxed process (pid 1 of its own world) and what it sees.

    Exactly one of `command` (argv, exec'd) and `entry` ("package.module:function", called in the
    forked child with `arguments`, a JSON object) is given.
    """

    name: str
    command: tuple[str, ...] = ()
    entry: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/tmp"
    hostname: str = "localhost"
    #: the interface (see Fabric.attach) whose network namespace it joins; "" is a new, empty one
    interface: str = ""
    #: sockets to be made listening inside a new namespace (with `interface`: made by attach)
    listen: tuple[tuple[str, int], ...] = ()
    #: address put on the loopback device of a new namespace, for example 169.254.169.254
    loopback: tuple[str, ...] = ()
    binds: tuple[Bind, ...] = ()
    #: directories laid over /usr, read-only, the first on top
    usr_layers: tuple[str, ...] = ()
    #: small files made in the new root, path → text
    files: Mapping[str, str] = field(default_factory=dict)
    #: name of a disk (made by make_disk) whose folders are mounted at the given paths, writable
    disk: str = ""
    disk_paths: tuple[str, ...] = ()
    #: without this machine's programs and Python: for a command that needs nothing but its `binds`
    bare: bool = False
    writable_root: bool = False
    uid: int = 1000
    #: its first process is the kit's own: what runs beside it can't read or write its memory or descriptors, and its
    #: command line says only this
    title: str = ""
    #: answer success to chown, setuid and the like: there is one user inside
    pretend_root: bool = False
    limits: Limits = field(default_factory=Limits)
