"""Gradings on a Dask cluster: what travels, who is refused, and that every submission ends with one verdict whoever dies."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.base.errors import LabError
from labkit.base.events import Event, ignore
from labkit.classroom import cluster, courier, engine, grading, porter
from labkit.classroom.engine import Done, Work
from labkit.classroom.ledger import Key, Ledger
from labkit.grading.grade import SELF_CHECK_KEY, Request, seed_of
from labkit.grading.intake import intake
from labkit.grading.model import to_json
from tests.conftest import wait_until
from tests.submissions.making import files_of
from tests.unit.classroom.rosters import ROOT, pack, result
from tests.unit.classroom.test_class_grading import WANTED, handed_in

#: a porter that needs nothing of the kit: it answers, or ends its worker first, or waits, as the student's name says
_PORTER = """
import base64, json, os, signal, sys, time
from pathlib import Path
answer = json.loads(Path(__file__).with_name("answer.json").read_text())
print("ready", file=sys.stderr)
for line in sys.stdin:
    parcel = json.loads(line)
    student, *more = parcel["student"].split("+")
    if "die" in more:
        trace = Path(parcel["seed"])
        if not trace.exists():
            trace.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            os._exit(1)
    if "wait" in more:
        Path(parcel["seed"]).touch()
        time.sleep(600)
    about = {**answer["about"], "student": student, "size": len(base64.b64decode(parcel["submission"])), "pid": os.getpid()}
    print(json.dumps({"number": parcel["number"], "result": {**answer, "about": about}}), flush=True)
