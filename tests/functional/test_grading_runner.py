"""The judging process and its keeper: whatever a check does, and whenever something is killed, the result is valid.

The checks here are toys in a kit of their own, judged on a local cloud in which nothing is deployed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import labkit
from labkit.base.errors import StateError
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course import rubric
from labkit.grading.model import Result, empty
from labkit.grading.process import runner
from labkit.grading.process.starting import Warm, warm_parent
from labkit.grading.process.task import Task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(labkit.__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "labkit" / "grading" / "result.schema.json").read_text())

#: the cloud counts one failure of its own more each time it is asked
_AFTER_A_FAULT = """import itertools
    from labkit.cloud.client.lifecycle import LocalCloud
    asked, numbers = LocalCloud.ask, itertools.count()
    def ask(self, method, path, *rest, **named):
        return {'iam:GetRole answered 503': next(numbers)} if path == 'faults' else asked(self, method, path, *rest, **named)
    LocalCloud.ask = ask
    lab.cleanup(setattr, LocalCloud, 'ask', asked)
    lab.system.cloud.ask('GET', 'faults')
    raise Failed('the answer was not what it should be')"""
#: what only the submission can have brought about
_REFUSED = "lab.clients.client('s3').get_object(Bucket='nobodys-bucket', Key='x')"
_IMPOSSIBLE = "lab.clients.client('s3').get_object(Bucket='No Bucket', Key='x')"
CHECKS = {
    "passes": "return None",
    "in-part": "raise Failed('half of it', fraction=0.5, expected=1, found=2)",
    "fails": "raise Failed('i-0123456789abcdef0 is wrong', hint='look')",
    "raises": "return {}['missing']",
    "returns-nonsense": "return 'passed'",
    "returns-too-much": "return 1.5",
    "exits": "import os; os._exit(0)",
    "leaves": "import sys; sys.exit(0)",
    "prints": 'print(\'{"kind": "verdict", "line": "fails"}\' * 1000)',
    "cleans": "lab.cleanup(lab.server); raise Failed('its own fault')",
    "cloud-fails": _AFTER_A_FAULT,
    "is-refused": _REFUSED,
    "is-impossible": _IMPOSSIBLE,
    "not-there": "lab.system.cloud.instance('i-0123456789abcdef0')",
    "in-the-way": "open('/dev/null/x')",
    "not-put-back": "lab.cleanup(lab.clients.client('s3').delete_object, Bucket='nobodys-bucket', Key='x')",
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    made = LocalCloud(tmp_path_factory.mktemp("cloud"))
    made.ensure()
    yield made
    made.stop()


@pytest.fixture(scope="module", autouse=True)
def _warm() -> Iterator[None]:
    with warm_parent() as Judging.warm:
        yield
    Judging.warm = None


def kit(folder: Path, checks: dict[str, str]) -> Path:
    """A kit with these toy checks and nothing else."""
    text = (ROOT / "lab.toml").read_text().split("[[line]]")[0]
    for number, name in enumerate(checks):
        points = 100 - len(checks) + 1 if number == 0 else 1
        text += f'\n[[line]]\nid = "{name}"\ntitle = "it {name}"\npoints = {points}\nstep = "03"\n'
    (folder / "grader" / "checks").mkdir(parents=True)
    (folder / "lab.toml").write_text(text)
    for name, body in checks.items():
        path = folder / "grader" / "checks" / f"check_{name.replace('-', '_')}.py"
        path.write_text(f"from labkit.grading.api import Failed\ndef check(lab):\n    'Holds.'\n    {body}\n")
    return folder


class Judging:
    """One judging of toy checks on the shared cloud."""

    def __init__(self, root: Path, cloud: LocalCloud, result: Path) -> None:
        self.rubric = rubric.load(root)
        self.run = runner.Run(empty(self.rubric, about()), result)
        files = root / "submission"
        files.mkdir(exist_ok=True)
        self.task = Task(
            root=str(root), student="ada@uni.edu", files=str(files), work="",
            lines=tuple(line.id for line in self.rubric.lines), seed="00", checks=(str(root / "grader/checks"),),
            deployed=str(cloud.folder),
        )  # fmt: skip

    #: judging processes are forked from it; None: each is a program of its own
    warm: Warm | None = None

    def judged(self, **options: Any) -> Result:
        return runner.judge(self.run, self.task, **{"warm": self.warm, **options})


@contextlib.contextmanager
def watched(path: Path) -> Iterator[list[str]]:
    """Every different content that the file has while the body runs, oldest first."""
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            if path.exists() and (text := path.read_text()) not in seen[-1:]:
                seen.append(text)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def about() -> dict[str, Any]:
    return {
        "student": "ada@uni.edu", "variant": "x", "engine": "cloudformation", "kit": "1", "target": "deployed",
        "only": [], "gap": "", "rubric": "ff", "reference": False, "self_check": True,
    }  # fmt: skip


def test_every_end_of_a_check_has_its_verdict_and_the_file_is_always_valid(
    tmp_path: Path, cloud: LocalCloud
) -> None:
    path = tmp_path / "result.json"
    with watched(path) as seen:
        result = Judging(kit(tmp_path, CHECKS), cloud, path).judged()
    assert not json.loads(seen[0])["final"]
    for value in seen:
        jsonschema.validate(json.loads(value), SCHEMA)
    outcomes = {line.id: (line.verdict.outcome, line.verdict.fraction) for line in result.lines}
    assert outcomes == {
        "passes": ("passed", 1.0), "in-part": ("failed", 0.5), "fails": ("failed", 0.0),
        "raises": ("not judged", 0.0), "returns-nonsense": ("not judged", 0.0),
        "returns-too-much": ("not judged", 0.0), "exits": ("not judged", 0.0), "leaves": ("not judged", 0.0),
        "prints": ("passed", 1.0), "cleans": ("failed", 0.0), "cloud-fails": ("not judged", 0.0),
        "is-refused": ("failed", 0.0), "is-impossible": ("failed", 0.0), "not-there": ("failed", 0.0),
        "in-the-way": ("failed", 0.0), "not-put-back": ("passed", 1.0),
    }  # fmt: skip
    assert (
        "the local cloud failed meanwhile: iam:GetRole answered 503"
        in result.line("cloud-fails").verdict.reason
    )
    assert result.line("fails").verdict.reason == "<instance> is wrong"
    assert "AWS refused GetObject (NoSuchBucket)" in result.line("is-refused").verdict.reason
    assert "KeyError" in result.line("raises").verdict.reason
    assert not result.is_final
    assert result.total == 100


def test_a_check_that_never_ends_is_ended_and_the_others_go_on(tmp_path: Path, cloud: LocalCloud) -> None:
    checks = {"hangs": "import time; time.sleep(600)", "passes": "return 1.0"}
    result = Judging(kit(tmp_path, checks), cloud, tmp_path / "result.json").judged(line_seconds=4.0)
    assert [line.verdict.outcome for line in result.lines] == ["not judged", "passed"]


def test_a_line_on_which_others_stand_and_that_never_ends_keeps_none_of_them_from_being_judged(
    tmp_path: Path, cloud: LocalCloud
) -> None:
    others = [f"passes-{number}" for number in range(5)]
    root = kit(tmp_path, {**dict.fromkeys(others, "return 1.0"), "hangs": "import time; time.sleep(600)"})
    toml = (root / "lab.toml").read_text() + '\n[[bonus]]\nid = "needs-it"\ntitle = "it does"\n'
    (root / "lab.toml").write_text(toml + 'points = 1\nstep = "03"\nneeds = ["hangs"]\n')
    result = Judging(root, cloud, tmp_path / "result.json").judged(line_seconds=4.0)
    assert [line.verdict.outcome for line in result.lines] == [*["passed"] * 5, "not judged"]


def test_a_line_without_a_check_is_not_judged(tmp_path: Path, cloud: LocalCloud) -> None:
    root = kit(tmp_path, {"passes": "return None", "gone": "return None"})
    (root / "grader" / "checks" / "check_gone.py").unlink()
    result = Judging(root, cloud, tmp_path / "result.json").judged()
    assert [line.verdict.outcome for line in result.lines] == ["passed", "not judged"]


def test_a_check_that_can_not_be_imported_fails_nobody(tmp_path: Path, cloud: LocalCloud) -> None:
    root = kit(tmp_path, {"passes": "return None", "broken": "return None"})
    (root / "grader" / "checks" / "check_broken.py").write_text("def check(lab:\n")
    result = Judging(root, cloud, tmp_path / "result.json").judged()
    assert [line.verdict.outcome for line in result.lines] == ["passed", "not judged"], [
        line.verdict.reason for line in result.lines
    ]
    assert "SyntaxError" in result.line("broken").verdict.reason


def test_nobody_elses_pytest_settings_plugins_or_modules_count(
    tmp_path: Path, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = kit(tmp_path / "kit", {"fails": "raise Failed('it does not hold')"})
    files = root / "submission"
    files.mkdir()
    evil = "import os\nos._exit(0)\n"
    for name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "boto3.py", "json.py", "labkit.py"):
        (files / name).write_text(evil)
    (files / "pytest.ini").write_text("[pytest]\naddopts = --collect-only -p evil\n")
    (files / "test_planted.py").write_text("def test_passes(): pass\n")
    (files / "check_fails.py").write_text("def check(lab): return 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(files))
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTEST_PLUGINS", "conftest")
    monkeypatch.chdir(files)
    result = Judging(root, cloud, tmp_path / "result.json").judged(warm=None)
    assert [line.verdict.outcome for line in result.lines] == ["failed"]


def test_a_disk_that_takes_nothing_is_an_error_not_a_mark(tmp_path: Path, cloud: LocalCloud) -> None:
    (tmp_path / "file").write_text("")
    judging = Judging(kit(tmp_path, {"passes": "return None"}), cloud, tmp_path / "file" / "result.json")
    with pytest.raises(StateError):
        judging.judged()


def test_a_dead_cloud_is_our_trouble(tmp_path: Path) -> None:
    own = LocalCloud(tmp_path / "cloud")
    own.ensure()
    try:
        body = (
            "import os; os.kill(lab.system.cloud.running().pid, 9); lab.clients.client('ec2').describe_vpcs()"
        )
        judging = Judging(kit(tmp_path / "kit", {"kills": body}), own, tmp_path / "result.json")
        result = judging.judged()
        assert result.line("kills").verdict.outcome == "not judged"
    finally:
        own.stop()
        shutil.rmtree(own.folder)


@pytest.mark.parametrize("when", ["at once", "in a check"])
def test_the_judging_process_ends_with_its_keeper(
    tmp_path: Path, cloud: LocalCloud, until: Any, when: str
) -> None:
    """The keeper gets kill -9: its judging process ends, the file is valid and no mark."""
    root = kit(tmp_path, {"hangs": "open(lab.files['pid'].strip(), 'w').write(str(__import__('os').getpid())); "
                                   "__import__('time').sleep(600)"})  # fmt: skip
    (root / "submission").mkdir()
    (root / "submission" / "pid").write_text(str(tmp_path / "judging.pid"))
    script = tmp_path / "keeper.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        f"from pathlib import Path\nfrom test_grading_runner import Judging\n"
        "from labkit.cloud.client.lifecycle import LocalCloud\n"
        f"root, cloud, result = map(Path, {[str(root), str(cloud.folder), str(tmp_path / 'r.json')]!r})\n"
        "Judging(root, LocalCloud(cloud), result).judged()\n"
    )
    keeper = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE)
    if when == "in a check":
        until((tmp_path / "judging.pid").exists, seconds=60, what="the check")
    else:
        until((tmp_path / "r.json").exists, seconds=60, what="the first result")
    keeper.send_signal(signal.SIGKILL)
    keeper.communicate()
    if (tmp_path / "judging.pid").exists():
        pid = int((tmp_path / "judging.pid").read_text())
        until(lambda: not os.path.exists(f"/proc/{pid}"), what="the end of the judging process")
    value = json.loads((tmp_path / "r.json").read_text())
    jsonschema.validate(value, SCHEMA)
    assert not value["final"]
    assert value["score"] == 0


_KEEPER = """
import os, signal, sys
sys.path[:0] = [{folder!r}]
from pathlib import Path
from test_grading_runner import Judging
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.grading.process import runner

