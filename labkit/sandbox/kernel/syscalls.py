"""The Linux system calls that Python has no function for, each raising OSError when refused.

What belongs here: thin wrappers over libc and the kernel's numbers and flags. What does not: any
decision about what a sandbox should be.
"""

import ctypes
import os
import platform
import struct

CLONE_NEWNS = 0x20000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47

RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x02, 0x10

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_SYMLINKS = 1, 4, 0x10
_CAPABILITY_VERSION_3 = 0x20080522

X86_64 = platform.machine() == "x86_64"
# The same on every architecture, but for pivot_root, which is older than that agreement.
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
_PIVOT_ROOT = 155 if X86_64 else 41

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` (CLONE_NEW…) for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, flags: int) -> None:
    """Join the namespace that `descriptor` stands for, which must be of the kind `flags`."""
    _checked(_libc.setns(descriptor, flags), "setns")


def mount(source: str | None, target: str, kind: str | None = None, flags: int = 0, data: str = "") -> None:
    """Mount `source` (a path, or None) on `target`."""
    options = _bytes(data) if data else None
    result = _libc.mount(_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), options)
    _checked(result, f"mount {source or kind} on {target}")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2); lazily unless told otherwise: what is in use stays until it is let go."""
    _checked(_libc.umount2(_bytes(target), flags), f"unmount {target}")


def pivot_root_here() -> None:
    """Make the working directory (a mount point) the root of this mount namespace; drop the old one."""
    _checked(_libc.syscall(_PIVOT_ROOT, b".", b"."), "pivot_root")
    umount(".")
    os.chdir("/")


def clone_tree(path: str) -> int:
    """A descriptor of a detached copy of the mounts at `path`; needs CAP_SYS_ADMIN here."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return _checked(_libc.syscall(_OPEN_TREE, _AT_FDCWD, _bytes(path), flags), f"open_tree {path}")


def attach_tree(descriptor: int, target: str) -> None:
    """Mount the detached tree `descriptor` on `target`."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_SYMLINKS  # as mount(2) takes its target
    arguments = (descriptor, b"", _AT_FDCWD, _bytes(target), flags)
    _checked(_libc.syscall(_MOVE_MOUNT, *arguments), f"move_mount to {target}")


def restrict_mounts(descriptor: int, path: str, *, attributes: int, propagation: int = 0) -> None:
    """Set mount attributes on all mounts at and below `path` (seen from `descriptor`; "" is itself)."""
    record = struct.pack("QQQQ", attributes, 0, propagation, 0)
    flags = _AT_RECURSIVE | (0 if path else _AT_EMPTY_PATH)
    arguments = (descriptor, _bytes(path), flags, record, len(record))
    _checked(_libc.syscall(_MOUNT_SETATTR, *arguments), f"mount_setattr {path}")


def open_inside(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open `path` as a process whose root is the folder `root` would see it; never leaves `root`.

    Absolute links and `..` stay inside, links into /proc are refused (openat2, Linux 5.6).
    """
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    return _checked(_libc.syscall(_OPENAT2, root, _bytes(path), how, len(how)), path)


def call(number: int, *arguments: int | bytes | None, fails: bool = True) -> int:
    """The system call `number`; with `fails` raises OSError when refused, else returns -1."""
    result: int = _libc.syscall(number, *arguments)
    return _checked(result, f"system call {number}") if fails else result


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """Set an attribute of this process, by whole numbers."""
    _checked(_libc.prctl(option, *map(ctypes.c_ulong, (first, second, 0, 0))), f"prctl {option}")


def install_filter(program: bytes) -> None:
    """Install `program` (classic BPF) as this process's system call filter, for good."""

    class SockFprog(ctypes.Structure):
        _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    buffer = ctypes.create_string_buffer(program, len(program))
    record = SockFprog(len(program) // 8, ctypes.addressof(buffer))
    _checked(_libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(record), 0, 0), "seccomp")


def drop_capability_sets() -> None:
    """Empty the effective, permitted, inheritable and ambient sets."""
    _checked(_libc.capset(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), struct.pack("6I", *[0] * 6)), "capset")
    prctl(PR_CAP_AMBIENT, 4)
