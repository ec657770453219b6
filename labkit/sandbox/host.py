"""The caller's side: starts sandboxed processes through a warm parent of its own.

What belongs here: the life of the warm parent and the requests to it. What does not: what a running
process can be asked (process.py), what the machine refuses and why (probe.py).
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from labkit.base.descriptors import wait_hung_up
from labkit.base.errors import SandboxError, SandboxUnavailable
from labkit.sandbox.diagnosis import explain, facts_of_this_machine
from labkit.sandbox.filesystem.sources import detach
from labkit.sandbox.forkserver import wire
from labkit.sandbox.kernel import namespaces
from labkit.sandbox.memory import Watcher
from labkit.sandbox.process import SandboxProcess
from labkit.sandbox.spec import Limits, SandboxSpec
from labkit.sandbox.stages import COMMAND, OWNER, Refused

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
# Isolated mode drops the working folder and PYTHONPATH; this package's own folder is put back, last.
_START = f"import sys; sys.path.append({_PACKAGE_ROOT!r}); from labkit.sandbox.warm import main; main(sys.argv[1:])"
_CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
_PATIENCE = 60.0
_MB = 1 << 20
_TRIAL = SandboxSpec(name="trial", entry="builtins:len", limits=Limits(files=1024))


class SandboxHost:
    """Starts sandboxed processes, keeps their disks and the network between them.

    Safe to call from many threads. `close()` ends everything that it started; so does the end of this
    process, however it comes.
    """

    #: a disk can be a folder of this machine, and outlive this host
    disks_last: ClassVar[bool] = True

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        """Use open()."""
        self._process, self._connection = process, connection
        self._watcher = Watcher()

    @classmethod
    def open(cls, preload: Sequence[str] = (), *, python: str = sys.executable) -> "SandboxHost":
        """A host whose warm parent has imported the modules `preload`, proved by one trial sandbox.

        Call it before secrets are loaded: what it starts inherits nothing but descriptors named. Raises
        SandboxUnavailable, with the reason and the fix, where this machine refuses namespaces; SandboxError
        when a module can't be imported.
        """
        try:
            if sys.platform != "linux":
                raise Refused(OWNER, "only Linux has namespaces")
            host = cls(*_start_warm_parent(preload, python))
            try:
                host._start(_TRIAL, {}).wait()
            except BaseException:
                host.close()
                raise
        except Refused as refused:
            if refused.stage == COMMAND:
                raise _sandbox_error("The sandboxes' warm parent did not start", refused) from refused
            reason, fix = explain(refused, facts_of_this_machine())
            raise SandboxUnavailable(
                f"This machine can't run the lab's sandbox: {reason}", hint=fix
            ) from refused
        return host

    def close(self) -> None:
        """End every sandbox and the warm parent; wait until they are gone. Twice is no error."""
        with contextlib.suppress(OSError):  # whoever waits for its loss would keep it open
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the kernel ends what is below it
            self._process.wait()
        self._watcher.close()

    def wait_lost(self) -> None:
        """Return when the warm parent has ended, by whatever end."""
        wait_hung_up(self._connection)

    def __enter__(self) -> "SandboxHost":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(
        self,
        spec: SandboxSpec,
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        channel: int | None = None,
    ) -> SandboxProcess:
        """Start `spec`; returns when it is locked down and its command or entry begins.

        Descriptors are duplicated; None means /dev/null (`channel`, which becomes 3: none). Raises
        SandboxError when a source or the command is missing, or the machine refuses.
        """
        given = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "channel": channel}
        try:
            return self._start(spec, {name: each for name, each in given.items() if each is not None})
        except Refused as refused:
            raise _sandbox_error(f"{spec.name} could not be started", refused) from refused

    def make_disk(self, name: str, *, size_mb: int, files: int, folder: Path | None = None) -> None:
        """An empty disk in memory with room for `size_mb` and `files`; it lives until removed.

        With `folder`, made where it is missing, the disk is what lies in it, as large as this machine's, and outlives
        this host. Raises SandboxError when the disk exists, or the folder can't be one.
        """
        values = {"name": name, "size_mb": size_mb, "files": files, "folder": str(folder or "")}
        with contextlib.ExitStack() as stack:
            descriptors = {} if folder is None else _own_folder(stack, folder)
            self._simple("make_disk", values, f"disk {name}", descriptors)

    def remove_disk(self, name: str) -> None:
        """Forget a disk. Raises SandboxError when there is none of this name."""
        self._simple("remove_disk", {"name": name}, f"disk {name}")

    def network(self, operation: str, /, **arguments: object) -> list[socket.socket]:
        """Call `operation` of the network between sandboxes (labkit.sandbox.kernel.router) with JSON values.

        Returns the sockets that it made; they live inside the network and belong to the caller. Raises
        SandboxError with the operation's own words.
        """
        values = {"operation": operation, "arguments": arguments}
        answer = self._simple("network", values, f"network: {operation}")
        return [socket.socket(fileno=descriptor) for descriptor in answer.descriptors]

    def _simple(
        self,
        operation: str,
        arguments: Mapping[str, object],
        what: str,
        descriptors: Mapping[str, int] | None = None,
    ) -> wire.Answer:
        try:
            with self._asked(operation, arguments, descriptors or {}) as reply:
                return _next_answer(reply)
        except Refused as refused:
            raise _sandbox_error(f"{what} failed", refused) from refused

    @contextlib.contextmanager
    def _asked(
        self, operation: str, arguments: Mapping[str, object], descriptors: Mapping[str, int]
    ) -> Iterator[socket.socket]:
        """Send a request; the body reads the answers from the socket that it is given."""
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with reply:
            reply.settimeout(_PATIENCE)
            with theirs:
                named = {"reply": theirs.fileno(), **descriptors}
                try:
                    wire.send_request(self._connection, wire.Request(operation, arguments, named))
                except OSError as error:
                    raise _gone() from error
            yield reply

    def _start(self, spec: SandboxSpec, given: Mapping[str, int]) -> SandboxProcess:
        """As start(). Raises Refused."""
        with contextlib.ExitStack() as stack:
            descriptors = {**_standard(stack), **given, **_trees(stack, spec)}
            status, theirs = os.pipe()
            stack.callback(os.close, theirs)
            descriptors["status"] = theirs
            try:
                with self._asked("start", wire.encode_spec(spec), descriptors) as reply:
                    stack.close()  # the warm parent has its own copies
                    pidfd, listeners = _await_start(reply)
            except BaseException:
                os.close(status)
                raise
        sandbox = SandboxProcess(pidfd, status, listeners, spec.limits.memory_mb * _MB)
        self._watcher.add(sandbox)
        return sandbox


def _start_warm_parent(preload: Sequence[str], python: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The warm parent, ready. Raises Refused."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [python, "-I", "-c", _START, str(theirs.fileno()), *preload],
            pass_fds=[theirs.fileno()],
            env=_CLEAN,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _next_answer(ours)
    except BaseException:
        ours.close()
        process.wait()
        raise
    return process, ours


def _standard(stack: contextlib.ExitStack) -> dict[str, int]:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    stack.callback(os.close, null)
    return dict.fromkeys(("stdin", "stdout", "stderr"), null)


def _trees(stack: contextlib.ExitStack, spec: SandboxSpec) -> dict[str, int]:
    """Detached trees of the spec's sources, where root's rights are ours to detach them with."""
    named = {f"bind {index}": bind.source for index, bind in enumerate(spec.binds)}
    named |= {f"layer {index}": path for index, path in enumerate(spec.usr_layers)}
    trees: dict[str, int] = {}
    for name, path in named.items():
        if not os.path.isabs(path) or not os.path.exists(path):
            raise Refused(COMMAND, f"{path}: no such file or folder")
        if (tree := detach(path)) is not None:
            stack.callback(os.close, tree)
            trees[name] = tree
    return trees


def _own_folder(stack: contextlib.ExitStack, folder: Path) -> dict[str, int]:
    """A folder of the sandboxes' own user; its tree where root's rights are ours. Raises SandboxError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (owner := namespaces.owner_here()) != os.geteuid():
            os.chown(folder, owner, owner)
        tree = detach(str(folder))
    except OSError as error:
        raise SandboxError(f"{folder} can't be a disk: {error.strerror or error}") from error
    if tree is None:
        return {}
    stack.callback(os.close, tree)
    return {"folder": tree}


