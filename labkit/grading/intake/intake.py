"""A submission taken in: a zip or a folder copied into a clean folder, within limits, before anything reads it.

What belongs here: size, count, ratio, depth, names, links, devices; the submission's hash. What does not: what the
files mean (refusal, session). Nothing is mended: what does not fit is refused, naming the entry.
"""

import contextlib
import errno
import hashlib
import os
import stat
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from labkit.base.errors import LabError, StateError, UsageError
from labkit.base.text import printable, shortened

#: never part of a submission, as a file or as a folder, in lower case: what the kit and the engines write beside its
#: files themselves, caches, versions, what tools leave
SKIPPED = frozenset(
    {"build", ".lab", ".terraform", "terraform.d", "terraform.tfstate.d", "terraform.tfstate", "terraform.tfstate.backup",
     ".terraform.tfstate.lock.info", ".terraform.lock.hcl", "errored.tfstate", "crash.log", "workspace.json",
     ".git", "__pycache__", ".venv", "venv", "node_modules", "__macosx", ".idea", ".vscode", ".pytest_cache", ".ds_store",
     "thumbs.db"}
)  # fmt: skip
_PIECE = 1 << 16


class IntakeError(LabError):
    """The submission is refused as a whole; the message names the entry."""

    exit_status = 3


class DamagedError(IntakeError):
    """Nobody can read what was named as a submission: there is nothing to mark, and no mark."""


@dataclass(frozen=True)
class IntakeLimits:
    """What a submission may be at most. `ratio`: unpacked to packed bytes of one entry."""

    files: int = 200
    total_bytes: int = 20 << 20
    file_bytes: int = 5 << 20
    archive_bytes: int = 20 << 20
    depth: int = 6
    name_bytes: int = 200
    ratio: int = 100


@dataclass(frozen=True)
class Submission:
    """What was taken in: the clean folder, its files by relative name, and the hash over names and bytes.

    `left_out`: what was there under a name that is never part of a submission.
    """

    folder: Path
    files: tuple[str, ...]
    sha256: str
    left_out: tuple[str, ...] = ()


@dataclass
class _Sink:
    """The clean folder while it fills."""

    folder: Path
    limits: IntakeLimits
    seen: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)
    total: int = 0

    def skips(self, name: str) -> bool:
        """Whether a part of this path is never part of a submission; then it is noted."""
        parts = name.split("/")
        found = next((n for n, part in enumerate(parts, 1) if part.casefold() in SKIPPED), 0)
        if found:
            self.left_out.add(printable("/".join(parts[:found])))
        return found > 0

    def put(self, name: str, source: BinaryIO, packed: int | None = None) -> None:
        """Copy one file; counts bytes as they come, whatever the archive said."""
        parts = _clean(name, self.limits)
        self._count(name, parts)
        path = self.folder.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise _refused(name, "it clashes with another entry") from error
        except OSError as error:
            raise _unwritable(error) from error
        with os.fdopen(handle, "wb") as out:
            self._copy(name, source, out, packed)

    def _count(self, name: str, parts: list[str]) -> None:
        key = "/".join(parts).casefold()
        if key in self.seen:
            raise _refused(name, "it is there twice (upper and lower case count as the same)")
        self.seen.add(key)
        if len(self.seen) > self.limits.files:
            raise _refused(name, f"there are more than {self.limits.files} files")

    def _copy(self, name: str, source: BinaryIO, out: BinaryIO, packed: int | None) -> None:
        size = 0
        while piece := source.read(_PIECE):
            size += len(piece)
            self.total += len(piece)
            if size > self.limits.file_bytes or self.total > self.limits.total_bytes:
                raise _refused(name, "it is too large when unpacked")
            if packed is not None and size > _PIECE and size > self.limits.ratio * max(packed, 1):
                raise _refused(name, f"it unpacks to more than {self.limits.ratio} times its size")
            try:
                out.write(piece)
                out.flush()
            except OSError as error:
                raise _unwritable(error) from error


