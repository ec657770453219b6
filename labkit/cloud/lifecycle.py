"""The local cloud seen from outside: start it, find it, ask it, stop it.

What belongs here: what steps and the command line do with the server process. What does not: what
runs inside that process (labkit.cloud.server).
"""

import contextlib
import fcntl
import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labkit.errors import CloudError
from labkit.events import Emit, Event, ignore
from labkit.state import read_json

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Endpoint:
    """A running local cloud: where it answers, and the token of its control requests."""

    port: int
    pid: int
    token: str
    started_at: float
    tier: str

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL is set to."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class LocalCloud:
    """The local cloud whose state lies in `folder` (one server process for each folder)."""

    folder: Path

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.folder / "server.log"

    def running(self) -> Endpoint | None:
        """The endpoint of the running server, or None."""
        if not self._held():
            return None
        state = read_json(self.folder / "state.json")
        return Endpoint(**state) if state else None

    def ensure(self, emit: Emit = ignore) -> Endpoint:
        """The running server; started when there is none, after clearing what a killed one left.

        Raises CloudError (or SandboxUnavailable's message in it) when it does not start.
        """
        endpoint = self.running()
        if endpoint is not None:
            return endpoint
        self._clear_remains(emit)
        return self._start(emit)

    def stop(self) -> bool:
        """Stop the server and wait until nothing of it is left; False when none was running."""
        if not self._held():
            self._clear_remains(ignore)
            return False
        endpoint = self._await_state()
        os.kill(endpoint.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._held():
            if time.monotonic() > deadline:
                raise CloudError(
                    f"The local cloud (process {endpoint.pid}) did not stop within {STOP_SECONDS:.0f} s.",
                    hint=f"End it with: kill -9 {endpoint.pid}   Then run the command again.",
                )
            time.sleep(0.005)  # the kernel has no event for a lock that becomes free
        self._clear_remains(ignore)
        return True

    # -- asking --------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """One request to the control interface; returns the JSON answer.

        Raises CloudError when no cloud runs or it answers with an error.
        """
        endpoint = self.running()
        if endpoint is None:
            raise CloudError("The local cloud is not running.", hint="Start it with: ./lab cloud start")
        connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=120)
        try:
            connection.request(method, f"/_lab/{path}", body, {"X-Lab-Token": endpoint.token})
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise CloudError(
                f"The local cloud does not answer: {error}.", hint="Run: ./lab cloud stop   and start again."
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise CloudError(f"The local cloud answered {answer.status}: {text.decode(errors='replace')}")
        return json.loads(text)

    def publish(self, name: str, data: bytes) -> str:
        """Serve `data` on the image host (outside every VPC); returns its URL."""
        return str(self.ask("PUT", f"images/{quote(name)}", data)["url"])

    def instance(self, instance_id: str) -> Mapping[str, Any]:
        """Boot state, units and the last lines of the logs of one instance."""
        answer: dict[str, Any] = self.ask("GET", f"instances/{quote(instance_id)}")
        return answer

    def await_boot(self, instance_id: str) -> Mapping[str, Any]:
        """As `instance`, once its user data has ended."""
        answer: dict[str, Any] = self.ask("GET", f"instances/{quote(instance_id)}?wait=1")
        return answer

    # -- the server process --------------------------------------------------------------------------

    def _held(self) -> bool:
        """Whether a live server holds the lock; the kernel drops it when the server dies."""
        try:
            with open(self.folder / "lock", "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _await_state(self) -> Endpoint:
        """The endpoint of a server that may still be starting."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            state = read_json(self.folder / "state.json")
            if state:
                return Endpoint(**state)
            time.sleep(0.01)
        raise CloudError("The local cloud is starting but never became ready.", hint=f"Look at {self.log}.")

    def _clear_remains(self, emit: Emit) -> None:
        state = read_json(self.folder / "state.json") if self.folder.exists() else None
        if state:
            emit(
                Event(
                    "warning",
                    f"The local cloud (process {state.get('pid')}) had ended without being stopped. "
                    "What was deployed in it is gone; your files are untouched.",
                )
            )
        for name in ("state.json", "run"):
            with contextlib.suppress(FileNotFoundError):
                path = self.folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _start(self, emit: Emit) -> Endpoint:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        emit(Event("note", "Starting the local cloud …"))
        with _pipe() as (reader, writer), open(self.log, "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "labkit.cloud.server", str(self.folder), str(writer)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writer],
                start_new_session=True, cwd="/", env=_clean_environment(),
            )  # fmt: skip
            os.close(writer)
            answer = _read_line(reader, START_SECONDS)
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
        if "pid" not in value:  # another process won the race to start
            process.wait()
            return self._await_state()
        process.returncode = 0  # it outlives us on purpose: nobody waits for it
        return Endpoint(**value)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return lines[-1] if lines else "none"


def _clean_environment() -> dict[str, str]:
    """What the server gets of our environment: nothing that belongs to AWS or to Python."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LAB_TIER")
    return {name: os.environ[name] for name in kept if name in os.environ}


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        for descriptor in (reader, writer):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _read_line(descriptor: int, seconds: float) -> bytes:
    """One line from a pipe; what came so far when it ends or the time is over."""
    data, deadline = b"", time.monotonic() + seconds
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return b""
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return b""
        data += chunk
    return data
