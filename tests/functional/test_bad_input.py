"""Each wrong input has one clear message, the next thing to do, a non-zero exit, and loses nothing."""

import subprocess
from pathlib import Path

import pytest

ADA = ("--student", "ada@uni.edu")
SOLUTION = (*ADA, "--solution")
pytestmark = pytest.mark.slow


def refused(run, *words: str) -> None:
    """One message with these words, a next thing to do, a non-zero exit, no traceback."""
    assert run.status != 0, run
    assert "Traceback" not in run.output + run.errors
    error = run.error
    for word in words:
        assert word in error["message"] + error["hint"], (word, error)
    assert error["hint"], error


@pytest.mark.parametrize(
    "student", ["", "..", "a/b", "a b", "x" * 80, "$(id)", "{{7*7}}", "ada@uni.edu.solution", "-x"]
)
def test_an_illegal_student_id(lab, student: str) -> None:
    refused(lab.step("01", f"--student={student}"), "ada@uni.edu")
    assert not (lab.base / "work").exists() or not list((lab.base / "work").glob("*/*"))


def test_no_student_id(lab) -> None:
    refused(lab.step("01"), "--student ada@uni.edu")


def test_a_step_before_there_is_a_workspace(lab) -> None:
    refused(lab.step("03"), "generate")


def test_a_step_out_of_order(lab) -> None:
    lab.step("01", *ADA)
    refused(lab.step("05", *ADA), "./lab deploy")


def test_a_broken_state_file_is_named_and_kept(lab) -> None:
    lab.step("01", *ADA)
    state = lab.workspace("ada@uni.edu") / ".lab" / "workspace.json"
    state.write_text('{"half": ')
    refused(lab.step("03", *ADA), "workspace.json")
    assert state.read_text() == '{"half": '


def test_a_foreign_folder_is_not_taken_for_a_workspace(lab) -> None:
    folder = lab.base / "work" / "ada@uni.edu"
    folder.mkdir(parents=True)
    (folder / "flask_app.py").write_text("somebody's own\n")
    refused(lab.step("03", *ADA), "ada@uni.edu")
    assert (folder / "flask_app.py").read_text() == "somebody's own\n"


def test_a_record_that_is_gone_is_made_again_and_no_file_is_lost(lab) -> None:
    lab.step("01", *SOLUTION)
    folder = lab.workspace("ada@uni.edu.solution")
    (folder / "flask_app.py").write_text("# mine\n")
    (folder / ".lab" / "workspace.json").unlink()
    refused(lab.step("01"), "./lab generate --student ada@uni.edu --solution")
    assert lab.step("01", *SOLUTION).status == 0
    assert (folder / "flask_app.py").read_text() == "# mine\n"


@pytest.mark.parametrize(
    "text", ["../../etc", *(pytest.param(text, marks=pytest.mark.verify) for text in ("", "eve@uni.edu"))]
)
def test_a_wrong_note_of_the_current_workspace(lab, text: str) -> None:
    lab.step("01", *ADA)
    (lab.base / "work" / "current").write_text(text)
    refused(lab.step("03"), "./lab generate --student")


def test_a_folder_in_which_nothing_can_be_made(lab) -> None:
    (lab.base / ".lab").write_text("a file where a folder belongs")
    for command in (("generate", *ADA), ("demo",), ("cloud", "start")):
        refused(lab.run(*command, "--json"), "can't be")
    (lab.base / ".lab").unlink()


def test_an_empty_template(lab) -> None:
    lab.step("01", *ADA)
    (lab.workspace("ada@uni.edu") / "cloudformation-template.yaml").write_text("")
    refused(lab.step("03", *ADA), "cloudformation-template.yaml is empty", "./lab generate")


def test_a_missing_file_of_the_workspace(lab) -> None:
    lab.step("01", *ADA)
    (lab.workspace("ada@uni.edu") / "lambda_function.py").unlink()
    refused(lab.step("03", *ADA), "lambda_function.py")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Type: AWS::DynamoDB::Table", "Type: AWS::DynamoDB::Tabel", ("AWS::DynamoDB::Tabel", "line")),
        pytest.param("BillingMode:", "BilingMode:", ("BilingMode", "line"), marks=pytest.mark.verify),
        pytest.param("Resources:", "Resources: [", ("line",), marks=pytest.mark.verify),
    ],
)
def test_a_wrong_template_is_refused_by_name_and_line(
    lab, old: str, new: str, words: tuple[str, ...]
) -> None:
    lab.step("01", *ADA)
    template = lab.workspace("ada@uni.edu") / "cloudformation-template.yaml"
    text = template.read_text()
    assert old in text
    template.write_text(text.replace(old, new, 1))
    refused(lab.step("03", *ADA), *words)


def test_user_data_over_the_limit(lab) -> None:
    lab.step("01", *ADA)
    app = lab.workspace("ada@uni.edu") / "flask_app.py"
    app.write_text(app.read_text() + "# filler\n" * 2000)
    refused(lab.step("03", *ADA), "16,384", "flask_app.py")


@pytest.mark.verify
def test_a_boot_script_that_fails_shows_its_last_lines(lab) -> None:
    lab.step("01", *SOLUTION)
    script = lab.workspace("ada@uni.edu.solution") / "flask_server_startup.sh"
    lines = script.read_text().splitlines()
    script.write_text("\n".join([lines[0], "echo about to fail", "no-such-command --now", *lines[1:]]) + "\n")
    text = script.read_text().replace("no-such-command --now", "no-such-command --now || exit 3")
    script.write_text(text)
    run = lab.step("03", *SOLUTION)
    assert run.status == 1
    check = next(c for c in run.result["checks"] if not c["passed"])
    assert "exit status 3" in check["reason"]
    assert "no-such-command" in check["reason"]


def test_a_function_that_does_not_import(lab) -> None:
    lab.step("01", *SOLUTION)
    code = lab.workspace("ada@uni.edu.solution") / "lambda_function.py"
    code.write_text("import not_there\n" + code.read_text())
    lab.step("03", *SOLUTION)
    run = lab.step("05", *SOLUTION)
    assert run.status == 1
    reason = run.result["checks"][0]["reason"]
    assert "ImportModuleError" in reason
    assert "not_there" in reason


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"this is no picture\n" * 50)
    (folder / "huge.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(60_000_000))
    return folder


@pytest.mark.parametrize("name", ["empty.png", "text.png", "huge.jpg"])
def test_a_picture_that_the_server_refuses(deployed_solution, pictures: Path, name: str) -> None:
    run = deployed_solution.step("05", *SOLUTION, "--image", str(pictures / name))
    assert run.status == 1, run
    check = run.result["checks"][-1]
    assert "status 400" in check["reason"]
    assert check["hint"]


def test_a_picture_that_is_not_there(deployed_solution) -> None:
    refused(deployed_solution.step("05", *SOLUTION, "--image", "/no/such.png"), "/no/such.png")


def test_two_steps_at_once(deployed_solution) -> None:
    lock = deployed_solution.base / ".lab" / "step.lock"
    holder = subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"x\n")
        holder.stdin.flush()
        holder.stdout.readline()  # it has the lock
        refused(deployed_solution.step("05", *SOLUTION), "Another step")
    finally:
        holder.communicate()