def take_in(
    source: Path, folder: Path, limits: IntakeLimits | None = None, records: Mapping[str, Path] | None = None
) -> Submission:
    """Copy the submission `source` (a folder or a zip) into the empty `folder`.

    `records`: what a pack would hold besides, by its name there. A single folder at the top of a zip is looked
    through. Raises IntakeError, naming the entry and the reason, DamagedError where nobody can read it;
    UsageError when `source` is not there or can't be read, StateError when the disk takes no more: neither is the
    student's fault.
    """
    sink = _Sink(folder, limits or IntakeLimits())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        kind = os.stat(source, follow_symlinks=True).st_mode
    except OSError as error:
        raise _unreadable(source, error) from error
    if not os.access(source, os.R_OK):
        raise _unreadable(source, PermissionError(errno.EACCES, "Permission denied"))
    if stat.S_ISDIR(kind):
        try:
            _from_folder(source, sink)
        except OSError as error:
            raise _unreadable(source, error) from error
    elif stat.S_ISREG(kind) and zipfile.is_zipfile(source):
        _from_zip(source, sink)
    else:
        raise DamagedError(f"{source} is neither a zip nor a folder, or a zip that is cut off.", hint=_AGAIN)
    for name, path in (records or {}).items():
        if path.is_file() and not (folder / name).exists():
            with path.open("rb") as file:
                sink.put(name, file)
    _refuse_zips(source, folder)
    return replace(described(folder), left_out=tuple(sorted(sink.left_out)))


def _refuse_zips(source: Path, folder: Path) -> None:
    """A folder or zip of other people's zips is no submission."""
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    zips = [name for name in names if name.lower().endswith(".zip")]
    if zips and len(zips) == len(
        [name for name in names if not name.lower().endswith((".txt", ".csv", ".html"))]
    ):
        raise DamagedError(
            f"{source} holds {len(zips)} zips, for example {printable(sorted(zips)[0])}, and is no submission itself.",
            hint="Name one of the zips.",
        )


def _unreadable(source: Path, error: OSError) -> UsageError:
    name = error.filename if isinstance(error.filename, str) else ""
    where = source if name in ("", str(source)) else source / name
    return UsageError(
        f"{where} can't be read: {error.strerror}.", hint="Name a zip or a folder that you may read."
    )


def _unwritable(error: OSError) -> StateError:
    return StateError(
        f"The submission can't be unpacked here: {error.strerror}.",
        hint="Free some disk space, then run the command again.",
    )


