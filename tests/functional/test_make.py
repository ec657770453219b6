"""make hands on what it is given as one word each, and refuses before anything is made."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import labkit

ROOT = Path(labkit.__file__).parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("make") is None, reason="no make here")]


def make(lab: Any, *words: str) -> tuple[int, str]:
    around = {"PATH": os.environ["PATH"], "HOME": str(lab.base), "LAB_BASE": str(lab.base), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["make", "-s", *words], cwd=ROOT, env=around, capture_output=True, text=True, timeout=90
    )
    return done.returncode, " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("solution", "STUDENT=../x"), "✗ '../x' can't be a student id"),
        (("solution", "STUDENT="), "✗ '' can't be a student id"),
        (("solution", "STUDENT=x;touch bad"), "✗ 'x;touch bad' can't be a student id"),
        (("solution", "ENGINE=pulumi"), "✗ Argument --engine: invalid choice: 'pulumi'"),
        (("solution", "ENGINE="), "✗ Argument --engine: invalid choice: ''"),
        (("demo", "ENGINE=x y"), "✗ Argument --engine: invalid choice: 'x y'"),
        (("grade", "TARGET=deployd"), "✗ Argument --target: invalid choice: 'deployd'"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_made(lab: Any, words: tuple[str, ...], said: str) -> None:
    status, output = make(lab, *words)
    assert status == 2
    assert said in output
    assert "→" in output
    assert not (lab.base / "work").exists()
    assert not (ROOT / "bad").exists()


@pytest.mark.verify
def test_the_solution_is_left_running_and_a_second_time_changes_nothing(lab: Any) -> None:
    for said in ("hybrid-rre3si (AWS::CloudFormation::Stack) CREATE_COMPLETE", "Nothing to change"):
        status, output = make(lab, "solution", "STUDENT=x@uni.edu", "ENGINE=cloudformation")
        assert status == 0
        assert said in output
        assert output.endswith("Next: ./lab wire")
