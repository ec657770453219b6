"""What a grading costs: one submission cold and warm, and many in a row.

What belongs here: the measured gradings and how their processor time is counted. What does not: timing (measuring).
CPU is that of every process a grading starts: orphans come to us (we are their reaper), so none gets lost.
"""

import contextlib
import ctypes
import json
import os
import statistics
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import labkit
from bench.measuring import Figure
from labkit.course import manifest
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.grading.grade import Request, grade
from labkit.grading.model import Result, to_json
from labkit.grading.process.starting import Warm

ROOT = Path(labkit.__file__).resolve().parent.parent
RUNS = int(os.environ.get("LAB_BENCH_RUNS", "20"))
IN_A_ROW = int(os.environ.get("LAB_BENCH_IN_A_ROW", "50"))
AT_ONCE = 4
_PR_SET_CHILD_SUBREAPER = 36
_TICKS = os.sysconf("SC_CLK_TCK")


def grading() -> list[Figure]:
    """One submission, cold and warm, and where its time goes."""
    with _prepared() as submission:
        cold = [_measured(lambda: _graded(submission, None)) for _ in range(RUNS)]
        with _warm() as (warm, spent):
            warmed = [_measured(lambda: _graded(submission, warm), spent) for _ in range(RUNS)]
            where = _by_process(lambda: _graded(submission, warm))
    return [
        *_both("graded, cold", cold, "< 1 s CPU"), *_both("graded, warm", warmed, "< 1 s CPU"),
        *where, *_slowest([result for *_, result in warmed]),
    ]  # fmt: skip


def many() -> list[Figure]:
    """Many submissions in a row, some at once, and what they leave."""
    with _prepared() as submission, _warm() as (warm, _):
        return _in_a_row(submission, warm)


@contextlib.contextmanager
def _prepared() -> Iterator[Path]:
    """A submission; all that gradings start and leave comes to us."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder  # whatever a grading leaves, it leaves here
        yield _submission(Path(folder))


def _submission(folder: Path) -> Path:
    """The zip of a student's reference solution, without evidence files."""
    lab = manifest.load(ROOT)
    values = make_variant(lab.salt, "bench@lab.example").values()
    source = folder / "submission.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in Renderer(lab.root, lab.files).render(values, solution=True).items():
            archive.writestr(name, text)
    return source


def _graded(source: Path, warm: Warm | None) -> Result:
    result = grade(Request(ROOT, "bench@lab.example", source), warm=warm)
    assert result.is_final, [f"{line.id}: {line.verdict.reason}" for line in result.not_judged]
    return result


def _measured(
    act: Callable[[], Result], further: Callable[[], float] = lambda: 0.0
) -> tuple[float, float, Result]:
    """CPU and wall seconds of a grading; `further`: seconds of processes that are not collected yet."""
    began, spent = time.perf_counter(), _cpu() + further()
    result = act()
    return _cpu() + further() - spent, time.perf_counter() - began, result


def _cpu() -> float:
    """Processor seconds of this process and of all that it has collected."""
    with contextlib.suppress(ChildProcessError):
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass  # an orphan; whom we start ourselves is collected by who started it, before we look
    return sum(os.times()[:4])


@contextlib.contextmanager
def _warm() -> Iterator[tuple[Warm, Callable[[], float]]]:
    """A warm parent, and what it and all that it has collected have spent."""
    with Warm.open() as warm:
        pid = warm.pid

        def spent() -> float:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return sum(map(int, fields[11:15])) / _TICKS

        yield warm, spent


def _both(name: str, runs: list[tuple[float, float, Result]], aim: str) -> list[Figure]:
    """p50 and p95 of CPU and of wall time."""
    found = []
    for what, values in (("CPU", [cpu for cpu, *_ in runs]), ("wall", [wall for _, wall, _ in runs])):
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
        found.append(Figure(f"{name}: {what} (worst: p95)", "s", statistics.median(ordered), p95, len(runs),
                            None, aim if what == "CPU" else ""))  # fmt: skip
    return found


def _slowest(results: list[Result]) -> list[Figure]:
    """The five lines that take longest."""
    times = {line.id: [result.line(line.id).seconds for result in results] for line in results[0].lines}
    longest = sorted(times, key=lambda name: -statistics.median(times[name]))[:5]
    return [
        Figure(f"  of it {name}", "s", statistics.median(times[name]), max(times[name]), len(results))
        for name in longest
    ]


def _by_process(act: Callable[[], object]) -> list[Figure]:
    """CPU of one more grading by kind of process, looked at 20 times a second (the last moments are missed)."""
    spent: dict[int, tuple[str, float]] = {}
    before = _below()

    def look() -> None:
        spent.update({pid: told for pid in _below() - before if (told := _spent(pid))})

    with _repeating(0.05, look):
        act()
    kinds: dict[str, list[float]] = {}
    for kind, seconds in spent.values():
        kinds.setdefault(kind, []).append(seconds)
    return [
        Figure(f"  of its CPU {kind}", "s", sum(all_of), max(all_of), len(all_of))
        for kind, all_of in sorted(kinds.items(), key=lambda item: -sum(item[1]))
        if sum(all_of) >= 0.1
    ]  # fmt: skip


#: what stands in a process's command line; of those forked from the warm parent its folder tells
_KINDS = (
    ("waitress", "the server's program"), ("cloud.functions", "sandboxes and functions"),
    ("instances", "the server's other programs"),
)  # fmt: skip


def _spent(pid: int) -> tuple[str, float] | None:
    """A process's kind and processor seconds; None of one that has ended."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        if not command:
            return None
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        forked = "the cloud" if os.readlink(f"/proc/{pid}/cwd") == "/" else "the judging process"
        kind = next((name for words, name in _KINDS if words in command), "the server's other programs")
        return forked if "grading.process.warm" in command else kind, sum(map(int, fields[11:13])) / _TICKS
    return None


@contextlib.contextmanager
def _repeating(seconds: float, look: Callable[[], object]) -> Iterator[None]:
    """Calls `look` again and again while the body runs."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(seconds):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _in_a_row(source: Path, warm: Warm) -> list[Figure]:
    """Many gradings, some at once: per minute, memory at most, processes and files left."""
    processes, files = _below(), set(os.listdir(tempfile.gettempdir()))
    memory, began = [0.0], time.perf_counter()
    with (
        _repeating(0.5, lambda: memory.append(sum(map(_proportional, _below())))),
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        results = list(pool.map(lambda _: _graded(source, warm), range(IN_A_ROW)))
    minutes = (time.perf_counter() - began) / 60
    _cpu()
    left = len(_below() - processes)
    files_left = len(set(os.listdir(tempfile.gettempdir())) - files)
    values = (
        (f"{IN_A_ROW} in a row: per minute", "", IN_A_ROW / minutes, "100"), ("  memory at most", "MB", max(memory), ""),
        ("  processes left", "", left, "0"), ("  files left", "", files_left, "0"),
        ("  results that differ, but for times", "", len(set(map(_timeless, results))) - 1, "0"),
    )  # fmt: skip
    return [Figure(name, unit, value, value, 1, None, aim) for name, unit, value, aim in values]


def _timeless(result: Result) -> str:
    """A result's bytes without what must differ."""
    value = to_json(result)
    lines = [{**line, "seconds": 0} for line in (*value["lines"], *value["bonus"]["lines"])]
    return json.dumps({**value, "timing": {}, "lines": lines, "bonus": {}})


def _below() -> set[int]:
    """All processes below this one."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
    found, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found - {os.getpid()}


def _proportional(pid: int) -> float:
    """A process's share of memory in MB (pages shared by several count once)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0
