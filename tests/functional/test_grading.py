"""Grading as people start it: the command, its exit status, its files, on submissions of every kind."""

import json
import os
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import labkit
from labkit.course.markers import bodies, with_bodies

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(labkit.__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "labkit" / "grading" / "result.schema.json").read_text())
ADA = ("--student", "ada@uni.edu")
TEMPLATE = "cloudformation-template.yaml"


def graded(lab: Any, *arguments: str) -> dict[str, Any]:
    """The result of `./lab grade …`, which must have judged everything asked for."""
    run = lab.run("grade", "--json", *ADA, *arguments, timeout=250)
    assert run.status == 0, run
    jsonschema.validate(run.result, SCHEMA)
    return run.result


def outcomes(result: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What was judged: line → (outcome, way)."""
    return {
        line["id"]: (line["verdict"]["outcome"], line["verdict"]["way"])
        for line in result["lines"]
        if line["verdict"]["reason"] != "not asked for"
    }


def only(*lines: str) -> list[str]:
    return [word for line in lines for word in ("--only", line)]


@pytest.fixture
def solution(lab: Any) -> Path:
    assert lab.run("generate", *ADA, "--solution").status == 0
    return lab.workspace("ada@uni.edu.solution")


@pytest.fixture
def starter(lab: Any) -> Path:
    assert lab.run("generate", *ADA).status == 0
    return lab.workspace("ada@uni.edu")


@pytest.mark.verify
def test_one_mistake_costs_its_own_lines(lab: Any, solution: Path, starter: Path, tmp_path: Path) -> None:
    """The function is outside the network: what hangs on the path is proved by the text alone."""
    template = solution / TEMPLATE
    unwritten = bodies((starter / TEMPLATE).read_text())["lambda-network"]
    template.write_text(with_bodies(template.read_text(), {"lambda-network": unwritten}))
    result = graded(
        lab, "--solution", "--reports", str(tmp_path / "r"),
        *only("lambda-in-vpc", "door-open", "path-health", "answer-ok"),
    )  # fmt: skip
    assert outcomes(result) == {
        "lambda-in-vpc": ("failed", "as submitted"), "path-health": ("failed", "as submitted"),
        "door-open": ("passed", "alone"), "answer-ok": ("passed", "alone"),
    }  # fmt: skip
    assert "default-src 'none'" in (tmp_path / "r" / "report.html").read_text()
    assert not (tmp_path / "r" / "results.json").exists(), "a part is no mark"


def test_a_gap_alone_needs_nothing_else(lab: Any, solution: Path, starter: Path) -> None:
    written = bodies((solution / TEMPLATE).read_text())["server-door"]
    template = starter / TEMPLATE
    template.write_text(with_bodies(template.read_text(), {"server-door": written}))
    for name in ("main.tf", "variables.tf", "outputs.tf"):
        (starter / name).unlink()  # nobody has to hand in files of an engine that they do not use
    both = {"door-open": ("passed", "alone"), "door-narrow": ("passed", "alone")}
    assert outcomes(graded(lab, "--gap", "server-door")) == both
    pid = kept_cloud(lab)
    template.write_text(template.read_text().replace("FromPort: ", "FromPort: 1"))
    assert outcomes(graded(lab, "--gap", "server-door"))["door-open"] == ("failed", "alone")
    assert kept_cloud(lab) == pid, "the next judging of a gap goes on in the same cloud"
    assert lab.run("cloud", "stop").status == 0
    assert not (lab.base / ".lab" / "grading" / ".kept").exists()


@pytest.mark.verify
def test_a_stop_waits_for_the_judging_of_a_gap(lab: Any, solution: Path, until: Callable[..., None]) -> None:
    kept = lab.base / ".lab" / "grading" / ".kept"
    with lab.start("grade", "--gap", "bucket-protection", "--solution", *ADA, "--json") as judging:
        until((kept / "in-use").exists, what="the judging")
        stopped = lab.run("cloud", "stop")
        told, _ = judging.communicate(timeout=60)
    assert stopped.status == 0
    assert "waiting for its end" in stopped.output
    assert judging.returncode == 0, told
    assert not kept.exists()


def kept_cloud(lab: Any) -> int:
    """The process of the cloud that is kept between judgings of a gap."""
    return int(
        json.loads((lab.base / ".lab" / "grading" / ".kept" / "cloud" / "state.json").read_text())["pid"]
    )


@pytest.mark.verify
def test_what_stands_is_judged_where_it_stands(lab: Any, solution: Path) -> None:
    assert lab.run("deploy", *ADA, "--solution").status == 0
    pid = lab.cloud_pid()
    result = graded(
        lab, "--solution", "--target", "deployed", *only("path-health", "row-each", "clean-files")
    )
    assert set(outcomes(result).values()) == {("passed", "as submitted")}
    assert lab.cloud_pid() == pid


@pytest.mark.verify
def test_the_same_submission_has_the_same_result(lab: Any, starter: Path, tmp_path: Path) -> None:
    """Byte for byte but for times; of a zip and of the folder alike."""
    packed = tmp_path / "ada.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in starter.iterdir():
            if path.is_file():
                archive.write(path, f"ada/{path.name}")
    texts = []
    for source in ([], [str(packed)]):
        result = graded(lab, *source)
        result["timing"] = result["when"] = {}
        del result["about"]["engine_by"], result["about"]["left_out"]  # what a folder has and a zip has not
        for line in [*result["lines"], *result["bonus"]["lines"]]:
            line["seconds"] = 0
        texts.append(json.dumps(result, indent=1))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("main.tf", '\ndata "external" "x" {\n  program = ["touch", "%s"]\n}\n', "main.tf, line"),
        (TEMPLATE, "\nTransform: AWS::Serverless-2016-10-31\n", "macros and transforms"),
        (TEMPLATE, "\n  Evil:\n    Type: Custom::Evil\n", "custom resources"),
    ],
)
def test_configuration_that_runs_code_is_refused_before_any_tool(
    lab: Any, starter: Path, tmp_path: Path, name: str, text: str, words: str
) -> None:
    with open(starter / name, "a") as file:
        file.write(text.replace("%s", str(tmp_path / "ran")))
    result = graded(lab)
    assert result["score"] == 0
    assert all(words in line["verdict"]["reason"] for line in result["lines"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("how", ["no zip", "cut off"])
def test_what_nobody_can_read_is_refused_and_never_a_zero(lab: Any, tmp_path: Path, how: str) -> None:
    source = tmp_path / "ada.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("main.tf", "x" * 5000)
    source.write_bytes(source.read_bytes()[:-30] if how == "cut off" else b"<html>not found</html>")
    run = lab.run("grade", "--json", *ADA, str(source), "--result", str(tmp_path / "result.json"))
    assert run.status == 3
    assert run.error["hint"]
    assert not (tmp_path / "result.json").exists()


def test_a_look_without_the_key_never_takes_the_place_of_a_mark(lab: Any, starter: Path) -> None:
    mark = lab.base / ".lab" / "grading" / "ada@uni.edu" / "result.json"
    mark.parent.mkdir(parents=True)
    text = '{"about": {"self_check": false}, "when": {"graded": "2027-01-31T09:00:00+00:00"}}'
    mark.write_text(text)
    run = lab.run("grade", "--json", *ADA, "--result", str(mark))
    assert run.status == 2
    assert "made with the grader key" in run.error["message"]
    assert mark.read_text() == text


@pytest.mark.parametrize(
    "wrong",
    [["--only", "nothing"], ["--gap", "nothing"], ["--key", "/nothing"], ["--gradescope-points", "20"]],
)
def test_what_does_not_exist_is_told(lab: Any, starter: Path, wrong: list[str]) -> None:
    run = lab.run("grade", "--json", *ADA, *wrong)
    assert run.status == 2
    assert run.error["hint"]


@pytest.mark.verify
@pytest.mark.parametrize("events", [2, 4])
def test_killed_in_the_middle_nothing_is_left_and_nothing_is_a_mark(
    lab: Any, starter: Path, until: Callable[..., None], events: int
) -> None:
    assert lab.kill_after(events, "grade", *ADA)
    places = lab.base / ".lab" / "grading"
    (left,) = places.glob("lab-grade-*")
    until(lambda: not running(lab), seconds=30, what="the end of all clouds and judging processes")
    value = json.loads((lab.base / ".lab" / "grading" / "ada@uni.edu" / "result.json").read_text())
    jsonschema.validate(value, SCHEMA)
    assert not value["final"]
    assert value["not_judged"]
    graded(lab, *only("clean-files"))
    assert not left.exists()
    assert list(places.glob("lab-grade-*")) == []


@pytest.mark.verify
def test_interrupted_it_says_so(lab: Any, starter: Path, until: Callable[..., None]) -> None:
    process = lab.start("grade", *ADA, "--plain")
    until(lambda: running(lab), seconds=30, what="the judging process")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    until(lambda: not running(lab), seconds=30, what="the end of all clouds and judging processes")


def running(lab: Any) -> set[int]:
    """Processes of clouds and of judging that this lab's commands have started."""
    home, found = f"HOME={lab.base}/home".encode(), set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
                environment = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            except OSError:  # ended while we look, or not ours
                continue
            if home in environment and (
                b"lab-judging-" in command or b"labkit.grading.process.warm" in command
            ):
                found.add(int(entry))
    return found
