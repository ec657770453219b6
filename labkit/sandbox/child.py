"""The forked process on its way to being the sandboxed one: lock everything down, then run.

What belongs here: the order in which a process enters a sandbox, and its last act. What does not: how
each part is done (namespaces.py, rootfs.py, limits.py, seccomp.py).

The order matters: network first (its files in /proc are still in reach), mounts before the inner user
namespace (afterwards they are not ours), limits before it too (its count of processes is then its
own), the filter last (it forbids what the steps before it need).
"""

import contextlib
import fcntl
import importlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import NoReturn

from labkit.sandbox import limits, namespaces, rootfs, seccomp, syscalls, wire
from labkit.sandbox.spec import SandboxSpec
from labkit.sandbox.stages import COMMAND, FILES, FILTER, LIMITS, MOUNTS, NETWORK, Refused, stage

CHANNEL = 3
_STANDARD = ("stdin", "stdout", "stderr", "channel")
_ABOVE_STANDARD = 16
_NOT_STARTED = 125


def run(spec: SandboxSpec, sources: rootfs.Sources, descriptors: Mapping[str, int], network: int) -> NoReturn:
    """Become the sandboxed process of `spec` and never return.

    `descriptors`: stdin, stdout, stderr, perhaps channel, and reply, which learns of the start (with
    the listeners) or of the refusal. `network`: the namespace to join, or -1 for a new one.
    """
    status = _NOT_STARTED
    reply = _aside(descriptors["reply"])
    try:
        standard = [_aside(descriptors[name]) for name in _STANDARD if name in descriptors]
        listeners = _lock_down(spec, sources, network)
        _settle(standard, reply, listeners)
        status = _last_act(spec, reply, listeners)
    except Refused as refused:
        _report(reply, refused)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _aside(descriptor: int) -> int:
    """A copy out of the way of the numbers that the process will see."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)


def _lock_down(spec: SandboxSpec, sources: rootfs.Sources, network: int) -> list[socket.socket]:
    """Everything but the filter. Returns the listeners. Raises Refused."""
    os.setsid()  # else kill(0, …) in here reaches the warm parent: groups cross process namespaces
    namespaces.die_with_parent()
    with stage(NETWORK):
        listeners = _enter_network(spec, network)
    with stage(MOUNTS):
        others = syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWCGROUP
        syscalls.unshare(syscalls.CLONE_NEWNS | others)
        socket.sethostname(spec.hostname)
    with stage(FILES):
        rootfs.enter(spec, sources)
    return listeners


def _enter_network(spec: SandboxSpec, network: int) -> list[socket.socket]:
    if network >= 0:
        namespaces.join_network_namespace(network)
        return []
    syscalls.unshare(syscalls.CLONE_NEWNET)
    namespaces.set_up_loopback(spec.loopback)
    return namespaces.listen_here(spec.listen)


def _settle(standard: list[int], reply: int, listeners: list[socket.socket]) -> None:
    """Put the standard descriptors (and the channel) in place and close all but those in use."""
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    kept = sorted([reply, *(listener.fileno() for listener in listeners)])
    low = len(standard)
    for descriptor in kept:
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _last_act(spec: SandboxSpec, reply: int, listeners: list[socket.socket]) -> int:
    """Give up what is left, say that it worked, and run. Returns an entry's exit status."""
    with stage(LIMITS):
        limits.apply(spec.limits)
        namespaces.enter_inner_user_namespace(spec.uid)
        limits.give_up_privileges()
    with stage(FILTER):
        syscalls.install_filter(seccomp.program(pretend_root=spec.pretend_root))
    with stage(COMMAND):
        os.chdir(spec.cwd)
    _restore_signals()
    with socket.socket(fileno=reply) as answers:
        wire.send_answer(answers, {"started": True}, [listener.fileno() for listener in listeners])
        for listener in listeners:
            listener.close()
        if spec.command:
            _execute(spec)
    return _call(spec)


def _restore_signals() -> None:
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _execute(spec: SandboxSpec) -> NoReturn:
    # The reply closes by itself when the program runs; on failure it still carries the reason.
    with stage(COMMAND):
        os.execvpe(spec.command[0], spec.command, dict(spec.env))


def _call(spec: SandboxSpec) -> int:
    """Call the entry with its arguments; the exit status as Python gives it."""
    os.environ.clear()
    os.environ.update(spec.env)
    sys.argv = [spec.entry]
    _open_standard_streams()
    try:
        module, _, function = spec.entry.partition(":")
        result = getattr(importlib.import_module(module), function)(spec.arguments)
        status = result if isinstance(result, int) else 0
    except SystemExit as end:
        status = _exit_status(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    _flush_standard_streams()
    return status


def _exit_status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)  # noqa: T201  (what Python itself does)
    return 1


def _open_standard_streams() -> None:
    """Fresh text streams, line by line: the warm parent's were made for /dev/null."""
    common = {"buffering": 1, "encoding": "utf-8", "closefd": False}
    sys.stdin = open(0, **common)
    sys.stdout = open(1, "w", errors="surrogateescape", **common)
    sys.stderr = open(2, "w", errors="backslashreplace", **common)


def _flush_standard_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the reader is gone, or the entry closed it
            stream.flush()


def _report(reply: int, refused: Refused) -> None:
    with socket.socket(fileno=reply) as answers:
        wire.send_refusal(answers, refused.stage, refused.reason, refused.number)


def is_single_threaded() -> bool:
    """Whether this process may fork and change namespaces."""
    return threading.active_count() == 1
