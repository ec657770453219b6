"""What the filter refuses and what it lets pass, tried inside a sandbox."""

from collections.abc import Callable

import pytest

from labkit.sandbox import seccomp
from labkit.sandbox.capture import Finished

Run = Callable[..., Finished]
SETUP = "import ctypes, mmap, os, socket, fcntl; libc = ctypes.CDLL(None, use_errno=True)\n"


def attempt(python: Run, code: str, **fields: object) -> str:
    wrapped = f"{SETUP}try:\n    {code}\nexcept OSError as error:\n    print(os.strerror(error.errno))\n"
    done = python(wrapped, **fields)
    assert done.code == 0, done.errors.decode()
    return done.output.decode().strip()


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("socket.socket(40, 1)", "Address family not supported by protocol"),
        ("socket.socket(16, 3, 12)", "Address family not supported by protocol"),  # netfilter
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
