"""`lab help-me` and `lab ta`: one zip without secrets, opened beside one's own work, with one screen on it."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.base import last_errors
from labkit.base.errors import LabError
from labkit.cli.main import main
from labkit.course.workspace import Workspaces
from tests.submissions.making import files_of
from tests.unit.classroom.rosters import LAB, pack

ADA = "ada@uni.edu"
SECRET = "wJalrXUtnFEMI-bPxRfiCYEXAMPLEKEY"

Lab = Callable[..., tuple[int, str]]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    monkeypatch.setenv("LAB_BASE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    monkeypatch.setenv("MY_API_TOKEN", SECRET)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        status = main([*words])
        return status, capsys.readouterr().out

    return run


def sent(path: Path, files: dict[str, str], stuck: bool = True) -> Path:
    """A pack of somebody who stands still at step 04."""
    at = {"at": "2027-01-30T10:00:00+00:00", "fingerprint": ""}
    trouble = {
        "stuck": {"step": "04", "check": "hop 4 of 7, door", "reason": "\x1b[31mred", "tries": 3},
        "given": 4,
    }
    more = {
        "record/workspace.json": json.dumps(
            {"steps": {"01": at, "03": {**at, "at": "2027-01-30T12:10:00+00:00"}}}
        ),
        "record/trouble.json": json.dumps(trouble if stuck else {"stuck": [1], "given": "many"}),
    }
    return pack(path, ADA, more={**files, **more})


# ---- the one who asks -------------------------------------------------------------------------------


@pytest.mark.processes
def test_the_help_zip_has_files_errors_and_findings_and_no_secret(lab: Lab, tmp_path: Path) -> None:
    workspace = Workspaces(tmp_path, LAB).generate(ADA).workspace
    (workspace.path / "answers.md").write_text(
        f"I pasted {SECRET} and AKIAIOSFODNN7EXAMPLE from {tmp_path.parent}/notes\n"
    )
    (tmp_path / ".lab").mkdir()
    assert lab("deploy", "--nonsense")[0] == 2
    status, out = lab("help-me")
    assert status == 0
    assert "taken out of answers.md: 1 × a secret of this machine, 1 × an AWS key id" in out
    assert out.index("help/errors.txt") < out.index("✓ work/help-")  # shown before it is written
    with zipfile.ZipFile(next((tmp_path / "work").glob("help-*.zip"))) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"flask_app.py", "manifest.json", "help/doctor.txt", "help/machine.txt", "help/list.txt"} <= set(
        texts
    )
    assert "does not take: --nonsense" in texts["help/errors.txt"]
    whole = "\n".join(texts.values())
    for secret in (SECRET, "AKIAIOSFODNN7EXAMPLE", str(tmp_path.parent)):
        assert secret not in whole
    assert "flask_app.py" in texts["help/list.txt"]


@pytest.mark.processes
def test_help_is_there_before_there_are_files_of_ones_own(lab: Lab, tmp_path: Path) -> None:
    assert lab("help-me")[0] == 0
    assert "help/doctor.txt" in zipfile.ZipFile(tmp_path / "work" / "help-lab.zip").namelist()


def test_the_last_errors_are_kept_and_only_they(tmp_path: Path) -> None:
    last_errors.note(tmp_path / "none", ["deploy"], LabError("there is no lab here"))
    for number in range(30):
        last_errors.note(tmp_path, ["deploy"], LabError(f"number {number}"))
    kept = last_errors.read(tmp_path)
    assert [kept[0].message, kept[-1].message, len(kept)] == ["number 10", "number 29", 20]
    (tmp_path / "errors.json").write_text('{"errors": 7}')
    assert last_errors.read(tmp_path) == []


# ---- the one who helps ------------------------------------------------------------------------------


def test_a_pack_is_looked_at_beside_ones_own_work_and_closed(lab: Lab, tmp_path: Path) -> None:
    own = Workspaces(tmp_path, LAB).generate("ta@uni.edu").workspace
    before = (own.hashes(), (tmp_path / "work" / "current").read_text())
    status, out = lab(
        "ta", "open", str(sent(tmp_path / "a.zip", files_of(ADA, "M02-another-port"))), "--look"
    )
    assert status == 0
    assert "ada@uni.edu  own values" in out
    assert "hints 4 | steps over 2 h 10" in out
    assert "stopped at 04: hop 4 of 7, door (3 tries)" in out
    assert "gaps 1 2 3 4 5 6 7 8 9 10" in out
    assert "\x1b[31mred" not in out
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("Its files"))
    assert "ada@uni.edu-" in lab("ta")[1]
    base = os.environ["LAB_BASE"]
    assert "server-door" in lab("ta", "in", "ada", "gap")[1]
    assert os.environ["LAB_BASE"] == base
    assert (own.hashes(), (tmp_path / "work" / "current").read_text()) == before
    assert lab("ta", "close", "ada")[0] == 0
    assert not list((tmp_path / ".lab" / "ta").iterdir())


def test_what_was_changed_there_stays_until_it_is_wanted_anew(lab: Lab, tmp_path: Path) -> None:
    source = str(sent(tmp_path / "a.zip", {}, stuck=False))
    assert "as given: 1 2 3" in lab("ta", "open", source, "--look")[1]
    app = next((tmp_path / ".lab" / "ta").glob("*/work/*/flask_app.py"))
    app.write_text("changed")
    assert "as you left it" in lab("ta", "open", source, "--look")[1]
    assert app.read_text() == "changed"
    lab("ta", "open", source, "--look", "--anew")
    assert app.read_text() != "changed"


def test_a_shared_screen_has_no_name_and_a_help_zip_tells_its_errors(lab: Lab, tmp_path: Path) -> None:
    more = {
        "help/errors.txt": "2027  ./lab deploy\n  the bucket is gone\n",
        "help/doctor.txt": "ok    disk: 9 GB\nbad   python: 3.8\n",
    }
    out = lab("ta", "open", str(sent(tmp_path / "a.zip", more)), "--look", "--safe")[1]
    assert ADA not in out
    assert "the bucket is gone" in out
    assert "DOCTOR" in out
    assert "python: 3.8" in out
    assert "disk" not in out


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"main.tf": 'resource "null_resource" "x" {\n  provisioner "local-exec" { command = "id" }\n}\n'},
            "nothing of it ran",
        ),
        ({"../evil": "x"}, "leads elsewhere"),
    ],
)
def test_what_is_refused_is_not_opened(lab: Lab, tmp_path: Path, files: dict[str, str], said: str) -> None:
    status, out = lab("ta", "open", str(sent(tmp_path / "a.zip", files)))
    assert status in (2, 3)
    assert said in out
    assert not (tmp_path / ".lab" / "ta").exists()


@pytest.mark.slow
def test_where_it_stops_is_found_in_a_cloud_of_its_own(lab: Lab, tmp_path: Path) -> None:
    source = sent(tmp_path / "a.zip", files_of(ADA, "M14-bucket-arn"))
    try:
        out = lab("ta", "open", str(source))[1]
    finally:
        assert lab("ta", "close", "ada")[0] == 0
    assert "health ✓ > store ✗" in out
    assert "s3:PutObject" in out
    assert "GAP       server-policy" in out
    assert not (tmp_path / ".lab" / "cloud").exists()
