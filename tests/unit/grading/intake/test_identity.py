"""Whose a pack is and which engine made it is what it says itself; a contradiction is a question."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from labkit.base.errors import UsageError
from labkit.course import manifest
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.grading import history
from labkit.grading.intake.identity import Settled, claims, settle, times
from tests.submissions import making

LAB = manifest.load(making.ROOT)
ADA = "ada@uni.edu"
VALUES = make_variant(LAB.salt, ADA).values()
FRESH = Renderer(LAB.root, LAB.files).render(VALUES)
SOLVED = Renderer(LAB.root, LAB.files).render(VALUES, solution=True)
TEMPLATE, MAIN = "cloudformation-template.yaml", "main.tf"


def pack(path: Path, files: dict[str, str], **says: Any) -> Path:
    """A zip with these files, and a manifest that says this."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        if says:
            archive.writestr("manifest.json", json.dumps(says))
    return path


def folder(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_student_and_engine_are_what_the_pack_says(tmp_path: Path) -> None:
    source = pack(tmp_path / "s.zip", SOLVED, student=ADA, engine="terraform")
    assert settle(source, None, None, LAB) == Settled(ADA, "terraform", "pack")
    assert settle(source, "Ada@Uni.edu ", "terraform", LAB).student == ADA
    inside = tmp_path / "t.zip"
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("ada/manifest.json", json.dumps({"student": ADA, "engine": "terraform"}))
        archive.writestr("ada/main.tf", "x")
    assert settle(inside, None, None, LAB) == Settled(ADA, "terraform", "pack")


def test_a_contradiction_is_a_question_that_names_both_and_can_be_answered(tmp_path: Path) -> None:
    source = pack(tmp_path / "s.zip", SOLVED, student=ADA, engine="terraform")
    with pytest.raises(
        UsageError, match=r"s\.zip is ada@uni\.edu's, as it says itself; you said ada\b"
    ) as error:
        settle(source, "ada", None, LAB)
    assert error.value.exit_status == 2
    with pytest.raises(UsageError, match="made with Terraform, as it says itself; you said CloudFormation"):
        settle(source, ADA, "cloudformation", LAB)
    assert settle(source, "ada", "cloudformation", LAB, anyway=True) == Settled(
        "ada", "cloudformation", "typed"
    )


@pytest.mark.parametrize(
    "says",
    [{"student": 5}, {"student": "../etc"}, {"student": ["a"]}, {"other": 1}, {"student": "", "engine": {}}],
)
def test_a_manifest_of_another_form_says_nothing(tmp_path: Path, says: dict[str, Any]) -> None:
    source = pack(tmp_path / "s.zip", {TEMPLATE: SOLVED[TEMPLATE], MAIN: FRESH[MAIN]}, **says)
    assert settle(source, ADA, None, LAB) == Settled(ADA, "cloudformation", "files")
    with pytest.raises(UsageError, match="Whose submission is it"):
        settle(source, None, None, LAB)


def test_a_manifest_that_is_no_json_says_nothing(tmp_path: Path) -> None:
    for number, text in enumerate(("", "[" * 9000, "\x00", '{"student": "ada@uni.edu"')):
        source = pack(tmp_path / f"{number}.zip", {"manifest.json": text})
        assert claims(source).student == ""


def test_without_a_manifest_the_engine_is_the_one_whose_file_alone_was_written(tmp_path: Path) -> None:
    cases = {
        "terraform": {TEMPLATE: FRESH[TEMPLATE], MAIN: SOLVED[MAIN]},
        "cloudformation": {TEMPLATE: SOLVED[TEMPLATE], MAIN: FRESH[MAIN].replace("\n", "\r\n")},
    }
    for engine, files in cases.items():
        for source in (pack(tmp_path / f"{engine}.zip", files), folder(tmp_path / engine, files)):
            assert settle(source, ADA, None, LAB) == Settled(ADA, engine, "files")
    only = folder(tmp_path / "only", {MAIN: SOLVED[MAIN]})
    assert settle(only, ADA, None, LAB).engine == "terraform"


def test_a_zip_with_both_written_and_no_manifest_is_asked_about_and_a_folder_has_the_usual_engine(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="Which was it made with"):
        settle(pack(tmp_path / "s.zip", SOLVED), ADA, None, LAB)
    assert settle(pack(tmp_path / "t.zip", SOLVED), ADA, "terraform", LAB).how == "typed"
    assert settle(folder(tmp_path / "s", SOLVED), ADA, None, LAB) == Settled(ADA, "cloudformation", "usual")


def test_when_it_was_packed_and_handed_in_is_told(tmp_path: Path) -> None:
    steps = {
        "03": {"at": "2027-01-30T10:00:00+01:00"},
        "10": {"at": "2027-01-31T09:00:00+00:00"},
        "x": {"at": "no"},
        "y": 1,
    }
    source = pack(tmp_path / "s.zip", SOLVED, student=ADA, engine="terraform", steps=steps)
    os.utime(source, (0, 1801390000))
    assert times(source) == {"packed": "2027-01-31T09:00:00+00:00", "handed_in": "2027-01-31T10:06:40+00:00"}


def _result(path: Path, graded: str, *, self_check: bool) -> None:
    path.write_text(json.dumps({"about": {"self_check": self_check}, "when": {"graded": graded}}))


def test_earlier_results_are_kept_and_a_mark_is_known(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    history.set_aside(path)
    assert not history.is_keyed(path)
    for graded in ("2027-01-31T09:00:00+00:00", "2027-01-31T10:00:00+00:00"):
        _result(path, graded, self_check=False)
        history.set_aside(path)
        history.set_aside(path)
    assert history.is_keyed(path)
    kept = sorted(each.name for each in (tmp_path / "history").iterdir())
    assert kept == ["result-2027-01-31T09-00-00-00-00.json", "result-2027-01-31T10-00-00-00-00.json"]
    path.write_text("[")
    assert not history.is_keyed(path)
    history.set_aside(path)
