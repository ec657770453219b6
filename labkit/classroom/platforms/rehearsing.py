"""A package tried out here: unpacked as the platform unpacks it, run with its limits, shown as the student sees it.

What belongs here: each platform's folders and environment, and the student's view of its document. What does not: the
package (packing), what runs in it (running).

Not tried: what a platform downloads when it makes its image. The packages come from this kit's own environment.
"""

import contextlib
import io
import json
import os
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError
from labkit.base.text import printable
from labkit.classroom import courier
from labkit.classroom.platforms import limits
from labkit.classroom.platforms.packing import Platform
from labkit.grading.intake import identity, intake
from labkit.sandbox import memory, tiers

#: Gradescope's defaults; the others give more
_MEMORY, _CORES = 768, 0.5
_SECONDS = 1200
#: seconds between looks at how much memory is held
_LOOK = 0.5
_CHECK50 = Path(__file__).with_name("files") / "check50" / "stand_in.py.txt"


@dataclass(frozen=True)
class Layout:
    """What is run there: command, folder, environment besides PATH, where the document is; `kit`: where it is unpacked."""

    command: tuple[str, ...]
    folder: Path
    variables: Mapping[str, str]
    document: Path
    kit: Path


@dataclass(frozen=True)
class Rehearsed:
    """What came of it. `view`: lines as the student sees them. `limited`: which limits held, `unlimited`: which not."""

    status: int
    seconds: float
    view: tuple[str, ...]
    document: Mapping[str, Any]
    errors: str
    peak_mb: int
    limited: tuple[str, ...]
    unlimited: tuple[str, ...]


def rehearse(platform: Platform, files: Mapping[str, bytes], submission: Path) -> Rehearsed:
    """Unpack it in a bare folder and judge the submission (a zip) there. Raises LabError when it does not end."""
    with _place() as base:
        layout = _LAYOUTS[platform.name](base, files, submission)
        _unzip(files[next(name for name in files if name.endswith("kit.zip"))], layout.kit)
        python = courier.python_with(layout.kit, base / "python")
        memory_mb, cores = (_MEMORY, _CORES) if platform.marks else (16 << 10, 4.0)
        with limits.group(memory_mb, cores) as group:
            began = time.monotonic()
            done, seen = _run(layout, _environment(platform, layout, python, base), group)
            seconds, peak = time.monotonic() - began, group.peak_mb() or seen
        document = _read(layout.document)
        view = tuple(_VIEWS[platform.name](document, done.stdout))
        return Rehearsed(
            done.returncode,
            seconds,
            view,
            document,
            done.stderr[-4000:],
            peak,
            tuple(group.kept),
            (*group.not_kept, *_too_much(peak, memory_mb)),
        )


def _too_much(peak: int, allowed: int) -> Iterator[str]:
    if peak > allowed:
        yield f"{peak} MB were held, and the platform gives {allowed}: it would be killed there"


@contextmanager
def _place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lab-rehearsal-") as folder:
        Path(folder).chmod(0o755)  # programs are run as users of their own, who have to reach Python
        yield Path(folder)


def _environment(platform: Platform, layout: Layout, python: str, base: Path) -> dict[str, str]:
    """Nothing of this shell but the way to programs; the tier that the platform's kind of machine gives."""
    (base / "home").mkdir()
    tier = {tiers.VARIABLE: "portable"} if platform.marks else {}
    mirror = {name: os.environ[name] for name in ("LAB_TF_MIRROR",) if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(base / "home"),
        "LANG": "C.UTF-8",
        "LAB_PYTHON": python,
        **tier,
        **mirror,
        **layout.variables,
    }


def _run(
    layout: Layout, variables: Mapping[str, str], group: limits.Group
) -> "tuple[subprocess.CompletedProcess[str], int]":
    """How it ended, and the most MB that its processes held, as far as looks twice a second see it."""
    peak = 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            layout.command, cwd=layout.folder, env=dict(variables), stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
            preexec_fn=group.enter,
        )  # fmt: skip
        last = time.monotonic() + _SECONDS
        while process.poll() is None:
            if time.monotonic() > last:
                process.kill()
                process.wait()
                raise LabError(
                    f"The rehearsal did not end within {_SECONDS // 60} minutes.",
                    hint="Try it on a machine with less to do.",
                )
            peak = max(peak, memory.exact(process.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK)
        out.seek(0)
        errors.seek(0)
        done = subprocess.CompletedProcess(layout.command, process.returncode, out.read(), errors.read())
    return done, peak >> 20


def _put(folder: Path, files: Mapping[str, bytes], programs: tuple[str, ...] = ()) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name in programs else 0o644)


