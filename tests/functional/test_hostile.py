"""Hostile submissions are graded: the mark is right, nothing leaks, nothing is left, the grader goes on.

Which test stands for which row of the list of known attacks is told in tests/submissions/hostile/rows.toml.
"""

import importlib.util
import json
import os
import secrets
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.grading.grade import Request, grade
from labkit.grading.model import Result, to_json
from labkit.grading.process.starting import Warm, warm_parent
from labkit.grading.reports import html, markdown

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(labkit.__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location(
    "lab_submissions_of_attackers", ROOT / "tests/submissions/making.py"
)
assert _spec is not None
assert _spec.loader is not None
making = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(making)
attacking, files_of, STUDENTS = making.beside("attacking"), making.files_of, making.STUDENTS
ROWS = ROOT / "tests" / "submissions" / "hostile" / "rows.toml"
STUDENT = STUDENTS[0]
#: a line on nothing but the files, one on the network, and two that need the attacker's own programs
LINES = ("clean-files", "door-open", "health-root", "row-origin")

#: contained without harm to the attacker's own server: nothing is lost
QUIET = (
    "reads_hidden_tests", "reads_grader_memory_and_environment", "forges_results", "traces_the_grader",
    "reaches_the_network", "leaves_a_background_process", "floods_its_output", "escapes_its_namespaces",
    "ignores_every_signal", "kills_its_process_group",
)  # fmt: skip
#: these may bring down the attacker's own server, and nobody else's
VIOLENT = (
    "fork_bomb", "endless_loop", "memory_hog", "memory_hog_in_five_processes", "hidden_memory", "disk_filler",
    "inode_flood", "kills_the_grader",
)  # fmt: skip


def _long(names: tuple[str, ...]) -> list[object]:
    """Every run has the battery itself (test_sandbox_battery.py); `make verify` grades what attacks."""
    return [pytest.param(n, marks=pytest.mark.verify) for n in names]


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm | None]:
    with warm_parent() as parent:
        yield parent


class Grading:
    """Grades a hostile submission with a key, a hidden file and another's submission to be stolen beside it."""

    def __init__(self, folder: Path, warm: Warm | None) -> None:
        self.folder, self.warm = folder, warm
        self.secret = secrets.token_hex(16)
        self.key = self.secret.encode()
        (folder / "others").mkdir()
        self.hidden = folder / "others" / "hidden_check.py"
        self.hidden.write_text(f"# {self.secret}\n")
        self.result = folder / "result.json"

    @property
    def targets(self) -> dict[str, Any]:
        return {
            "secret": self.secret, "hidden": str(self.hidden), "grader": os.getpid(), "results": str(self.result),
            "spares": True, "token": "token", "served": 80, "forbidden": 1, "abstract": "x", "path": "/x", "udp": 1,
        }  # fmt: skip

    def __call__(self, files: dict[str, str], only: tuple[str, ...] = LINES) -> Result:
        source = self.folder / "source"
        for name, text in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
        asked = Request(ROOT, STUDENT, source, only=only, key=self.key, result=self.result)
        result = grade(asked, warm=self.warm)
        self._nothing_leaks(result)
        return result

    def _nothing_leaks(self, result: Result) -> None:
        """What the attacker sent is in what it sent; the secret must stand in no report."""
        assert json.loads(self.result.read_text()) == to_json(result), "somebody else wrote the result"
        assert self.hidden.read_text() == f"# {self.secret}\n"
        for text in (self.result.read_text(), html.render(result), markdown.render(result)):
            assert self.secret not in text


@pytest.fixture
def graded(tmp_path: Path, warm: Warm | None, until: Callable[..., None]) -> Iterator[Grading]:
    before = _sandboxed()
    yield Grading(tmp_path, warm)
    until(lambda: not _sandboxed() - before, seconds=30, what="the end of all that the submission started")


def _sandboxed() -> set[int]:
    """Processes in other pid namespaces than ours that run what an attack runs."""
    found = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue
        if b"TARGETS" in command:
            found.add(int(entry))
    return found


def outcomes(result: Result, lines: tuple[str, ...] = LINES) -> dict[str, str]:
    return {name: result.line(name).verdict.outcome for name in lines}


def said(result: Result) -> list[str]:
    return [f"{line.id}: {line.verdict.reason} {line.verdict.found}" for line in result.lines if line.lost]


@pytest.mark.parametrize("name", _long(QUIET))
def test_attack_in_the_server_gets_nothing(graded: Grading, name: str) -> None:
    files = attacking.in_server(files_of(STUDENT, "solution"), name, graded.targets)
    result = graded(files)
    assert set(outcomes(result).values()) == {"passed"}, said(result)


