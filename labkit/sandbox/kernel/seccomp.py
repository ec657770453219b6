"""The filter of system calls that a sandboxed process gets, for good.

What belongs here: which calls are refused and the classic BPF program that refuses them. What does
not: what namespaces, limits and missing capabilities refuse already.

Of the system calls that were known when this was written, ordinary ones run; what opens the kernel wide (mounts,
tracing, bpf, io_uring, keyrings) or hides memory (memfd, SysV, shared anonymous maps) does not. Later ones there are
none. Sockets are a list of what is allowed: a protocol that nobody thought of has no socket.
"""

import errno
import functools
import socket
import stat
import struct
from collections.abc import Iterable, Mapping

from labkit.sandbox.kernel import syscalls

#: name → number on (x86_64, aarch64); None where the architecture has no such call
_Numbers = Mapping[str, tuple[int | None, int | None]]

_REFUSED: _Numbers = {
    # tracing and reading other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
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
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "iopl": (172, None),
    "ioperm": (173, None),
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
    "migrate_pages": (256, 238),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "cachestat": (451, 451),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
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

#: Every call from this number on is answered as by a kernel that has none: statmount, listmount, what reads security
#: modules, files' attributes and namespaces (Linux 6.8 to 6.18), and what is yet to come. Numbers of new calls are the
#: same on all architectures. What is below was looked at: futex_requeue is the last.
_FIRST_UNKNOWN = 457

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

_CLONE, _SOCKET, _SOCKETPAIR, _MMAP, _IOCTL = (
    (56, 41, 53, 9, 16) if syscalls.X86_64 else (220, 198, 199, 222, 29)
)
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
_UNIX, _INTERNET = (int(socket.AF_UNIX),), (int(socket.AF_INET), int(socket.AF_INET6))
_NETLINK = 16
_STREAM, _DATAGRAM, _RAW, _PACKETS = 1, 2, 3, 5
_TCP, _UDP = 6, 17
_KIND_OF_SOCKET = 0xF  # the other bits are flags
#: families, types and protocols that go together: what is not here can't be had, whatever it is called
_STREAMS = ((_INTERNET, _STREAM, (0, _TCP)),)
_DATAGRAMS = ((_INTERNET, _DATAGRAM, (0, _UDP)),)
_LOCAL = (
    *((_UNIX, kind, (0, 1)) for kind in (_STREAM, _DATAGRAM, _PACKETS)),
    *(((_NETLINK,), kind, (0,)) for kind in (_DATAGRAM, _RAW)),  # routes: how libc lists addresses
)
#: calls that may begin a connection with their data (TCP Fast Open), which asks nobody for the port, and where their flags are
_SENDING = ((44, 3), (46, 2), (307, 3)) if syscalls.X86_64 else ((206, 3), (211, 2), (269, 3))
_FAST_OPEN = 0x20000000
_SETSOCKOPT = 54 if syscalls.X86_64 else 208
#: of level TCP: connect that waits for the first data; another protocol on top or in the place of TCP
_TCP_OPTIONS = (30, 31)
_PRLIMIT = 302 if syscalls.X86_64 else 261
_PRCTL = 157 if syscalls.X86_64 else 167
_ARCHITECTURE = 0xC000003E if syscalls.X86_64 else 0xC00000B7

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


def _only_known_calls() -> bytes:
    check = _op(_LOAD, _ARCH) + _op(_EQUAL, _ARCHITECTURE, 1, 0) + _op(_RETURN, _KILL) + _op(_LOAD, _NUMBER)
    return check + _op(_AT_LEAST, _FIRST_UNKNOWN, 0, 1) + _refuse(errno.ENOSYS)  # x32's are far above


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


def _one_of(values: Iterable[int], body: bytes) -> bytes:
    """Run `body` where what is loaded is one of `values`; else go on behind it."""
    values, size = tuple(values), len(body) // 8
    tests = (
        _op(_EQUAL, value, len(values) - number - 1, 0 if number < len(values) - 1 else size)
        for number, value in enumerate(values)
    )
    return b"".join(tests) + body


def _socket(call: int, allowed: Iterable[tuple[Iterable[int], int, Iterable[int]]]) -> bytes:
    """Only these families, types and protocols; the body ends in an answer whatever is asked."""
    body = b""
    for families, kind, protocols in allowed:
        inner = (
            _op(_LOAD, _argument(2))
            + _one_of(protocols, _op(_RETURN, _ALLOW))
            + _refuse(errno.EPROTONOSUPPORT)
        )
        inner = _op(_LOAD, _argument(1)) + _op(_AND, _KIND_OF_SOCKET) + _one_of((kind,), inner)
        body += _op(_LOAD, _argument(0)) + _one_of(families, inner)
    return _when(call, body + _refuse(errno.EAFNOSUPPORT))


def _no_datagrams() -> bytes:
    """Datagrams of the internet's families are not permitted: for where no namespace keeps them from leaving."""
    inner = (
        _op(_LOAD, _argument(1)) + _op(_AND, _KIND_OF_SOCKET) + _one_of((_DATAGRAM,), _refuse(errno.EACCES))
    )
    body = _op(_LOAD, _argument(0)) + _one_of(_INTERNET, inner)
    return _op(_EQUAL, _SOCKET, 0, len(body) // 8 + 1) + body + _op(_LOAD, _NUMBER)


def _no_fast_open() -> bytes:
    """No connection that begins otherwise than by connect, where alone the port is looked at."""
    flags = _op(_ANY_BIT, _FAST_OPEN, 0, 1) + _refuse(errno.EOPNOTSUPP)
    sending = b"".join(_when(call, _op(_LOAD, _argument(place)) + flags) for call, place in _SENDING)
    refused = _op(_LOAD, _argument(2)) + _one_of(_TCP_OPTIONS, _refuse(errno.ENOPROTOOPT))
    return sending + _when(_SETSOCKOPT, _op(_LOAD, _argument(1)) + _one_of((_TCP,), refused))


def _always_dumpable() -> bytes:
    """Memory and environment can't be hidden from who watches: asked for, and not done."""
    asked = _op(_LOAD, _argument(0)) + _op(_EQUAL, syscalls.PR_SET_DUMPABLE, 0, 1)
    return _when(_PRCTL, asked + _refuse(0))


def _own_limits_alone() -> bytes:
    """No limits for another process: process 1 of an instance is of the same user."""
    return _when(_PRLIMIT, _op(_LOAD, _argument(0)) + _op(_EQUAL, 0, 1, 0) + _refuse(errno.EPERM))


@functools.cache
def program(*, pretend_root: bool = False, datagrams: bool = True) -> bytes:
    """The filter as classic BPF. `pretend_root` answers success to chown, setuid and the like.

    Without `datagrams` the internet's families give streams alone, which connect has to begin.
    """
    kinds = (*_STREAMS, *_DATAGRAMS, *_LOCAL) if datagrams else (*_STREAMS, *_LOCAL)
    return b"".join(
        (
            _only_known_calls(),
            _table(_REFUSED, _refuse(errno.EPERM)),
            _table(_MISSING, _refuse(errno.ENOSYS)),
            _table(_PRETENDED, _refuse(0)) + _pretended_devices() if pretend_root else b"",
            _no_new_namespaces(),
            _no_shared_anonymous_memory(),
            _no_typing_into_terminals(),
            _always_dumpable(),
            _own_limits_alone(),
            b"" if datagrams else _no_datagrams() + _no_fast_open(),
            _socket(_SOCKET, kinds),
            _socket(_SOCKETPAIR, _LOCAL),
            _op(_RETURN, _ALLOW),
        )
    )