def _unzip(data: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            Path(archive.extract(entry, folder)).chmod(entry.external_attr >> 16 & 0o777)
    for name in ("solution", "grader"):  # as setup.sh and run.sh do
        if (folder / "private").is_dir():
            (folder / name).chmod(0o700)


def _submitted(submission: Path, folder: Path) -> Path:
    """The submission's files in a folder, as platforms unpack a zip."""
    intake.take_in(submission, folder)
    return folder


# ---- Each platform's folders --------------------------------------------------------------------------


def _gradescope(base: Path, files: Mapping[str, bytes], submission: Path) -> Layout:
    root = base / "autograder"
    _put(root / "source", files)
    _put(
        root,
        {"run_autograder": files["run_autograder"], "submission_metadata.json": _metadata(submission)},
        ("run_autograder",),
    )
    _submitted(submission, root / "submission")
    return Layout(
        (str(root / "run_autograder"),), root, {}, root / "results" / "results.json", root / "source" / "kit"
    )


def _metadata(submission: Path) -> bytes:
    """As Gradescope writes it, for whom the pack names."""
    now = datetime.now(UTC).isoformat()
    who = identity.claims(submission).student
    value = {
        "id": 1, "created_at": now, "submission_method": "upload", "users": [{"email": who, "id": 1, "name": who}], "previous_submissions": [],
        "assignment": {"due_date": now, "late_due_date": None, "release_date": now, "group_size": None, "group_submission": False,
                       "id": 1, "course_id": 1, "title": "Lab", "total_points": "1000.0"},
    }  # fmt: skip
    return json.dumps(value).encode()


def _prairielearn(base: Path, files: Mapping[str, bytes], submission: Path) -> Layout:
    root = base / "grade"
    own = {
        name.removeprefix("question/"): data
        for name, data in files.items()
        if name.startswith("question/tests/")
    }
    _put(
        root,
        {**own, "data/data.json": b"{}", "student/submission.zip": submission.read_bytes()},
        ("tests/run.sh",),
    )
    return Layout(
        (str(root / "tests/run.sh"),),
        root,
        {"LAB_GRADE": str(root)},
        root / "results" / "results.json",
        root / "kit",
    )


def _github(base: Path, files: Mapping[str, bytes], submission: Path) -> Layout:
    root = _submitted(submission, base / "repository")
    _put(root, files)
    places = {
        "RUNNER_TEMP": base / "temp",
        "GITHUB_WORKSPACE": root,
        "GITHUB_OUTPUT": base / "output",
        "GITHUB_STEP_SUMMARY": base / "summary.md",
    }
    variables = {name: str(path) for name, path in places.items()}
    work = base / "temp" / "lab"
    return Layout(("sh", ".grader/run.sh"), root, variables, work / "result.json", work / "kit")


def _classroom50(base: Path, files: Mapping[str, bytes], submission: Path) -> Layout:
    _put(base / "bundle", files)
    root = _submitted(submission, base / "checkout")
    variables = {
        "CLASSROOM": "class",
        "ASSIGNMENT": "lab",
        "OWNER": "student",
        "SUBMISSION_TAG": "submit/1",
        "COMMIT_URL": "https://example.org/commit/1",
        "RELEASE_URL": "https://example.org/release/1",
        "REVIEW_URL": "https://example.org/review/1",
    }
    return Layout(
        ("python3", str(base / "bundle" / "autograder.py")),
        root,
        variables,
        root / "result.json",
        base / "kit",
    )


def _check50(base: Path, files: Mapping[str, bytes], submission: Path) -> Layout:
    """Without check50 itself: a stand-in for the parts of it that the checks use."""
    _put(base / "slug", {**files, "check50.py": _CHECK50.read_bytes()})
    root = _submitted(submission, base / "checkout")
    document = base / "results.json"
    return Layout(
        ("python3", str(base / "slug" / "check50.py"), str(document)), root, {}, document, base / "kit"
    )


_LAYOUTS = {
    "gradescope": _gradescope,
    "github": _github,
    "classroom50": _classroom50,
    "prairielearn": _prairielearn,
    "check50": _check50,
}


# ---- What the student sees ----------------------------------------------------------------------------


def _read(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _seen_on_gradescope(document: Mapping[str, Any], _: str) -> Iterator[str]:
    if "score" not in document:
        yield "The autograder failed to execute correctly."
    else:
        most = sum(test.get("max_score", 0) for test in document["tests"])
        yield f"Autograder score: {document['score']:g} / {most:g}"
    yield from printable(document.get("output", "")).split(" ⏎ ")
    for test in document.get("tests", ()):
        if test.get("visibility") == "visible":
            yield f"{test.get('number', ''):>4} {test['name']} ({test.get('score', 0):g}/{test.get('max_score', 0):g})"
            yield from (
                f"       {line}"
                for line in printable(test["output"]).split(" ⏎ ")
                if test["status"] == "failed"
            )


def _seen_on_prairielearn(document: Mapping[str, Any], _: str) -> Iterator[str]:
    if not document.get("gradable", True):
        yield f"Invalid, not gradable: {printable(' '.join(document.get('format_errors', [])))}"
        return
    yield f"Score: {100 * document.get('score', 0):g} %  {printable(document.get('message', ''))}"
    for test in document.get("tests", ()):
        yield f"[{test['points']:g}/{test['max_points']:g}] {test['name']}  {printable(test['output'])}"


def _seen_in_a_log(_: Mapping[str, Any], output: str) -> Iterator[str]:
    yield from map(printable, output.splitlines())


def _seen_on_classroom50(document: Mapping[str, Any], _: str) -> Iterator[str]:
    if not document:
        yield "status: error"
        return
    yield f"{document['score']} of {document['max-score']}"
    for test in document["tests"]:
        yield f"{'✓' if test['passed'] else '✗'} {test['score']}/{test['max-score']} {test['test-name']}"


_VIEWS = {
    "gradescope": _seen_on_gradescope,
    "prairielearn": _seen_on_prairielearn,
    "github": _seen_in_a_log,
    "classroom50": _seen_on_classroom50,
    "check50": _seen_in_a_log,
}
