"""Making folders, files and mount points below a root that hostile hands may have filled before.

What belongs here: path operations that never leave the given root, whatever links lie in it, and
never block. What does not: what a sandbox's root holds (rootfs.py).
"""

import contextlib
import os
from collections.abc import Iterator

from labkit.sandbox.kernel import syscalls
from labkit.sandbox.kernel.syscalls import open_inside

_FOLDER = os.O_PATH | os.O_DIRECTORY


class Inside:
    """The tree below the folder `root`, as a process with that root would see it."""

    def __init__(self, root: str) -> None:
        self._root = os.open(root, _FOLDER | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the root."""
        os.close(self._root)

    @contextlib.contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """A descriptor of the folder `path`, which is made with its parents where missing."""
        descriptor = self._open_folder(path.strip("/"))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def make_folder(self, path: str, mode: int = 0o755) -> None:
        """Make the folder `path` and its parents; no error where it exists."""
        os.close(self._open_folder(path.strip("/"), mode))

    def _open_folder(self, path: str, mode: int = 0o755) -> int:
        if not path:
            return os.dup(self._root)
        with contextlib.suppress(FileNotFoundError):
            return open_inside(self._root, path, _FOLDER)
        parent, _, name = path.rpartition("/")
        with self.folder(parent) as above, contextlib.suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=above)
        return open_inside(self._root, path, _FOLDER)

    def write(self, path: str, text: str, *, keep: bool = False) -> None:
        """Put `text` into the file `path`; with `keep`, only where there is no such file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | (os.O_EXCL if keep else os.O_TRUNC)
        self.make_folder(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            descriptor = open_inside(self._root, path.strip("/"), flags, 0o644)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)

    def link(self, path: str, destination: str) -> None:
        """Make `path` a symbolic link to `destination`; what is there already stays."""
        with self.folder(os.path.dirname(path)) as above, contextlib.suppress(FileExistsError):
            os.symlink(destination, os.path.basename(path), dir_fd=above)

    @contextlib.contextmanager
    def mount_point(self, path: str, *, is_folder: bool) -> Iterator[str]:
        """A name, good for mount(2), of the folder or file `path`, made where missing."""
        if not is_folder:
            self.write(path, "", keep=True)
        descriptor = (
            self._open_folder(path.strip("/"))
            if is_folder
            else open_inside(self._root, path.strip("/"), os.O_PATH)
        )
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)

    def restrict(self, path: str, attributes: int) -> None:
        """Set mount attributes on what is mounted at `path` and below."""
        descriptor = open_inside(self._root, path.strip("/"), os.O_PATH)
        try:
            syscalls.restrict_mounts(descriptor, "", attributes=attributes)
        finally:
            os.close(descriptor)
