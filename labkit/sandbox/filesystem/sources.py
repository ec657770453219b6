"""Paths of this machine on their way into a sandbox.

What belongs here: how a source is found by the one who may see it and mounted by the one who builds
the sandbox. What does not: where in the sandbox it goes (rootfs.py).

Root's sandboxes belong to another account, which can't walk through root's private folders; so
whoever holds root's rights detaches a copy of the tree and hands it on as a descriptor. An ordinary
user's sandboxes belong to that user: there the path itself is enough.
"""

import os
import stat
from dataclasses import dataclass

from labkit.sandbox.kernel import syscalls

_READ_ONLY = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_WRITABLE = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV


@dataclass(frozen=True)
class Source:
    """A file or folder of this machine: by path, or as a detached tree (`descriptor` ≥ 0)."""

    path: str
    descriptor: int = -1

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder. Raises FileNotFoundError."""
        if self.descriptor >= 0:
            return stat.S_ISDIR(os.fstat(self.descriptor).st_mode)
        return stat.S_ISDIR(os.stat(self.path).st_mode)

    @property
    def reachable(self) -> str:
        """A path that leads to it from here."""
        return f"/proc/self/fd/{self.descriptor}" if self.descriptor >= 0 else self.path

    def mount(self, target: str) -> None:
        """Mount it on `target`, an existing folder or file."""
        if self.descriptor >= 0:
            syscalls.attach_tree(self.descriptor, target)
        else:
            syscalls.mount(self.path, target, None, syscalls.MS_BIND | syscalls.MS_REC)


def attributes(*, writable: bool) -> int:
    """The mount attributes of a source shown in a sandbox."""
    return _WRITABLE if writable else _READ_ONLY


def detach(path: str) -> int | None:
    """A detached copy of the tree at `path`, as a descriptor; None without root's rights.

    What is mounted or unmounted at `path` afterwards does not show in the copy, nor the reverse.
    """
    if os.geteuid() != 0:
        return None
    try:
        descriptor = syscalls.clone_tree(path)
    except PermissionError:
        return None
    syscalls.restrict_mounts(descriptor, "", attributes=0, propagation=syscalls.MS_PRIVATE)
    return descriptor
