"""The command `aws` of the kit's shell: lines for version 2 of the AWS CLI, carried out by version 1."""

import subprocess
from pathlib import Path

import pytest

from labkit.aws.command_line import for_version_1, shown, since
from labkit.cli import aws_cli


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (
            ["lambda", "invoke", "--payload", "file://a b", "out"],
            ["lambda", "invoke", "--payload", "file://a b", "out"],
        ),
        (["--cli-binary-format", "raw-in-base64-out", "x"], ["x"]),
        (["--cli-binary-format=raw-in-base64-out", "x"], ["x"]),
        (["--no-cli-pager", "s3", "ls"], ["s3", "ls"]),
        (["--query", "1*", "", "*"], ["--query", "1*", "", "*"]),
    ],
)
def test_only_the_options_that_version_1_does_not_know_are_left_out(
    given: list[str], passed: list[str]
) -> None:
    assert for_version_1(given) == passed


@pytest.mark.processes
def test_the_command_is_the_kits_own_cli(tmp_path: Path) -> None:
    done = subprocess.run(
        [aws_cli.install(tmp_path) / "aws", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("aws-cli/1.")


def test_the_lines_of_aws_logs_tail() -> None:
    """AWS CLI 2 reference, logs tail: --format, --since."""
    event = {"timestamp": 1_700_000_000_123, "logStreamName": "s", "message": "hello\n"}
    assert shown(event, "detailed") == "2023-11-14T22:13:20.123000+00:00 s hello\n"
    assert shown(event, "short") == "2023-11-14T22:13:20 hello\n"
    assert since("2023-11-14T22:13:20", now=0) == 1_700_000_000_000
    assert since("2m", now=1000.0) == 880_000
