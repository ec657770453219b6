"""What a test run leaves behind when it is killed: nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import labkit

ROOT = Path(labkit.__file__).resolve().parent.parent
pytestmark = pytest.mark.slow
#: a test run that starts a cloud, says which process it is, and goes on for ever
RUN = """
import signal, sys
from pathlib import Path
from tests.functional.conftest import Lab
lab = Lab(Path(sys.argv[1]))
assert lab.run("cloud", "start").status == 0
print(lab.cloud_pid(), flush=True)
signal.pause()
"""


def test_no_cloud_outlives_a_killed_test_run(tmp_path: Path, until: Callable[..., None]) -> None:
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        cloud = int(run.stdout.readline())
        assert json.loads((tmp_path / ".lab/cloud/state.json").read_text())["pid"] == cloud
        os.kill(run.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{cloud}").exists(), what="the end of its cloud")
