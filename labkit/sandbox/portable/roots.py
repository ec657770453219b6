"""The folder that a portable sandbox takes for "/": what lies in it, made from the spec.

What belongs here: folders, links, copies. What does not: processes (keeper.py), and the rules by which
paths lead here (inside/translation.py).
"""

import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from labkit.sandbox.portable.inside.translation import Translation
from labkit.sandbox.portable.inside.world import FILE, World
from labkit.sandbox.spec import Bind, SandboxSpec

_FOLDERS = (
    "tmp", "var/tmp", "var/log", "var/lib", "etc", "dev/shm", "home/ec2-user", "root", "opt", "run/lab", "srv", "mnt",
    "usr/bin", "usr/local/bin", "usr/local/sbin", "usr/share/lab",
)  # fmt: skip
#: of this machine's /etc, for programs of this machine
_ETC = (
    "ld.so.cache", "alternatives", "ssl", "pki", "ca-certificates", "mime.types", "localtime", "services",
    "protocols", "resolv.conf",
)  # fmt: skip
_FILES: Mapping[str, str] = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
    "ec2-user:x:1000:1000:EC2 Default User:/home/ec2-user:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nec2-user:x:1000:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
}
_HERE = Path(__file__).parent
#: what the hook is called in an instance's search path, where labkit is not
_HOOK = "_lab_portable"
_STDLIB = "usr/share/lab/stdlib"
#: programs that share one file, which looks at the name it is called by
_NAMES = {"chown": ("chown", "chgrp"), "curl": ("curl", "wget")}
_PROGRAM_FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")


def kept_folders() -> tuple[str, ...]:
    """The interpreter's own folders: they are in a sandbox what they are outside."""
    library = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})
    packages = sysconfig.get_path("purelib")
    program = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    own = {library, packages, program}
    if sys.prefix != sys.base_prefix:
        own |= {f"{sys.prefix}/bin", f"{sys.prefix}/pyvenv.cfg"}
    own |= {os.path.realpath(each) for each in (library, packages)}
    if sys.base_prefix not in ("/usr", "/usr/local"):
        own.add(sys.base_prefix)
    return tuple(sorted(path for path in own if os.path.exists(path)))


def _own_programs() -> dict[str, Path]:
    """What stands in for programs that know too much of this machine, by name."""
    files = sorted((_HERE / "programs").iterdir())
    return {name: file for file in files for name in _NAMES.get(file.name, (file.name,))}


def make_farm(folder: Path, hidden: Iterable[str]) -> None:
    """Links to this machine's programs, but for those whose names are `hidden`."""
    folder.mkdir()
    names = {*hidden, *_own_programs()}
    for place in _PROGRAM_FOLDERS:
        for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
            if name not in names:
                names.add(name)
                os.symlink(f"{place}/{name}", folder / name)


def build(root: Path, spec: SandboxSpec, world: World) -> None:
    """Fill `root`, which exists and may hold an instance's disk, for one more start of `spec`."""
    for name in (*_FOLDERS, *spec.disk_paths, spec.cwd):
        _no_links(root, name)
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for path in (*spec.disk_paths, spec.cwd):
        (root / path.strip("/")).mkdir(parents=True, exist_ok=True)
    for folder in ("run", "tmp", "dev"):
        _empty(root / folder)
    (root / "run/lab").mkdir(exist_ok=True)
    for path, text in {**_FILES, **spec.files}.items():
        _write(root, path, text, keep=path not in spec.files)
    _links_to_etc(root, spec.binds)
    for layer in spec.usr_layers:
        _lay(root, Path(layer), world)
    for bind in () if spec.bare else spec.binds:
        _bind(root, bind)
    _write(root, FILE, world.to_json())


def give_to(root: Path, uid: int) -> None:
    """Make everything below `root` the user's."""
    os.chmod(root, 0o700)
    for folder, folders, files in os.walk(root):
        for name in (folder, *(os.path.join(folder, each) for each in (*folders, *files))):
            os.lchown(name, uid, uid)


