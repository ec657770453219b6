"""Workers and schedulers as processes of their own, and a kit whose porter does what the student's name says."""

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit.classroom import cluster, engine
from labkit.classroom.engine import Done, Work
from labkit.classroom.ledger import Key
from labkit.grading.grade import Request
from labkit.grading.model import to_json
from tests.conftest import wait_until
from tests.unit.classroom.rosters import ROOT, result

#: It needs nothing of the kit. What stands behind the student's "+" happens once, the seed is the place that remembers it:
#: the worker is killed, or stopped; the porter hangs, or takes all memory. "always" behind it: every time. "wait" never ends.
_PORTER = """
import base64, json, os, signal, sys, time
from pathlib import Path
answer = json.loads(Path(__file__).with_name("answer.json").read_text())
for line in sys.stdin:
    parcel = json.loads(line)
    student, *more = parcel["student"].split("+")
    trace = Path(parcel["seed"])
    first = bool(more) and ("always" in more or not trace.exists())
    if more:
        trace.write_text(str(os.getppid()))
    if "die" in more and first:
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(1)
    if "stop" in more and first:
        os.kill(os.getppid(), signal.SIGSTOP)
    if "wait" in more or "hang" in more and first:
        time.sleep(600)
    if "eat" in more and first:
        held = [bytearray(64 << 20) for _ in range(1 << 20)]
    about = {**answer["about"], "student": student, "size": len(base64.b64decode(parcel["submission"])),
             "user": os.getuid(), "folder": os.getcwd()}
    print(json.dumps({"number": parcel["number"], "result": {**answer, "about": about}}), flush=True)
"""
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def kit() -> bytes:
    """The kit with that porter."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {
            "labkit/__init__.py": "", "labkit/classroom/__init__.py": "", "labkit/classroom/porter.py": _PORTER,
            "labkit/classroom/answer.json": json.dumps(to_json(result())),
        }.items():  # fmt: skip
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def work(name: str, source: Path, seed: str = "00") -> Work:
    """One piece of work about this student's submission."""
    key = Key(f"hash-{name}", name, "cloudformation", "1", "r", "c", "k")
    return Work(key, name, Request(ROOT, name, source, seed=seed))


def run(reached: cluster.Cluster, works: Sequence[Work]) -> dict[str, Done]:
    """What became of each, by name."""
    return {done.work.label: done for done in engine.run(works, reached.submit, reached.ahead)}


@dataclass
class Apart:
    """Processes that share nothing but the scheduler's address: each has a folder of its own. All end with `end`."""

    place: Path
    begun: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def scheduler(self, *, port: int = 0, **settings: str) -> tuple[str, "subprocess.Popen[bytes]"]:
        """Its address, and the process."""
        told = self.place / f"scheduler-{len(self.begun)}.json"
        words = ["--port", str(port), "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(told)]
        process = self._begin(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", *words], self.place, settings
        )
        wait_until(lambda: told.exists() and told.read_text().strip(), seconds=90, what="the scheduler")
        return json.loads(told.read_text())["address"], process

    def worker(self, address: str, *before: str, python: str = sys.executable) -> "subprocess.Popen[bytes]":
        """One worker; `before`: what begins it (setpriv, prlimit …)."""
        folder = self.place / f"worker-{len(self.begun)}"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)  # also for another user
        words = [
            "--nthreads",
            "2",
            "--no-nanny",
            "--no-dashboard",
            "--memory-limit",
            "0",
            "--local-directory",
            str(folder),
        ]
        command = [*before, python, "-m", "distributed.cli.dask_worker", address, *words]
        return self._begin(command, folder, {"TMPDIR": str(folder), "HOME": str(folder)})

    def end(self) -> None:
        """All of them."""
        for process in self.begun:
            process.kill()
            process.wait()

    def _begin(
        self, command: list[str], folder: Path, settings: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **settings}, **_QUIET)  # type: ignore[call-overload]
        self.begun.append(process)
        return process  # type: ignore[no-any-return]


def python_for_anybody(folder: Path) -> str:
    """A Python of this version with this one's packages that every user may run; "" where the machine has none."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base = shutil.which(version, path="/usr/bin:/usr/local/bin")
    if base is None:
        return ""
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = folder / "lib" / version / "site-packages"
    shutil.copytree(
        sysconfig.get_path("purelib"), site, copy_function=os.link, symlinks=True, dirs_exist_ok=True
    )
    for kits_own in site.glob("__editable__*"):
        kits_own.unlink()
    return str(folder / "bin" / "python")
