"""A copy of this interpreter that every user may read, for a root whose own lies below /root.

Without namespaces each sandbox runs as a user of its own, who must be able to read Python and its packages. The
copy is made of hard links where it can be, kept in a folder of root's, and used again.

What belongs here: whether a copy is needed, and making it. What does not: starting programs from it.
"""

import hashlib
import os
import shutil
import stat
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from labkit.sandbox.portable import roots

_PACKAGE = Path(__file__).resolve().parents[2]
_PREFIX = "lab-python-"
#: a user that nobody is
NOBODY = 61_000
_NOT_NEEDED = {"test", "idlelib", "tkinter", "turtledemo", "site-packages", "lib2to3"}
_KEPT_SECONDS = 7 * 24 * 3600


def by_others() -> bool:
    """Whether other users can read the interpreter, its packages and this one. Asks as one of them: needs root."""
    paths = (*roots.kept_folders(), str(_PACKAGE / "__init__.py"))
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            status = int(not all(os.access(path, os.R_OK) for path in paths))
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def copy(places: tuple[str, ...] = ("/var/tmp", "/tmp")) -> str:
    """The program of a copy of this environment, made below one of `places` if it is not there yet.

    Raises OSError when none can be made: no room, or this is no virtual environment.
    """
    if not os.path.exists("/proc/self/exe"):
        raise OSError("a hidden /proc keeps the copy from finding its library")
    if sys.prefix == sys.base_prefix:
        raise OSError("Python is not in an environment of its own")
    place = next(each for each in places if os.access(each, os.W_OK))
    final = Path(place, _PREFIX + _digest())
    if not _is_ours(final):
        _remove_old(Path(place))
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        try:
            _fill(made, final)
            made.chmod(0o755)
            os.rename(made, final)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            if not _is_ours(final):
                raise
    return str(final / "env/bin/python")


def _digest() -> str:
    """What the copy is a copy of; a change of the kit or its packages makes another one."""
    known = hashlib.sha256(f"{sys.version} {sys.base_prefix} {sys.prefix}".encode())
    files = (path for path in sorted(_PACKAGE.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    for path in (Path(sysconfig.get_path("purelib")), *files):
        found = path.stat()
        known.update(f"{path} {found.st_size} {found.st_mtime_ns}".encode())
    return known.hexdigest()[:16]


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder that root made and nobody else can change."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022


def _remove_old(place: Path) -> None:
    for folder in place.glob(_PREFIX + "*"):
        if _is_ours(folder) and folder.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(made: Path, final: Path) -> None:
    """`made` will be renamed to `final`."""
    release = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    program = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    base, env = made / "base", made / "env"
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    _copy_tree(library, base / "lib" / release, _NOT_NEEDED)
    for shared in Path(sys.base_prefix, "lib").glob("libpython*"):
        _copy_file(shared, base / "lib" / shared.name)
    _copy_program(program, base / "bin" / release)
    packages = env / "lib" / release / "site-packages"
    _copy_tree(Path(sysconfig.get_path("purelib")), packages, {"labkit"}, skipped_prefix="__editable__")
    _copy_tree(_PACKAGE, packages / "labkit", set())
    (env / "bin").mkdir()
    (env / "bin" / "python").symlink_to(final / "base" / "bin" / release)
    (env / "pyvenv.cfg").write_text(f"home = {final}/base/bin\ninclude-system-site-packages = false\n")


def _copy_program(source: Path, target: Path) -> None:
    """The program itself, which looks for its library beside it from now on."""
    old = os.fsencode(os.path.join(sys.base_prefix, "lib")) + b"\0"
    new = b"$ORIGIN/../lib\0"
    target.parent.mkdir(parents=True)
    target.write_bytes(source.read_bytes().replace(b"\0" + old, b"\0" + new.ljust(len(old), b"\0")))
    target.chmod(0o755)


def _copy_tree(source: Path, target: Path, skipped: set[str], *, skipped_prefix: str = "/") -> None:
    target.mkdir(parents=True)
    for entry in os.scandir(source):
        if entry.name in skipped or entry.name.startswith(skipped_prefix):
            continue
        if entry.is_dir(follow_symlinks=False):
            _copy_tree(Path(entry.path), target / entry.name, set())
        elif entry.stat(follow_symlinks=False).st_mode & stat.S_IROTH:
            _copy_file(Path(entry.path), target / entry.name)


def _copy_file(source: Path, target: Path) -> None:
    """A hard link, where both are on one disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
