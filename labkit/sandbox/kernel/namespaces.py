"""Namespaces: becoming the owner of some, forking into new ones, and network namespaces.

What belongs here: which namespaces a process joins or makes, and in which order. What does not: the
files (rootfs.py), the limits (limits.py), addresses between sandboxes (router.py).

All of it needs a process with one thread.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from labkit.sandbox.kernel import syscalls
from labkit.sandbox.stages import OWNER, PROCESSES, stage

#: Real root is exempt from the limit on processes, even inside a user namespace; so root's sandboxes
#: belong to this account, which owns nothing and can't log in.
STAND_IN_UID = 61500

_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_IFF_UP_LOOPBACK_RUNNING = 0x49
_BACKLOG = 128
_T = TypeVar("_T")


def become_owner() -> None:
    """Become uid 0 of a user namespace of our own, pid 1 of a process namespace, with own mounts.

    From then on every step needs no privilege, and the end of this process ends all it started. The
    caller's process stays outside, waits, and ends with the same status. Raises Refused.
    """
    with stage(OWNER):
        if owner_here() != os.geteuid():
            _fork_as_stand_in()
        else:
            own_user_namespace(0, syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
        # Needed to read and write our own files in /proc; every change of credentials clears it.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    with stage(PROCESSES):
        _leave_to_child(os.fork())


def _fork_as_stand_in() -> None:
    """As root: continue in a child that owns a user namespace mapped to STAND_IN_UID."""
    unshared, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if child:
        os.close(unshared[1])
        if os.read(unshared[0], 1):
            _map_other(child)
            os.write(mapped[1], b"x")
        _leave_to_child(child)
    die_with_parent()
    syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
    os.write(unshared[1], b"x")
    os.close(mapped[1])
    if not os.read(mapped[0], 1):
        os._exit(1)  # the parent says why
    for descriptor in (*unshared, mapped[0]):
        os.close(descriptor)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    die_with_parent()


def owner_here() -> int:
    """The user whom everything inside belongs to, as this machine numbers it; asked by the one who starts it all."""
    return STAND_IN_UID if os.geteuid() == 0 and _is_mapped(STAND_IN_UID) else os.geteuid()


def _is_mapped(uid: int) -> bool:
    """Whether `uid` exists here: root of a small user namespace is an ordinary user outside it."""
    with open("/proc/self/uid_map") as file:
        ranges = [tuple(map(int, line.split())) for line in file]
    return any(first <= uid < first + count for first, _, count in ranges)


def _map_other(process: int) -> None:
    for name in ("gid", "uid"):
        _write(f"/proc/{process}/{name}_map", f"0 {STAND_IN_UID} 1")


def _leave_to_child(child: int) -> None:
    """In the parent: hold nothing, wait, and end as the child ends. In the child: go on."""
    if child:
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    die_with_parent()


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends.

    Every change of credentials or user namespace clears it, so it is asked for again after each.
    """
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def enter_inner_user_namespace(uid: int) -> None:
    """Become `uid` of one more user namespace, which owns none of the other namespaces.

    Capabilities in it mean nothing outside it, and its count of processes is its own.
    """
    own_user_namespace(uid)
    die_with_parent()


def own_user_namespace(inside: int, others: int = 0) -> None:
    """Become `inside` of a new user namespace, which owns the new namespaces `others`."""
    outer_uid, outer_gid = os.getuid(), os.getgid()  # asked before: afterwards they have no number
    syscalls.unshare(syscalls.CLONE_NEWUSER | others)
    with contextlib.suppress(PermissionError):  # the outer namespace has denied it already
        _write("/proc/self/setgroups", "deny")
    _write("/proc/self/gid_map", f"{inside} {outer_gid} 1")
    _write("/proc/self/uid_map", f"{inside} {outer_uid} 1")


def fork_first_process() -> int:
    """fork(2) whose child is pid 1 of a new process namespace; needs become_owner. Raises Refused."""
    with stage(PROCESSES):
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.unshare(syscalls.CLONE_NEWPID)
            child = os.fork()
            if child:
                syscalls.setns(own, syscalls.CLONE_NEWPID)  # else the next unshare is refused
            return child
        finally:
            os.close(own)


def current_network_namespace() -> int:
    """A descriptor of the network namespace that this process is in."""
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_network_namespace() -> int:
    """A descriptor of a new, empty network namespace; the caller stays where it was."""
    home = current_network_namespace()
    try:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        made = current_network_namespace()
        syscalls.setns(home, syscalls.CLONE_NEWNET)
        return made
    finally:
        os.close(home)


def join_network_namespace(descriptor: int) -> None:
    """Move this process into the network namespace `descriptor`."""
    syscalls.setns(descriptor, syscalls.CLONE_NEWNET)


def inside_network_namespace(descriptor: int, action: Callable[[], _T]) -> _T:
    """What `action()` returns when called inside the namespace; the caller comes back either way."""
    home = current_network_namespace()
    try:
        join_network_namespace(descriptor)
        try:
            return action()
        finally:
            join_network_namespace(home)
    finally:
        os.close(home)


def set_up_loopback(addresses: Sequence[str] = ()) -> None:
    """Bring up `lo` here, with `addresses` beside 127.0.0.1, and open ports below 1024 to all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for index, address in enumerate(addresses, start=1):
            _set_address(control, _SIOCSIFADDR, f"lo:{index}", address)
            _set_address(control, _SIOCSIFNETMASK, f"lo:{index}", "255.255.255.255")
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP_LOOPBACK_RUNNING))
    _write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")


def _set_address(control: socket.socket, request: int, name: str, address: str) -> None:
    sockaddr = struct.pack("HH4s16x", socket.AF_INET, 0, socket.inet_aton(address))
    fcntl.ioctl(control, request, struct.pack("16s24s", name.encode(), sockaddr))


def datagrams_here(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """UDP sockets bound to `addresses` in this network namespace, in their order."""
    sockets: list[socket.socket] = []
    for host, port in addresses:
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind((host, port))
    return sockets


def listen_here(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """TCP sockets listening at `addresses` in this network namespace, in their order."""
    listeners: list[socket.socket] = []
    for host, port in addresses:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    return listeners


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
