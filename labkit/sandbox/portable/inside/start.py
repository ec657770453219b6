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
from .world import World, of_this_interpreter

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
    return Translation(world.root, farm=world.farm, kept=world.kept, programs=programs)


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
        install(world)


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
