"""Shells and commands that somebody outside wants to have inside, as over Session Manager.

What belongs here: starting them on the descriptors that came with the request, and saying how they
ended. What does not: how the request came in (init). Runs inside the instance: standard library only.
"""

import os
import sys
from collections.abc import Callable, Sequence

from labkit.cloud.instances.system.environment import BASE
from labkit.cloud.instances.system.messages import Report, ShellEnded
from labkit.cloud.instances.system.spawning import DEFAULT_SIGNALS

#: makes the terminal on descriptor 0, where it is one, the controlling one, then becomes the program
_LAUNCH = """
import fcntl, os, sys, termios
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr) or 127)
"""
_NOT_FOUND = 127
#: this interpreter, as an instance has it (image.py)
_PYTHON = f"/run/lab/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"


class Shells:
    """The shells that run now."""

    def __init__(self, host: str, report: Callable[[Report], None]) -> None:
        self._host, self._report = host, report
        self._running: dict[int, int] = {}

    def start(self, question: int, words: Sequence[str], descriptors: Sequence[int]) -> None:
        """Start `words` (none: a login shell) as root on three descriptors, which are closed here."""
        try:
            self._running[self._spawn(words, descriptors)] = question
        except OSError:
            self._report(ShellEnded(question, _NOT_FOUND))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def ended(self, pid: int, status: int) -> bool:
        """Report the end of process `pid`; False when it is none of ours."""
        question = self._running.pop(pid, None)
        if question is not None:
            self._report(ShellEnded(question, status))
        return question is not None

    def _spawn(self, words: Sequence[str], descriptors: Sequence[int]) -> int:
        shell = ["/bin/bash", "--noprofile", "--norc", "-i"]
        program = [_PYTHON, "-IS", "-c", _LAUNCH, *(words or shell)]
        actions = [(os.POSIX_SPAWN_DUP2, given, wanted) for wanted, given in enumerate(descriptors)]
        os.chdir("/root")
        try:
            return os.posix_spawn(
                program[0],
                program,
                self._environment(),
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=DEFAULT_SIGNALS,
            )
        finally:
            os.chdir("/")

    def _environment(self) -> dict[str, str]:
        prompt = f"[root@{self._host} \\W]# "
        return {**BASE, "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash",
                "TERM": "xterm-256color", "PS1": prompt}  # fmt: skip
