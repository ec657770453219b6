"""The first thing that runs inside an execution environment: it makes the forked process look as AWS's
does, then hands over to the runtime client.

What belongs here: what the process may import, and what was loaded for it before. Runs inside the sandbox, so it uses
nothing of the kit. What does not: anything that the server does.

AWS Lambda, "Building Lambda functions with Python": search path, and the SDK that the runtime includes.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
import time
import types
from collections.abc import Iterable, Mapping, Sequence

from labkit.cloud.functions.runtime import runtime_client, sdk
from labkit.cloud.releases.older import Older
from labkit.sandbox.portable.inside import start

#: what AWS's Python runtime offers beside the standard library
SDK = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
#: what else lies beside AWS's runtime, so that a function may import it
_OFFERED = SDK | {"awslambdaric", "simplejson", "snapshot_restore_py"}

#: loaded on AWS before the function's code is, so a file of the same name in the package is never seen
_LOADED_FIRST = frozenset(
    {"__main__", "_abc", "abc", "codecs", "collections", "contextlib", "copyreg", "datetime", "decimal"}
    | {"encodings", "enum", "functools", "genericpath", "heapq", "importlib", "io", "itertools", "json"}
    | {"keyword", "linecache", "logging", "math", "numbers", "operator", "os", "posix", "posixpath", "re"}
    | {"reprlib", "site", "stat", "string", "struct", "sys", "textwrap", "threading", "time", "token"}
    | {"tokenize", "traceback", "types", "typing", "warnings", "weakref"}
)


def preload() -> None:
    """Import what every function needs; called once in the warm parent of all environments."""
    sdk.preload()


def main(arguments: Mapping[str, object]) -> None:
    """Run the function `handler` whose code is in the folder `task_root`, until the process is ended.

    Raises SystemExit as the runtime client and the function do.
    """
    task_root, handler = str(arguments["task_root"]), str(arguments["handler"])
    preload()
    translated = start.translation()
    older = _older_release(int(str(arguments.get("python") or sys.version_info[1])))
    _isolate(translated.real(task_root) if translated else task_root)
    if older:
        older.install()
    time.tzset()
    os.chdir(task_root)
    # Records of logging go the way of all output, framed, so the order is kept.
    runtime_client.serve(handler, os.environ["AWS_LAMBDA_RUNTIME_API"], os.dup(1))


def _older_release(minor: int) -> Older | None:
    """The declared runtime's release, where this interpreter is newer."""
    return Older(minor, "/var/lang/lib") if minor < sys.version_info[1] else None


# What may be imported.


def _isolate(task_root: str) -> None:
    """From here on: the package's own modules, the standard library, and what AWS's runtime offers."""
    site = _site_packages()
    own = set(_top_levels(task_root))
    shadowed = own & _OFFERED
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if _must_go(top, own, shadowed):
            del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = ["/var/runtime/bootstrap.py"]
    sys.path[:] = [task_root, "/opt/python", *_standard_library()]
    sys.meta_path[:] = [*_standard_finders(), _Offered(site)]
    sys.path_hooks[:] = [
        hook for hook in sys.path_hooks if not getattr(hook, "__module__", "").startswith("__ed")
    ]
    sys.path_importer_cache.clear()


def _must_go(top: str, own: set[str], shadowed: set[str]) -> bool:
    """Whether a loaded module has no place in a function, or gives way to the package's own copy.

    With one part of the SDK replaced, all of it is imported anew, so that its parts fit together.
    """
    if top in _LOADED_FIRST or top in sys.builtin_module_names:
        return False
    if top in own or (shadowed & SDK and top in SDK):
        return True
    return top not in sys.stdlib_module_names and top not in _OFFERED


def _top_levels(folder: str) -> Iterable[str]:
    """The names that can be imported from `folder`."""
    for entry in os.scandir(folder):
        if entry.is_dir() or entry.name.endswith((".py", ".so", ".pyc")):
            yield entry.name.partition(".")[0]


def _site_packages() -> str:
    """Where this interpreter's packages are: where boto3 came from."""
    return os.path.dirname(os.path.dirname(os.path.abspath(str(sys.modules["boto3"].__file__))))


def _standard_library() -> list[str]:
    """The interpreter's own folders, in their usual order."""
    library = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})
    platform = sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})
    return list(dict.fromkeys([library, platform, os.path.join(platform, "lib-dynload")]))


def _standard_finders() -> list[importlib.abc.MetaPathFinder]:
    machinery = importlib.machinery
    return [machinery.BuiltinImporter, machinery.FrozenImporter, machinery.PathFinder]  # type: ignore[list-item]


class _Offered(importlib.abc.MetaPathFinder):
    """Finds what AWS's runtime offers, and nothing else, among this interpreter's packages."""

    def __init__(self, site: str) -> None:
        self._site = [site]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's spec when it is one of those offered."""
        if path is not None or name not in _OFFERED:
            return None
        return importlib.machinery.PathFinder.find_spec(name, self._site, target)
