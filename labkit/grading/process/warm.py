"""The warm parent of gradings: python -I -m labkit.grading.process.warm DESCRIPTOR [PATH].

Imports once what judging processes and local clouds need, and forks one for each request, in milliseconds. It runs
no student code, holds no key and no result, and stays single-threaded. It ends when the other end of the socket
is closed; what it started has leashes of its own. With PATH the socket listens there, and whoever calls is answered
by a fork of this process; it ends when the path is gone, or the cloud kept beside it has long not been used.

What belongs here: this process's life. What does not: asking it (starting), what it starts (judge, cloud.server).
"""

import contextlib
import gc
import importlib
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from labkit.cloud.server.preloaded import load as load_cloud
from labkit.cloud.server.server import FOLDER_SECONDS, is_idle
from labkit.sandbox.forkserver import wire
from labkit.sandbox.forkserver.children import Children

_MODULES = (
    "pytest",
    "_pytest.junitxml",
    "labkit.grading.process.judge",
    "labkit.lesson.faults.breaking",
    "labkit.course.answers",
    "labkit.lesson.compare.comparison",
    "labkit.course.course",
    "labkit.deploy.aws_evidence",
    "labkit.deploy.parity",
    "boto3.s3.transfer",
)
_MOST_DESCRIPTORS = 65536
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}


def _judge(arguments: Mapping[str, Any], descriptors: Mapping[str, int]) -> int:
    from labkit.grading.process import judge

    return judge.main(Path(arguments["task"]), descriptors["reports"], descriptors["warm"])


def _cloud(arguments: Mapping[str, Any], descriptors: Mapping[str, int]) -> int:
    from labkit.aws.accounts import by_name
    from labkit.cloud.server.server import main as serve

    account = by_name(arguments["account"])
    return serve(Path(arguments["folder"]), descriptors["ready"], account, leash=descriptors.get("leash", -1))


_PROGRAMS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, int]], int]] = {
    "judge": _judge,
    "cloud": _cloud,
}


class Warm:
    """Answers requests until the other side of `connection` is gone."""

    def __init__(self, connection: socket.socket, standing: int = -1) -> None:
        """`standing`: the pidfd of the process that has forked this one to answer a call."""
        self._connection, self._standing = connection, standing
        self._children: Children[int] = Children(connection)  # process numbers

    def serve(self) -> None:
        """Answer requests and collect ended children; returns when everybody who could ask is gone."""
        self._children.serve(self._answer, lambda pid: os.waitpid(pid, 0))

    def _answer(self) -> bool:
        request = wire.receive_request(self._connection)
        if request is None:
            return False
        descriptors = dict(request.descriptors)
        if request.operation == "standing":
            self._reply(descriptors, self._standing)
            return True
        pid = os.fork()
        if pid == 0:
            _become(request.operation, request.arguments, descriptors)
        pidfd = os.pidfd_open(pid)
        self._reply(descriptors, pidfd)
        self._children.add(pidfd, pid)
        return True

    def _reply(self, descriptors: dict[str, int], pidfd: int) -> None:
        with socket.socket(fileno=descriptors.pop("reply")) as reply:
            wire.send_answer(reply, {}, [pidfd])
        for descriptor in descriptors.values():
            os.close(descriptor)


def _become(program: str, arguments: Mapping[str, Any], descriptors: Mapping[str, int]) -> None:
    """In the child: be this program, with these descriptors and no others. Never returns."""
    status = 70
    try:
        os.setsid()
        for name, number in _STANDARD.items():
            os.dup2(descriptors[name], number)
        kept = {name: fd for name, fd in descriptors.items() if name not in {*_STANDARD, "reply"}}
        _close_others({*_STANDARD.values(), *kept.values()})
        os.environ.clear()
        os.environ.update(arguments["environment"])
        os.chdir(arguments["cwd"])
        _forget_randomness()
        status = _PROGRAMS[program](arguments, kept)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _close_others(kept: set[int]) -> None:
    for descriptor in _descriptors():
        if descriptor not in kept:
            with contextlib.suppress(OSError):  # not open, or closed by now
                os.close(descriptor)


def _descriptors() -> Iterable[int]:
    """Those that are open; all that may be where /proc is hidden, or there is none."""
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return range(_MOST_DESCRIPTORS)


def _forget_randomness() -> None:
    """Siblings must not draw the same ids. (Python reseeds its own generator after a fork.)"""
    from moto.moto_api._internal import mock_random

    mock_random.seed(os.urandom(16))


def _preload() -> None:
    """Import, and read, what every judging process and cloud begins with."""
    load_cloud()
    for name in _MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else the collector's bookkeeping copies every page in every child


def _stand(listener: socket.socket, path: Path) -> None:
    """Answer each who calls by a fork, until nobody can find us any more or nobody has come for long."""
    listener.settimeout(FOLDER_SECONDS)
    # Opened here: a fork may be asked when its parent is another already.
    own = os.pidfd_open(os.getpid())
    while path.exists() and not is_idle(path.parent / "cloud"):
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _serve(connection, own)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    path.unlink(missing_ok=True)


def _serve(connection: socket.socket, standing: int = -1) -> NoReturn:
    try:
        Warm(connection, standing).serve()
    finally:
        os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """Serve on the inherited socket whose number is the first argument; the second says where it listens, if it does."""
    door = socket.socket(fileno=int(arguments[0]))
    door.set_inheritable(False)
    _preload()
    if len(arguments) > 1:
        _stand(door, Path(arguments[1]))
        os._exit(0)
    _serve(door)


if __name__ == "__main__":
    main(sys.argv[1:])
