"""The limits that the kernel enforces, seen from inside."""

import resource
from collections.abc import Callable

import pytest

from labkit.sandbox.capture import Finished
from labkit.sandbox.kernel.limits import table
from labkit.sandbox.spec import Limits

Run = Callable[..., Finished]


def test_private_memory_gets_room_above_the_watched_limit() -> None:
    assert table(Limits(memory_mb=128))[resource.RLIMIT_DATA] == (512 << 20, 512 << 20)


@pytest.mark.processes
@pytest.mark.parametrize(
    ("name", "limits", "seen"),
    [
        ("RLIMIT_NPROC", Limits(processes=7), (7, 7)),
        ("RLIMIT_NOFILE", Limits(open_files=33), (33, 33)),
        ("RLIMIT_FSIZE", Limits(file_mb=3), (3 << 20, 3 << 20)),
        ("RLIMIT_CPU", Limits(cpu_seconds=5), (5, 6)),
        ("RLIMIT_CORE", Limits(), (0, 0)),
    ],
)
def test_the_process_sees_its_limits(python: Run, name: str, limits: Limits, seen: tuple[int, int]) -> None:
    done = python(f"import resource as r; print(r.getrlimit(r.{name}))", limits=limits)
    assert done.output.decode().strip() == str(seen), done.errors


def test_it_has_no_capability_and_can_t_gain_any(shell: Run) -> None:
    done = shell("grep -e ^Cap -e ^NoNewPrivs -e '^Seccomp:' /proc/self/status")
    values = dict(line.split(":\t") for line in done.output.decode().splitlines())
    assert values.pop("NoNewPrivs") == "1"
    assert values.pop("Seccomp") == "2"
    assert {int(value, 16) for value in values.values()} == {0}


@pytest.mark.slow
def test_cpu_time_runs_out(shell: Run) -> None:
    done = shell("while :; do :; done", limits=Limits(cpu_seconds=1))
    assert (done.code, done.reason) == (-9, "exit")
