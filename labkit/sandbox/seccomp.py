"""The filter of system calls that a sandboxed process gets, for good.

What belongs here: which calls are refused and the classic BPF program that refuses them. What does
not: what namespaces, limits and missing capabilities refuse already.

It is a list of refusals: ordinary programs run, and what opens the kernel wide (mounts, tracing,
bpf, io_uring, keyrings), hides memory (memfd, SysV, shared anonymous maps) or leaves the network
namespace (vsock) does not.
"""

import errno
import functools
import socket
import stat
import struct
from collections.abc import Iterable, Mapping

from labkit.sandbox import syscalls

#: name → number on (x86_64, aarch64); None where the architecture has no such call
_Numbers = Mapping[str, tuple[int | None, int | None]]

_REFUSED: _Numbers = {
    # tracing and reading other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # wide and rarely needed parts of the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "personality": (135, 92),
    "vmsplice": (278, 75),
    "move_pages": (279, 239),
    "mbind": (237, 235),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    # memory that no process shows as its own
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}

# Its flags lie in memory, where a filter can't look; libc then falls back to clone.
_MISSING: _Numbers = {"clone3": (435, 435)}

# One user is all there is inside: giving a file to another is answered with success.
_PRETENDED: _Numbers = {
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setgroups": (116, 159),
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
}

_CLONE, _SOCKET, _MMAP, _IOCTL = (56, 41, 9, 16) if syscalls.X86_64 else (220, 198, 222, 29)
_MKNODAT = 259 if syscalls.X86_64 else 33
_KIND_OF_FILE, _DEVICES = 0xF000, (stat.S_IFCHR, stat.S_IFBLK)
_NEW_NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
)
_SHARED_ANONYMOUS = 0x21
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # typing into the terminal of whoever started us
_FAMILIES = (int(socket.AF_UNIX), int(socket.AF_INET), int(socket.AF_INET6))
_KIND_OF_SOCKET = 0xF  # the other bits are flags
_NETLINK = 16  # its protocol 0 (routes) is how libc lists addresses
_ARCHITECTURE = 0xC000003E if syscalls.X86_64 else 0xC00000B7
_X32_BIT = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data


def _argument(index: int) -> int:
    """The offset of the low half of a system call's argument."""
    return 16 + 8 * index


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


def _refuse(number: int) -> bytes:
    return _op(_RETURN, _ERROR | number)


def _when(call: int, body: bytes) -> bytes:
    """Run `body` for `call` alone; the body may fall through, then the call is allowed."""
    body += _op(_RETURN, _ALLOW)
    return _op(_EQUAL, call, 0, len(body) // 8) + body


def _table(numbers: _Numbers, answer: bytes) -> bytes:
    column = 0 if syscalls.X86_64 else 1
    calls = (pair[column] for pair in numbers.values())
    return b"".join(_op(_EQUAL, call, 0, 1) + answer for call in calls if call is not None)


def _only_known_architecture() -> bytes:
    check = _op(_LOAD, _ARCH) + _op(_EQUAL, _ARCHITECTURE, 1, 0) + _op(_RETURN, _KILL) + _op(_LOAD, _NUMBER)
    x32 = _op(_AT_LEAST, _X32_BIT, 0, 1) + _refuse(errno.ENOSYS)
    return check + (x32 if syscalls.X86_64 else b"")


def _no_new_namespaces() -> bytes:
    test = _op(_LOAD, _argument(0)) + _op(_ANY_BIT, _NEW_NAMESPACES, 0, 1)
    return _when(_CLONE, test + _refuse(errno.EPERM))


def _pretended_devices() -> bytes:
    """A device that mknod makes is answered with success; a FIFO or a socket is really made."""
    kind = _op(_LOAD, _argument(2)) + _op(_AND, _KIND_OF_FILE)
    return _when(_MKNODAT, kind + b"".join(_op(_EQUAL, device, 0, 1) + _refuse(0) for device in _DEVICES))


def _no_shared_anonymous_memory() -> bytes:
    """Pages that outlive the process that touched them are counted for nobody."""
    flags = _op(_LOAD, _argument(3)) + _op(_AND, _SHARED_ANONYMOUS)
    return _when(_MMAP, flags + _op(_EQUAL, _SHARED_ANONYMOUS, 0, 1) + _refuse(errno.ENOMEM))


def _no_typing_into_terminals() -> bytes:
    tests = (_op(_EQUAL, request, 0, 1) + _refuse(errno.EPERM) for request in (_TIOCSTI, _TIOCLINUX))
    return _when(_IOCTL, _op(_LOAD, _argument(1)) + b"".join(tests))


def _only_families(families: Iterable[int]) -> bytes:
    known = b"".join(_op(_EQUAL, family, 0, 1) + _op(_RETURN, _ALLOW) for family in families)
    routes = _op(_EQUAL, _NETLINK, 0, 3) + _op(_LOAD, _argument(2)) + _op(_EQUAL, 0, 0, 1)
    allowed = routes + _op(_RETURN, _ALLOW)
    return _when(_SOCKET, _op(_LOAD, _argument(0)) + known + allowed + _refuse(errno.EAFNOSUPPORT))


def _no_datagrams() -> bytes:
    """Only streams of the internet's families: for where no namespace keeps datagrams from leaving."""
    kind = _op(_LOAD, _argument(1)) + _op(_AND, _KIND_OF_SOCKET)
    only_streams = kind + _op(_EQUAL, int(socket.SOCK_STREAM), 1, 0) + _refuse(errno.EACCES)
    size = len(only_streams) // 8
    families = _op(_EQUAL, int(socket.AF_INET), 1, 0) + _op(_EQUAL, int(socket.AF_INET6), 0, size)
    body = _op(_LOAD, _argument(0)) + families + only_streams
    return _op(_EQUAL, _SOCKET, 0, len(body) // 8 + 1) + body + _op(_LOAD, _NUMBER)


@functools.cache
def program(*, pretend_root: bool = False, datagrams: bool = True) -> bytes:
    """The filter as classic BPF. `pretend_root` answers success to chown, setuid and the like.

    Without `datagrams` the internet's families give streams alone.
    """
    return b"".join(
        (
            _only_known_architecture(),
            _table(_REFUSED, _refuse(errno.EPERM)),
            _table(_MISSING, _refuse(errno.ENOSYS)),
            _table(_PRETENDED, _refuse(0)) + _pretended_devices() if pretend_root else b"",
            _no_new_namespaces(),
            _no_shared_anonymous_memory(),
            _no_typing_into_terminals(),
            b"" if datagrams else _no_datagrams(),
            _only_families(_FAMILIES),
            _op(_RETURN, _ALLOW),
        )
    )
