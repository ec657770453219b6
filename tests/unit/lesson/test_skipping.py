"""A gap that is skipped: the reference's text, no points, and a code where no reference is."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import labkit
from labkit.base.errors import UsageError
from labkit.course import rubric
from labkit.course.manifest import Manifest, load
from labkit.course.workspace import Workspaces
from labkit.grading import skipped
from labkit.grading.model import Verdict, empty
from labkit.lesson import skipping
from labkit.lesson.context import Context

ROOT = Path(labkit.__file__).parent.parent
MANIFEST: Manifest = load(ROOT)


def context_of(folder: Path, student: str, root: Path = ROOT) -> Context:
    """Of a student; another `root` is a copy of the lab without the reference."""
    workspace = Workspaces(folder, MANIFEST).generate(student).workspace
    manifest = SimpleNamespace(root=root, files=MANIFEST.files, salt=MANIFEST.salt)
    return cast(Context, SimpleNamespace(workspace=workspace, manifest=manifest))


def test_the_reference_stands_in_and_the_own_text_is_kept(tmp_path: Path) -> None:
    context = context_of(tmp_path, "ada@uni.edu")
    before = context.workspace.files()["flask_server_startup.sh"]
    backups = skipping.skip(context, MANIFEST.gap("unit"))
    reference = Workspaces(tmp_path, MANIFEST).generate("ada@uni.edu", solution=True).workspace.files()
    assert context.workspace.files()["flask_server_startup.sh"] == reference["flask_server_startup.sh"]
    assert (context.workspace.path / backups["flask_server_startup.sh"]).read_bytes() == before
    assert skipping.skipped(context.workspace) == ("unit",)
    assert skipped.gaps(context.workspace.path) == {"unit"}


def test_a_code_brings_one_gap_to_one_student(tmp_path: Path) -> None:
    code = skipping.code_for(
        context_of(tmp_path / "staff", "staff@uni.edu"), MANIFEST.gap("server-door"), "ada@uni.edu"
    )
    ada = context_of(tmp_path / "ada", "ada@uni.edu", root=tmp_path)
    with pytest.raises(UsageError, match="no reference"):
        skipping.skip(ada, MANIFEST.gap("server-door"))
    with pytest.raises(UsageError, match="for the gap server-door"):
        skipping.skip(ada, MANIFEST.gap("unit"), code)
    with pytest.raises(UsageError, match="another student"):
        skipping.skip(
            context_of(tmp_path / "bob", "bob@uni.edu", root=tmp_path), MANIFEST.gap("server-door"), code
        )
    for bent in (code[:-9], "x" + code, "?"):
        with pytest.raises(UsageError):
            skipping.skip(ada, MANIFEST.gap("server-door"), bent)
    assert skipping.skipped(ada.workspace) == ()
    skipping.skip(ada, MANIFEST.gap("server-door"), f"{code[:40]}\n{code[40:]}")
    assert b"SourceSecurityGroupId" in ada.workspace.files()["cloudformation-template.yaml"]


def test_lines_about_a_skipped_gap_earn_nothing_and_the_others_what_they_did(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    (tmp_path / "record" / "skipped.json").write_text(json.dumps({"gaps": ["unit"]}))
    result = empty(rubric.load(ROOT), {})
    for line in result.lines:
        result = result.with_line(line.id, Verdict("passed", 1.0))
    counted = skipped.without_points(result, tmp_path)
    assert {line.id for line in counted.lines if not line.earned} == {
        "boot-clean",
        "unit-env",
        "comes-back",
        "crash-restart",
    }
    assert counted.line("unit-env").said == skipped.SAID
    (tmp_path / "record" / "skipped.json").write_text("[]")
    assert skipped.without_points(result, tmp_path) == result
