"""What hostile code tries and what comes of it, as the user who runs the tests and as an ordinary one.

The attacks are tests/battery/attacks.py; the program they are aimed at is tests/battery/driver.py.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BATTERY = ROOT / "tests" / "battery"
ORDINARY_UID = 61510
Outcome = dict[str, Any]
Attack = Callable[[str], Outcome]


def python_for(uid: int) -> str:
    """A Python that `uid` may run and that is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, getattr(sys, "_base_executable", ""), "/usr/bin/python3"):
        try:
            done = subprocess.run([python, "-I", "-c", check], user=uid, group=uid, extra_groups=[], cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            return python
    pytest.skip("no Python 3.11 that an ordinary user may run")


def readable_copy(folder: Path) -> Path:
    """What the driver needs, where everybody may read it."""
    for name in ("base", "sandbox"):
        shutil.copytree(ROOT / "labkit" / name, folder / "labkit" / name)
    shutil.copy(ROOT / "labkit" / "__init__.py", folder / "labkit")
    shutil.copytree(BATTERY, folder / "battery")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


class Driver:
    """The program under attack, in its own process."""

    def __init__(
        self,
        python: str,
        home: Path,
        work: Path,
        identity: dict[str, Any],
        tier: str = "namespaces",
        seconds: float = 2,
    ) -> None:
        self._process = subprocess.Popen(
            [python, str(home / "battery" / "driver.py"), str(work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=work,
            env={
                "PYTHONPATH": str(home),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LAB_TIER": tier,
                "BATTERY_SECONDS": str(seconds),
                "GRADER_SECRET": "a-secret-of-the-grader",
                "PATH": "/usr/bin:/bin",
                "HOME": str(work),
            },
            **identity,
        )
        self.uid = self._answer()["uid"]

    def _answer(self) -> Outcome:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the grader is dead"
        return json.loads(line)

    def attack(self, name: str) -> Outcome:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.communicate(timeout=20)
        assert self._process.returncode == 0


@pytest.fixture(scope="module", params=["current user", "ordinary user"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    identity: dict[str, Any] = {}
    python = sys.executable
    if request.param == "ordinary user":
        if os.getuid() != 0:
            pytest.skip("the tests run as an ordinary user already")
        identity = {"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []}
        python = python_for(ORDINARY_UID)
    with tempfile.TemporaryDirectory(prefix="battery-") as folder:
        home = readable_copy(Path(folder))
        work = home / "work"
        work.mkdir()
        if identity:
            os.chown(work, ORDINARY_UID, ORDINARY_UID)
        driver = Driver(python, home, work, identity)
        try:
            yield driver
        finally:
            driver.close()


@pytest.fixture
def attack(driver: Driver) -> Attack:
    """Runs an attack; whatever it was, nothing of it runs on or lies about, and the grader is whole."""

    def run(name: str) -> Outcome:
        outcome = driver.attack(name)
        assert outcome["survivors"] == []
        assert outcome["spilled"] == []
        assert outcome["untouched"]
        assert outcome["said"], outcome["errors"]
        return outcome

    return run


def test_fork_bomb(attack: Attack) -> None:
    assert attack("fork_bomb")["said"][-1]["children"] < 64


def test_endless_loop(attack: Attack) -> None:
    outcome = attack("endless_loop")
    assert outcome["reason"] == "time"
    assert outcome["seconds"] < 4


def test_ignores_every_signal(attack: Attack) -> None:
    outcome = attack("ignores_every_signal")
    assert outcome["reason"] == "time"
    assert outcome["seconds"] < 4


def test_memory_hog(attack: Attack) -> None:
    outcome = attack("memory_hog")
    assert outcome["reason"] == "memory"
    assert outcome["said"][-1]["mib"] <= 1024


def test_memory_hog_in_five_processes(attack: Attack) -> None:
    outcome = attack("memory_hog_in_five_processes")
    # Each child is below the limit; together they are not.
    assert outcome["reason"] == "memory"
    assert {"all_done": True} not in outcome["said"]


def test_hidden_memory(attack: Attack) -> None:
    said = attack("hidden_memory")["said"][-1]
    assert "done" not in said.values()


def test_disk_filler(attack: Attack) -> None:
    assert attack("disk_filler")["said"][-1]["mib"] <= 64


def test_inode_flood(attack: Attack) -> None:
    assert attack("inode_flood")["said"][-1]["files"] < 4096


def test_reads_hidden_tests(attack: Attack) -> None:
    said = attack("reads_hidden_tests")["said"][-1]
    assert said == {"leaks": [], "listed": "FileNotFoundError"}


def test_reads_grader_memory_and_environment(attack: Attack) -> None:
    said = attack("reads_grader_memory_and_environment")["said"][-1]
    assert said == {"leaks": [], "processes": 1}


def test_forges_results(attack: Attack) -> None:
    assert "done" not in attack("forges_results")["said"][-1].values()


def test_kills_the_grader(attack: Attack) -> None:
    assert attack("kills_the_grader")["said"][-1]["kill"] == "ProcessLookupError"


def test_kills_its_process_group(attack: Attack) -> None:
    attack("kills_its_process_group")
    assert attack("kills_the_grader")["reason"] == "exit"  # the next one starts as ever


def test_traces_the_grader(attack: Attack) -> None:
    assert attack("traces_the_grader")["said"][-1]["attach"] == "Operation not permitted"


def test_reaches_the_network(attack: Attack) -> None:
    outcome = attack("reaches_the_network")
    said = outcome["said"][-1]
    assert said["served"] == "SERVED"
    assert "FORBIDDEN" not in said["reached"].values()
    assert said["created"] == []
    assert outcome["datagram"] == ""


@pytest.mark.parametrize(
    "name",
    [
        "goes_round_the_port_rule", "finds_ports", "uses_newer_system_calls", "learns_about_the_machine",
        "takes_over_the_first_process",
    ],
)  # fmt: skip
def test_nothing_of_what_is_tried_gets_through(attack: Attack, name: str) -> None:
    said = attack(name)["said"][-1]
    assert said["through"] == []
    assert said["tried"]


def test_leaves_a_background_process(attack: Attack) -> None:
    outcome = attack("leaves_a_background_process")
    assert outcome["reason"] == "exit"
    assert outcome["seconds"] < 1.5


def test_floods_its_output(driver: Driver) -> None:
    outcome = driver.attack("floods_its_output")
    assert outcome["reason"] == "output"
    assert outcome["kept"] <= 256 << 10
    assert outcome["survivors"] == []


def test_escapes_its_namespaces(attack: Attack) -> None:
    assert attack("escapes_its_namespaces")["said"][-1]["done"] == []
