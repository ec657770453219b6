"""Kill −9 at any event: the same command, run again, carries on, and nothing is left behind.

CI takes a fixed sample of the events; `make verify` takes every one.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

ADA = ("--student", "ada@uni.edu", "--solution")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def every(last: int, *, sample: int, first: int = 1) -> Iterable[object]:
    """Each event from the first to the last one; all but the sample are for `make verify`."""
    rest = (pytest.param(n, marks=pytest.mark.verify) for n in range(first, last + 1) if n != sample)
    return [sample, *rest]


@pytest.fixture(scope="session")
def standing(new_lab: Callable[[], Any]) -> Iterator[Any]:
    """A lab whose cloud goes on from test to test, one for each worker."""
    made = new_lab()
    assert made.step("01", *ADA).status == 0
    yield made
    made.stop()


@pytest.fixture
def empty(standing: Any) -> Iterator[Any]:
    """The standing lab with nothing deployed, before and after."""
    yield standing
    assert standing.step("10", *ADA).status == 0


@pytest.mark.parametrize("events", every(4, sample=2))
def test_a_killed_generate_is_finished_by_the_next(lab, events: int) -> None:
    lab.kill_after(events, "generate", *ADA)
    assert lab.step("01", *ADA).status == 0


@pytest.mark.parametrize("events", every(64, sample=12))
def test_a_killed_deploy_is_finished_by_the_next(empty, events: int) -> None:
    empty.kill_after(events, "deploy", *ADA)
    assert empty.step("03", *ADA).status == 0
    run = empty.step("05", *ADA)
    assert run.status == 0, [check for check in run.result["checks"] if not check["passed"]]


@pytest.mark.parametrize("events", every(42, sample=8))
def test_a_killed_destroy_is_finished_by_the_next(empty, events: int) -> None:
    assert empty.step("03", *ADA).status == 0
    empty.kill_after(events, "destroy", *ADA)
    run = empty.step("10", *ADA)
    assert run.status == 0, run


@pytest.mark.verify
@pytest.mark.parametrize("events", every(60, sample=20, first=3))
def test_a_killed_cloud_comes_back_and_the_next_deploy_finishes(lab, events: int) -> None:
    lab.step("01", *ADA)
    lab.kill_after(events, "deploy", *ADA, whom=lambda _: lab.cloud_pid())
    run = lab.step("03", *ADA)
    assert run.status == 0, run
    told = (
        "is back with what stood in it",
        "ended without being stopped",
    )  # the other: before anything was kept
    assert any(words in e["text"] for e in run.events for words in told)
    assert lab.step("05", *ADA).status == 0


@pytest.mark.verify
def test_a_cloud_that_is_killed_while_it_starts_is_started_by_the_next(lab, until) -> None:
    lock = lab.base / ".lab" / "cloud" / "lock"

    def starting(_: int) -> int:
        until(lambda: lock.exists() and lock.read_text().endswith("\n"), what="the cloud's process")
        return int(lock.read_text())

    lab.step("01", *ADA)
    assert lab.kill_after(1, "deploy", *ADA, whom=starting)
    assert lab.step("03", *ADA).status == 0


def test_the_killed_clouds_processes_end_with_it(lab, until) -> None:
    lab.step("01", *ADA)
    assert lab.step("03", *ADA).status == 0
    pid = lab.cloud_pid()
    family = descendants(pid)
    assert len(family) > 2, "a warm parent, an instance and its service run below the cloud"
    os.kill(pid, 9)
    until(lambda: not [p for p in family if os.path.exists(f"/proc/{p}")], what="the end of every process")
    state = json.loads(lab.run("cloud", "status", "--json").output.splitlines()[-1])
    assert state["result"] == {"running": False, "lost": True}


@pytest.mark.verify
def test_a_killed_demo_leaves_no_cloud_and_the_next_one_clears_its_folder(lab, until) -> None:
    state = lab.base / ".lab" / "demo" / ".lab" / "cloud"
    clouds: list[int] = []

    def demo(pid: int) -> int:
        clouds.append(int((state / "lock").read_text()))
        return pid

    assert lab.kill_after(12, "demo", whom=demo)
    until(lambda: not (state / "state.json").exists(), what="the end of the demo's cloud")
    until(lambda: not os.path.exists(f"/proc/{clouds[0]}"), what="the end of its process")
    assert lab.run("demo", "--json").status == 0
    assert not (lab.base / ".lab" / "demo").exists()


@pytest.mark.parametrize("events", every(56, sample=14))
def test_ctrl_c_stops_with_one_line_and_the_next_goes_on(lab, events: int) -> None:
    lab.step("01", *ADA)
    process = lab.start("deploy", "--json", *ADA)
    seen = [process.stdout.readline() for _ in range(events)]
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=90)
    assert process.returncode == 130, (seen, output, errors)
    assert "Traceback" not in output + errors
    assert json.loads(output.splitlines()[-1])["error"]["hint"]
    assert lab.step("03", *ADA).status == 0


def test_a_cloud_whose_folder_was_deleted_ends(lab, until) -> None:
    assert lab.run("cloud", "start").status == 0
    pid = lab.cloud_pid()
    # what the cloud itself takes away meanwhile is gone as well
    shutil.rmtree(lab.base / ".lab", ignore_errors=True)
    until(lambda: not os.path.exists(f"/proc/{pid}"), what="the end of the cloud")
    assert not (lab.base / ".lab").exists()


def descendants(pid: int) -> list[int]:
    """Process ids of everything below `pid`."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        for task in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{task}/children") as file:
                children = [int(child) for child in file.read().split()]
            found += children
            todo += children
    return found
