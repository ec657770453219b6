"""The local cloud's process: python -m labkit.cloud.server FOLDER DESCRIPTOR.

Started by labkit.cloud.lifecycle. Writes one JSON line to the descriptor when it is ready (or can't be),
and ends on SIGTERM, leaving nothing behind.

What belongs here: lock, state file, signals. What does not: the cloud itself (labkit.cloud.cloud).
"""

import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.errors import LabError
from labkit.events import Event
from labkit.sandbox.host import SandboxHost
from labkit.state import write_json


def main(folder: Path, ready: int) -> int:
    """Serve until asked to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with _lock(folder) as is_ours:
            if not is_ours:
                _say(ready, {"already": True})
                return 0
            _serve(folder, ready, stop)
    except LabError as error:
        _say(ready, {"error": error.message, "hint": error.hint})
        return error.exit_status
    return 0


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """The folder's lock, whose holder is the cloud of this folder."""
    with open(folder / "lock", "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _serve(folder: Path, ready: int, stop: threading.Event) -> None:
    from labkit.cloud.cloud import PRELOAD, Cloud

    own = folder / "run"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    try:
        with SandboxHost.open(PRELOAD) as sandboxes, Cloud(own, sandboxes, _log) as cloud:
            state = {
                "port": int(cloud.url.rsplit(":", 1)[1]), "pid": os.getpid(), "token": cloud.token,
                "started_at": time.time(), "tier": "namespaces",
            }  # fmt: skip
            write_json(folder / "state.json", state, mode=0o600)
            _say(ready, state)
            stop.wait()
    finally:
        shutil.rmtree(own)
        (folder / "state.json").unlink(missing_ok=True)


def _say(descriptor: int, value: object) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(value) + "\n")


def _log(event: Event) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {event.kind}: {event.text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
