"""Trusted programs: followed line by line, and not harmed when whoever followed them is killed."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from labkit.base.errors import LabError
from labkit.base.processes import follow, run


@pytest.mark.processes
def test_lines_come_in_order_and_the_status_with_them(tmp_path: Path) -> None:
    lines: list[str] = []
    done = follow(["sh", "-c", "echo a; echo b >&2; printf c; exit 3"], lines.append, output=tmp_path / "out")
    assert lines == ["a", "b"]
    assert (done.status, done.output) == (3, "a\nb\nc")


@pytest.mark.processes
def test_lines_come_while_the_program_runs(tmp_path: Path) -> None:
    """The program ends only after its first line was seen."""
    go = tmp_path / "go"
    script = f'echo first; while [ ! -e "{go}" ]; do sleep 0.01; done; echo last'
    follow(["sh", "-c", script], lambda _: go.touch(), output=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "first\nlast\n"


@pytest.mark.processes
def test_environment_and_folder_are_those_given(tmp_path: Path) -> None:
    lines: list[str] = []
    follow(
        ["/bin/sh", "-c", 'echo "$A $(pwd)"'],
        lines.append,
        output=tmp_path / "out",
        cwd=tmp_path,
        env={"A": "1"},
    )
    assert lines == [f"1 {tmp_path.resolve()}"]


@pytest.mark.processes
def test_a_missing_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not installed"):
        follow(["/nonexistent/program"], print, output=tmp_path / "out")
    with pytest.raises(LabError, match="not installed"):
        run(["/nonexistent/program"])


@pytest.mark.processes
def test_the_program_finishes_when_its_follower_is_killed(tmp_path: Path, until) -> None:
    """Killed in the middle, the follower leaves a program that writes on to its end: no closed pipe."""
    end, go = tmp_path / "end", tmp_path / "go"
    script = (
        f'echo begun; while [ ! -e "{go}" ]; do sleep 0.01; done; echo more && echo still && touch "{end}"'
    )
    code = f"""
        from pathlib import Path
        from labkit.base.processes import follow
        follow(["sh", "-c", {script!r}], lambda line: print(line, flush=True), output=Path({str(tmp_path / "out")!r}))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"begun\n"
        os.kill(follower.pid, signal.SIGKILL)
    go.touch()
    until(end.exists, what="the program's end")


@pytest.mark.processes
def test_ctrl_c_waits_for_a_tidy_end(tmp_path: Path) -> None:
    """The program gets the signal too, and may save its state before it ends."""
    script = 'trap "echo saved; exit 0" INT; echo ready; while :; do sleep 0.01; done'
    code = f"""
        from pathlib import Path
        from labkit.base.processes import follow
        follow(["sh", "-c", {script!r}], lambda line: print(line, flush=True), output=Path({str(tmp_path / "out")!r}))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"ready\n"
        os.killpg(follower.pid, signal.SIGINT)
        rest, errors = follower.communicate(timeout=20)
    assert b"saved" in rest
    assert b"KeyboardInterrupt" in errors
