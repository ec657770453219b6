"""Where hand-ins lie in what a platform lets one download, and what its names say of whose they are.

What belongs here: the layouts of Canvas, Moodle, Gradescope and GitHub, zips in zips. What does not: settling whose
a hand-in is (handins).
"""

import contextlib
import errno
import os
import re
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from labkit.base.errors import StateError, UsageError
from labkit.base.text import printable
from labkit.grading.intake import intake

#: what a download of a whole class may hold at most
_MOST_ENTRIES, _MOST_DEPTH = 20_000, 8
_MANIFEST = "manifest.json"
_METADATA = "submission_metadata.yml"
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<lms>\d+)_\d+_(?P<rest>.+)")
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<participant>\d+)_assignsubmission_file(_.*)?")
_GRADESCOPE = re.compile(r"submission_\d+")


@dataclass(frozen=True)
class Clues:
    """What the platform's names say of a hand-in: a person's name, id of any kind, when it came; "" where nothing.

    `said`: what says so. `ends`: a name that ends in an id (a repository's). `at`: ISO 8601 in UTC.
    """

    said: str = ""
    name: str = ""
    ids: tuple[str, ...] = ()
    ends: str = ""
    at: str = ""
    by: str = ""


@dataclass(frozen=True)
class Place:
    """One hand-in as it was found. `trouble`: why nobody can even look at it, "" where one can."""

    source: Path
    label: str
    clues: Clues = Clues()
    trouble: str = ""


@dataclass(frozen=True)
class _Search:
    """What a search needs: names of the lab's files, and a folder for what is unpacked."""

    files: frozenset[str]
    work: Path


def find(folder: Path, files: Mapping[str, str], work: Path) -> list[Place]:
    """All hand-ins in a folder or download, in the order of their names; zips of zips are unpacked into `work`.

    Raises UsageError where there is nothing at all.
    """
    search = _Search(frozenset({*files.values(), _MANIFEST}), work)
    if not folder.exists():
        raise UsageError(f"{folder} is not there.", hint="Name the folder or zip with the hand-ins.")
    found = list(_in(folder, "", search, Clues(), 0))
    if not found:
        raise UsageError(
            f"There are no hand-ins in {folder}.", hint="Name a folder with zips or folders of students."
        )
    return list(_apart(found))


def _apart(found: list[Place]) -> Iterator[Place]:
    """Each with a label of its own: a zip may hold two entries of one name."""
    seen: Counter[str] = Counter()
    for place in found:
        seen[place.label] += 1
        again = seen[place.label]
        yield replace(place, label=f"{place.label} ({again})") if again > 1 else place


def _in(path: Path, label: str, search: _Search, clues: Clues, depth: int) -> Iterator[Place]:
    shown = label or path.name
    clues = _named(path.name, clues) if label else clues
    if path.is_symlink() or depth > _MOST_DEPTH:
        yield Place(path, shown, clues, "it is a link" if path.is_symlink() else "it lies too deep")
    elif path.is_dir():
        yield from _in_folder(path, shown if label else "", search, clues, depth)
    elif path.suffix.lower() == ".zip":
        yield from _in_zip(path, shown, search, clues, depth)


def _in_folder(path: Path, label: str, search: _Search, clues: Clues, depth: int) -> Iterator[Place]:
    if any((path / name).exists() for name in search.files):
        yield Place(path, label or path.name, _by_git(path, clues))
        return
    clues = _by_git(path, clues)  # the lab may lie deeper in a repository
    told = _metadata(path / _METADATA)
    for inner in sorted(path.iterdir()):
        if inner.name.startswith(".") or inner.name.casefold() in intake.SKIPPED:
            continue
        own = told.get(inner.name, clues)
        yield from _in(inner, f"{label}/{inner.name}" if label else inner.name, search, own, depth + 1)


def _in_zip(path: Path, label: str, search: _Search, clues: Clues, depth: int) -> Iterator[Place]:
    names = _names(path)
    if names is None or not _is_collection(names, search.files):
        yield Place(path, label, clues)
        return
    inner = search.work / f"{len(list(search.work.glob('*')))}"
    refused = _unpack(path, inner)
    yield from (Place(path, f"{label}/{name}", clues, why) for name, why in refused)
    for each in _in_folder(inner, label, search, clues, depth + 1):
        yield replace(each, clues=each.clues)