"""


def kit() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {
            "labkit/__init__.py": "", "labkit/classroom/__init__.py": "", "labkit/classroom/porter.py": _PORTER,
            "labkit/classroom/answer.json": json.dumps(to_json(result())),
        }.items():  # fmt: skip
            archive.writestr(zipfile.ZipInfo(f"{name}"), text)
    return buffer.getvalue()


def work(name: str, source: Path, seed: str = "00") -> Work:
    return Work(
        Key(f"hash-{name}", name, "cloudformation", "1", "r", "c", "k"),
        name,
        Request(ROOT, name, source, seed=seed),
    )


def run(reached: cluster.Cluster, works: list[Work]) -> dict[str, Done]:
    return {done.work.label: done for done in engine.run(works, reached.submit, reached.ahead)}


# ---- what travels -----------------------------------------------------------------------------------


def test_the_grader_key_stays_and_its_seed_goes(tmp_path: Path) -> None:
    source = pack(tmp_path / "a.zip", "ada@uni.edu")
    request = Request(ROOT, "ada@uni.edu", source, key=b"s" * 32, seed=seed_of(b"s" * 32, "hash"))
    parcel = json.dumps(cluster.packed(request))
    assert request.seed in parcel
    assert (b"s" * 32).decode() not in parcel
    assert (b"s" * 32).hex() not in parcel


def test_what_is_judged_there_says_whether_a_key_was_there() -> None:
    asked: list[Request] = []

    def notes(request: Request) -> Any:
        asked.append(request)
        return result()

    for key in (SELF_CHECK_KEY, b"s" * 32):
        porter.graded(
            {**cluster.packed(Request(ROOT, "a", Path(__file__).parent, key=key, seed="00")), "number": 1},
            notes,
        )
    assert [request.key == SELF_CHECK_KEY for request in asked] == [True, False]


def test_a_folder_has_the_same_hash_there(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with zipfile.ZipFile(pack(tmp_path / "a.zip", "ada@uni.edu")) as archive:
        archive.extractall(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "big").write_bytes(os.urandom(1000))
    seen: list[str] = []

    def notes(request: Request) -> Any:
        seen.append(intake.take_in(request.source, tmp_path / "taken").sha256)
        return result()

    porter.graded({**cluster.packed(Request(ROOT, "a", folder)), "number": 1}, notes)
    assert seen == [intake.take_in(folder, tmp_path / "here").sha256]


def test_the_kit_that_travels_has_what_judges_and_is_the_same_each_time() -> None:
    data = cluster.packed_kit(ROOT)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    for needed in (
        "labkit/grading/grade.py",
        "labkit/classroom/porter.py",
        "lab.toml",
        "labkit/classroom/schema.sql",
    ):
        assert needed in names
    assert any(name.startswith("grader/hidden/") for name in names)
    assert any(name.startswith("solution/") for name in names)
    assert not any("__pycache__" in name or name.startswith((".lab", "work/", "tests/")) for name in names)
    assert data == cluster.packed_kit(ROOT)


def test_the_porter_answers_each_parcel_and_its_trouble_is_an_answer() -> None:
    def some(request: Request) -> Any:
        if request.student == "bad":
            raise LabError("the disk is full")
        if request.student == "worse":
            raise RuntimeError("ours")
        return result(request.student)

    parcels = [
        json.dumps({**cluster.packed(Request(ROOT, name, Path(__file__).parent)), "number": n})
        for n, name in enumerate(("good", "bad", "worse"))
    ]  # fmt: skip
    out = io.StringIO()
    porter.answer(io.StringIO("\n".join(parcels) + "\n"), out, some)
    told = {each["number"]: each for each in map(json.loads, out.getvalue().splitlines())}
    assert told[0]["result"]["about"]["student"] == "good"
    assert (told[1]["error"], told[1]["again"]) == ("the disk is full", True)
    assert told[2]["error"] == "RuntimeError: ours"


# ---- who is refused ---------------------------------------------------------------------------------


class Told:
    """A client whose workers say this of themselves."""

    def __init__(self, **workers: Mapping[str, str]) -> None:
        self._workers = workers

    def wait_for_workers(self, count: int, timeout: str) -> None:
        """They are there."""

    def run(self, _: Callable[[], object]) -> Mapping[str, Mapping[str, str]]:
        return self._workers


def test_workers_of_other_versions_get_no_work_and_are_named() -> None:
    here = courier.circumstances()
    heard: list[Event] = []
    assert cluster._fitting(Told(good=here, old={**here, "moto": "4.0"}), courier, heard.append) == ["good"]
    assert "moto 4.0 (here" in heard[0].text
    with pytest.raises(cluster.ClusterLost, match="versions"):
        cluster._fitting(Told(old={**here, "python": "3.9"}), courier, ignore)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_said() -> None:
    with pytest.raises(cluster.ClusterLost, match="No Dask scheduler answers"):
        with cluster.open_cluster("tcp://127.0.0.1:9", 0, 1, ignore, patience="2s"):
            pass


# ---- whoever dies -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("in") / "a.zip", "ada@uni.edu")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_in_the_middle_costs_nothing(tmp_path: Path, submission: Path) -> None:
    """Two workers; one of the submissions kills the worker that grades it, the first time."""
    works = [
        work("a", submission),
        work("b+die", submission, str(tmp_path / "died")),
        *(work(f"c{n}", submission) for n in range(6)),
    ]
    with cluster.open_cluster("", 2, 4, ignore, kit()) as reached:
        done = run(reached, works)
    assert (tmp_path / "died").exists()
    assert {name: each.error for name, each in done.items()} == {each.label: "" for each in works}
    assert {each.result.about["size"] for each in done.values() if each.result} == {submission.stat().st_size}


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Callable[[], tuple[str, list["subprocess.Popen[bytes]"]]]]:
    """A scheduler and two workers as processes of their own, each in a folder of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin() -> tuple[str, list["subprocess.Popen[bytes]"]]:
        told = tmp_path / f"scheduler-{len(begun)}.json"
        command = [
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--port",
            "0",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        own = [subprocess.Popen([*command, "--scheduler-file", str(told)], cwd=tmp_path, **quiet)]  # type: ignore[call-overload]
        wait_until(lambda: told.exists() and told.read_text().strip(), seconds=60, what="the scheduler")
        address = json.loads(told.read_text())["address"]
        for name in ("one", "two"):
            folder = tmp_path / f"{name}-{len(begun)}"
            folder.mkdir()
            worker = [
                sys.executable,
                "-m",
                "distributed.cli.dask_worker",
                address,
                "--nthreads",
                "2",
                "--no-nanny",
                "--no-dashboard",
            ]
            own.append(
                subprocess.Popen(
                    [*worker, "--local-directory", str(folder), "--memory-limit", "0"], cwd=folder, **quiet
                )
            )  # type: ignore[call-overload]
        begun.extend(own)
        return address, own

    yield begin
    for process in begun:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_lost_loses_no_verdict_and_the_next_run_ends_the_work(
    tmp_path: Path, submission: Path, apart: Callable[[], tuple[str, list["subprocess.Popen[bytes]"]]]
) -> None:
    found = [replace(each, source=submission, sha256="") for each in handed_in("a", "b", "c")]
    waits = replace(handed_in("z")[0], source=submission, sha256="", student="z+wait")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        address, processes = apart()
        plan = grading.plan([*found, waits], ledger, WANTED)
        trace = tmp_path / "waits"
        works = tuple(
            replace(each, request=replace(each.request, seed=str(trace) if each.label == "z.zip" else "00"))
            for each in plan.works
        )

        def loses_it() -> None:
            wait_until(
                lambda: trace.exists() and len(ledger.verdicts()) == 3, seconds=90, what="three verdicts"
            )
            for process in processes:
                process.send_signal(signal.SIGKILL)

        killer = threading.Thread(target=loses_it)
        killer.start()
        with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
            outcome = grading.carry_out(
                replace(plan, works=works), ledger, reached.submit, reached.ahead, ignore
            )
        killer.join()
        assert (len(outcome.judged), [each.work.label for each in outcome.failed]) == (3, ["z.zip"])
        address, _ = apart()
        again = grading.plan([*found, replace(waits, student="z")], ledger, WANTED)
        assert [each.label for each in again.works] == ["z.zip"]
        with cluster.open_cluster(address, 0, 0, ignore, kit()) as reached:
            assert len(grading.carry_out(again, ledger, reached.submit, reached.ahead, ignore).judged) == 1


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")
def test_a_submission_is_judged_there_as_it_is_here(tmp_path: Path) -> None:
    """The real kit, unpacked by a worker: the reference solution loses nothing there that it does not lose here."""
    source = tmp_path / "a.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for name, text in files_of("ada@uni.edu", "right").items():
            archive.writestr(name, text)
    here = work("ada@uni.edu", source, "00" * 32)
    with engine.embedded(1) as submit:
        (own,) = engine.run([here], submit, 1)
    with cluster.open_cluster("", 1, 1, ignore) as reached:
        (there,) = engine.run([here], reached.submit, 1)
    assert own.result is not None
    assert there.result is not None
    assert [(line.id, line.verdict.outcome, line.earned) for line in there.result.lines] == [
        (line.id, line.verdict.outcome, line.earned) for line in own.result.lines
    ]
