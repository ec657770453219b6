"""How long a student waits for the verdict on a gap that was just saved: `./lab grade --gap NAME`, all of it.

What belongs here: the command as people type it, in a lab of its own, each time with a changed text. What does not:
whole gradings (bench.grading).
"""

import contextlib
import os
import resource
import subprocess
import tempfile
from pathlib import Path

import labkit
from bench.measuring import Figure, figure, timed
from labkit.course import manifest
from labkit.grading.grade import KEPT

ROOT = Path(labkit.__file__).resolve().parent.parent
RUNS = 3
_STUDENT = ("--student", "bench@lab.example", "--solution")
#: lines that wait by what they ask for: a connection's 5 s, a download's 20 s
_WAITS = {"lambda-call": "waits 5 s by itself", "download": "waits 20 s by itself"}


def gaps() -> list[Figure]:
    """The first judging of a gap, which makes what is kept; then each gap, changed, a few times."""
    lab = manifest.load(ROOT)
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        base = Path(folder)
        _lab(base, "generate")
        work = next((base / "work").iterdir())
        try:
            first = figure(
                "gap judged, the first time (server-door)", timed(lambda: _judged(base, "server-door"), 1)
            )
            each = [_gap(base, work, gap.name, gap.files["cloudformation"]) for gap in lab.gaps]
            return [first, *(shown for pair in each for shown in pair)]
        finally:
            subprocess.run(["sh", str(ROOT / "lab"), "cloud", "stop"], env=_environment(base), check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip


def _gap(base: Path, work: Path, name: str, file: str) -> tuple[Figure, Figure]:
    """Wall and processor time of the verdict on a changed gap."""
    spent: list[float] = []

    def changed() -> None:
        path = work / file
        head, mark, rest = path.read_text().partition(f"# >>> gap {name}\n")
        path.write_text(f"{head}{mark}# changed\n{rest}")
        before = _spent(base)
        _judged(base, name)
        spent.append(1000 * (_spent(base) - before))

    wall = timed(changed, RUNS)
    return figure(f"gap {name}, changed: wall", wall, aim=_WAITS.get(name, "< 2 s")), figure("  CPU", spent)


def _spent(base: Path) -> float:
    """Processor seconds of the commands so far, and of what is kept between them with all that it has collected."""
    kept = str(base / ".lab" / "grading" / KEPT)
    commands = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = sum(_ticks(process) for process in Path("/proc").glob("[0-9]*") if kept in _command(process))
    return commands.ru_utime + commands.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def _command(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_text(errors="replace")
    return ""


def _ticks(process: Path) -> int:
    return sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:15]))


def _judged(base: Path, gap: str) -> None:
    _lab(base, "grade", "--gap", gap, "--plain")


def _lab(base: Path, *words: str) -> None:
    command = ["sh", str(ROOT / "lab"), *words, *_STUDENT]
    subprocess.run(command, env=_environment(base), check=True, stdout=subprocess.DEVNULL)


def _environment(base: Path) -> dict[str, str]:
    return {**os.environ, "LAB_BASE": str(base)}
