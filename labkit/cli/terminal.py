"""Terminals: a shell here, and one handed on to a program elsewhere, whose words come back.

What belongs here: the pseudo-terminal between the two, window size included. What does not: where the
program runs (labkit.cloud), what a shell's environment means (labkit.cli.looking_inside).
"""

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from labkit.base.errors import UsageError


class Screen(Protocol):
    """Where lines are shown (labkit.cli.console)."""

    def line(self, text: str = "", *, style: str = "") -> None:
        """Show one line."""


def typed(screen: Screen, lines: Sequence[str]) -> str:
    """Show the lines and return what a person types below them. Raises UsageError where nobody is there to type."""
    for text in lines:
        screen.line(text, style="strong" if text == lines[-1] else "")
    if not sys.stdin.isatty():
        raise UsageError("Nobody is here to type the word.", hint="In a script:  --yes")
    return sys.stdin.readline()


#: runs a program on three descriptors until it ends; returns its status
Runner = Callable[[Sequence[int]], int]


def shell(environment: Mapping[str, str]) -> int:
    """The person's own shell, without its start-up files, in this environment; returns its status."""
    program = environment.get("SHELL") or "/bin/sh"
    quiet = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"]}.get(os.path.basename(program), [])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the shell inside
    try:
        return os.spawnvpe(os.P_WAIT, program, [program, *quiet], dict(environment))
    finally:
        signal.signal(signal.SIGINT, before)


def hand_on(run: Runner) -> int:
    """Give `run` this process's terminal, or its plain standard descriptors where there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return run([0, 1, 2])
    ours, theirs = os.openpty()
    try:
        with _raw(), _window_follows(ours):
            return _relay(run, ours, theirs)
    finally:
        os.close(ours)


def _relay(run: Runner, ours: int, theirs: int) -> int:
    """Copy both ways until the program has ended and everything that it printed was shown."""
    ended: list[int] = []
    reader, writer = os.pipe()

    def work() -> None:
        try:
            ended.append(run([theirs, theirs, theirs]))
        finally:
            os.close(theirs)
            os.close(writer)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while _copy(ours, reader):
            pass
    finally:
        os.close(reader)
    thread.join()
    return ended[0] if ended else 255


def _copy(ours: int, end: int) -> bool:
    """Move what is there; False once the program has ended and its terminal is empty."""
    ready = select.select([0, ours, end], [], [])[0]
    if ours in ready:
        return _show(ours)
    if end in ready:
        return False
    typed = os.read(0, 65536)
    if typed:
        os.write(ours, typed)
    return bool(typed)


def _show(ours: int) -> bool:
    try:
        data = os.read(ours, 65536)
    except OSError:  # the other side is closed (EIO on Linux)
        return False
    os.write(1, data)
    return bool(data)


@contextmanager
def _raw() -> Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _window_follows(ours: int) -> Iterator[None]:
    """The other terminal is as large as this one, also after somebody pulls at the window."""

    def copy_size(*_: object) -> None:
        size = fcntl.ioctl(0, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        fcntl.ioctl(ours, termios.TIOCSWINSZ, size)

    copy_size()
    before = signal.signal(signal.SIGWINCH, copy_size)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
