"""The local cloud's process: python -m labkit.cloud.server.server FOLDER DESCRIPTOR ACCOUNT KEPT PACE [LEASH].

Started by labkit.cloud.client.lifecycle. Writes one JSON line to the descriptor when it is ready (or can't be),
and ends on SIGTERM, leaving nothing behind but what lies in KEPT, the folder from which the next one goes on ("": this one
keeps everything in memory). PACE: see labkit.cloud.pace.parse. LEASH is the reading end of a pipe: when its other end is closed, by
whatever end of its holder, the cloud ends too.

What belongs here: lock, state file, signals. What does not: the cloud itself (labkit.cloud.server.cloud).
"""

import contextlib
import dataclasses
import fcntl
import gc
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from labkit.aws.accounts import Account, by_name
from labkit.base import descriptors
from labkit.base.errors import LabError, SandboxError
from labkit.base.events import Event
from labkit.base.leash import guard
from labkit.base.state import write_json
from labkit.cloud.pace import parse
from labkit.cloud.server import keeping, owner
from labkit.sandbox import tiers

#: how often the server looks whether its folder is still there
FOLDER_SECONDS = 2.0
#: where this file lies in the folder, the server ends when nobody has touched it for so long
LAST_USED, IDLE_SECONDS = "last-used", 600.0
LOCK_SECONDS = 1.0
_LOST = Event("warning", "The process of the sandboxes has ended, and all that ran with it: this cloud ends.")
#: set when this server is run by a copy of the interpreter
_COPIED = "LAB_READABLE_COPY"


def main(folder: Path, ready: int, account: Account, kept: str = "", pace: str = "", leash: int = -1) -> int:
    """Serve until asked to stop."""
    stop = threading.Event()
    if leash >= 0:
        if _COPIED not in os.environ:  # else it is on the leash already
            guard(leash)
        threading.Thread(target=_follow, args=(leash, stop), name="leash", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with _lock(folder) as is_ours:
            if not is_ours:
                _say(ready, {"error": "Another local cloud runs here.", "hint": "Look:  ./lab cloud status"})
                return 1
            again = [str(folder), str(ready), account.name, kept, pace, *([str(leash)] if leash >= 0 else [])]
            _serve(folder, ready, account, stop, again)
    except LabError as error:
        _say(ready, {"error": error.message, "hint": error.hint})
        return error.exit_status
    except OSError as error:
        what = f"{error.filename or folder}: {_reason(error)}"
        hint = "Free some disk space or fix the folder's permissions, then run the command again."
        _say(ready, {"error": f"The local cloud could not start: {what}.", "hint": hint})
        raise
    return 0


def _reason(error: OSError) -> str:
    """In few words; shutil gathers the errors of many files in one: the first stands for all."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return error.strerror or str(error)


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """The folder's lock, whose holder is the cloud of this folder; its process number stands in it.

    Whoever looks whether it is held takes it for an instant, so a refusal counts only when it lasts.
    """
    with open(folder / "lock", "ab") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _locked(file):
            if time.monotonic() > deadline:
                yield False
                return
            time.sleep(0.01)
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield True


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _serve(folder: Path, ready: int, account: Account, stop: threading.Event, again: Sequence[str]) -> None:
    """`again`: the arguments with which this program would begin again."""
    from labkit.cloud.server.cloud import PRELOAD, Cloud, import_parts

    gc.disable()  # until all is imported: next to nothing of it is garbage
    own, lost = folder / "run", False
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    if few := descriptors.too_low(descriptors.raise_limit()):
        _log(Event("warning", few))
    try:
        # the warm parent imports as long as moto does: both at once
        importing = threading.Thread(target=import_parts, name="imports")
        importing.start()
        wanted, required = tiers.wanted_here()
        opened = tiers.open_best(PRELOAD, wanted=wanted, required=required)
        _begin_again_where_others_can_read(opened, again)
        importing.join()
        before = owner.load(folder)
        loaded = keeping.load(Path(again[3]), account.name) if again[3] else None
        with opened.host, Cloud(own, opened.host, _log, account, before, loaded, parse(again[4])) as cloud:
            now = owner.Owner(before.access_key_id, before.secret_access_key, cloud.port)
            owner.save(folder, now)
            state = {
                **dataclasses.asdict(now), "pid": os.getpid(), "token": cloud.token,
                "started_at": time.time(), "tier": opened.choice.tier, "tier_text": opened.choice.banner(),
                "tier_fix": opened.choice.fix, "account": account.name, "as_of": loaded.as_of if loaded else 0.0,
            }  # fmt: skip
            write_json(folder / "state.json", state, mode=0o600)
            _say(ready, {"state": state, "told": cloud.told})
            gc.freeze()  # half a million objects of moto's that never go: looking through them is a tenth of a request
            gc.enable()
            gone = threading.Event()
            watching = (opened.host, gone, stop)
            threading.Thread(target=_watch, args=watching, name="sandboxes", daemon=True).start()
            _await_end(folder, stop)
            if lost := gone.is_set():
                _log(_LOST)
    except SandboxError:  # what has ended with the sandboxes can't be ended again
        if not lost:
            raise
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if not lost:  # else the next command finds it as after a kill, says so, and starts anew
            (folder / "state.json").unlink(missing_ok=True)


def _begin_again_where_others_can_read(opened: tiers.Opened, again: Sequence[str]) -> None:
    """As root, without namespaces: sandboxes are users of their own, who must be able to read Python.

    Becomes the same server, run by a readable copy of the interpreter; goes on as it is when that can't be had.
    """
    if opened.choice.tier == tiers.NAMESPACES or os.geteuid() != 0 or _COPIED in os.environ:
        return
    from labkit.sandbox.portable import readable

    if not readable.by_others():
        with contextlib.suppress(OSError):
            program = readable.copy()
            opened.host.close()
            os.environ[_COPIED] = "1"
            for descriptor in (*again[1:2], *again[5:]):
                os.set_inheritable(int(descriptor), True)
            os.execv(program, [program, "-I", "-m", "labkit.cloud.server.server", *again])


def _follow(leash: int, stop: threading.Event) -> None:
    """Stop when whoever holds the other end is gone."""
    while os.read(leash, 1):
        pass
    stop.set()


def _watch(host: "tiers.AnyHost", gone: threading.Event, stop: threading.Event) -> None:
    """Stop when the sandboxes' own process has ended: without it nothing runs and nothing can be started."""
    host.wait_lost()
    gone.set()
    stop.set()


def _await_end(folder: Path, stop: threading.Event) -> None:
    """Until asked to stop, or until the folder was deleted (nobody could find this cloud any more), or idle."""
    while not stop.wait(FOLDER_SECONDS):
        if not (folder / "lock").exists() or is_idle(folder):
            return


def is_idle(folder: Path) -> bool:
    """Whether this cloud is kept for whoever comes next, and nobody has come for long."""
    try:
        return time.time() - (folder / LAST_USED).stat().st_mtime > IDLE_SECONDS
    except OSError:
        return False


def _say(descriptor: int, value: object) -> None:
    """Tell whoever started us. Where they were killed meanwhile, the state file tells the next one."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(value) + "\n")


def _log(event: Event) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {event.kind}: {event.text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    _, place, number, kind, kept, pace = sys.argv[:6]
    sys.exit(main(Path(place), int(number), by_name(kind), kept, pace, *map(int, sys.argv[6:7])))
