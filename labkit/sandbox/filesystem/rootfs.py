"""The file tree of one sandbox: built in memory, then made the only one its process can see.

What belongs here: what lies where, and in which order it is mounted. What does not: namespaces and
privileges (namespaces.py, limits.py).

A disk may hold links that an earlier process left, so every path is resolved inside the new root
(inside.py): at this moment this machine's own files are still within reach.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.sandbox.filesystem.inside import Inside
from labkit.sandbox.filesystem.sources import Source, attributes
from labkit.sandbox.filesystem.veiling import Veil
from labkit.sandbox.filesystem.workshop import ASIDE, ROOT, disk_folder
from labkit.sandbox.kernel import syscalls
from labkit.sandbox.spec import Limits, SandboxSpec

_TMPFS = syscalls.MS_NOSUID | syscalls.MS_NODEV
_FOLDERS = (
    *("usr", "tmp", "var/tmp", "var/log", "var/lib", "etc", "dev/shm", "proc"),
    *("home/ec2-user", "root", "opt", "run", "srv", "mnt"),
)
_TOP = ("bin", "sbin", "lib", "lib64")
_ETC = ("ld.so.cache", "alternatives", "ssl", "pki", "ca-certificates", "mime.types")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "fd/0",
    "dev/stdout": "fd/1",
    "dev/stderr": "fd/2",
    "dev/console": "null",
    "dev/tty": "null",
    "etc/mtab": "/proc/self/mounts",
    "etc/localtime": "../usr/share/zoneinfo/UTC",  # whatever this machine's zone is; UTC also where it dangles
}
#: files of /proc that are the same for everybody, and what stands in their place
_OF_THE_MACHINE: Mapping[str, str] = {
    "cmdline": "console=tty0 console=ttyS0,115200n8\n",
    **dict.fromkeys(
        (
            *(
                "buddyinfo",
                "config.gz",
                "consoles",
                "diskstats",
                "interrupts",
                "iomem",
                "ioports",
                "kallsyms",
            ),
            *("key-users", "keys", "latency_stats", "locks", "modules", "mtrr", "pagetypeinfo", "partitions"),
            *("sched_debug", "slabinfo", "swaps", "timer_list", "vmallocinfo"),
        ),
        "",
    ),
}
DEFAULT_FILES: Mapping[str, str] = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
    "ec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nec2-user:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "/etc/resolv.conf": "",
}


@dataclass(frozen=True)
class Sources:
    """What comes from this machine: Python's own folders, and the spec's binds and layers in order."""

    programs: Sequence[tuple[str, Source]] = ()
    binds: Sequence[Source] = ()
    layers: Sequence[Source] = ()


def enter(spec: SandboxSpec, sources: Sources) -> None:
    """Build the tree of `spec` and make it this process's root.

    Needs an own mount namespace and CAP_SYS_ADMIN in it. Raises OSError.
    """
    syscalls.mount(None, "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    limits = spec.limits
    syscalls.mount("tmpfs", ROOT, "tmpfs", _TMPFS, _options(limits, "755"))
    with contextlib.closing(Inside(ROOT)) as tree:
        _folders(tree, spec)
        if not spec.bare:
            _system(tree, sources.layers)
        _devices(tree)
        _given(tree, spec, sources)
        _files(tree, spec)
        syscalls.mount("proc", f"{ROOT}/proc", "proc", _TMPFS | syscalls.MS_NOEXEC)
        _cover_the_machine(tree)
    _pivot(writable=spec.writable_root)


def _options(limits: Limits, mode: str) -> str:
    return f"size={limits.disk_mb}m,nr_inodes={limits.files},mode={mode}"


def _folders(tree: Inside, spec: SandboxSpec) -> None:
    """The disk's folders, /tmp, and the empty folders that programs expect."""
    for path in spec.disk_paths if spec.disk else ():
        if not path.strip("/").startswith("usr/"):
            _disk_folder(tree, spec.disk, path)
    for folder in _FOLDERS:
        tree.make_folder(folder)
    if spec.writable_root:
        for folder in ("tmp", "var/tmp"):
            with tree.folder(folder) as descriptor:
                os.chmod(f"/proc/self/fd/{descriptor}", 0o1777)
    else:
        with tree.mount_point("tmp", is_folder=True) as target:
            syscalls.mount("tmpfs", target, "tmpfs", _TMPFS, _options(spec.limits, "1777"))


