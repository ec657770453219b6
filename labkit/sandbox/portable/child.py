"""The process on its way to being a sandboxed one, without namespaces: lock down what can be, then run.

What belongs here: the order of it. What does not: how the root was made (roots.py), who starts it
(keeper.py). On Linux it is forked from the keeper; elsewhere the keeper starts this module anew.
"""

import contextlib
import fcntl
import importlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from labkit.sandbox.portable.inside import start
from labkit.sandbox.portable.inside.world import World
from labkit.sandbox.portable.orders import Order
from labkit.sandbox.portable.processes import tasks_of
from labkit.sandbox.spec import Limits

CHANNEL = 3
_ABOVE_STANDARD = 16
_NOT_STARTED = 125
_MB = 1 << 20
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl",
    "/etc/pki", "/etc/ca-certificates", "/etc/localtime", "/etc/mime.types", "/dev/urandom",
    "/dev/random", "/nix/store",
    # of /proc what says nothing of others: below a process's number all ports of this machine stand
    "/proc/cpuinfo", "/proc/filesystems", "/proc/loadavg", "/proc/meminfo", "/proc/stat", "/proc/sys",
    "/proc/uptime", "/proc/version",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/pts")


if sys.platform == "linux":
    from labkit.sandbox.portable import linux


class NotStarted(Exception):
    """It could not be started; the text says why."""


def run(order: Order, standard: Sequence[int], reply: int) -> NoReturn:
    """Become the sandboxed process of `order` and never return.

    `standard`: what becomes descriptors 0, 1, 2 and perhaps 3. `reply` is closed when the command or entry
    begins; when it can't, the reason is written to it before.
    """
    status = _NOT_STARTED
    spec, world = order.spec, order.world
    try:
        reply = _settle(standard, reply)
        os.umask(0o022)
        _limit(spec.limits, order.uid)
        _confine(order)
        translation = start.translation_of(world)
        folder = translation.real(spec.cwd)
        os.chdir(folder if os.path.isdir(folder) else world.root)
        status = _execute(order, reply) if spec.command else _call(order, reply)
    except NotStarted as error:
        _say(reply, str(error))
    except BaseException:
        _say(reply, traceback.format_exc())
    finally:
        os._exit(status)


def _say(reply: int, text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(reply, text.encode()[:8000])


def _settle(standard: Sequence[int], reply: int) -> int:
    """Put the standard descriptors (and the channel) in place; close all but these and the reply."""
    aside = [_aside(descriptor) for descriptor in standard]
    reply = _aside(reply)
    for number, descriptor in enumerate(aside):
        os.dup2(descriptor, number)
    os.closerange(len(aside), reply)
    os.closerange(reply + 1, min(os.sysconf("SC_OPEN_MAX"), 65536))
    return reply


def _aside(descriptor: int) -> int:
    """A copy out of the way of the numbers that the process will see."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE_STANDARD)


# -- locking down -----------------------------------------------------------------------------------------


def _limit(limits: Limits, uid: int) -> None:
    """The kernel's limits on each process. The one on processes counts all that the user has."""
    shared = 0 if uid else tasks_of(os.getuid())
    room = 2 * limits.memory_mb * _MB + 256 * _MB
    wanted = {
        "RLIMIT_DATA": room,
        "RLIMIT_NPROC": limits.processes + shared,
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_FSIZE": limits.file_mb * _MB,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        kind = getattr(resource, name)
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            most = min(most, ceiling)
        with contextlib.suppress(ValueError, OSError):  # macOS knows some of them only by name
            resource.setrlimit(kind, (most, most))


def _confine(order: Order) -> None:
    """Another user, where we are root; then, on Linux, what the tier says."""
    if sys.platform == "linux":
        linux.never_gain()
    if order.uid:
        os.setgroups([])
        os.setgid(order.uid)
        os.setuid(order.uid)
    if sys.platform == "linux":
        linux.die_with_parent()
        linux.adopt_orphans()
        if order.landlock:
            given = tuple(bind.source for bind in order.spec.binds)
            readable = given if order.spec.bare else readable_in(order.world)
            linux.lock(readable, (order.world.root, *_DEVICES), _ports(order.world), order.spec)


def readable_in(world: World) -> tuple[str, ...]:
    """This machine's files that a sandbox may read."""
    return (*_SYSTEM, *world.kept, world.farm or "/usr/bin")


def _ports(world: World) -> tuple[int, ...]:
    network = world.network
    ports = {network.gate, network.closed, network.hole, *network.direct.values()}
    return tuple(sorted(ports - {0}))


# -- running ----------------------------------------------------------------------------------------------


def _execute(order: Order, reply: int) -> NoReturn:
    """Run the command: as what the sandbox believes it to be, from where it really lies."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; a program expects it
    translation = start.translation_of(order.world)
    bare = order.spec.bare  # its binds are where they are outside: nothing is laid in their place
    words = [word if bare else translation.text(word) for word in order.spec.command]
    environment = {name: translation.real(value) if bare else value for name, value in order.spec.env.items()}
    if "PATH" in environment:
        environment["PATH"] = translation.path_variable(environment["PATH"])
    try:
        os.execvpe(words[0], words, environment)
    except OSError as error:
        raise NotStarted(f"{order.spec.command[0]}: {error.strerror}") from error


def _call(order: Order, reply: int) -> int:
    """Call the entry with its arguments; the exit status as Python gives it."""
    spec = order.spec
    os.environ.clear()
    os.environ.update(spec.env)
    sys.argv = [spec.entry]
    _open_standard_streams()
    start.install(order.world)
    if order.strip:
        _show_only_own_paths(order.world)
    os.close(reply)
    try:
        module, _, function = spec.entry.partition(":")
        result = getattr(importlib.import_module(module), function)(spec.arguments)
        status = result if isinstance(result, int) else 0
    except SystemExit as end:
        status = _exit_status(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the reader is gone, or the entry closed it
            stream.flush()
    return status


def _show_only_own_paths(world: World) -> None:
    """What process 1 of an instance passes on names files as the instance knows them."""
    write, root, farm = os.write, world.root.encode(), world.farm.encode()

    def shown(descriptor: int, data: bytes) -> int:
        text = bytes(data)
        if root in text and farm:
            text = text.replace(root + b"/usr/bin:" + farm, b"/usr/sbin:/usr/bin").replace(
                farm + b"/", b"/usr/bin/"
            )
        write(descriptor, text.replace(root, b""))
        return len(data)  # whoever wrote n bytes is told n, however many are left of them

    os.write = shown  # type: ignore[assignment]


def _exit_status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _open_standard_streams() -> None:
    """Fresh text streams, line by line: the keeper's were made for /dev/null."""
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", 1, "utf-8", "surrogateescape", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)


def main(arguments: Sequence[str]) -> NoReturn:
    """Be started anew rather than forked: descriptors of the order, of the reply, then the standard ones."""
    order_at, reply, *standard = map(int, arguments)
    with os.fdopen(order_at, encoding="utf-8") as file:
        order = Order.from_json(file.read())
    run(order, standard, reply)


if __name__ == "__main__":
    main(sys.argv[1:])
