"""The warm parent's own place in its mount namespace: where roots are built and disks are kept.

What belongs here: the folders and mounts that outlive one sandbox. What does not: one sandbox's root
(rootfs.py).

It is a tmpfs laid over /sys: a folder that every Linux has, that nobody keeps a source in, and whose
covering only this process and its children see. So nothing is made on this machine's disk, but for the disks that
are to outlive this process: those are folders of the caller's.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from labkit.sandbox.filesystem.sources import Source, attributes, detach
from labkit.sandbox.kernel import syscalls
from labkit.sandbox.stages import FILES, MOUNTS, stage

_PLACE = "/sys"
ROOT = f"{_PLACE}/root"
_DISKS = f"{_PLACE}/disks"
_PROGRAMS = f"{_PLACE}/programs"
ASIDE = f"{_PLACE}/aside"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV
_PACKAGE = Path(__file__).resolve().parents[2]


def interpreter_folders(
    prefixes: Iterable[str] = (sys.base_prefix, sys.prefix), *, package: Path = _PACKAGE
) -> list[str]:
    """The folders outside /usr that this Python needs: installation, environment, this package.

    A folder inside another one of them is left out.
    """
    wanted = {str(package)}
    for prefix in prefixes:
        wanted |= {os.path.abspath(prefix), os.path.realpath(prefix)}
    outside = sorted(path for path in wanted if not _below(path, _SYSTEM))
    return [path for path in outside if not _below(path, [other for other in outside if other != path])]


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def detach_all(paths: Sequence[str]) -> list[Source]:
    """The sources for `paths`, to be taken before root's rights are given up."""
    return [Source(path, -1 if (tree := detach(path)) is None else tree) for path in paths]


class Workshop:
    """The mounts that all sandboxes share, and the disks. Made once, by the owner of the namespaces."""

    def __init__(self, programs: Sequence[Source]) -> None:
        """Raises Refused where the machine forbids mounts."""
        with stage(MOUNTS):
            syscalls.mount(None, "/", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
            syscalls.mount("tmpfs", _PLACE, "tmpfs", _FLAGS, "size=1m,nr_inodes=1024,mode=755")
            for folder in (ROOT, ASIDE, _DISKS, _PROGRAMS):
                os.mkdir(folder)
        with stage(FILES):
            self.programs = [self._keep(index, program) for index, program in enumerate(programs)]

    def _keep(self, index: int, program: Source) -> tuple[str, Source]:
        place = f"{_PROGRAMS}/{index}"
        os.mkdir(place)
        program.mount(place)
        return program.path, Source(place)

    def make_disk(self, name: str, *, size_mb: int, files: int) -> None:
        """An empty disk `name` in memory. Raises OSError where it exists."""
        place = _disk(name)
        os.mkdir(place)
        options = f"size={size_mb}m,nr_inodes={files},mode=755"
        syscalls.mount("tmpfs", place, "tmpfs", _FLAGS, options)

    def mount_disk(self, name: str, folder: Source) -> None:
        """A disk `name` that is a folder of this machine. Raises OSError where it exists."""
        place = _disk(name)
        os.mkdir(place)
        try:
            folder.mount(place)
            with _opened(place) as descriptor:
                syscalls.restrict_mounts(descriptor, "", attributes=attributes(writable=True))
        except OSError:
            os.rmdir(place)
            raise

    def remove_disk(self, name: str) -> None:
        """Forget the disk; a sandbox that still has it keeps it until its end.

        Raises FileNotFoundError where there is none.
        """
        place = _disk(name)
        syscalls.umount(place)
        os.rmdir(place)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _disk(name: str) -> str:
    """Where the disk is kept: names are the caller's, so no character of theirs shapes a path."""
    return f"{_DISKS}/{name.encode().hex()}"


def disk_folder(name: str, path: str) -> str:
    """The folder of disk `name` that is shown at `path`, made where missing.

    Raises FileNotFoundError when there is no such disk.
    """
    folder = f"{_disk(name)}/{path.strip('/').replace('/', '%')}"
    if not os.path.ismount(_disk(name)):
        raise FileNotFoundError(2, "no such disk", name)
    os.makedirs(folder, exist_ok=True)
    return folder
