"""Runs a command on a machine that refuses namespaces: `refusing.py HOW COMMAND…`. Linux only.

HOW "seccomp": unshare, setns, mounts and clone with new namespaces fail with EPERM, clone3 with ENOSYS, as
under Docker's default profile. HOW "limit": as with `sysctl user.max_user_namespaces=0`. For good, for the
command and all that it starts.
"""

import errno
import os
import struct
import sys

from labkit.sandbox import syscalls

_X86 = syscalls.X86_64
_REFUSED = (
    (272, 308, 165, 166, 155, 428, 429, 430, 432, 442)
    if _X86
    else (97, 268, 40, 39, 41, 428, 429, 430, 432, 442)
)
_CLONE, _CLONE3 = (56 if _X86 else 220), 435
_NEW = 0x7E020000


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _program() -> bytes:
    refuse, allow = _op(0x06, 0x50000 | errno.EPERM), _op(0x06, 0x7FFF0000)
    flat = b"".join(_op(0x15, number, 0, 1) + refuse for number in _REFUSED)
    clone3 = _op(0x15, _CLONE3, 0, 1) + _op(0x06, 0x50000 | errno.ENOSYS)
    clone = _op(0x15, _CLONE, 0, 3) + _op(0x20, 16) + _op(0x45, _NEW, 0, 1) + refuse
    return _op(0x20, 0) + flat + clone3 + clone + allow


def _limit() -> None:
    """A user namespace in which there can be no other."""
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def main(how: str, *command: str) -> None:
    if how == "limit":
        _limit()
    else:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.install_filter(_program())
    os.execv(command[0], command)


main(*sys.argv[1:])