def described(folder: Path) -> Submission:
    """The files in a clean folder, and their hash."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    whole = hashlib.sha256()
    for name in names:
        data = (folder / name).read_bytes()
        whole.update(f"{name}\0{len(data)}\0".encode() + data)
    return Submission(folder, tuple(names), whole.hexdigest())


# ---- Folders ----------------------------------------------------------------------------------------


def _from_folder(source: Path, sink: _Sink) -> None:
    for root, folders, files, descriptor in os.fwalk(source, follow_symlinks=False):
        place = os.path.relpath(root, source)
        folders[:] = sorted(f for f in folders if not _is_skipped(f, place, descriptor, sink))
        if folders and place.count("/") + 2 > sink.limits.depth:
            raise _refused(f"{place}/{folders[0]}", f"it lies deeper than {sink.limits.depth} folders")
        for name in sorted(files):
            path = os.path.normpath(os.path.join(place, name))
            if not sink.skips(path):
                _put_file(path, name, descriptor, sink)


def _is_skipped(name: str, place: str, descriptor: int, sink: _Sink) -> bool:
    if sink.skips(os.path.normpath(os.path.join(place, name))):
        return True
    if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
        raise _refused(f"{place}/{name}", "it is a link")
    return False


def _put_file(name: str, base: str, descriptor: int, sink: _Sink) -> None:
    """Open what is a plain file, and see again that it is one: it may be swapped in between."""
    if not stat.S_ISREG(os.stat(base, dir_fd=descriptor, follow_symlinks=False).st_mode):
        raise _refused(name, "it is no plain file")
    handle = os.open(base, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _refused(name, "it is no plain file")
        sink.put(name, file)


# ---- Zips -------------------------------------------------------------------------------------------


def _from_zip(source: Path, sink: _Sink) -> None:
    if source.stat().st_size > sink.limits.archive_bytes:
        raise IntakeError(f"{source.name} is larger than {sink.limits.archive_bytes >> 20} MB.", hint=_HINT)
    try:
        with zipfile.ZipFile(source) as archive:
            entries = list(_entries(archive, sink))
            top = _single_top([name for name, _ in entries])
            for name, entry in entries:
                with archive.open(entry) as file:
                    sink.put(name.removeprefix(top), file, entry.compress_size)  # type: ignore[arg-type]
    except (IntakeError, StateError):
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = printable(str(error))
        raise DamagedError(f"{source.name} is a broken or unusual zip: {reason}.", hint=_AGAIN) from error
    except Exception as error:  # zlib.error and its like have no family of their own
        raise DamagedError(
            f"{source.name} can't be unpacked: {type(error).__name__}.", hint=_AGAIN
        ) from error


def _entries(archive: zipfile.ZipFile, sink: _Sink) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The entries that are files of the submission; refuses links, devices, encryption, too many."""
    entries = archive.infolist()
    if len(entries) > 10 * sink.limits.files:
        raise IntakeError(f"The zip has {len(entries)} entries.", hint=_HINT)
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if entry.is_dir() or sink.skips(name):
            continue
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise _refused(name, "it is a link or no plain file")
        if entry.flag_bits & 1:
            raise DamagedError(f"{shortened(printable(name), 80)} is encrypted.", hint=_AGAIN)
        yield name, entry


def _single_top(names: list[str]) -> str:
    """The one folder that holds everything, with its slash; "" where there is none."""
    tops = {name.partition("/")[0] for name in names}
    alone = len(tops) == 1 and all("/" in name for name in names)
    top = next(iter(tops)) if alone else ""
    return f"{top}/" if top not in ("", ".", "..") else ""


def said(source: Path, name: str, limit: int = 1 << 20) -> bytes | None:
    """One file of a zip or folder, by its name in the pack, before anything is taken in; None where it is not there.

    Never raises for what is in `source`: taking it in says what is wrong.
    """
    with contextlib.suppress(OSError):
        if source.is_dir():
            path = source / name
            return path.read_bytes() if path.is_file() and path.stat().st_size <= limit else None
        with contextlib.suppress(Exception), zipfile.ZipFile(source) as archive:
            names = [each.replace("\\", "/") for each in archive.namelist()]
            entry = archive.infolist()[names.index(_single_top(names) + name)]
            return archive.read(entry) if entry.file_size <= limit else None
    return None


# ---- Names ------------------------------------------------------------------------------------------


def _clean(name: str, limits: IntakeLimits) -> list[str]:
    """The name's parts. Raises IntakeError for what could lead elsewhere or can't be a name everywhere."""
    plain = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if not parts or plain.startswith("/") or ".." in parts or ":" in parts[0]:
        raise _refused(name, "its path leads elsewhere")
    if len(parts) > limits.depth:
        raise _refused(name, f"it lies deeper than {limits.depth} folders")
    if any(
        len(part.encode(errors="replace")) > limits.name_bytes or not part.isprintable() for part in parts
    ):
        raise _refused(name, "its name is too long or holds control characters")
    return parts


_AGAIN = "Download it again, or ask for it again:  ./lab submit  makes it"
_HINT = "Pack it again with nothing but your files:  ./lab submit"


def _refused(name: str, why: str) -> IntakeError:
    return IntakeError(f"{shortened(printable(name), 80)} is refused: {why}.", hint=_HINT)
