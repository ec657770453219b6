"""Machines that are not as they should be: the whole lab goes through, or says what to do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.verify]
ROOT = Path(__file__).resolve().parents[2]
#: a campus proxy that answers nobody: whatever is sent to it is lost
NOWHERE = "http://127.0.0.1:9"
PROXIES = {
    name: NOWHERE for each in ("http_proxy", "https_proxy", "all_proxy") for name in (each, each.upper())
}


@pytest.mark.parametrize("tier", ["namespaces", "portable"])
def test_proxy_variables_catch_neither_loopback_nor_the_metadata_service(lab: Any, tier: str) -> None:
    done = lab.with_variables(LAB_TIER=tier, **PROXIES).run("demo", "--json", timeout=150)
    assert done.status == 0, done


@pytest.mark.parametrize("tier", ["namespaces", "portable"])
def test_a_home_that_cant_be_written_is_not_needed(lab: Any, tier: str) -> None:
    """Not even root may write below /sys."""
    done = lab.with_variables(LAB_TIER=tier, HOME="/sys/kernel").run("demo", "--json", timeout=150)
    assert done.status == 0, done


@pytest.mark.parametrize("tier", ["namespaces", "landlock", "posix"])
def test_a_path_with_blanks_and_umlauts_in_any_case(tmp_path: Path, tier: str) -> None:
    base = tmp_path / "Öffentliche Ablage" / "mein LAB"
    base.mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(base), "LAB_BASE": str(base), "LANG": "C.UTF-8",
                   "LAB_TIER": tier, "TMPDIR": str(base)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "labkit", "demo", "--json"], cwd=ROOT, env=environment, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can fill a disk of its own")
@pytest.mark.parametrize("tier", ["namespaces", "posix"])
def test_a_full_tmp_is_gone_around(lab: Any, tier: str) -> None:
    """What is small and full stands for it: nothing can be written where temporary files go."""
    full = lab.base / "full"
    full.mkdir()
    script = (
        'mount -t tmpfs -o size=16k none "$1" && dd if=/dev/zero of="$1/all" 2>/dev/null; shift; exec "$@"'
    )
    command = [
        "unshare",
        "-m",
        "sh",
        "-c",
        script,
        "sh",
        str(full),
        sys.executable,
        "-m",
        "labkit",
        "demo",
        "--json",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(lab.base), "LAB_BASE": str(lab.base), "LANG": "C.UTF-8",
                   "LAB_TIER": tier, "TMPDIR": str(full)}  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=150,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
