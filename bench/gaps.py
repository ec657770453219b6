"""How long a student waits for the verdict on a gap that was just saved: `./lab grade --gap NAME`, all of it.

What belongs here: the command as people type it, in a lab of its own, each time with a changed text. What does not:
whole gradings (bench.grading).
"""

import os
import subprocess
import tempfile
from pathlib import Path

import labkit
from bench.measuring import Figure, figure, timed
from labkit import manifest

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
            return [first, *(_gap(base, work, gap.name, gap.files["cloudformation"]) for gap in lab.gaps)]
        finally:
            subprocess.run(["sh", str(ROOT / "lab"), "cloud", "stop"], env=_environment(base), check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip


def _gap(base: Path, work: Path, name: str, file: str) -> Figure:
    def changed() -> None:
        path = work / file
        head, mark, rest = path.read_text().partition(f"# >>> gap {name}\n")
        path.write_text(f"{head}{mark}# changed\n{rest}")
        _judged(base, name)

    return figure(f"gap judged again, changed: {name}", timed(changed, RUNS), aim=_WAITS.get(name, "< 2 s"))


def _judged(base: Path, gap: str) -> None:
    _lab(base, "grade", "--gap", gap, "--plain")


def _lab(base: Path, *words: str) -> None:
    command = ["sh", str(ROOT / "lab"), *words, *_STUDENT]
    subprocess.run(command, env=_environment(base), check=True, stdout=subprocess.DEVNULL)


def _environment(base: Path) -> dict[str, str]:
    return {**os.environ, "LAB_BASE": str(base)}
