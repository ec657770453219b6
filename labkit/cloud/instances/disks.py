"""Disks that outlive the cloud: a folder for each instance.

A disk counts once its instance's first boot has ended. One whose cloud was killed before that would never have its user
data run to the end: it is thrown away, and the instance boots as a new one.

What belongs here: which disks there are. What does not: mounting them (labkit.sandbox).
"""

from collections.abc import Iterable
from pathlib import Path

from labkit.sandbox.portable.roots import remove


class Disks:
    """The folders below one. Names are instance ids."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made where it is missing."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder

    def place(self, name: str) -> Path:
        """The disk's folder, which whoever mounts it makes."""
        return self._folder / name

    def keep(self, name: str) -> None:
        """Its first boot has ended."""
        self._mark(name).touch(mode=0o600)

    def is_kept(self, name: str) -> bool:
        """Whether it lies here with its first boot done."""
        return self.place(name).is_dir() and self._mark(name).exists()

    def remove(self, name: str) -> None:
        """Forget it."""
        self._mark(name).unlink(missing_ok=True)
        if self.place(name).exists():
            remove(self.place(name))

    def forget_others(self, names: Iterable[str]) -> None:
        """Remove the disks of instances that are not among these, and those that do not count."""
        wanted = set(names)
        for path in list(self._folder.iterdir()):
            name = path.name.removesuffix(_BOOTED)
            if name not in wanted or not self.is_kept(name):
                self.remove(name)

    def _mark(self, name: str) -> Path:
        return self._folder / f"{name}{_BOOTED}"


_BOOTED = ".booted"
