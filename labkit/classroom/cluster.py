"""Gradings on a Dask cluster: the submission and the kit travel with the work, no disk is shared.

What belongs here: reaching a scheduler, refusing workers that would judge otherwise, packing the kit and submissions.
What does not: what runs there (courier, porter), many at once in this process (engine).
"""

import base64
import contextlib
import hashlib
import importlib.util
import io
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError, UsageError
from labkit.base.events import Emit, Event
from labkit.classroom import courier
from labkit.classroom.engine import Done, Submit, Work
from labkit.grading.grade import SELF_CHECK_KEY, Request
from labkit.grading.intake import intake
from labkit.grading.model import from_json

#: what of the kit gradings need
_PARTS = ("labkit", "grader", "solution", "templates", "texts", "images", "lab.toml", "course.toml")
_LEFT_OUT = {"__pycache__", "dev"}
_PATIENCE = "30s"
#: a worker may be lost in the middle of so many gradings of one submission before that one is given up
_TRIES = 3
#: seconds after which a grading on a worker has come to a stand: it is given up there, and begun again
GRADING_SECONDS = 1200.0


@dataclass(frozen=True)
class Cluster:
    """A cluster that was reached: how work is begun there, and how many pieces it takes at once."""

    submit: Submit
    ahead: int


class ClusterLost(LabError):
    """The scheduler can't be reached, or no worker fits."""


@contextlib.contextmanager
def open_cluster(
    address: str,
    workers: int,
    count: int,
    emit: Emit,
    kit: bytes | None = None,
    patience: str = _PATIENCE,
    longest: float = GRADING_SECONDS,
) -> Iterator[Cluster]:
    """The cluster at `address`, or ("") one of `workers` processes on this machine with `count` gradings at once in all.

    `kit`: what travels (None: this kit). `patience`: for a scheduler to answer; `longest`: seconds for one grading.
    Raises ClusterLost when nobody answers, or when no worker has the versions that verdicts here hang on.
    """
    with contextlib.ExitStack() as stack:
        own = not address
        client = _client(address or _own_scheduler(workers, count, stack), patience, stack)
        there = _courier(
            client, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-courier-")))
        )
        fit = _fitting(client, there, emit)
        threads = {
            name: info["nthreads"] for name, info in client.scheduler_info(n_workers=-1)["workers"].items()
        }
        ahead = sum(threads.get(worker, 1) for worker in fit)
        told = {"workers": len(fit), "at_once": ahead}
        emit(
            Event(
                "note", f"{len(fit)} workers at {client.scheduler.address}, {ahead} gradings at once.", told
            )
        )
        if own:
            stack.callback(lambda: client.run(there.leave))
        kit = kit or packed_kit(_root())
        what = (hashlib.sha256(kit).hexdigest()[:16], kit, courier.circumstances())
        yield Cluster(
            _submit(client, there.deliver, fit if len(fit) < len(threads) else None, what, longest), ahead
        )


