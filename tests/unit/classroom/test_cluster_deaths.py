"""Gradings on a Dask cluster, whoever dies or hangs: every submission ends with its one right verdict."""

import os
import shutil
import signal
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.base.events import ignore
from labkit.classroom import cluster, engine, grading
from labkit.classroom.ledger import Ledger
from tests.conftest import wait_until
from tests.submissions.making import files_of
from tests.unit.classroom.clusters import Apart, kit, python_for_anybody, run, work
from tests.unit.classroom.rosters import pack
from tests.unit.classroom.test_class_grading import WANTED, handed_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]
#: an ordinary user that every machine has
_NOBODY = 65534


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("in") / "a.zip", "ada@uni.edu")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    processes = Apart(tmp_path)
    yield processes
    processes.end()


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(tmp_path: Path, submission: Path) -> None:
    """Two workers; one of the submissions kills the worker that grades it, the first time."""
    died = work("b+die", submission, str(tmp_path / "died"))
    works = [work("a", submission), died, *(work(f"c{n}", submission) for n in range(6))]
    with cluster.open_cluster("", 2, 4, ignore, kit()) as reached:
        done = run(reached, works)
    assert (tmp_path / "died").exists()
    assert {name: each.error for name, each in done.items()} == {each.label: "" for each in works}
    assert {each.result.about["size"] for each in done.values() if each.result} == {submission.stat().st_size}


@pytest.mark.verify
def test_a_worker_that_comes_in_the_place_of_the_only_one_goes_on(
    tmp_path: Path, submission: Path, apart: Apart
) -> None:
    address, _ = apart.scheduler()
    first = apart.worker(address)
    dies = work("a+die", submission, str(tmp_path / "died"))

    def replaces() -> None:
        first.wait()
        apart.worker(address)

    successor = threading.Thread(target=replaces)
    with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
        successor.start()
        done = run(reached, [dies, work("b", submission)])
    successor.join()
    assert {name: each.error for name, each in done.items()} == {"a+die": "", "b": ""}


@pytest.mark.verify
@pytest.mark.parametrize("what", ["hang", "eat"])
def test_a_grading_that_hangs_or_takes_all_memory_is_begun_again(
    tmp_path: Path, submission: Path, apart: Apart, what: str
) -> None:
    """Two workers with 2 GB for data each; what shared a porter with it is judged, too, each once."""
    address, _ = apart.scheduler()
    for _ in range(2):
        apart.worker(address, "prlimit", f"--data={2 << 30}")
    works = [
        work(f"z+{what}", submission, str(tmp_path / "once")),
        *(work(f"c{n}", submission) for n in range(5)),
    ]
    with cluster.open_cluster(address, 0, 0, ignore, kit(), longest=5) as reached:
        done = run(reached, works)
    assert (tmp_path / "once").exists()
    assert {name: each.error for name, each in done.items()} == {each.label: "" for each in works}
    assert sorted(each.result.about["student"] for each in done.values() if each.result) == [
        *(f"c{n}" for n in range(5)), "z",
    ]  # fmt: skip


@pytest.mark.verify
def test_what_takes_all_memory_every_time_is_not_judged_and_no_zero(
    tmp_path: Path, submission: Path, apart: Apart
) -> None:
    address, _ = apart.scheduler()
    for _ in range(2):
        apart.worker(address, "prlimit", f"--data={2 << 30}")
    eats = work("z+eat+always", submission, str(tmp_path / "often"))
    others = [work(f"c{n}", submission) for n in range(5)]
    with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
        done = run(reached, [*others, eats])
    assert {name: each.error for name, each in done.items() if each.error} == {
        eats.label: "RuntimeError: the porter has ended"
    }
    assert done[eats.label].again


@pytest.mark.verify
def test_a_worker_that_stands_still_is_given_up(tmp_path: Path, submission: Path, apart: Apart) -> None:
    address, _ = apart.scheduler(DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="5s")
    for _ in range(2):
        apart.worker(address)
    works = [
        work("z+stop", submission, str(tmp_path / "stopped")),
        *(work(f"c{n}", submission) for n in range(3)),
    ]
    with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
        done = run(reached, works)
    assert {name: each.error for name, each in done.items()} == {each.label: "" for each in works}
    os.kill(int((tmp_path / "stopped").read_text()), signal.SIGCONT)


