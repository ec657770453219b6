"""The AWS CLI in the kit's shell: lines that were written for version 2 work as they stand."""

import json
import subprocess
from pathlib import Path

import pytest

from labkit.cli import aws_cli


@pytest.fixture
def command(tmp_path: Path) -> str:
    """The installed command, in a folder whose name a shell would take apart; it shows what it was given."""
    path = aws_cli.install(tmp_path / "it's $HOME") / "aws"
    shown = path.read_text().rpartition("exec ")[0] + "exec printf '%s\\n' \"$@\"\n"
    (tmp_path / "shown").write_text(shown)
    return str(tmp_path / "shown")


@pytest.mark.processes
@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (["s3", "ls"], ["s3", "ls"]),
        (["a", "--cli-binary-format", "raw-in-base64-out", "--payload", '{"a": "b c"}', "out"],
         ["a", "--payload", '{"a": "b c"}', "out"]),
        (["--cli-binary-format=raw-in-base64-out", "x"], ["x"]),
        (["--query", "1*", "", "*"], ["--query", "1*", "", "*"]),
    ],
)  # fmt: skip
def test_only_the_option_that_version_1_does_not_know_is_left_out(
    command: str, given: list[str], passed: list[str]
) -> None:
    done = subprocess.run(["/bin/sh", command, *given], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:-1] == passed


@pytest.mark.processes
def test_it_is_the_aws_cli_that_the_kit_brings_along(tmp_path: Path) -> None:
    path = aws_cli.install(tmp_path / "it's $HOME") / "aws"
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("aws-cli/1."), json.dumps(done.stdout)
