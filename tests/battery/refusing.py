"""Runs a command on a machine that refuses namespaces: `refusing.py HOW COMMAND…`. Linux only.

HOW "seccomp": unshare, setns, mounts and clone with new namespaces fail with EPERM, clone3 with ENOSYS, as
under Docker's default profile. "container": that, no capability but those that Docker leaves to root, and no key
rings, bpf, io_uring or userfaultfd. "no-landlock": that, and Landlock's calls fail with ENOSYS, as before Linux 5.13.
"granted": the capabilities of the documented `docker run` line, no filter. "masked": that, with parts of /proc
covered, as without systempaths=unconfined. "limit": as with `sysctl user.max_user_namespaces=0`. "no-proc": an empty
/proc. For good, for the command and all that it starts.
"""

import ctypes
import errno
import os
import struct
import sys

from labkit.sandbox.kernel import syscalls

_X86 = syscalls.X86_64
_REFUSED = (
    (272, 308, 165, 166, 155, 428, 429, 430, 432, 442)
    if _X86
    else (97, 268, 40, 39, 41, 428, 429, 430, 432, 442)
)
#: bpf, perf_event_open, add_key, request_key, keyctl, userfaultfd, io_uring
_REFUSED_TOO = (
    (321, 298, 248, 249, 250, 323, 425, 426, 427) if _X86 else (280, 241, 217, 218, 219, 282, 425, 426, 427)
)
_LANDLOCK = (444, 445, 446)
#: what Docker leaves to root (moby: oci/caps/defaults.go): CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID,
#: SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP
_DOCKER = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
_NET_ADMIN, _SYS_ADMIN, _LAST = 12, 21, 40
_PR_CAPBSET_DROP = 24
_CLONE, _CLONE3 = (56 if _X86 else 220), 435
_NEW = 0x7E020000


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _program(refused: tuple[int, ...] = _REFUSED, missing: tuple[int, ...] = ()) -> bytes:
    refuse, allow = _op(0x06, 0x50000 | errno.EPERM), _op(0x06, 0x7FFF0000)
    flat = b"".join(_op(0x15, number, 0, 1) + refuse for number in refused)
    flat += b"".join(_op(0x15, number, 0, 1) + _op(0x06, 0x50000 | errno.ENOSYS) for number in missing)
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


def _keep_capabilities(kept: set[int]) -> None:
    """Only those, for every program that root starts from here on."""
    for number in range(_LAST + 1):
        if number not in kept:
            syscalls.prctl(_PR_CAPBSET_DROP, number)


def _cover(place: str) -> None:
    """A file system of our own over `place`, in a mount namespace of our own."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    libc = ctypes.CDLL(None, use_errno=True)
    private, flags = (1 << 18) | (1 << 14), 0
    for arguments in ((b"none", b"/", None, private, None), (b"none", place.encode(), b"tmpfs", flags, None)):
        if libc.mount(*arguments):
            raise OSError(ctypes.get_errno(), f"covering {place}")


def main(how: str, *command: str) -> None:
    if how == "limit":
        _limit()
    if how in ("masked", "no-proc"):
        _cover(
            "/proc/acpi"
            if how == "masked" and os.path.isdir("/proc/acpi")
            else "/proc/fs"
            if how == "masked"
            else "/proc"
        )
    if how in ("container", "no-landlock", "granted", "masked"):
        _keep_capabilities(_DOCKER | ({_NET_ADMIN, _SYS_ADMIN} if how in ("granted", "masked") else set()))
    if how in ("seccomp", "container", "no-landlock"):
        refused = _REFUSED if how == "seccomp" else _REFUSED + _REFUSED_TOO
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.install_filter(_program(refused, _LANDLOCK if how == "no-landlock" else ()))
    os.execv(command[0], command)


main(*sys.argv[1:])
