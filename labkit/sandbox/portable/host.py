"""The caller's side of portable sandboxes: the same promises as labkit.sandbox.host, without namespaces.

What belongs here: the keeper's life, roots and disks, who gets which user. What does not: what a running
process can be asked (handle.py), where it may connect to (the network's owner says so with `place`).
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from labkit.base.descriptors import wait_hung_up
from labkit.base.errors import SandboxError, SandboxUnavailable
from labkit.sandbox.memory import Watcher
from labkit.sandbox.portable import keeper, readable, roots
from labkit.sandbox.portable.handle import PortableProcess
from labkit.sandbox.portable.inside.world import Network, World
from labkit.sandbox.portable.orders import Order
from labkit.sandbox.portable.processes import resident_bytes
from labkit.sandbox.portable.users import Users
from labkit.sandbox.spec import Limits, SandboxSpec

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[3])
_START = (
    f"import sys; sys.path.append({_PACKAGE_ROOT!r}); "
    "from labkit.sandbox.portable.keeper import main; main(sys.argv[1:])"
)
_CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_PATIENCE = 60.0
_MB = 1 << 20
_TRIAL = SandboxSpec(name="trial", entry="builtins:len", limits=Limits())
#: paths are written unquoted into scripts, and a Unix socket's is at most 103 bytes on macOS
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")
_LONGEST_BASE = 60


class PortableHost:
    """Starts sandboxed processes as plain ones, each in a folder that it takes for "/".

    Safe to call from many threads. `close()` ends everything that it started; so does the end of this
    process, however it comes.
    """

    #: paths of the folders are written into what lies in them, so a disk can't be put elsewhere
    disks_last: ClassVar[bool] = False

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        connection: socket.socket,
        base: Path,
        users: Users | None,
        *,
        landlock: bool,
    ) -> None:
        """Use open()."""
        self._process, self._connection, self._base = process, connection, base
        self._landlock = landlock
        self._lock, self._books = threading.Lock(), threading.RLock()
        self._networks: dict[str, Network] = {}
        self._disks: dict[str, int] = {}
        self._farms: dict[str, Path] = {}
        self._users = users
        self._watcher = (
            Watcher(bound=resident_bytes, measure=resident_bytes) if not _has_proc() else Watcher()
        )

    @classmethod
    def open(
        cls,
        preload: Sequence[str] = (),
        *,
        landlock: bool,
        python: str = sys.executable,
        forks: bool | None = None,
    ) -> "PortableHost":
        """A host whose keeper has imported the modules `preload`, proved by one trial process.

        `landlock`: with Landlock and the filter of system calls (Linux). `python`: another one than this is one that
        everybody can read. `forks`: whether children are forked
        from the keeper, or interpreters started anew; by default what the system stands. Raises
        SandboxUnavailable when the trial fails, SandboxError when a module can't be imported.
        """
        forks = sys.platform != "darwin" if forks is None else forks
        base = _base_folder()
        users = None
        try:
            is_readable = os.geteuid() == 0 and (python != sys.executable or readable.by_others())
            users = Users.claim() if is_readable else None
            process, connection = _start_keeper(preload, python, users, forks=forks)
        except BaseException:
            shutil.rmtree(base, ignore_errors=True)
            if users:
                users.close()
            raise
        host = cls(process, connection, base, users, landlock=landlock)
        try:
            host.start(_TRIAL).wait(_PATIENCE)
        except SandboxError as error:
            host.close()
            raise SandboxUnavailable(error.message, hint=error.hint) from error
        except BaseException:
            host.close()
            raise
        return host

    @property
    def separates_users(self) -> bool:
        """Whether each sandbox runs as a user of its own."""
        return self._users is not None

    def close(self) -> None:
        """End every sandbox and the keeper; wait until they are gone. Twice is no error."""
        with contextlib.suppress(OSError):  # whoever waits for its loss would keep it open
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watcher.close()
        if self._users:
            self._users.close()
            self._users = None
        roots.remove(self._base)

    def wait_lost(self) -> None:
        """Return when the keeper has ended, by whatever end."""
        wait_hung_up(self._connection)

    def __enter__(self) -> "PortableHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- networks and disks -----------------------------------------------------------------------------

    def place(self, interface: str, network: Network | None) -> None:
        """What processes that join `interface` are told of their network; None forgets it."""
        with self._books:
            if network is None:
                self._networks.pop(interface, None)
            else:
                self._networks[interface] = network

    def make_disk(self, name: str, *, size_mb: int, files: int, folder: Path | None = None) -> None:
        """An empty disk that lives until removed. Its size is not limited in this tier.

        Raises SandboxError when it exists, or is asked to be a `folder`.
        """
        if folder is not None:
            raise SandboxError(f"disk {name} failed: {folder} can't be a disk without namespaces")
        with self._books:
            if name in self._disks:
                raise SandboxError(f"disk {name} failed: it exists already")
            self._disks[name] = self._users.take() if self._users else 0
            (self._base / name).mkdir(mode=0o700)

    def remove_disk(self, name: str) -> None:
        """Forget a disk. Raises SandboxError when there is none of this name."""
        with self._books:
            if name not in self._disks:
                raise SandboxError(f"disk {name} failed: there is none")
            self._release(self._disks.pop(name))
        roots.remove(self._base / name)

    def _release(self, uid: int) -> None:
        if uid and self._users:
            self._users.give(uid)

    # -- starting ---------------------------------------------------------------------------------------

    def start(
        self,
        spec: SandboxSpec,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        channel: int | None = None,
    ) -> PortableProcess:
        """Start `spec`; returns when it is locked down and its command or entry begins.

        Descriptors are duplicated; None means /dev/null (`channel`, which becomes 3: none). Raises
        SandboxError when a source or the command is missing, or the machine refuses.
        """
        with open(os.devnull, "r+b", buffering=0) as null:
            given = [null.fileno() if each is None else each for each in (stdin, stdout, stderr)]
            return self._start(spec, [*given, *([] if channel is None else [channel])])

    def _start(self, spec: SandboxSpec, given: Sequence[int]) -> PortableProcess:
        root, uid, drop = self._root_of(spec)
        listeners: list[socket.socket] = []
        reader, writer = os.pipe()
        try:
            network, listeners = self._network_of(spec)
            world = self._world(spec, root, network)
            roots.build(root, spec, world)
            if uid:
                roots.give_to(root, uid)
            order = Order(spec, world, uid, self._landlock, strip=bool(spec.title))
            pid = self._ask({"do": "start", "order": order.to_json()}, [writer, *given], spec.name)
        except BaseException as error:
            _close(reader, listeners)
            drop()
            if isinstance(error, OSError):
                raise SandboxError(f"{spec.name} could not be started: {error}") from error
            raise
        finally:
            os.close(writer)
        handle = PortableProcess(pid, reader, listeners, spec.limits.memory_mb * _MB, self._kill, drop)
        self._watcher.add(handle)
        return handle

    def _root_of(self, spec: SandboxSpec) -> tuple[Path, int, "_Drop"]:
        """The folder and the user of one process, and what to do with them when it has ended."""
        with self._books:
            if spec.disk:
                if spec.disk not in self._disks:
                    raise SandboxError(f"{spec.name} could not be started: there is no disk {spec.disk}")
                return self._base / spec.disk, self._disks[spec.disk], _Drop(None, lambda: None)
            uid = self._users.take() if self._users else 0
        root = Path(tempfile.mkdtemp(prefix="p", dir=self._base))
        return root, uid, _Drop(root, lambda: self._release(uid))

    def _network_of(self, spec: SandboxSpec) -> tuple[Network, list[socket.socket]]:
        if spec.interface:
            with self._books:
                if spec.interface not in self._networks:
                    raise SandboxError(f"{spec.name} could not be started: no interface {spec.interface}")
                return self._networks[spec.interface], []
        listeners = [listen() for _ in spec.listen]
        pairs = zip(spec.listen, listeners, strict=True)
        direct = {f"{host}:{port}": made.getsockname()[1] for (host, port), made in pairs}
        return Network(direct=direct), listeners

    def _world(self, spec: SandboxSpec, root: Path, network: Network) -> World:
        farm = str(self._farm(spec.usr_layers[0])) if spec.usr_layers else ""
        fixed = tuple(bind.target for bind in spec.binds if not bind.writable)
        return World(
            str(root), farm, roots.kept_folders(), fixed, spec.uid, spec.hostname, spec.pretend_root, network
        )

    def _farm(self, layer: str) -> Path:
        with self._books:
            if layer not in self._farms:
                folder = self._base / f"bin{len(self._farms)}"
                roots.make_farm(folder, os.listdir(os.path.join(layer, "bin")))
                self._farms[layer] = folder
            return self._farms[layer]

    def _kill(self, pid: int) -> None:
        self._ask({"do": "kill", "pid": pid}, (), "process")

    def _ask(self, request: Mapping[str, object], descriptors: Sequence[int], what: str) -> int:
        with self._lock:
            try:
                keeper.send(self._connection, request, descriptors)
                answer, _ = keeper.receive(self._connection)
            except OSError:
                answer = None
        if answer is None:
            if request["do"] == "kill":
                return 0  # with the keeper everything has ended
            raise SandboxError(f"{what} could not be started: the keeper of the sandboxes has ended")
        if "error" in answer:
            raise SandboxError(f"{what} could not be started: {answer['error']}")
        return int(answer.get("pid", 0))


class _Drop:
    """What is left to do when a process has ended; called once."""

    def __init__(self, root: Path | None, release: Callable[[], None]) -> None:
        self._root, self._release = root, release

    def __call__(self) -> None:
        if self._root is not None:
            root, self._root = self._root, None
            roots.remove(root)
            self._release()


def listen() -> socket.socket:
    """A socket that listens on a free port of the loopback device."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(128)
    return made