root, cloud, result = map(Path, {places!r})
judging = Judging(root, LocalCloud(cloud), result)
kept = judging.run.keep
writes = 0


def keep():
    global writes
    writes += 1
    if (writes, {when!r}) == ({write}, "before"):
        os.kill(os.getpid(), signal.SIGKILL)
    kept()
    if (writes, {when!r}) == ({write}, "after"):
        os.kill(os.getpid(), signal.SIGKILL)


judging.run.keep = keep
judging.judged()
"""
_LINES = {"one": "return None", "two": "raise Failed('no')", "three": "return None"}
#: the result is written at the beginning, after each of three verdicts, and at the end
_WRITES = [(write, when) for write in range(1, 6) for when in ("before", "after")]


@pytest.mark.parametrize(
    ("write", "when"),
    [each if each in ((1, "after"), (4, "before")) else pytest.param(*each, marks=pytest.mark.verify) for each in _WRITES],
)  # fmt: skip
def test_killed_at_any_write_it_is_never_a_mark(
    tmp_path: Path, cloud: LocalCloud, write: int, when: str
) -> None:
    """Only the last write makes a mark, and only what was judged before the kill has a verdict."""
    root, path = kit(tmp_path / "kit", _LINES), tmp_path / "r.json"
    places = [str(root), str(cloud.folder), str(path)]
    text = _KEEPER.format(folder=str(Path(__file__).parent), places=places, write=write, when=when)
    keeper = subprocess.run([sys.executable, "-c", text], stderr=subprocess.PIPE, timeout=120, check=False)
    assert keeper.returncode == -signal.SIGKILL, keeper.stderr
    written = write - (when == "before")
    assert path.exists() == bool(written)
    if written:
        value = json.loads(path.read_text())
        jsonschema.validate(value, SCHEMA)
        assert value["final"] == (written == 5)
        judged = [line["verdict"]["outcome"] for line in value["lines"]]
        assert judged == (["passed", "failed", "passed"][: written - 1] + ["not judged"] * 3)[:3]


@pytest.mark.verify
@pytest.mark.parametrize("event", [1, 2, 3])
def test_the_judging_process_killed_after_any_verdict_is_started_again(
    tmp_path: Path, cloud: LocalCloud, event: int
) -> None:
    """What was judged stays; the rest is judged by the next process."""
    judging = Judging(kit(tmp_path, _LINES), cloud, tmp_path / "result.json")
    seen = []

    def killing(_: object) -> None:
        seen.append(1)
        if len(seen) == event:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            os.kill(int(children[-1]), signal.SIGKILL)

    judging.run.emit = killing
    result = judging.judged(warm=None)
    outcomes = [line.verdict.outcome for line in result.lines]
    assert outcomes[:event] == ["passed", "failed", "passed"][:event]
    assert all(o in ("passed", "failed", "not judged") for o in outcomes)
    assert outcomes[1] != "passed"
