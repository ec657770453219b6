"""What runs on a platform: who and when as it tells it, a document whatever happens, no key and no solution where students can read."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.base.errors import UsageError
from labkit.classroom.platforms import limits, packing, rehearsing, running
from labkit.classroom.platforms.packing import PLATFORMS, Content
from labkit.classroom.platforms.running import Job
from labkit.classroom.roster import Person, Roster
from labkit.grading.grade import Request
from labkit.grading.model import NO_CHECK, Result, Verdict
from tests.unit.classroom.rosters import ROOT, RUBRIC, pack, result

ADA, KEY = "ada@uni.edu", b"k" * 32
AT = "2025-01-31T22:00:00.000000-08:00"


def metadata(folder: Path, *emails: str, **changes: Any) -> Path:
    """Gradescope's submission_metadata.json."""
    path = folder / "submission_metadata.json"
    value = {
        "id": 1,
        "created_at": AT,
        "users": [{"email": e, "id": 1, "name": e} for e in emails],
        "assignment": {"total_points": "100.0"},
    }
    path.write_text(json.dumps({**value, **changes}))
    return path


def job(tmp_path: Path, platform: str = "gradescope", **more: Any) -> Job:
    folder = tmp_path / "submission"
    if not folder.exists():
        with zipfile.ZipFile(pack(tmp_path / "a.zip", ADA)) as archive:
            archive.extractall(folder)
    key = tmp_path / "grader.key"
    key.write_bytes(KEY)
    return Job(platform, ROOT, folder, tmp_path / "results" / "results.json", **{"key": key, **more})


def graded(lost: dict[str, float | None] | None = None) -> Callable[[Request], Result]:
    def grade(request: Request) -> Result:
        made = result(request.student, lost={name: kept or 0.0 for name, kept in (lost or {}).items()})
        for name, kept in (lost or {}).items():
            if kept is None:
                made = made.with_line(name, Verdict(reason="the disk was full"))
        return made

    return grade


def ran(work: Job, told: Path | None, grade: Callable[[Request], Result], tier: str = "landlock") -> int:
    return running.run(work, told, grade, lambda: tier)


def document(work: Job) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(work.out.read_text())
    return value


def test_gradescope_reads_a_mark_of_whom_and_when_its_metadata_tells(tmp_path: Path) -> None:
    asked: list[Request] = []

    def grade(request: Request) -> Result:
        asked.append(request)
        return graded({"door-open": 0.0})(request)

    work = job(tmp_path)
    assert ran(work, metadata(tmp_path, "ADA@uni.edu"), grade) == 0
    assert (document(work)["score"], sum(test.get("max_score", 0) for test in document(work)["tests"])) == (
        97,
        100,
    )
    assert (asked[0].student, asked[0].key) == (ADA, KEY)
    told = running.read_metadata(tmp_path / "submission_metadata.json")
    assert (told.at, told.total) == ("2025-02-01T06:00:00+00:00", 100)
    assert (tmp_path / "grader.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("emails", "changes", "said"),
    [
        (["bob@uni.edu"], {}, "The pack says ada@uni.edu, and submission_metadata.json says bob@uni.edu"),
        ([ADA], {"assignment": {"total_points": "50.0"}}, "set to 50 points, and marks are out of 100"),
        ([ADA], {"users": None}, "nobody knows whose this is"),
        ([ADA], {"created_at": "2999-01-01T00:00:00Z"}, "which is to come"),
    ],
)
def test_what_nobody_can_decide_there_is_no_mark_and_no_zero(
    tmp_path: Path, emails: list[str], changes: dict[str, Any], said: str
) -> None:
    work = job(tmp_path)
    assert ran(work, metadata(tmp_path, *emails, **changes), graded()) == 75
    assert said in document(work)["output"]
    assert "score" not in document(work)


def test_there_is_a_document_whatever_happens_and_while_it_is_judged(tmp_path: Path) -> None:
    work = job(tmp_path)

    def breaks(request: Request) -> Result:
        assert "did not come to its end" in document(work)["output"]
        raise RuntimeError("ours, with a secret")

    assert ran(work, metadata(tmp_path, ADA), breaks) == 75
    assert "secret" not in work.out.read_text()
    assert ran(work, metadata(tmp_path, ADA), graded({"door-open": None})) == 75
    assert "could not be judged" in document(work)["output"]
    assert "score" not in document(work)


def test_of_a_group_that_hands_in_together_the_pack_is_one_members(tmp_path: Path) -> None:
    (tmp_path / "kit" / "private").mkdir(parents=True)
    for name in ("lab.toml", "templates", "texts", "images", "grader", "steps"):
        (tmp_path / "kit" / name).symlink_to(ROOT / name)
    people = [
        {"id": e, "name": e, "ids": {"email": e, "login": e[:3]}, "group": "red"}
        for e in ("bob@uni.edu", ADA)
    ]
    (tmp_path / "kit" / "private" / "roster.json").write_text(json.dumps({"people": people}))
    work = replace(job(tmp_path), root=tmp_path / "kit")
    assert ran(work, metadata(tmp_path, "bob@uni.edu", ADA), graded()) == 0
    assert ran(work, metadata(tmp_path, "bob@uni.edu"), graded()) == 75
    assert "Whose is it?" in document(work)["output"]


@pytest.mark.parametrize(
    ("platform", "there"),
    [
        ("prairielearn", {"gradable": False}),
        ("github", {"status": "error", "max_score": 0}),
        ("check50", {"slug": "lab"}),
    ],
)
def test_each_platform_has_its_own_word_for_no_mark(
    tmp_path: Path, platform: str, there: dict[str, Any]
) -> None:
    work = job(tmp_path, platform)
    assert ran(work, None, graded({"door-open": None})) == 75
    assert there.items() <= document(work).items()
    assert ran(job(tmp_path, "classroom50"), None, graded({"door-open": None})) == 75
    assert not work.out.exists()  # its runner makes an error of the status


