"""Sources that a sandbox shows without telling where they lie: its table of mounts names every bind's own path.

What belongs here: putting something between a source and its mount that has another name. What does not: where it goes
(rootfs.py). It is made in the child's own mount namespace, beside the new root, and out of reach after it.
"""

import os

from labkit.sandbox.filesystem.sources import Source
from labkit.sandbox.filesystem.workshop import ASIDE
from labkit.sandbox.kernel import syscalls

_LARGEST_COPY = 1 << 20
_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV


class Veil:
    """What shows sources under names of ours, as long as the sandbox lives."""

    def __init__(self) -> None:
        """Needs an own mount namespace."""
        syscalls.mount("tmpfs", ASIDE, "tmpfs", _FLAGS, "size=32m,nr_inodes=1024,mode=755")
        self._empty = f"{ASIDE}/empty"
        os.mkdir(self._empty)
        self._files: dict[str, Source] = {}
        self._made = 0

    def over(self, source: Source) -> Source:
        """A source to read the same from, instead of `source`, which is used up."""
        if source.is_folder:
            return self._layer(source)
        if source.path not in self._files:
            self._files[source.path] = self._copy(source) or source
        return self._files[source.path]

    def _layer(self, source: Source) -> Source:
        """Some file systems bear no layer above them: then it is shown as it is."""
        below, place = self._place(), self._place()
        source.mount(below)
        try:
            options = f"lowerdir={below}:{self._empty}"
            syscalls.mount("overlay", place, "overlay", _FLAGS | syscalls.MS_RDONLY, options)
        except OSError:
            return Source(below)
        syscalls.umount(below)
        return Source(place)

    def _place(self) -> str:
        self._made += 1
        place = f"{ASIDE}/{self._made}"
        os.mkdir(place)
        return place

    def _copy(self, source: Source) -> Source | None:
        """None where it is large, or not ours to read."""
        try:
            with open(source.reachable, "rb") as file:
                data = file.read(_LARGEST_COPY + 1)
        except PermissionError:
            return None
        if len(data) > _LARGEST_COPY:
            return None
        self._made += 1
        place = f"{ASIDE}/{self._made}"
        with open(place, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), os.stat(source.reachable).st_mode & 0o755)
        return Source(place)