def _disk_folder(tree: Inside, disk: str, path: str) -> None:
    with tree.mount_point(path, is_folder=True) as target:
        syscalls.mount(disk_folder(disk, path), target, None, syscalls.MS_BIND)


def _system(tree: Inside, layers: Sequence[Source]) -> None:
    """This machine's programs, read-only, with `layers` on top; and what they need from /etc."""
    if layers:
        _layered_usr(tree, layers)
    else:
        _bind(tree, Source("/usr"), "usr")
    for name in _TOP:
        if os.path.islink(f"/{name}"):
            tree.link(name, os.readlink(f"/{name}"))
        elif os.path.isdir(f"/{name}"):
            _bind(tree, Source(f"/{name}"), name)
    for name in _ETC:
        if os.path.exists(f"/etc/{name}"):
            _bind(tree, Source(f"/etc/{name}"), f"etc/{name}")


def _layered_usr(tree: Inside, layers: Sequence[Source]) -> None:
    """A read-only overlay: the first of `layers` on top, this machine's /usr at the bottom.

    Each layer is mounted under a short name of ours first, as a path with a comma or colon in it can't be
    written in the options.
    """
    places = [f"{ROOT}/.layer{index}" for index in range(len(layers))]
    for place, layer in zip(places, layers, strict=True):
        os.mkdir(place)
        layer.mount(place)
    lower = ":".join([*places, "/usr"])
    with tree.mount_point("usr", is_folder=True) as target:
        syscalls.mount("overlay", target, "overlay", _TMPFS | syscalls.MS_RDONLY, f"lowerdir={lower}")
    for place in places:
        syscalls.umount(place)
        os.rmdir(place)


def _devices(tree: Inside) -> None:
    for name in _DEVICES:
        with tree.mount_point(f"dev/{name}", is_folder=False) as target:
            syscalls.mount(f"/dev/{name}", target, None, syscalls.MS_BIND)
    for path, destination in _LINKS.items():
        tree.link(path, destination)


def _given(tree: Inside, spec: SandboxSpec, sources: Sources) -> None:
    """Folders of the disk below /usr, Python's folders and the caller's binds."""
    for path in spec.disk_paths if spec.disk else ():
        if path.strip("/").startswith("usr/"):
            _disk_folder(tree, spec.disk, path)
    for path, program in () if spec.bare else sources.programs:
        _bind(tree, program, path)
    veil = Veil()
    for bind, source in zip(spec.binds, sources.binds, strict=True):
        shown = source if bind.writable else veil.over(source)
        _bind(tree, shown, bind.target, writable=bind.writable)


def _bind(tree: Inside, source: Source, target: str, *, writable: bool = False) -> None:
    with tree.mount_point(target, is_folder=source.is_folder) as place:
        source.mount(place)
    tree.restrict(target, attributes(writable=writable))


def _files(tree: Inside, spec: SandboxSpec) -> None:
    for path, text in DEFAULT_FILES.items():
        tree.write(path, text, keep=True)
    for path, text in spec.files.items():
        tree.write(path, text)


def _cover_the_machine(tree: Inside) -> None:
    """What /proc tells of this machine rather than of the sandbox."""
    for name, text in _OF_THE_MACHINE.items():
        path = f"{ROOT}/proc/{name}"
        if os.path.exists(path):
            with open(f"{ASIDE}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            _bind(tree, Source(f"{ASIDE}/{name}"), f"proc/{name}")


def _pivot(*, writable: bool) -> None:
    os.chdir(ROOT)
    syscalls.pivot_root_here()
    if not writable:
        flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY | _TMPFS
        syscalls.mount(None, "/", flags=flags)