def test_a_look_counts_what_can_be_judged_there_in_whole_points(tmp_path: Path) -> None:
    hidden = {line.id for line in RUBRIC.lines if line.hidden}

    def looks(request: Request) -> Result:
        made = result(request.student, lost={"door-open": 0.0}, keyed=False)
        for name in hidden:
            made = made.with_line(name, Verdict(reason=NO_CHECK))
        return made

    work = job(tmp_path, "github", key=None)
    assert ran(work, None, looks) == 0
    there = sum(line.points for line in RUBRIC.lines if line.id not in hidden)
    told = document(work)
    assert (told["max_score"], sum(test["score"] for test in told["tests"])) == (there, there - 3)
    assert all(isinstance(test["score"], int) and test["test_code"] == "" for test in told["tests"])
    assert ran(job(tmp_path, "classroom50", key=None), None, looks) == 0
    assert (document(work)["max-score"], document(work)["score"]) == (there, there - 3)


def test_two_hand_ins_in_one_are_a_question(tmp_path: Path) -> None:
    work = job(tmp_path)
    for name in ("one.zip", "two.zip"):
        pack(tmp_path / "both" / name, ADA)
    assert ran(replace(work, submission=tmp_path / "both"), metadata(tmp_path, ADA), graded()) == 75
    assert "There are 2 hand-ins" in document(work)["output"]


def test_a_key_that_student_code_could_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = job(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert ran(work, metadata(tmp_path, ADA), graded(), "posix") == 75
    assert "grader key" in document(work)["output"]
    assert ran(work, metadata(tmp_path, ADA), graded(), "landlock") == 0


# ---- What is uploaded -------------------------------------------------------------------------------


def content(key: bytes = KEY) -> Content:
    return Content(
        ROOT,
        RUBRIC,
        {"lab": b"#!/bin/sh\n", "labkit/__init__.py": b""},
        key=key,
        roster=Roster((Person(ADA, "Ada"),)),
    )


def kit_in(files: dict[str, bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(next(data for name, data in files.items() if name.endswith("kit.zip"))))


@pytest.mark.parametrize("name", PLATFORMS)
def test_key_and_solution_go_where_marks_are_made_and_nowhere_else(name: str) -> None:
    platform = PLATFORMS[name]
    files = packing.package(platform, content())
    names = kit_in(files).namelist()
    secret = [each for each in names if each.startswith(("solution/", "grader/hidden/", "private/"))]
    assert bool(secret) == platform.marks
    if platform.marks:
        assert kit_in(files).getinfo("private/grader.key").external_attr >> 16 == 0o600
        with pytest.raises(UsageError, match="no grader key"):
            packing.package(platform, content(key=b""))
    else:
        assert "no mark" in platform.gives
    assert all(KEY not in data for each, data in files.items() if not each.endswith("kit.zip"))
    assert packing.zipped(files) == packing.zipped(packing.package(platform, content()))


def test_gradescopes_programs_lie_at_the_top_and_can_be_run() -> None:
    platform = PLATFORMS["gradescope"]
    with zipfile.ZipFile(
        io.BytesIO(packing.zipped(packing.package(platform, content()), platform.programs))
    ) as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert {name: modes[name] for name in ("setup.sh", "run_autograder")} == {
        "setup.sh": 0o755,
        "run_autograder": 0o755,
    }


def test_check50_gets_a_check_for_each_line() -> None:
    text = packing.package(PLATFORMS["check50"], content())["checks.py"].decode()
    compile(text, "checks.py", "exec")
    assert text.count("@check50.check(judged)") == len(RUBRIC.lines)


@pytest.mark.processes
def test_the_autograder_that_can_not_start_leaves_a_result_without_a_mark(tmp_path: Path) -> None:
    files = packing.package(PLATFORMS["gradescope"], content())
    (tmp_path / "run_autograder").write_bytes(files["run_autograder"])
    done = subprocess.run(
        ["sh", str(tmp_path / "run_autograder")],
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.returncode != 0
    told = json.loads((tmp_path / "results" / "results.json").read_text())
    assert "Not judged" in told["output"]
    assert "score" not in told


@pytest.mark.processes
def test_limits_that_nobody_may_set_are_said_and_whole_processors_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_ROOT", tmp_path / "none")
    with limits.group(768, 0.5) as group:
        assert (group.kept, group.peak_mb()) == (["1 of this machine's processors"], None)
        assert group.not_kept == ["768 MB, 0.5 processors (control groups: No such file or directory)"]
        said = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]
        done = subprocess.run(said, preexec_fn=group.enter, capture_output=True, check=True)
    assert done.stdout.strip() == b"1"


@pytest.mark.verify
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PLATFORMS)
def test_each_package_judges_in_its_platforms_layout(tmp_path: Path, name: str) -> None:
    """The student's view of the reference solution: what it hands in is right, and the rest was not handed in."""
    from labkit.cli.main import main

    (tmp_path / "key").write_bytes(KEY)
    os.environ["LAB_BASE"] = str(tmp_path)
    words = [
        "class",
        "pack",
        name,
        "--to",
        str(tmp_path / "p.zip"),
        "--key",
        str(tmp_path / "key"),
        "--rehearse",
    ]
    try:
        assert main([*words, "--plain"]) == 0
    finally:
        del os.environ["LAB_BASE"]


def test_the_students_view_of_a_document_that_is_none_says_so() -> None:
    for name, view in rehearsing._VIEWS.items():
        told = " ".join(
            view(json.loads(running.not_judged(name, "our disk was full") or b"{}"), "our disk was full")
        )
        assert "our disk was full" in told or "error" in told