@pytest.mark.parametrize("name", _long(VIOLENT))
def test_attack_in_the_server_harms_only_itself(graded: Grading, name: str) -> None:
    files = attacking.in_server(files_of(STUDENT, "solution"), name, graded.targets)
    result = graded(files)
    assert "not judged" not in outcomes(result).values(), result.not_judged
    assert outcomes(result, ("clean-files", "door-open")) == {"clean-files": "passed", "door-open": "passed"}


@pytest.mark.verify
@pytest.mark.parametrize("name", ["fork_bomb", "forges_results", "kills_its_process_group", "memory_hog"])
def test_attack_in_the_function_harms_only_itself(graded: Grading, name: str) -> None:
    files = attacking.in_function(files_of(STUDENT, "solution"), name, graded.targets)
    result = graded(files, (*LINES, "path-health"))
    assert set(outcomes(result).values()) == {"passed"}, said(result)
    assert result.line("path-health").verdict.outcome != "not judged"


@pytest.mark.verify
def test_attack_in_user_data_gets_nothing(graded: Grading) -> None:
    """As root in its own machine: other processes, the grader's files, the cloud's control interface."""
    commands = "\n".join((
        "kill -9 -1 || true",
        f"cat {graded.hidden} {graded.result} && echo ERROR leaked || true",
        f"echo 100 > {graded.result} || true",
        "curl --silent --max-time 2 -X POST http://169.254.169.254/moto-api/reset && echo ERROR reset || true",
        "for port in 22 80 4566 5000 8000; do (echo > /dev/tcp/127.0.0.1/$port) 2>/dev/null && echo ERROR $port; done || true",
        "mount -t proc proc /mnt && ls /mnt | wc -l; umount /mnt || true",
    ))  # fmt: skip
    files = attacking.in_user_data(files_of(STUDENT, "solution"), commands)
    result = graded(files, (*LINES, "same-again"))
    assert set(outcomes(result).values()) == {"passed"}, said(result)


@pytest.mark.verify
def test_a_result_that_was_handed_in_counts_nothing(graded: Grading) -> None:
    forged = json.dumps({"score": 100, "final": True, "complete": True})
    names = ("result.json", "results.json", "results/results.json", ".lab/grading/result.json", "report.html")
    result = graded(dict.fromkeys(names, forged))
    assert result.score == 0
    assert set(outcomes(result).values()) == {"failed"}


@pytest.mark.verify
def test_ending_in_the_middle_is_no_pass(graded: Grading) -> None:
    """os._exit(0) in the server and sys.exit(0) in the function: an exit status is never a verdict."""
    files = files_of(STUDENT, "solution")
    app = files["flask_app.py"].replace("    started = time.perf_counter()\n", "    os._exit(0)\n", 1)
    function = files["lambda_function.py"].replace(
        "    return process(event)\n", "    raise SystemExit(0)\n", 1
    )
    lines = ("row-origin", "bytes-exact", "eight-at-once", "path-image")
    result = graded(
        {**files, "flask_app.py": app, "lambda_function.py": function}, (*LINES, *lines, "path-health")
    )
    assert outcomes(result, ("eight-at-once", "path-image")) == dict.fromkeys(
        ("eight-at-once", "path-image"), "failed"
    )
    assert not [line for line in result.not_judged if line.id in (*LINES, *lines)]


@pytest.mark.verify
def test_a_neighbours_work_shows(graded: Grading) -> None:
    """Another student's files: not one's own values, in the files and in what they make."""
    result = graded(files_of(STUDENTS[1], "solution"), ("own-variant", "clean-files"))
    assert set(outcomes(result, ("own-variant", "clean-files")).values()) == {"failed"}


@pytest.mark.verify
def test_a_server_that_asks_a_cloud_of_its_own_stores_nothing(graded: Grading) -> None:
    """The unit points the SDK at an endpoint inside the instance: what ours holds is what counts."""
    files = files_of(STUDENT, "solution")
    app = files["flask_app.py"].replace(
        "app = Flask(__name__)",
        'os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"\napp = Flask(__name__)',
        1,
    )
    assert app != files["flask_app.py"]
    result = graded({**files, "flask_app.py": app}, (*LINES, "eight-at-once"))
    assert result.line("eight-at-once").verdict.outcome == "failed"


def test_every_row_has_its_test() -> None:
    """Each row of the list names tests that exist, or says why it can't occur."""
    rows = tomllib.loads(ROWS.read_text())["row"]
    assert sorted(row["number"] for row in rows) == [*range(1, 25), *range(28, 35)]
    names = {row["name"] for row in rows}
    assert len(names) == len(rows)
    for row in rows:
        assert row.get("tests") or row.get("cannot_occur"), row["name"]
        for test in row.get("tests", []):
            file, _, function = test.partition("::")
            assert f"def {function}(" in (ROOT / "tests" / file).read_text(), test
