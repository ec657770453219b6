"""posix_spawn for a process that may see more than what it starts: the rest is given up between fork and exec.

What belongs here: standing in for os.posix_spawn. What does not: what is given up (landlock.py). Linux only.
"""

import contextlib
import fcntl
import os
import signal
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from labkit.sandbox.portable import landlock

_FAILED = 127
#: the system's own, before a hook leads paths elsewhere: what comes here has been led already
_execve, _open = os.execve, os.open


def lock_before(ruleset: int) -> None:
    """From now on whatever this process starts by os.posix_spawn enters `ruleset` first."""

    def spawn(
        path: str, argv: Sequence[str], env: Mapping[str, str], *, file_actions: Iterable[tuple[Any, ...]] = (),
        setsid: bool = False, setsigmask: Iterable[int] = (), setsigdef: Iterable[int] = (),
    ) -> int:  # fmt: skip
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as failure:
            pid = os.fork()
            if pid == 0:
                _begin(
                    file_actions,
                    setsid,
                    setsigmask,
                    setsigdef,
                    writer,
                    lambda: _exec(ruleset, path, argv, env),
                )
            os.close(writer)
            number = failure.read()
        if number:
            os.waitpid(pid, 0)
            code = struct.unpack("i", number)[0]
            raise OSError(code, os.strerror(code), path)
        return pid

    os.posix_spawn = spawn  # type: ignore[assignment]


def _exec(ruleset: int, path: str, argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    landlock.enter(ruleset)
    _execve(path, list(argv), env)


def _begin(
    file_actions: Iterable[tuple[Any, ...]],
    setsid: bool,
    mask: Iterable[int],
    defaults: Iterable[int],
    writer: int,
    run: Callable[[], object],
) -> NoReturn:
    """In the child: as posix_spawn would; what goes wrong is written as its number."""
    try:
        signal.set_wakeup_fd(-1)
        for number in defaults:
            signal.signal(number, signal.SIG_DFL)
        if setsid:
            os.setsid()
        writer = _aside(writer)
        for action, *arguments in file_actions:
            _carry_out(action, arguments)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        run()
    except OSError as error:
        os.write(writer, struct.pack("i", error.errno or 0))
    finally:
        os._exit(_FAILED)


def _aside(descriptor: int) -> int:
    """A copy out of the way of the numbers that the program will have."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 16)


def _carry_out(action: int, arguments: Sequence[Any]) -> None:
    if action == os.POSIX_SPAWN_OPEN:
        wanted, path, flags, mode = arguments
        opened = _open(path, flags, mode)
        os.dup2(opened, wanted)
        if opened != wanted:
            os.close(opened)
    elif action == os.POSIX_SPAWN_DUP2:
        os.dup2(*arguments)
    else:
        with contextlib.suppress(OSError):
            os.close(*arguments)