def _own_scheduler(workers: int, count: int, stack: contextlib.ExitStack) -> str:
    """The address of one that ends with `stack`, as its workers do."""
    from distributed import LocalCluster

    threads = max(1, count // workers)
    local = LocalCluster(
        n_workers=workers, threads_per_worker=threads, dashboard_address=None, memory_limit=0
    )
    return str(stack.enter_context(local).scheduler_address)


def _client(address: str, patience: str, stack: contextlib.ExitStack) -> Any:
    """A client of the scheduler there, until `stack` ends. Raises ClusterLost."""
    from distributed import Client

    try:
        return stack.enter_context(Client(address, timeout=patience))
    except (OSError, ValueError) as error:
        raise ClusterLost(
            f"No Dask scheduler answers at {address}: {error}.",
            hint="Begin one:  dask scheduler   and workers:  dask worker ADDRESS",
        ) from error


def _submit(
    client: Any,
    deliver: Any,
    fit: list[str] | None,
    kit: tuple[str, bytes, Mapping[str, str]],
    longest: float,
) -> Submit:
    """`fit`: who gets work; None: everybody, also those that come later and take a lost one's place.

    The kit goes with each work (2 MB, and few are under way): what lay with one worker would be lost with it.
    """

    def submit(work: Work) -> "Future[Done]":
        parcel = packed(work.request)
        asked = client.submit(deliver, *kit, parcel, longest, workers=fit, pure=False, retries=_TRIES)
        done: Future[Done] = Future()
        asked.add_done_callback(lambda ended: _settle(done, ended, work))
        return done

    return submit


def _settle(done: "Future[Done]", ended: Any, work: Work) -> None:
    """What became of it there, as an outcome of ours."""
    try:
        done.set_result(_told(ended.result(), work))
    except BaseException as error:  # a lost worker, a lost scheduler: said where outcomes are told
        done.set_result(Done(work, None, f"{type(error).__name__}: {error}"))


def _told(answer: Mapping[str, Any], work: Work) -> Done:
    if "error" in answer:
        return Done(work, None, answer["error"], again=answer["again"])
    return Done(work, from_json(answer["result"]))


def _courier(client: Any, folder: Path) -> Any:
    """The courier as a module that every worker, also one that comes later, has under the same name."""
    text = Path(courier.__file__).read_bytes()
    path = folder / f"lab_courier_{hashlib.sha256(text).hexdigest()[:16]}.py"
    path.write_bytes(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    client.upload_file(str(path))
    return module


def _fitting(client: Any, there: Any, emit: Emit) -> list[str]:
    """The workers that would say the same as this machine; others are named and get nothing."""
    client.wait_for_workers(1, timeout=_PATIENCE)
    here = courier.circumstances()
    told: Mapping[str, Mapping[str, str]] = client.run(there.circumstances)
    fit = [worker for worker, theirs in told.items() if theirs == here]
    for worker, theirs in told.items():
        if theirs != here:
            other = ", ".join(
                f"{name} {theirs[name]} (here {here[name]})" for name in here if theirs[name] != here[name]
            )
            emit(Event("warning", f"The worker {worker} gets no work: it has {other}."))
    if not fit:
        raise ClusterLost(
            "No worker there has the versions that verdicts hang on.",
            hint="Install requirements.lock on the workers.",
        )
    return fit


def packed(request: Request) -> dict[str, Any]:
    """The submission and all that grading it needs; the key stays here, its seed goes."""
    looked = request.key == SELF_CHECK_KEY
    return {
        "submission": base64.b64encode(_zipped(request.source)).decode(),
        "student": request.student,
        "engine": request.engine,
        "only": list(request.only),
        "seed": request.seed,
        "key": (SELF_CHECK_KEY if looked else b"it stays with whoever asked").hex(),
    }


def _zipped(source: Path) -> bytes:
    """The submission as a zip: as it came, or a folder's files."""
    if source.is_file():
        return source.read_bytes()
    if not source.is_dir():
        raise UsageError(f"{source} is not there any more.", hint="Run the same command again.")
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink()]
    return _archive(
        source,
        [
            path
            for path in files
            if not any(part.casefold() in intake.SKIPPED for part in path.relative_to(source).parts)
        ],
    )


def packed_kit(root: Path) -> bytes:
    """What of the kit gradings need, the same bytes for the same content."""
    return _archive(root, kit_files(root))


def kit_files(root: Path) -> list[Path]:
    """The files of the kit that gradings need."""
    files = []
    for part in _PARTS:
        path = root / part
        files += [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
    return [path for path in files if not _LEFT_OUT & set(path.relative_to(root).parts)]


def _archive(root: Path, files: list[Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            info = zipfile.ZipInfo(path.relative_to(root).as_posix(), (1980, 1, 1, 0, 0, 0))
            info.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _root() -> Path:
    import labkit

    return Path(labkit.__file__).resolve().parent.parent
