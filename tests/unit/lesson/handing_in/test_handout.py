"""The hand-out: nothing of the solution in it, given gaps solved, and a demo that is a recorded run."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import LabError
from labkit.base.events import Event
from labkit.course import gaps
from labkit.course.course import Course
from labkit.course.manifest import load
from labkit.course.workspace import Workspaces
from labkit.lesson.handing_in import handout, recording

ROOT = Path(labkit.__file__).parent.parent
MANIFEST = load(ROOT)
DEMO = [Event("check", "it went through", {"passed": True})]
pytestmark = pytest.mark.skipif(not (ROOT / "solution").is_dir(), reason="this copy has no solution")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return handout.content(MANIFEST, Course(), DEMO)


def test_solution_tests_and_hidden_checks_stay_here(files: dict[str, bytes]) -> None:
    for name in files:
        assert not name.startswith(("solution/", "tests/", "grader/hidden", ".git/", "work/", "bench/")), name
    assert "docs/instructor.md" not in files
    assert {"lab", "lab.toml", "STEPS.md", "README.md", "Makefile", "templates/app/flask_app.py"} <= set(
        files
    )


def test_every_check_of_a_hand_out_finds_what_it_imports(files: dict[str, bytes]) -> None:
    checks = {name: data.decode() for name, data in files.items() if name.startswith("grader/checks/")}
    wanted = {
        (check, module.replace(".", "/"))
        for check, text in checks.items()
        for module in re.findall(r"(?m)^(?:from|import) (grader\.[\w.]+)", text)
    }
    assert wanted
    for check, module in wanted:
        assert f"{module}.py" in files or f"{module}/__init__.py" in files, (check, module)


def test_the_makefile_keeps_what_works_without_solution_and_tests(files: dict[str, bytes]) -> None:
    text = files["Makefile"].decode()
    assert "\ndemo:" in text
    for target in ("test", "solution", "handout", "verify", "bench"):
        assert f"\n{target}:" not in text


@pytest.mark.slow
def test_a_given_gap_is_solved_and_the_others_are_not() -> None:
    given = handout.content(MANIFEST, Course(given=("store", "server-door")), DEMO)
    app = given["templates/app/flask_app.py"].decode()
    assert 'raise NotWritten("store")' not in app
    assert 'raise NotWritten("download")' in app
    assert "SecurityGroupIngress" in given["templates/cloudformation/cloudformation-template.yaml"].decode()


@pytest.mark.slow
def test_students_of_a_hand_out_get_the_given_gaps_written(tmp_path: Path) -> None:
    course = Course(given=("store",))
    for name, data in handout.content(MANIFEST, course, DEMO).items():
        if name.startswith("templates/") or name == "lab.toml":
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
    made = Workspaces(tmp_path, load(tmp_path)).generate("ada@uni.edu").workspace
    body = gaps.body_of(made.files()["flask_app.py"].decode(), "store")
    assert body is not None
    assert "put_object" in body


def test_a_text_that_says_the_solution_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("solution", "templates", "texts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("lab.toml", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    solution = (ROOT / "solution" / "app" / "lambda_function.py").read_text()
    (tmp_path / "STEPS.md").write_text("Look:\n" + solution)
    with pytest.raises(LabError, match=r"STEPS\.md says words of the solution"):
        handout.content(load(tmp_path), Course(), DEMO)


def test_the_list_of_own_deadlines_and_hidden_files_stay_here(tmp_path: Path) -> None:
    for name in ("solution", "templates", "texts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("lab.toml", "Makefile", "STEPS.md"):
        shutil.copy(ROOT / name, tmp_path)
    texts = tmp_path / "own-texts"
    for folder in (texts, tmp_path / "docs"):
        folder.mkdir()
    for path in (
        texts / ".DS_Store",
        texts / "cards.toml",
        tmp_path / "docs" / "extensions.csv",
        tmp_path / "docs" / "aws.md",
    ):
        path.write_text("ada@uni.edu")
    chosen = Course(texts=texts, data={"dates": {"extensions": "docs/../docs/extensions.csv"}})
    made = handout.content(load(tmp_path), chosen, DEMO)
    assert {"docs/aws.md", "own-texts/cards.toml"} <= set(made)
    assert not {"docs/extensions.csv", "own-texts/.DS_Store"} & set(made)


def test_the_zip_is_the_same_each_time_and_keeps_programs_executable(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    handout.write(one, files)
    handout.write(other, dict(reversed(files.items())))
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.getinfo("hybrid-lab/lab").external_attr >> 16 == 0o755


def test_the_recorded_run_is_replayed(files: dict[str, bytes], tmp_path: Path) -> None:
    shutil.copy(ROOT / "lab.toml", tmp_path)
    manifest, seen = load(tmp_path), []
    with pytest.raises(LabError, match="no recorded run"):
        recording.replay(manifest, seen.append)
    (tmp_path / "texts").mkdir()
    (tmp_path / recording.RECORDING).write_bytes(files[recording.RECORDING])
    assert recording.replay(manifest, seen.append)
    assert seen[-1].text == "it went through"