def _names(path: Path) -> list[str] | None:
    """What a zip holds; None for one that can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.replace("\\", "/") for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, ValueError):
        return None


def _is_collection(names: list[str], files: frozenset[str]) -> bool:
    """Whether a zip holds hand-ins of several, and is none itself: no file of the lab at its top, nor in its one folder."""
    tops = {name.partition("/")[0] for name in names}
    depth = 1 if len(tops) == 1 and all("/" in name for name in names) else 0
    own = {"/".join(name.split("/")[depth:]) for name in names}
    return not own & files and any(
        name.lower().endswith(".zip") or any(name.endswith(f"/{file}") for file in files) for name in names
    )


def _unpack(path: Path, folder: Path) -> list[tuple[str, str]]:
    """Unpack what a platform has packed; what is refused, with the reason. Never writes outside `folder`."""
    limits, refused = intake.IntakeLimits(), []
    folder.mkdir(parents=True)
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise UsageError(
                f"{path.name} has {len(entries)} entries.", hint="Unpack it, and name the folder."
            )
        for entry in entries:
            name = entry.filename.replace("\\", "/")
            if (why := _why_not(entry, name, limits)) or (
                not entry.is_dir() and (why := _extract(archive, entry, folder / name, limits.archive_bytes))
            ):
                refused.append((printable(name), why))
    return refused


def _why_not(entry: zipfile.ZipInfo, name: str, limits: intake.IntakeLimits) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or ":" in parts[0]:
        return "its path leads elsewhere"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.file_size > limits.archive_bytes or entry.file_size > limits.ratio * max(
        entry.compress_size, 1 << 16
    ):
        return "it is too large when unpacked"
    return ""


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path, most: int) -> str:
    """Why it can't be unpacked, "" when it was. What an archive says of sizes is not believed."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, open(to, "xb") as out:
            if out.write(source.read(most + 1)) > most:
                return "it is too large when unpacked"
        with contextlib.suppress(ValueError, OverflowError):  # a month 0: the time of unpacking stays
            stamp = datetime(*entry.date_time).timestamp()
            os.utime(to, (stamp, stamp))
    except FileExistsError:
        return "it is there twice"
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StateError(
                f"The download can't be unpacked here: {error.strerror}.",
                hint="Free some disk space, then run the command again.",
            ) from error
        return f"it can't be unpacked: {error.strerror}"
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        zipfile.LargeZipFile,
    ) as error:
        return f"it is damaged: {printable(str(error))}"
    return ""


# ---- What names say ---------------------------------------------------------------------------------


def _named(name: str, clues: Clues) -> Clues:
    """The clues with what a file's or folder's name says; a platform's own pattern counts more than what is inside."""
    if clues.said:
        return clues
    if found := _MOODLE.fullmatch(name):
        return replace(clues, said="Moodle's folder", name=found["name"])
    if found := _CANVAS.fullmatch(name):
        return replace(clues, said="Canvas's file name", name=found["name"], ids=(found["lms"],))
    return clues


def _by_git(path: Path, clues: Clues) -> Clues:
    """The clues of a repository: its name ends with the account's, its last commit tells a time."""
    if not (path / ".git").is_dir():
        return clues
    at = _committed(path / ".git")
    told = (
        replace(clues, at=at, by="the last commit, by the student's own clock")
        if at and not clues.at
        else clues
    )
    return told if clues.said else replace(told, said="the repository's name", ends=path.name)


def _committed(repository: Path) -> str:
    """When HEAD was committed; "" where git can't tell. The repository is a stranger's: nothing of it may run."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    command = ["git", "-c", "safe.directory=*", f"--git-dir={repository}", "cat-file", "commit", "HEAD"]
    try:
        told = subprocess.run(command, capture_output=True, env=environment, timeout=20, check=True, cwd="/")
    except (OSError, subprocess.SubprocessError):
        return ""
    line = re.search(rb"^committer .* (\d{1,11}) [+-]\d{4}$", told.stdout, re.MULTILINE)
    return utc(datetime.fromtimestamp(int(line[1]), UTC)) if line else ""


def _metadata(path: Path) -> dict[str, Clues]:
    """What Gradescope's export tells of each of its folders."""
    try:
        value = yaml.safe_load(path.read_bytes()) if path.is_file() and path.stat().st_size < 64 << 20 else {}
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(name): _submitter(entry) for name, entry in items if isinstance(entry, Mapping)}


def _submitter(entry: Mapping[str, Any]) -> Clues:
    people = entry.get(":submitters")
    people = [each for each in people if isinstance(each, Mapping)] if isinstance(people, list) else []
    ids = tuple(str(each[key]) for each in people for key in (":email", ":sid") if each.get(key))
    name = str(people[0].get(":name", "")) if len(people) == 1 else ""
    at = entry.get(":created_at")
    told = utc(at if at.tzinfo else at.replace(tzinfo=UTC)) if isinstance(at, datetime) else ""
    return Clues("Gradescope's metadata", name, ids, at=told, by="Gradescope's metadata" if told else "")


def utc(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
