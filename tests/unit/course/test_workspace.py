"""Workspaces: what a student wrote is never lost, and a folder that is not the student's is not used."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labkit.base.errors import TemplateError, UsageError, WorkspaceError
from labkit.course.manifest import Manifest
from labkit.course.workspace import Workspace, Workspaces

ADA = "ada@uni.edu"


def clock() -> datetime:
    return datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    root = tmp_path / "kit"
    (root / "templates").mkdir(parents=True)
    (root / "solution").mkdir()
    (root / "templates" / "a.txt").write_text("{@ code @}\n#> block gap\nto do\n#> endblock\n")
    (root / "templates" / "b.txt").write_text("port {@ port @}\n")
    (root / "solution" / "a.txt").write_text(
        '#> extends "templates/a.txt"\n#> block gap\ndone\n#> endblock\n'
    )
    return root


@pytest.fixture
def manifest(kit: Path) -> Manifest:
    files = {"a.txt": "a.txt", "b.txt": "b.txt"}
    return Manifest(root=kit, title="Lab", region="r", salt="s", files=files, steps=(), gaps=(), images=())


@pytest.fixture
def workspaces(tmp_path: Path, manifest: Manifest) -> Workspaces:
    return Workspaces(tmp_path, manifest, clock=clock)


@pytest.fixture
def ada(workspaces: Workspaces) -> Workspace:
    return workspaces.generate(ADA).workspace


def record_of(workspace: Workspace) -> Path:
    return workspace.path / ".lab" / "workspace.json"


def test_generate_writes_the_files_and_makes_them_current(tmp_path: Path, workspaces: Workspaces) -> None:
    made = workspaces.generate("Ada@uni.edu")
    assert (made.written, made.kept, made.backups) == (("a.txt", "b.txt"), (), {})
    assert made.workspace.path == tmp_path / "work" / ADA
    assert (made.workspace.path / "a.txt").read_text() == f"{made.workspace.variant.code}\nto do\n"
    assert workspaces.open() == workspaces.open(ADA) == workspaces.current() == made.workspace
    assert made.workspace.changed() == ()


def test_generate_again_changes_nothing(workspaces: Workspaces, ada: Workspace) -> None:
    before = ada.fingerprint()
    made = workspaces.generate(ADA)
    assert (made.written, made.kept) == ((), ())
    assert ada.fingerprint() == before


def test_the_solution_stands_beside_the_students_files(workspaces: Workspaces, ada: Workspace) -> None:
    solution = workspaces.generate(ADA, solution=True).workspace
    assert solution.path.name == "ada@uni.edu.solution"
    assert "done" in (solution.path / "a.txt").read_text()
    assert "to do" in (ada.path / "a.txt").read_text()
    assert solution.variant == ada.variant
    assert workspaces.list() == [ADA, f"{ADA}.solution"]
    assert workspaces.current() == workspaces.open() == workspaces.open(ADA, solution=True) == solution


def test_a_hand_out_has_no_solution(workspaces: Workspaces, kit: Path) -> None:
    (kit / "solution" / "a.txt").unlink()
    (kit / "solution").rmdir()
    with pytest.raises(WorkspaceError, match="not in this copy"):
        workspaces.generate(ADA, solution=True)


def test_what_the_student_changed_stays(workspaces: Workspaces, ada: Workspace, kit: Path) -> None:
    (ada.path / "a.txt").write_text("mine\n")
    (kit / "templates" / "b.txt").write_text("newer {@ port @}\n")
    made = workspaces.generate(ADA)
    assert (made.written, made.kept) == (("b.txt",), ("a.txt",))
    assert (ada.path / "a.txt").read_text() == "mine\n"
    assert ada.changed() == ("a.txt",)
    assert workspaces.generate(ADA).kept == ("a.txt",)


def test_force_keeps_a_backup_of_each(workspaces: Workspaces, ada: Workspace) -> None:
    texts = ["mine\n", "mine again\n"]
    for text in texts:
        (ada.path / "a.txt").write_text(text)
        made = workspaces.generate(ADA, force=True)
        assert (made.written, made.kept) == (("a.txt",), ())
        assert (ada.path / made.backups["a.txt"]).read_text() == text
    assert sorted(path.read_text() for path in ada.path.glob("a.txt.bak-2*")) == sorted(texts)
    assert workspaces.generate(ADA, force=True).backups == {}


def test_a_missing_file_is_named_and_made_again(workspaces: Workspaces, ada: Workspace) -> None:
    (ada.path / "b.txt").unlink()
    assert ada.missing() == ("b.txt",)
    assert workspaces.generate(ADA).written == ("b.txt",)
    assert ada.missing() == ()


def test_files_that_were_there_before_the_kit_are_kept(tmp_path: Path, workspaces: Workspaces) -> None:
    folder = tmp_path / "work" / ADA
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("older\n")
    with pytest.raises(WorkspaceError, match="is no folder of this lab"):
        workspaces.open(ADA)
    assert workspaces.generate(ADA).kept == ("a.txt",)
    assert (folder / "a.txt").read_text() == "older\n"


def test_a_broken_template_changes_nothing(workspaces: Workspaces, ada: Workspace, kit: Path) -> None:
    (kit / "templates" / "b.txt").write_text("{@ nothing @}\n")
    before = ada.fingerprint()
    with pytest.raises(TemplateError, match=r"templates/b\.txt, line 1"):
        workspaces.generate(ADA, force=True)
    assert ada.fingerprint() == before


def test_before_there_is_anything(workspaces: Workspaces) -> None:
    assert workspaces.current() is None
    assert workspaces.list() == []
    with pytest.raises(WorkspaceError, match="no files of yours yet") as refused:
        workspaces.open()
    assert "./lab generate" in refused.value.hint


def test_another_student_is_told_how_to_begin(workspaces: Workspaces, ada: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="no folder work/bob") as refused:
        workspaces.open("bob")
    assert refused.value.hint.endswith("--student bob")
    with pytest.raises(WorkspaceError) as refused:
        workspaces.open(ADA, solution=True)
    assert refused.value.hint.endswith("--solution")


@pytest.mark.parametrize("student", ["../ada", "", "a/b"])
def test_an_illegal_id_makes_nothing(workspaces: Workspaces, tmp_path: Path, student: str) -> None:
    with pytest.raises(UsageError):
        workspaces.generate(student)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"format": 1, "student": "ada@uni.edu"}', '{"format": 99}', "\x00"],
)
def test_a_broken_record_is_refused_and_kept(workspaces: Workspaces, ada: Workspace, text: str) -> None:
    record_of(ada).write_text(text)
    for use in (workspaces.open, lambda: workspaces.generate(ADA, force=True)):
        with pytest.raises(WorkspaceError, match=r"workspace\.json") as refused:
            use()
        assert refused.value.hint
    assert record_of(ada).read_text() == text


@pytest.mark.parametrize("change", [{"student": "bob"}, {"code": "zzzzzz"}, {"solution": True}])
def test_anothers_workspace_is_refused(
    workspaces: Workspaces, ada: Workspace, change: dict[str, object]
) -> None:
    record_of(ada).write_text(json.dumps(json.loads(record_of(ada).read_text()) | change))
    with pytest.raises(WorkspaceError, match="belongs to"):
        workspaces.open(ADA)
    with pytest.raises(WorkspaceError, match="belongs to"):
        workspaces.generate(ADA, force=True)


def test_a_current_file_that_names_nonsense_is_refused(tmp_path: Path, workspaces: Workspaces) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "current").write_text("../../etc\n")
    with pytest.raises(WorkspaceError, match="names no folder of this lab"):
        workspaces.current()


def test_steps_and_deployments_are_remembered_with_the_files_they_saw(ada: Workspace) -> None:
    ada.record_step("01")
    seen = ada.fingerprint()
    ada.save_deployed(engine="cloudformation", target="local", outputs={"VpcId": "vpc-1"})
    (ada.path / "a.txt").write_text("mine\n")
    ada.record_step("03")
    assert ada.steps_done() == {
        "01": {"at": "2026-03-04T05:06:07+00:00", "fingerprint": seen},
        "03": {"at": "2026-03-04T05:06:07+00:00", "fingerprint": ada.fingerprint()},
    }
    assert ada.record.deployed["outputs"] == {"VpcId": "vpc-1"}
    assert ada.record.deployed["fingerprint"] == seen != ada.fingerprint()
    ada.save_deployed(engine="cloudformation", target="local", outputs={})
    assert ada.record.deployed == {}


def test_the_reference_deploys_under_the_same_names(workspaces: Workspaces, ada: Workspace) -> None:
    assert ada.twin is None
    other = workspaces.generate("ada@uni.edu", solution=True).workspace
    assert ada.twin == other
    assert other.twin == ada
    other.save_deployed(engine="cloudformation", target="local", outputs={"VpcId": "vpc-1"})
    assert "of" not in other.record.deployed
    assert ada.record.deployed == {**other.record.deployed, "of": other.path.name}
    record_of(other).write_text("{")
    ada.save_deployed(engine="cloudformation", target="local", outputs={})
    assert ada.record.deployed == {}, "whatever became of the other"


def test_generating_again_keeps_what_is_remembered(workspaces: Workspaces, ada: Workspace) -> None:
    ada.record_step("01")
    workspaces.generate(ADA, force=True)
    assert set(ada.steps_done()) == {"01"}


def test_the_fingerprint_follows_names_and_contents_alone(workspaces: Workspaces, ada: Workspace) -> None:
    before = ada.fingerprint()
    (ada.path / "notes.txt").write_text("not part of the lab\n")
    assert ada.fingerprint() == before
    (ada.path / "a.txt").rename(ada.path / "c.txt")
    assert ada.fingerprint() != before