def _no_links(root: Path, name: str) -> None:
    """A link that an earlier process has left on the way to `name` would lead us to folders of this machine."""
    place = root
    for part in Path(name.strip("/")).parts:
        place /= part
        if place.is_symlink():
            place.unlink()


def _empty(folder: Path) -> None:
    """What lies in memory on a real machine is gone after each start."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _write(root: Path, path: str, text: str, *, keep: bool = False) -> None:
    place = root / path.strip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_symlink():
        place.unlink()  # an earlier process may have left a link that leads out
    if not (keep and place.exists()):
        place.write_text(text, encoding="utf-8")


def _links_to_etc(root: Path, binds: Sequence[Bind]) -> None:
    """Links, but for what has something of the sandbox's own in it."""
    for name in _ETC:
        place = root / "etc" / name
        own = any(bind.target.startswith(f"/etc/{name}/") for bind in binds)
        if os.path.exists(f"/etc/{name}") and not own and not os.path.lexists(place):
            place.symlink_to(f"/etc/{name}")


# -- layers over /usr -------------------------------------------------------------------------------------


def _lay(root: Path, layer: Path, world: World) -> None:
    """A layer's programs and files, with the paths in them made real."""
    programs = {entry.name for entry in (layer / "bin").iterdir()} | _own_programs().keys()
    translation = Translation(str(root), farm=world.farm, kept=world.kept, programs=programs)
    for folder, folders, files in os.walk(layer):
        place = root / "usr" / os.path.relpath(folder, layer)
        place.mkdir(parents=True, exist_ok=True)
        for name in (*folders, *files):
            _lay_one(Path(folder, name), place / name, translation)
    for name, program in _own_programs().items():
        _copy_translated(program, root / "usr/bin" / name, translation)
        (root / "usr/bin" / name).chmod(0o755)
    _lay_hook(root / _STDLIB)


def _lay_one(source: Path, target: Path, translation: Translation) -> None:
    if source.is_symlink():
        if not os.path.lexists(target):
            target.symlink_to(translation.real(os.readlink(source)))
    elif source.is_file():
        _copy_translated(source, target, translation)


def _copy_translated(source: Path, target: Path, translation: Translation) -> None:
    text = source.read_text(encoding="utf-8")
    target.write_text(translation.text(text), encoding="utf-8")
    target.chmod(stat.S_IMODE(source.stat().st_mode))


def _lay_hook(folder: Path) -> None:
    """The hook where every Python of the instance finds it first."""
    package = folder / _HOOK
    package.mkdir(parents=True, exist_ok=True)
    for module in (_HERE / "inside").glob("*.py"):
        target = folder if module.name == "sitecustomize.py" else package
        shutil.copyfile(module, target / module.name)


# -- binds ------------------------------------------------------------------------------------------------


def _bind(root: Path, bind: Bind) -> None:
    """The interpreter is linked to; the rest is copied, for a link would show, or lead, to where it is from."""
    target = root / bind.target.strip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.exists(bind.source):
        raise FileNotFoundError(f"{bind.source}: no such file or folder")
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise FileExistsError(f"{bind.target}: a link there leads out of the sandbox")
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir() and not bind.writable:
        remove(target)  # from an earlier boot
    if os.path.isdir(bind.source) and not bind.writable:
        shutil.copytree(bind.source, target, symlinks=True, dirs_exist_ok=True)
        _make_read_only(target)
    elif bind.writable or os.path.realpath(bind.source) in kept_folders():
        if target.is_dir():
            target.rmdir()
        target.symlink_to(os.path.realpath(bind.source))
    else:
        shutil.copy(bind.source, target)


def remove(folder: Path) -> None:
    """Remove a tree whose owner may have made parts of it unwritable."""
    if os.geteuid() != 0:
        for place, _, _ in os.walk(folder):
            if not os.path.islink(place):
                os.chmod(place, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _make_read_only(folder: Path) -> None:
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            if not os.path.islink(os.path.join(place, name)):
                os.chmod(
                    os.path.join(place, name),
                    0o555 if os.access(os.path.join(place, name), os.X_OK) else 0o444,
                )
        os.chmod(place, 0o555)
