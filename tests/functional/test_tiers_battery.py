"""What each tier contains of the battery, and that docs/tiers.md says so.

The whole table is made by `make verify`; LAB_WRITE_DOCS=1 puts it into the document. A sample runs always.
"""

import contextlib
import glob
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional import test_sandbox_battery as battery

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the tiers are Linux's")]
ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "tiers.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
ORDINARY_UID = 61512
Said = dict[str, Any]
Makes = Callable[..., contextlib.AbstractContextManager[Any]]

#: column → (tier, whether the grader is root)
COLUMNS = {
    "namespaces": ("namespaces", False),
    "landlock": ("landlock", False),
    "posix": ("posix", False),
    "posix, as root": ("posix", True),
}


#: attacks that never end by themselves
ENDLESS = {"endless_loop", "ignores_every_signal"}
#: what is ended by who looks from outside: on a busy machine it may look when all is over
WATCHED = {"memory_hog_in_five_processes"}


def _no_done(said: Said) -> bool:
    return "done" not in [value for value in said.values() if isinstance(value, str)]


def _none_through(said: Said) -> bool:
    """Of several ways none led anywhere."""
    return bool(said["tried"]) and said["through"] == []


#: attack → (in words, whether what came out means that it was contained)
ATTACKS: dict[str, tuple[str, Callable[[Said, Said], bool]]] = {
    "fork_bomb": ("fork bomb", lambda out, said: said.get("children", 200) < 200),
    "endless_loop": ("endless loop", lambda out, said: out["reason"] == "time"),
    "ignores_every_signal": ("ignores every signal", lambda out, said: out["reason"] == "time"),
    "memory_hog": ("fills memory", lambda out, said: out["reason"] == "memory" or said.get("mib", 0) <= 1024),
    "memory_hog_in_five_processes": (
        "fills memory, in five processes",
        lambda out, said: "all_done" not in said and out["reason"] == "memory",
    ),
    "hidden_memory": ("hides memory (memory files, shared segments)", lambda out, said: _no_done(said)),
    "disk_filler": ("fills the disk", lambda out, said: said.get("mib", 999) <= 64),
    "inode_flood": ("makes 20,000 files", lambda out, said: said.get("files", 20000) < 4096),
    "reads_hidden_tests": ("reads the grader's files", lambda out, said: said["leaks"] == []),
    "reads_grader_memory_and_environment": (
        "reads the grader's memory and environment", lambda out, said: said["leaks"] == []
    ),
    "forges_results": ("forges results", lambda out, said: _no_done(said) and out["untouched"]),
    "kills_the_grader": ("kills the grader", lambda out, said: said["kill"] != "done"),
    "kills_its_process_group": ("kills its process group", lambda out, said: True),
    "traces_the_grader": ("traces the grader", lambda out, said: said["attach"] != "done"),
    "reaches_the_network": (
        "reaches other ports, or sends datagrams",
        lambda out, said: "FORBIDDEN" not in said["reached"].values() and not said["created"] and not out["datagram"],
    ),
    "goes_round_the_port_rule": (
        "other ports by other protocols, fast open, other calls", lambda out, said: _none_through(said)
    ),
    "finds_ports": ("finds out which ports others listen on", lambda out, said: _none_through(said)),
    "uses_newer_system_calls": ("system calls newer than the kit", lambda out, said: _none_through(said)),
    "learns_about_the_machine": ("tells a grading by what /proc says", lambda out, said: _none_through(said)),
    "takes_over_the_first_process": (
        "takes over process 1 of an instance", lambda out, said: _none_through(said)
    ),
    "leaves_a_background_process": ("leaves a process behind", lambda out, said: out["reason"] == "exit"),
    "floods_its_output": ("floods its output", lambda out, said: out["reason"] == "output"),
    "escapes_its_namespaces": ("namespaces, mounts, bpf, io_uring …", lambda out, said: said["done"] == []),
}  # fmt: skip


@contextlib.contextmanager
def graders(column: str) -> Iterator[Makes]:
    """Makes graders under attack, one at a time: each has its own files and is ended after its attack."""
    tier, as_root = COLUMNS[column]
    identity: dict[str, Any] = {}
    if as_root and os.getuid() != 0:
        pytest.skip("only root can be root")
    if not as_root and os.getuid() == 0:
        identity = {"user": ORDINARY_UID, "group": ORDINARY_UID, "extra_groups": []}
    python = battery.python_for(ORDINARY_UID) if os.getuid() == 0 else sys.executable
    with tempfile.TemporaryDirectory(prefix="battery-") as folder:
        home = battery.readable_copy(Path(folder))

        @contextlib.contextmanager
        def make(seconds: int = 9) -> Iterator[Any]:
            work = Path(tempfile.mkdtemp(dir=home))
            if identity:
                os.chown(work, ORDINARY_UID, ORDINARY_UID)
            driver = battery.Driver(python, home, work, identity, tier, seconds=seconds)
            try:
                yield driver
            finally:
                with contextlib.suppress(AssertionError):
                    driver.close()  # one that was killed ends with its signal

        yield make


def contained(make: Makes, attack: str) -> bool:
    """Whether the attack came to nothing, by what is seen from outside and by its own words."""
    with make() as driver:
        verdict, in_time = _tried(driver, attack, patience=30)
    is_late = not in_time and attack not in ENDLESS
    if is_late or (attack in WATCHED and not verdict):  # on a busy machine
        with make(60) as driver:
            verdict, _ = _tried(driver, attack, patience=90)
    return verdict


def _tried(driver: Any, attack: str, *, patience: float) -> tuple[bool, bool]:
    """Whether it came to nothing, and whether it came to its end."""
    # One that is traced stands still for ever: then it is ended, which is the attack's success.
    watchdog = threading.Timer(patience, driver._process.kill)
    watchdog.start()
    try:
        out = driver.attack(attack)
    except (AssertionError, BrokenPipeError):
        return False, True  # the grader is dead
    finally:
        watchdog.cancel()
    for path in out["spilled"]:
        with contextlib.suppress(OSError):
            os.unlink(path)
    said, in_time = out["said"][-1] if out["said"] else {}, out["reason"] != "time"
    try:
        return ATTACKS[attack][1](out, said) and not out["survivors"] and out["untouched"], in_time
    except KeyError:
        return False, in_time  # it was not over: nothing shows that it failed


@pytest.mark.parametrize("attack", ["reads_hidden_tests", "kills_the_grader", "traces_the_grader"])
def test_landlock_keeps_the_grader_and_its_files_out_of_reach(attack: str) -> None:
    with graders("landlock") as make:
        assert contained(make, attack)


@pytest.mark.verify
@pytest.mark.timeout(900)
def test_the_document_says_what_each_tier_contains() -> None:
    rows = {attack: [text] for attack, (text, _) in ATTACKS.items()}
    for column in COLUMNS:
        with graders(column) as make:
            for attack, row in rows.items():
                row.append("yes" if contained(make, attack) else "**no**")
    lines = [["attack", *COLUMNS], ["---"] * (1 + len(COLUMNS)), *rows.values()]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("LAB_WRITE_DOCS"):
        DOCUMENT.write_text(before + BEGIN + table + END + after, encoding="utf-8")
    else:
        assert written.splitlines() == table.splitlines()
    assert not glob.glob("/tmp/fill_*")


def test_the_document_has_every_attack_and_every_tier() -> None:
    table = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[0] == ["attack", *COLUMNS]
    assert [row[0] for row in rows[2:]] == [text for text, _ in ATTACKS.values()]
