"""One sandbox from start to end, within bounds."""

from collections.abc import Callable

import pytest

from labkit.sandbox.capture import Finished, run
from labkit.sandbox.host import SandboxHost
from labkit.sandbox.spec import SandboxSpec

Run = Callable[..., Finished]


@pytest.mark.processes
def test_both_streams_and_the_code(shell: Run) -> None:
    assert shell("echo out; echo err >&2; exit 3") == Finished(3, "exit", b"out\n", b"err\n")


def test_output_just_before_the_end_is_kept(shell: Run) -> None:
    assert len(shell("head -c 60000 /dev/zero").output) == 60000


def test_closed_streams_do_not_end_it(shell: Run) -> None:
    assert shell("exec >&- 2>&-; sleep 0.1; exit 4").code == 4


def test_too_much_time(shell: Run) -> None:
    done = shell("echo begun; sleep 60", seconds=0.5)
    assert (done.code, done.reason, done.output) == (-9, "time", b"begun\n")


def test_too_much_output_on_either_stream(host: SandboxHost) -> None:
    for redirection in ("", ">&2"):
        spec = SandboxSpec(name="x", command=("/bin/sh", "-c", f"yes {redirection}"))
        done = run(host, spec, seconds=20, output_bytes=1000)
        assert (done.code, done.reason) == (-9, "output")
        assert sorted([len(done.output), len(done.errors)]) == [0, 1000]
