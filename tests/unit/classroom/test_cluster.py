"""Gradings on a Dask cluster: what travels, who is refused, and that every submission ends with one verdict whoever dies."""

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from labkit.base.errors import LabError
from labkit.base.events import Event, ignore
from labkit.classroom import cluster, courier, porter
from labkit.grading.grade import SELF_CHECK_KEY, Request, seed_of
from labkit.grading.intake import intake
from tests.unit.classroom.rosters import ROOT, pack, result

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
