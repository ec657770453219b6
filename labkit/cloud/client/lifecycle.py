"""The local cloud seen from outside: start it, find it, stop it.

What belongs here: what steps and the command line do with the server process. What does not: what it is asked
(control_client), what runs inside that process (labkit.cloud.server.server).
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.aws.accounts import FULL, Account, by_name
from labkit.base import wsl
from labkit.base.errors import CloudError, StateError
from labkit.base.events import Emit, Event, ignore
from labkit.base.state import read_json, write_json
from labkit.base.text import span
from labkit.cloud.client.control_client import ControlClient, Endpoint
from labkit.cloud.client.launching import Launch, Order, execute, pipe, read_line
from labkit.sandbox import tiers
from labkit.sandbox.portable.roots import remove

START_SECONDS = 60.0
STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.01
_LOST = "What was deployed in it is gone; your files are untouched."
_KILLED = "The local cloud had ended without being stopped. "
_EARLY = "It had kept nothing yet but rows and objects; your files are untouched."
_KEPT = "The local cloud is back with what stood in it, as it was {age} ago."
_REVIVED = "Windows stopped your local cloud; it is back, {seconds:.0f} s. "
_REVIVED_KEPT = _REVIVED + "All that stood in it is there, as it was {age} ago."
_REVIVED_LOST = _REVIVED + _LOST + " Deploy again:  ./lab deploy"


@dataclass(frozen=True)
class LocalCloud(ControlClient):
    """The local cloud whose state lies in `folder` (one server process for each folder).

    `leash`: the reading end of a pipe; a server started here ends when the other end is closed, so it can't
    outlive its holder. -1: it outlives whoever starts it. `lasting`: one started here keeps what it has acknowledged
    in the folder, and goes on from what the last one has kept; else all is in memory and ends with it. `wanted`: the
    kind of account asked for; "" is the one chosen last, or `full`. `pace`: that of one started here (labkit.cloud.pace). `read` gives the texts of /proc. `launch` starts the server's process.
    """

    folder: Path
    leash: int = -1
    lasting: bool = False
    wanted: str = ""
    pace: str = ""
    read: Callable[[str], str] = wsl.read
    launch: Launch = execute

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.folder / "server.log"

    def running(self) -> Endpoint | None:
        """The endpoint of the running server, or None. Raises CloudError when its state file is broken."""
        return self._endpoint() if self._held() else None

    @property
    def account(self) -> Account:
        """The kind of account that runs here, or would be started. Raises UsageError for an unknown name."""
        endpoint = self.running()
        chosen: dict[str, str] = {} if self.wanted or endpoint else read_json(self._choice) or {}
        return by_name(self.wanted or (endpoint.account if endpoint else chosen.get("account", FULL.name)))

    @property
    def _choice(self) -> Path:
        return self.folder / "account.json"

    @property
    def was_lost(self) -> bool:
        """Whether the last server ended without being stopped."""
        return not self._held() and (self.folder / "state.json").exists()

    @property
    def kept_since(self) -> float:
        """Of when the state is that the next start goes on from, in seconds since the epoch; 0.0: it begins empty."""
        kept = self._kept / self.account.name / "control"
        with contextlib.suppress(OSError):
            return kept.stat().st_mtime if self.lasting else 0.0
        return 0.0

    @property
    def _kept(self) -> Path:
        return self.folder / "kept"

    def ensure(self, emit: Emit = ignore) -> Endpoint:
        """The running server; started when there is none, after clearing what a killed one left.

        Raises CloudError (or SandboxUnavailable's message in it) when it does not start.
        """
        endpoint = self.running()
        if endpoint is not None:
            return _good_enough(endpoint, os.environ.get(tiers.REQUIRED_VARIABLE, ""), self.account)
        with self._alone():
            endpoint = self._await_ready()
            if endpoint is None:
                revived, began = self._stopped_by_windows(), time.monotonic()
                self._clear_remains(ignore if revived else emit)
                endpoint = self._start(emit)
                self._say_how_it_began(endpoint, emit, time.monotonic() - began if revived else None)
                if endpoint.tier_text:
                    emit(Event("warning", endpoint.tier_text, {"details": [endpoint.tier_fix]}))
        return endpoint

    def stop(self, emit: Emit = ignore, *, forget: bool = False) -> bool:
        """Stop the server and wait until its process is gone; False when none was running.

        `forget`: what it has kept goes too. Raises CloudError when it does not end within STOP_SECONDS.
        """
        if not self.folder.exists():
            return False
        with self._alone():
            pid = self._holder()
            if pid is not None:
                _end(pid)
            self._clear_remains(emit if pid is None else ignore)
            if forget and self._kept.exists():
                remove(self._kept)
        return pid is not None

    # -- the server process --------------------------------------------------------------------------

    def _held(self) -> bool:
        """Whether a live server holds the lock; the kernel drops it when the server dies."""
        try:
            with open(self.folder / "lock", "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no such file, or it is not ours: nothing of ours holds it
            return False
        return False

    def _holder(self) -> int | None:
        """The process that holds the lock, as it wrote itself; None where nobody does."""
        deadline = time.monotonic() + START_SECONDS
        while self._held() and time.monotonic() < deadline:
            written = (self.folder / "lock").read_bytes()
            if written.endswith(b"\n"):
                return int(written)
            time.sleep(_LOOK_SECONDS)
        return None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one command at a time starts or stops this cloud; the others wait.

        Raises CloudError when the folder can't be written, also by the body.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self.folder / "starting", "ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise CloudError(
                f"{error.filename or self.folder} can't be written: {error.strerror or error}.",
                hint="Free some disk space or fix the folder's permissions, then run the command again.",
            ) from error

    def _endpoint(self) -> Endpoint | None:
        """What the state file says; None where there is none yet."""
        hint = "Stop the cloud that runs, then run the command again:  ./lab cloud stop"
        try:
            state = read_json(self.folder / "state.json")
        except StateError as error:
            raise CloudError(error.message, hint=hint) from error
        if state is None:
            return None
        wanted = {field.name: field.type for field in dataclasses.fields(Endpoint)}
        if {name: type(value) for name, value in state.items()} != wanted:
            raise CloudError(
                f"{self.folder / 'state.json'} does not say where the local cloud is.", hint=hint
            )
        return Endpoint(**state)

    def _await_ready(self) -> Endpoint | None:
        """The endpoint of a server that is starting, or runs; None where there is none, or it gave up."""
        deadline = time.monotonic() + START_SECONDS
        while self._held():
            endpoint = self._endpoint()
            if endpoint is not None:
                return endpoint
            if time.monotonic() > deadline:
                raise CloudError(
                    f"The local cloud has been starting for {START_SECONDS:.0f} s. Its last words: "
                    f"{self._last_words()}",
                    hint="Stop it, then run the command again:  ./lab cloud stop",
                )
            time.sleep(_LOOK_SECONDS)  # whoever started it has its pipe; we have nothing to wait on
        return None

    def _clear_remains(self, emit: Emit) -> None:
        """Remove what a server that was killed has left, and say so."""
        if (self.folder / "state.json").exists() and not self.kept_since:
            emit(Event("warning", _KILLED + (_EARLY if self.lasting else _LOST)))
        (self.folder / "state.json").unlink(missing_ok=True)
        (self.folder / "lock").write_bytes(b"")  # the dead one's process number may be another's by now
        if (self.folder / "run").exists():
            shutil.rmtree(self.folder / "run")

    def _stopped_by_windows(self) -> bool:
        """Whether a server ended with the virtual machine of WSL, which Windows stops with its last window."""
        with contextlib.suppress(StateError):
            state = read_json(self.folder / "state.json") or {}
            started = state.get("started_at")
            return isinstance(started, float) and wsl.stopped_by_windows(
                started, self.read("/proc/version"), self.read("/proc/stat")
            )
        return False

    def _start(self, emit: Emit) -> Endpoint:
        account = self.account
        emit(Event("note", "Starting the local cloud …"))
        kept = str(self._kept) if self.lasting else ""
        if self.wanted:  # it holds until another one is chosen
            write_json(self._choice, {"account": account.name})
        with pipe() as (reader, writer), open(self.log, "wb") as log:
            order = Order(
                self.folder, account.name, kept, writer.fileno(), self.leash, log.fileno(), self.pace
            )
            process = self.launch(order)
            writer.close()
            answer = read_line(reader.fileno(), START_SECONDS)
        if not answer:
            process.kill()
            process.wait()
            raise CloudError(
                f"The local cloud did not start. Its last words: {self._last_words()}",
                hint=f"The whole log is in {self.log}.",
            )
        value = json.loads(answer)
        if "error" in value:
            process.wait()
            raise CloudError(value["error"], hint=value.get("hint", ""))
        process.let_go()
        for text in value["told"]:
            emit(Event("warning", text))
        return Endpoint(**value["state"])

    def _say_how_it_began(self, endpoint: Endpoint, emit: Emit, revived: float | None) -> None:
        """`revived`: the seconds since Windows' end of the last one was seen."""
        values = {"seconds": revived or 0.0, "age": span(time.time() - endpoint.as_of)}
        if revived is not None:
            emit(Event("warning", (_REVIVED_KEPT if endpoint.as_of else _REVIVED_LOST).format(**values)))
        elif endpoint.as_of:
            emit(Event("note", _KEPT.format(**values)))

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return lines[-1] if lines else "none"


def _end(pid: int) -> None:
    """Ask the process to end, and wait until it has."""
    with contextlib.suppress(ProcessLookupError):  # it ended in this moment
        os.kill(pid, signal.SIGTERM)
        if not _gone(pid, STOP_SECONDS):
            raise CloudError(
                f"The local cloud (process {pid}) did not stop within {STOP_SECONDS:.0f} s.",
                hint=f"End it, then run the command again:  kill -9 {pid}",
            )


def _gone(pid: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds. Raises ProcessLookupError when it had before."""
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(pid)
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        time.sleep(_LOOK_SECONDS)  # no event for the end of another's child but on Linux
    return False


def _good_enough(endpoint: Endpoint, required: str, account: Account) -> Endpoint:
    """The endpoint, whose sandbox is at least the one `required`, and its account the one asked for.

    Raises CloudError, UsageError.
    """
    if endpoint.account != account.name:
        raise CloudError(
            f"The local cloud that runs is an account of the kind {endpoint.account}, not {account.name}.",
            hint="Destroy what stands in it, then:\n"
            f"  ./lab cloud stop && ./lab cloud start --account {account.name}",
        )
    if required and not tiers.suffices(endpoint.tier, required):
        raise CloudError(
            f"The local cloud runs with the sandbox {endpoint.tier}, and {required} is required.",
            hint=f"./lab cloud stop   and again. {endpoint.tier_fix}",
        )
    return endpoint


@contextlib.contextmanager
def leashed(folder: Path, *, wanted: str = "", pace: str = "") -> Iterator[LocalCloud]:
    """A local cloud for the body, not started yet; it ends with the body, and with us however we end."""
    reader, writer = os.pipe()
    cloud = LocalCloud(folder, leash=reader, wanted=wanted, pace=pace)
    try:
        yield cloud
    finally:
        cloud.stop()
        os.close(writer)
        os.close(reader)
