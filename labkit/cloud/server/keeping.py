"""Where a student's cloud lies between two runs: one folder for each kind of account, below the cloud's own.

    version       of the kit that wrote all of it
    control       the control plane: a line about it, then the graph
    large/        large values of the graph (functions' code), by their SHA-256
    logs.sqlite   the events of CloudWatch Logs
    dynamodb.sqlite, s3/
    disks/        the instances' disks

What belongs here: these files, reading them again, and what is told when that can't be. What does not: when to write
(keeper), what is in the graph (labkit.cloud.moto_seam.saving).
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import labkit
from labkit.base.errors import CloudError
from labkit.base.state import write_bytes, write_text
from labkit.cloud.stores.database import check

if TYPE_CHECKING:
    from labkit.cloud.moto_seam.saving import Graph, Written

_SECRET = 0o600
#: another number with each change of what lies where, and of how the kit's own objects in the graph look
_FORM = 2


@dataclass(frozen=True)
class Kept:
    """The folder of one kind of account."""

    folder: Path

    @property
    def control(self) -> Path:
        """The control plane's file."""
        return self.folder / "control"

    @property
    def tables(self) -> Path:
        """DynamoDB's base."""
        return self.folder / "dynamodb.sqlite"

    @property
    def buckets(self) -> Path:
        """S3's folder."""
        return self.folder / "s3"

    @property
    def logs(self) -> Path:
        """The base of log events."""
        return self.folder / "logs.sqlite"

    @property
    def disks(self) -> Path:
        """The folder of instances' disks."""
        return self.folder / "disks"

    @property
    def large(self) -> Path:
        """The folder of large values."""
        return self.folder / "large"


@dataclass(frozen=True)
class Loaded:
    """What was found: `graph` is None where nothing was kept, `told` what is to be said about it.

    `others`: what parts outside the graph have told, by their names. `as_of`: when the graph was written, in seconds since the epoch.
    """

    kept: Kept
    graph: "Graph | None" = None
    as_of: float = 0.0
    told: tuple[str, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)


def load(home: Path, account: str) -> Loaded:
    """What is kept of the account below `home`; what can't be read is moved aside, and that is told.

    Raises CloudError for what another version of the kit has written, and where the folder can't be written.
    """
    kept = Kept(home / account)
    home.mkdir(exist_ok=True, mode=0o700)
    kept.folder.mkdir(exist_ok=True, mode=0o700)
    _check_version(kept)
    try:
        for base in (kept.tables, kept.logs, kept.buckets / "objects.sqlite"):
            check(base)
        return _read(kept)
    except (OSError, MemoryError, sqlite3.OperationalError) as error:
        raise CloudError(
            f"What the local cloud has kept in {kept.folder} can't be read now: {_words(error)}.",
            hint="Free some disk space or fix the folder's permissions, then run the command again.",
        ) from error
    except Exception as error:  # whatever broken data makes of it: unpickling may raise anything
        aside = kept.folder.with_name(f"{account}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        kept.folder.rename(aside)
        told = f"What the local cloud had kept can't be read ({_words(error)}): it begins empty. It lies in {aside}"
        return Loaded(load(home, account).kept, told=(told,))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _check_version(kept: Kept) -> None:
    ours, file = f"{labkit.__version__} (moto {version('moto')}, form {_FORM})", kept.folder / "version"
    if not file.exists():
        write_text(file, ours + "\n", mode=_SECRET)
    theirs = file.read_text(encoding="utf-8", errors="replace").strip()
    if theirs != ours:
        raise CloudError(
            f"What the local cloud has kept was written by version {theirs} of the kit; this is {ours}.",
            hint="Go on with that version, or give up what is deployed (your files stay):  ./lab cloud stop --forget",
        )


def _read(kept: Kept) -> Loaded:
    from labkit.cloud.moto_seam import saving

    if not kept.control.exists():
        return Loaded(kept)
    with open(kept.control, "rb") as file:
        head: dict[str, Any] = json.loads(file.readline())
        data = file.read()
    if sha256(data).hexdigest() != head["sha256"]:
        raise ValueError(f"{kept.control} is damaged")
    large = [_large(kept.large / digest, kind) for digest, kind in head["large"]]
    graph, others = saving.read(saving.Written(data, large))
    return Loaded(kept, graph, float(head["saved_at"]), others=others)


def _large(path: Path, kind: str) -> bytes | str:
    data = path.read_bytes() if path.exists() else b""
    if sha256(data).hexdigest() != path.name:
        raise ValueError(f"{path} is damaged")
    return data if kind == "bytes" else data.decode("utf-8", "surrogatepass")


class Writer:
    """Writes graphs, each in one step. For one thread."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._digests: dict[int, tuple[bytes | str, str]] = {}

    def write(self, written: "Written", at: float) -> None:
        """Replace what is kept; a kill at any moment leaves the old or the new. Raises StateError."""
        digests = [self._digest(value) for value in written.large]
        for digest, value in zip(digests, written.large, strict=True):
            if not (self._kept.large / digest).exists():
                write_bytes(self._kept.large / digest, _as_bytes(value), mode=_SECRET)
        kinds = [(digest, type(value).__name__) for digest, value in zip(digests, written.large, strict=True)]
        head = {"saved_at": at, "sha256": sha256(written.data).hexdigest(), "large": kinds}
        write_bytes(self._kept.control, json.dumps(head).encode() + b"\n" + written.data, mode=_SECRET)
        self._forget_others(digests, written.large)

    def _digest(self, value: bytes | str) -> str:
        """Its SHA-256; of one that was written before, as it was found then."""
        if id(value) not in self._digests:
            self._digests[id(value)] = (value, sha256(_as_bytes(value)).hexdigest())
        return self._digests[id(value)][1]

    def _forget_others(self, digests: Sequence[str], values: Sequence[bytes | str]) -> None:
        ids = {id(value) for value in values}
        self._digests = {number: known for number, known in self._digests.items() if number in ids}
        if self._kept.large.exists():
            for path in self._kept.large.iterdir():
                if path.name not in digests:
                    path.unlink()


def _as_bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
