"""What the filter refuses and what it lets pass, tried inside a sandbox."""

import struct
from collections.abc import Callable

import pytest

from labkit.sandbox.capture import Finished
from labkit.sandbox.kernel import seccomp, syscalls

Run = Callable[..., Finished]
SETUP = "import ctypes, mmap, os, resource, socket, fcntl; libc = ctypes.CDLL(None, use_errno=True)\n"


def attempt(python: Run, code: str, **fields: object) -> str:
    wrapped = f"{SETUP}try:\n    {code}\nexcept OSError as error:\n    print(os.strerror(error.errno))\n"
    done = python(wrapped, **fields)
    assert done.code == 0, done.errors.decode()
    return done.output.decode().strip()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("socket.socket(40, 1)", "Address family not supported by protocol"),
        ("socket.socket(16, 3, 12)", "Protocol not supported"),  # netfilter
        ("mmap.mmap(-1, 4096)", "Cannot allocate memory"),
        ("os.memfd_create('x')", "Operation not permitted"),
        ("fcntl.ioctl(0, 0x5412, b'x')", "Operation not permitted"),  # typing into a terminal
        ("os.chown('/tmp', 1, 1)", "Invalid argument"),
        ("os.setuid(0)", "Invalid argument"),
    ],
)
def test_refused(python: Run, code: str, answer: str) -> None:
    assert attempt(python, code) == answer


@pytest.mark.parametrize(
    "code",
    [
        "socket.if_nameindex()",  # asks the kernel over netlink
        "socket.socket(2, 2).close()",
        "socket.socket(10, 1).close()",
        "socket.socketpair()[0].close()",
        "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()",
        "__import__('threading').Thread(target=int).start()",
        "__import__('subprocess').run(['/bin/true'], check=True)",
        "__import__('multiprocessing').get_context('fork').Pipe()",
    ],
)
def test_ordinary_work_passes(python: Run, code: str) -> None:
    assert attempt(python, code) == ""


@pytest.mark.parametrize("code", ["os.chown('/tmp', 1, 1)", "os.setuid(5)", "os.setgroups([1, 2])"])
def test_a_pretended_root_is_answered_with_success(python: Run, code: str) -> None:
    assert attempt(python, code, pretend_root=True) == ""


def test_the_program_fits_the_kernel_s_limit() -> None:
    assert len(seccomp.program(pretend_root=True)) // 8 < 4096


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("socket.socket(2, 1, 262)", "Protocol not supported"),  # MPTCP
        ("socket.socket(2, 2, 136)", "Protocol not supported"),  # UDP-Lite
        ("socket.socket(2, 5, 132)", "Address family not supported by protocol"),  # SCTP
        ("resource.prlimit(os.getppid() or 1, resource.RLIMIT_CPU)", "Operation not permitted"),
    ],
)
def test_what_is_on_no_list_has_no_socket(python: Run, code: str, answer: str) -> None:
    assert attempt(python, code) == answer


@pytest.mark.parametrize("number", [457, 458, 467, 468, 470, 471, 512, 1000, 0x40000000 + 39])
def test_a_call_newer_than_the_list_is_answered_as_by_a_kernel_that_has_none(
    python: Run, number: int
) -> None:
    code = f"print(libc.syscall({number}, 0, 0, 0, 0, 0, 0), os.strerror(ctypes.get_errno()))"
    assert attempt(python, code) == "-1 Function not implemented"


def test_nobody_closes_itself_to_who_watches(python: Run) -> None:
    assert attempt(python, "print(libc.prctl(4, 0, 0, 0, 0), libc.prctl(3, 0, 0, 0, 0))") == "0 1"


def run_program(program: bytes, number: int, *arguments: int) -> int:
    """What the kernel would do for a call: the answer of classic BPF."""
    data = struct.pack("iIQ6Q", number, ARCHITECTURE, 0, *(*arguments, *[0] * (6 - len(arguments))))
    steps = [struct.unpack_from("HBBI", program, place) for place in range(0, len(program), 8)]
    place, value = 0, 0
    while True:
        code, yes, no, operand = steps[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            value = struct.unpack_from("I", data, operand)[0]
        elif code == 0x54:
            value &= operand
        else:
            truth = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            place += yes if truth else no


ARCHITECTURE = 0xC000003E if syscalls.X86_64 else 0xC00000B7
SOCKET = 41 if syscalls.X86_64 else 198
ALLOW = 0x7FFF0000
STREAMS = {(family, 1, protocol) for family in (2, 10) for protocol in (0, 6)}
DATAGRAMS = {(family, 2, protocol) for family in (2, 10) for protocol in (0, 17)}
LOCAL = {(1, kind, protocol) for kind in (1, 2, 5) for protocol in (0, 1)} | {(16, 2, 0), (16, 3, 0)}


@pytest.mark.slow
@pytest.mark.parametrize("datagrams", [True, False])
def test_the_allowed_sockets_are_these_and_no_others(datagrams: bool) -> None:
    program = seccomp.program(datagrams=datagrams)
    allowed = {
        (family, kind, protocol)
        for family in (0, 1, 2, 3, 10, 16, 17, 21, 29, 30, 38, 40, 43, 44)
        for kind in range(16)
        for protocol in (0, 1, 6, 17, 115, 132, 136, 255, 262)
        if run_program(program, SOCKET, family, kind | 0x80800, protocol) == ALLOW
    }
    assert allowed == STREAMS | LOCAL | (DATAGRAMS if datagrams else set())
