"""The command line: statuses, messages, and what programs get from it."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from labkit.cli import main as cli
from labkit.cli import step_options
from labkit.cli.console import PlainConsole


@pytest.fixture(autouse=True)
def _own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_BASE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")


def spoken(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, on one line; nothing goes to the error stream."""
    captured = capsys.readouterr()
    assert captured.err == ""
    assert max(map(len, captured.out.splitlines()), default=0) <= 80
    return " ".join(captured.out.split())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("frobnicate", "✗ There is no command frobnicate"),
        ("x'y", "✗ There is no command x'y. →"),
        ("deplo'y", "Perhaps: ./lab deploy"),
        ("generat --student ada", "Perhaps: ./lab generate"),
        ("generate --student", "✗ Argument --student: expected one argument."),
        ("deploy --bogus", "✗ ./lab deploy does not take: --bogus. → What can be typed: ./lab deploy --help"),
        ("deploy --attack nnnn --rate 5", "✗ ./lab deploy does not take: --attack nnnn --rate 5."),
        ("step 03 --predict door", "✗ ./lab step does not take: --predict door."),
        ("wire --force", "✗ ./lab wire does not take: --force."),
        ("generate ada@uni.edu", "→ Perhaps: ./lab generate --student ada@uni.edu"),
        ("--bogus", "✗ ./lab does not take: --bogus. → What can be typed: ./lab --help"),
        ("cloud", "✗ The following arguments are required: action."),
        ("step 99", "✗ There is no step '99'."),
        ("step nonsense", "✗ There is no step 'nonsense'."),
        ("generate --student ../x", "✗ '../x' can't be a student id: letters a to z, digits"),
        ("generate --student current", "✗ 'current' can't be a student id: the lab itself uses this name."),
        ("generate", "✗ Who are you? The step needs your id."),
    ],
)
def test_a_wrong_command_line_is_told_with_what_to_type(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line.split(), "--plain"]) == 2
    said = spoken(capsys)
    assert words in said
    assert "→ " in said


def test_programs_get_usage_errors_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["deploy", "--json", "--bogus"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["hint"]


@pytest.mark.parametrize(
    ("line", "status"), [("", 0), ("cloud status", 3), ("cloud stop", 0), ("cloud logs", 0)]
)
def test_every_command_ends_with_one_result_for_programs(
    line: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*line.split(), "--json"]) == status
    assert "result" in json.loads(capsys.readouterr().out.splitlines()[-1])


def test_generate_again_without_an_id_means_the_same_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["generate", "--student", "ada@uni.edu", "--solution", "--plain"]) == 0
    (tmp_path / "work" / "ada@uni.edu.solution" / "main.tf").write_text("# mine\n")
    assert cli.main(["generate", "--plain"]) == 0
    assert not (tmp_path / "work" / "ada@uni.edu").exists()
    assert "main.tf was changed by you and stays as it is" in spoken(capsys)


@pytest.mark.processes
def test_a_broken_record_is_mended_by_the_commands_that_the_message_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["generate", "--student", "ada@uni.edu", "--solution"])
    workspace = tmp_path / "work" / "ada@uni.edu.solution"
    (workspace / "main.tf").write_text("# mine\n")
    (workspace / ".lab" / "workspace.json").write_text("{")
    capsys.readouterr()
    assert cli.main(["generate", "--plain"]) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    move = next(line for line in lines if line.startswith("mv "))
    again = next(line for line in lines if line.startswith("./lab "))
    subprocess.run(["sh", "-c", move], check=True)
    assert cli.main(again.split()[1:]) == 0
    assert (workspace / "main.tf").read_text() == "# mine\n"


def test_a_cloud_that_is_gone_is_no_fault_of_the_kit() -> None:
    error = cli._lost_cloud(EndpointConnectionError(endpoint_url="http://127.0.0.1:1/"))
    assert error is not None
    assert "Run the same command again" in error.hint
    assert cli._lost_cloud(ValueError("another")) is None


def test_the_status_tells_a_refusal_from_a_fault_of_the_kit(capsys: pytest.CaptureFixture[str]) -> None:
    console = PlainConsole(sys.stdout)
    over = ClientError({"Error": {"Code": "ExpiredToken", "Message": "is expired"}}, "GetCallerIdentity")
    assert cli._failed(over, console) == 1
    assert "have expired" in spoken(capsys)
    assert cli._failed(ValueError("x"), console) == 70
    assert "inside the kit (ValueError: x)" in spoken(capsys)


@pytest.mark.parametrize(("words", "usage"), [((), "usage: lab [-h]"), (("deploy",), "usage: lab deploy")])
def test_help_is_a_command_too(
    words: tuple[str, ...], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["help", *words])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(usage)


@pytest.mark.processes
def test_help_knows_the_step_that_needs_no_setting_up(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "doctor"]) == 0
    assert capfd.readouterr().out.startswith("usage: lab doctor")


@pytest.mark.processes
def test_help_is_quick_to_load() -> None:
    """Rich and boto3 are imported by the commands that need them."""
    code = "import sys, labkit.cli.main as c\ntry: c.main(['deploy', '--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('rich', 'boto3', 'botocore', 'moto') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_steps_help_shows_its_own_options_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["destroy", "--help"])
    shown = capsys.readouterr().out
    assert "--engine" in shown
    assert not any(word in shown for word in ("--attack", "--rate", "--image", "--force", "--lab-role"))


def test_nought_is_given_too() -> None:
    parser = argparse.ArgumentParser()
    step_options.add(parser, ("seed", "undo"))
    assert step_options.given(parser.parse_args(["--seed", "0"])) == {"seed": 0}
    assert step_options.given(parser.parse_args([])) == {}


def test_a_pipe_that_closes_under_an_error_is_no_second_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> None:
        raise BrokenPipeError

    duplicated: list[int] = []
    monkeypatch.setattr(cli.os, "dup2", lambda _, to: duplicated.append(to))
    monkeypatch.setattr(PlainConsole, "error", closed)
    assert cli.main(["frobnicate", "--plain"]) == 141
    assert duplicated == [sys.stdout.fileno()]


@pytest.mark.processes
def test_a_terminal_of_another_encoding_shows_every_command(tmp_path: Path) -> None:
    for words in (["steps/00_doctor.py"], ["-m", "labkit", "--plain"]):
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, check=False, cwd=Path(cli.__file__).parents[2],
            env={"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin", "LAB_BASE": str(tmp_path)},
        )  # fmt: skip
        assert b"Traceback" not in done.stdout + done.stderr, done
