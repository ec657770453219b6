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
import traceback
from collections.abc import Mapping
from typing import NoReturn

from labkit.sandbox.filesystem import rootfs
from labkit.sandbox.forkserver import wire
from labkit.sandbox.kernel import closing, limits, namespaces, seccomp, syscalls
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
    reply = socket.socket(fileno=_aside(descriptors["reply"]))
    try:
        standard = [_aside(descriptors[name]) for name in _STANDARD if name in descriptors]
        listeners = _lock_down(spec, sources, network)
        _settle(standard, [reply.fileno(), *listeners])
        _give_up_the_rest(spec)
        _tell_started(reply, listeners)
        status = _execute(spec) if spec.command else _call(spec, reply)
    except Refused as refused:
        wire.send_refusal(reply, refused.stage, refused.reason, refused.number)
    except BaseException as error:
        wire.send_refusal(reply, COMMAND, repr(error))
    finally:
        os._exit(status)


def _aside(descriptor: int) -> int:
    """A copy out of the way of the numbers that the process will see."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)


def _lock_down(spec: SandboxSpec, sources: rootfs.Sources, network: int) -> list[int]:
    """Namespaces and files. Returns the listeners. Raises Refused."""
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


def _enter_network(spec: SandboxSpec, network: int) -> list[int]:
    if network >= 0:
        namespaces.join_network_namespace(network)
        return []
    syscalls.unshare(syscalls.CLONE_NEWNET)
    namespaces.set_up_loopback(spec.loopback)
    return [_aside(listener.detach()) for listener in namespaces.listen_here(spec.listen)]


def _settle(standard: list[int], kept: list[int]) -> None:
    """Put the standard descriptors (and the channel) in place; close all but these and `kept`."""
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    low = len(standard)
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def _give_up_the_rest(spec: SandboxSpec) -> None:
    """Limits, capabilities and, last, the filter. Raises Refused."""
    with stage(LIMITS):
        limits.apply(spec.limits)
        namespaces.enter_inner_user_namespace(spec.uid)
        limits.give_up_privileges()
        if spec.title:
            closing.close(spec.title)
    with stage(FILTER):
        syscalls.install_filter(seccomp.program(pretend_root=spec.pretend_root))
    with stage(COMMAND):
        os.chdir(spec.cwd)


def _tell_started(reply: socket.socket, listeners: list[int]) -> None:
    wire.send_answer(reply, {"started": True}, listeners)
    for listener in listeners:
        os.close(listener)


def _execute(spec: SandboxSpec) -> NoReturn:
    """Run the command. The reply closes by itself then; on failure it still carries the reason."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; a program expects it
    with stage(COMMAND):
        os.execvpe(spec.command[0], spec.command, dict(spec.env))


def _call(spec: SandboxSpec, reply: socket.socket) -> int:
    """Call the entry with its arguments; the exit status as Python gives it."""
    reply.close()
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
    sys.stderr.write(f"{end.code}\n")  # what Python itself does
    return 1


def _open_standard_streams() -> None:
    """Fresh text streams, line by line: the warm parent's were made for /dev/null."""
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", 1, "utf-8", "surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)


def _flush_standard_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the reader is gone, or the entry closed it
            stream.flush()