def _next_answer(reply: socket.socket) -> wire.Answer:
    """The next answer. Raises Refused when it is a refusal, or when no answer comes."""
    try:
        answer = wire.receive_answer(reply)
    except TimeoutError as error:
        raise Refused(COMMAND, f"no answer within {_PATIENCE:.0f} seconds") from error
    if answer is None:
        raise _gone()
    if "refused" in answer.values:
        values = answer.values
        raise Refused(values["refused"], values["reason"], values["number"])
    return answer


def _await_start(reply: socket.socket) -> tuple[int, list[socket.socket]]:
    """The pidfd and the listeners, when the sandbox runs. Raises Refused; then nothing is left.

    Two sides answer, in any order: the warm parent with the pidfd, the child with its listeners. A
    refusal of the command comes after the latter; the end of the stream says that there is none.
    """
    pidfd, descriptors = -1, []
    started = False
    try:
        while pidfd < 0 or not started:
            answer = _next_answer(reply)
            if "pidfd" in answer.values:
                pidfd = answer.descriptors[0]
            else:
                started, descriptors = True, list(answer.descriptors)
        _expect_end(reply)
    except BaseException:
        _abandon(pidfd, descriptors)
        raise
    return pidfd, [socket.socket(fileno=descriptor) for descriptor in descriptors]


def _expect_end(reply: socket.socket) -> None:
    with contextlib.suppress(TimeoutError):
        answer = wire.receive_answer(reply)
        if answer is not None:
            raise Refused(answer.values["refused"], answer.values["reason"], answer.values["number"])


def _abandon(pidfd: int, descriptors: Sequence[int]) -> None:
    if pidfd >= 0:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
    for descriptor in descriptors:
        os.close(descriptor)


def _gone() -> Refused:
    return Refused(COMMAND, "the warm parent of the sandboxes has ended")


def _sandbox_error(what: str, refused: Refused) -> SandboxError:
    if refused.by_machine:
        _, fix = explain(refused, facts_of_this_machine())
    else:
        fix = "Run the command again; if it stays, `python -m labkit cloud stop` and start anew."
    return SandboxError(f"{what}: {refused.reason} ({refused.stage})", hint=fix)