def _has_proc() -> bool:
    return os.path.isdir("/proc/self/task")


def _base_folder() -> Path:
    """A folder whose path is short and plain: it stands unquoted in scripts and in socket's names.

    As root it lies where the sandboxes' own users can pass.
    """
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        place = os.path.realpath(parent)
        if not set(place) <= _PLAIN or len(place) >= _LONGEST_BASE:
            continue
        if os.access(place, os.W_OK) and (os.geteuid() != 0 or _others_pass(Path(place))):
            base = Path(tempfile.mkdtemp(prefix="lab", dir=place))
            base.chmod(0o711)
            return base
    raise SandboxUnavailable(
        "No folder for temporary files has a short, plain path.", hint="Set TMPDIR to one, for example /tmp."
    )


def _others_pass(place: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (place, *place.parents))


def _start_keeper(
    preload: Sequence[str], python: str, users: Users | None, *, forks: bool
) -> "tuple[subprocess.Popen[bytes], socket.socket]":
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [python, "-I", "-c", _START, str(theirs.fileno()), "fork" if forks else "spawn", *preload],
            pass_fds=[theirs.fileno(), *([users.descriptor] if users else [])],
            env=_CLEAN,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    answer, _ = keeper.receive(ours)
    if answer is None or "error" in answer:
        ours.close()
        process.wait()
        why = answer["error"] if answer else "it ended"
        raise SandboxError(f"The keeper of the sandboxes did not start: {why}")
    return process, ours


def _close(descriptor: int, listeners: Sequence[socket.socket]) -> None:
    os.close(descriptor)
    for each in listeners:
        each.close()
