"""What runs on a cluster's worker, which has Python and the kit's dependencies, and need not have the kit.

What belongs here: receiving the kit, keeping a porter (a process with the kit's own code and a warm parent), handing it
parcels. Only the standard library is imported: this module travels by its text. What does not: the porter's own work
(porter), the asking side (cluster).
"""

import contextlib
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import venv
import zipfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

_porters: "dict[str, Porter]" = {}
_lock = threading.Lock()
_PREFIX = "lab-kit-"
#: what a porter has to end in by itself
_LAST_SECONDS = 10.0


class Porter:
    """A process with the kit's code; for any thread. It ends when its standard input does."""

    def __init__(self, kit: bytes) -> None:
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
        root = Path(self._folder.name)
        _unpack(kit, root / "kit")
        python = python_with(root / "kit", root / "python")
        self._process = subprocess.Popen(
            [python, "-I", "-m", "labkit.classroom.porter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(root)},
            cwd=root,
        )
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._numbers, self._lock = itertools.count(), threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, parcel: dict[str, Any], patience: float) -> dict[str, Any]:
        """What the porter says of the parcel.

        Raises RuntimeError when it has ended, or says nothing for `patience` seconds: then it is ended.
        """
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = future
            assert self._process.stdin
            try:
                self._process.stdin.write(json.dumps({**parcel, "number": number}).encode() + b"\n")
                self._process.stdin.flush()
            except OSError as error:
                raise RuntimeError("the porter has ended") from error
        try:
            return future.result(patience)
        except TimeoutError as error:
            self.end()
            raise RuntimeError(f"the porter said nothing for {patience:g} s") from error

    def end(self) -> None:
        """Let it end, and take its folder away."""
        assert self._process.stdin
        with contextlib.suppress(OSError):  # it ended while it was told something
            self._process.stdin.close()
        try:
            self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            told = json.loads(line)
            self._waiting.pop(told.pop("number")).set_result(told)
        self._process.wait()
        for future in list(self._waiting.values()):
            future.set_exception(RuntimeError("the porter has ended"))


def _unpack(kit: bytes, folder: Path) -> None:
    """The kit's files, those that are programs as programs."""
    with zipfile.ZipFile(io.BytesIO(kit)) as archive:
        for entry in archive.infolist():
            Path(archive.extract(entry, folder)).chmod(entry.external_attr >> 16 & 0o755 or 0o644)


def python_with(kit: Path, folder: Path) -> str:
    """A Python of its own, in which the kit and this worker's packages are installed: sandboxes show what is installed."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib*/python*/site-packages"))
    packages = Path(sysconfig.get_path("purelib"))
    for each in packages.iterdir():
        if each.is_dir() and each.name not in ("labkit", "__pycache__"):
            shutil.copytree(each, site / each.name, copy_function=_link, symlinks=True)
        elif each.is_file() and not each.name.startswith("__editable__"):
            _link(str(each), str(site / each.name))
    (site / "kit.pth").write_text(f"{kit}\n")
    return str(folder / "bin" / "python")


def _link(source: str, target: str) -> None:
    """The same file once more, without its bytes; a copy where the disk is another."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def deliver(
    name: str, kit: bytes, wanted: dict[str, str], parcel: dict[str, Any], patience: float
) -> dict[str, Any]:
    """Grade the parcel with the kit `name`, whose content is `kit`; the porter of an earlier parcel is kept while it lives.

    `wanted`: the circumstances that are asked for. Raises RuntimeError where others hold (a worker that came later), and
    as `Porter.ask` does.
    """
    if wanted != circumstances():
        raise RuntimeError("this worker has other versions of what judges")
    with _lock:
        if name in _porters and not _porters[name].lives():
            _porters.pop(name).end()
        if name not in _porters:
            _porters[name] = Porter(kit)
        porter = _porters[name]
    return porter.ask(parcel, patience)


def leave() -> None:
    """End this worker's porters."""
    with _lock:
        while _porters:
            _porters.popitem()[1].end()


def _sweep() -> None:
    """Remove what workers have left that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and left.stat().st_uid == os.geteuid() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)


def circumstances() -> dict[str, str]:
    """What a worker has that verdicts could hang on: Python, and versions of what judges."""
    from importlib import metadata

    names = ("moto", "botocore", "pytest", "flask", "cfn-lint")
    found = {"python": ".".join(map(str, sys.version_info[:2])), "system": sys.platform}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found
