"""Putting the hook into this Python process.

What belongs here: the order of it. What does not: what is replaced (files.py, sockets.py, trust.py). Runs inside:
standard library only.
"""

import contextlib
import os
import sys
from importlib.machinery import SourceFileLoader
from typing import Any

from . import files, sockets, trust
from .translation import Translation
from .world import PYTHON, World, of_this_interpreter

#: Debian's interpreter looks here, whatever its prefix; an instance has packages of its own
_DEBIAN_PACKAGES = "/usr/lib/python3/dist-packages"


_installed: list[Translation] = []


def translation() -> Translation | None:
    """The translation that is in force in this process; None where paths are what they are."""
    return _installed[-1] if _installed else None


def translation_of(world: World) -> Translation:
    """The translation for `world`, whose root exists."""
    folder = f"{world.root}/usr/bin"
    programs = frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset()
    return Translation(
        world.root,
        farm=world.farm,
        kept=world.kept,
        programs=programs,
        made=_Entries(world.root),
        free=_Free(),
    )


class _Entries:
    """The names in a folder, at every look. It looks with the system's own function, before that is replaced."""

    def __init__(self, folder: str) -> None:
        self._folder, self._look = folder, os.lstat

    def __contains__(self, name: object) -> bool:
        if not name:
            return False
        try:
            self._look(f"{self._folder}/{name}")
        except OSError:
            return False
        return True


class _Free:
    """The names that this machine has not at its root."""

    def __init__(self) -> None:
        self._machine = _Entries("")

    def __contains__(self, name: object) -> bool:
        return bool(name) and name not in self._machine


def install(world: World) -> Translation:
    """Make this process believe in `world`, for the rest of its life."""
    made = translation_of(world)
    _show_sources(made)
    _import_from_real_folders(made)
    files.install(world, made)
    sockets.install(world.network, world.hostname, made.real)
    trust.install(world.root, world.fixed, made.real)
    _installed.append(made)
    return made


def in_instance() -> None:
    """What an instance's Python does first of all (its sitecustomize)."""
    world = of_this_interpreter()
    if world is not None:
        sys.path[:] = [path for path in sys.path if path != _DEBIAN_PACKAGES]
        _environments_come_from(world)
        install(world)


def _environments_come_from(world: World) -> None:
    """A virtual environment made here gets the instance's Python, with the hook, not this machine's behind it."""
    program = f"{world.root}{PYTHON}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    if os.path.exists(program) and not sys._base_executable.startswith(world.root):  # type: ignore[attr-defined]
        sys._base_executable = program  # type: ignore[attr-defined]


def _show_sources(translation: Translation) -> None:
    """Tracebacks name files as the sandbox knows them."""
    original = SourceFileLoader.source_to_code

    def source_to_code(self: Any, data: Any, path: Any, **options: Any) -> Any:
        return original(self, data, translation.shown(os.fsdecode(path)), **options)

    SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign]


def _import_from_real_folders(translation: Translation) -> None:
    """Folders in sys.path are what the sandbox knows; the import system looks below Python's functions."""
    hooks = list(sys.path_hooks)

    def find(path: str) -> Any:
        real = translation.real(path)
        if real == path:
            raise ImportError("it is where it is", path=path)
        for hook in hooks:
            with contextlib.suppress(ImportError):
                return hook(real)
        raise ImportError(f"nothing is imported from {path}", path=path)

    sys.path_hooks.insert(0, find)
    sys.path_importer_cache.clear()