@pytest.mark.verify
@pytest.mark.parametrize("restarts", [True, False])
def test_a_scheduler_that_is_lost_loses_no_verdict_and_the_next_run_ends_the_work(
    tmp_path: Path, submission: Path, apart: Apart, restarts: bool
) -> None:
    """Killed, with its workers, or alone and begun again at the same address, with new workers."""
    found = [replace(each, source=submission, sha256="") for each in handed_in("a", "b", "c")]
    waits = replace(handed_in("z")[0], source=submission, sha256="", student="z+wait")
    address, scheduler = apart.scheduler()
    workers = [apart.worker(address) for _ in range(2)]
    port, trace = int(address.rpartition(":")[2]), tmp_path / "waits"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        plan = grading.plan([*found, waits], ledger, WANTED)
        works = tuple(
            replace(each, request=replace(each.request, seed=str(trace) if each.label == "z.zip" else "00"))
            for each in plan.works
        )

        def loses_it() -> None:
            wait_until(
                lambda: trace.exists() and len(ledger.verdicts()) == 3, seconds=90, what="three verdicts"
            )
            for process in [scheduler] if restarts else [scheduler, *workers]:
                process.send_signal(signal.SIGKILL)
                process.wait()
            if restarts:
                apart.scheduler(port=port)
                apart.worker(address)

        killer = threading.Thread(target=loses_it)
        killer.start()
        with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
            outcome = grading.carry_out(
                replace(plan, works=works), ledger, reached.submit, reached.ahead, ignore
            )
        killer.join()
        assert (len(outcome.judged), [each.work.label for each in outcome.failed]) == (3, ["z.zip"])
        if not restarts:
            address, _ = apart.scheduler()
            apart.worker(address)
        again = grading.plan([*found, replace(waits, student="z")], ledger, WANTED)
        assert [each.label for each in again.works] == ["z.zip"]
        with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
            assert len(grading.carry_out(again, ledger, reached.submit, reached.ahead, ignore).judged) == 1
        assert sorted(row.key.student for row in ledger.verdicts()) == ["a", "b", "c", "z"]


@pytest.fixture
def nobodys() -> Iterator[tuple[Apart, list[str], str]]:
    """Processes in a place that everybody reaches, what makes one of another user's, and that user's Python."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("only root begins processes as somebody else")
    place = Path(tempfile.mkdtemp(prefix="lab-apart-"))  # pytest's own folders are for their owner alone
    place.chmod(0o755)
    if not (python := python_for_anybody(place / "python")):
        pytest.skip("no Python of this version that everybody may run")
    processes = Apart(place)
    user = str(_NOBODY)
    yield processes, ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"], python
    processes.end()
    shutil.rmtree(place)


@pytest.mark.verify
def test_a_submission_is_judged_by_an_ordinary_users_worker_as_it_is_here(
    tmp_path: Path, nobodys: tuple[Apart, list[str], str]
) -> None:
    """The real kit, unpacked by a worker of another user: the reference solution loses nothing there that it does not lose here."""
    apart, as_nobody, python = nobodys
    source = tmp_path / "a.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for name, text in files_of("ada@uni.edu", "right").items():
            archive.writestr(name, text)
    here = work("ada@uni.edu", source, "00" * 32)
    with engine.embedded(1) as submit:
        (own,) = engine.run([here], submit, 1)
    address, _ = apart.scheduler()
    worker = apart.worker(address, *as_nobody, python=python)
    with cluster.open_cluster(address, 0, 0, ignore) as reached:
        assert Path(f"/proc/{worker.pid}").stat().st_uid == _NOBODY
        (there,) = engine.run([here], reached.submit, 1)
    assert own.result is not None
    assert there.result is not None, there.error
    assert [(line.id, line.verdict.outcome, line.earned) for line in there.result.lines] == [
        (line.id, line.verdict.outcome, line.earned) for line in own.result.lines
    ]
