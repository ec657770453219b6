"""A process that can't be looked into is measured all the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.sandbox.memory import exact, upper_bound

ORDINARY_UID = 61514
LOOK = (
    "import sys; sys.path.insert(0, sys.argv[1]); from labkit.sandbox.memory import exact, upper_bound; "
    "print(exact(int(sys.argv[2])), upper_bound(int(sys.argv[2])))"
)
HOLD = "import ctypes; ctypes.CDLL(None).prctl(4, 0); kept = b'1' * (64 << 20); print(1, flush=True); input()"


def python_of_all() -> str:
    for python in (getattr(sys, "_base_executable", ""), "/usr/bin/python3"):
        try:
            if not subprocess.run(
                [python, "-I", "-c", ""], user=ORDINARY_UID, cwd="/", check=False
            ).returncode:
                return python
        except OSError:
            continue
    pytest.skip("no Python that an ordinary user may run")


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="root becomes an ordinary user")
def test_a_process_that_closes_itself_counts_as_if_alone() -> None:
    home = Path("/var/tmp") / f"lab-test-{os.getpid()}"
    package = Path(__file__).resolve().parents[3] / "labkit"
    try:
        (home / "labkit/sandbox").mkdir(parents=True)
        for name in ("__init__.py", "sandbox/__init__.py", "sandbox/memory.py"):
            shutil.copy(package / name, home / "labkit" / name)
        identity = {"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": [], "cwd": "/"}
        python = python_of_all()
        with subprocess.Popen(
            [python, "-I", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **identity
        ) as closed:
            assert closed.stdout is not None
            closed.stdout.readline()
            look = [python, "-I", "-c", LOOK, str(home), str(closed.pid)]
            seen = subprocess.run(look, capture_output=True, text=True, check=True, **identity).stdout.split()
            closed.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    assert int(seen[0]) == int(seen[1]) >= 64 << 20


def test_what_both_say_of_an_open_process() -> None:
    assert 0 < exact(os.getpid()) <= upper_bound(os.getpid())
