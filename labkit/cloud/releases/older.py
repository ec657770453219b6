"""An older Python release, imitated by this interpreter for a student's code and for nothing else.

Code of the standard library and of installed packages (site-packages) runs as ever. Other code is parsed with the
older release's grammar, and imports *views* of the standard library: without the modules and names that came later,
and with the older version's number in `sys` and `platform`. Not imitated: methods and arguments that came later,
other than zip(strict=), and what later releases removed. It can't be newer than this interpreter.

What belongs here: that. What does not: the command line of `python3` (interpreter.py). Runs inside sandboxes: standard
library only, and no syntax that Python 3.11 lacks.
"""

import ast
import builtins
import importlib
import importlib.machinery
import importlib.util
import json
import operator
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

#: the release of each minor version that Amazon Linux and Lambda have had last
MICRO = {7: 16, 8: 20, 9: 25, 10: 19, 11: 14, 12: 12, 13: 11}
_OWN = os.path.dirname(os.path.abspath(__file__))
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__))
#: where an instance has the installed packages that its own programs use
_SHELF = "/run/lab/site/"
#: release → what it brought: modules, and names by module; read at once, for a sandbox does not see the file
with open(os.path.join(_OWN, "news.json"), encoding="utf-8") as _file:
    _NEWS = json.load(_file)
_KEPT = ("__name__", "__doc__", "__file__", "__spec__", "__package__", "__path__", "__loader__")


class Older:
    """The release 3.`minor`. `install` puts it into this process; `builtins` are what its code finds."""

    def __init__(self, minor: int, library: str = "/usr/lib64") -> None:
        """`library`: the folder that holds the release's standard library, as messages name it."""
        self.minor, self._shown = minor, f"{library}/python3.{minor}"
        self.version = f"3.{minor}.{MICRO.get(minor, 0)}"
        self._modules: set[str] = set()
        self._names: dict[str, set[str]] = {}
        self._views: dict[str, types.ModuleType] = {}
        self._read_news()
        self._replaced = self._replacements()
        self.builtins: dict[str, Any] = {
            name: value
            for name, value in vars(builtins).items()
            if name not in self._names.get("builtins", ())
        }
        self.builtins |= {"__import__": self._import, "__or__": _older_or}
        if minor < 10:
            self.builtins["zip"] = _Zip

    def install(self) -> None:
        """From here on, modules that are not installed ones are compiled and run as this release would."""
        loader: Any = importlib.machinery.SourceFileLoader
        get_code, execute = loader.get_code, loader.exec_module

        def get_older_code(this: Any, name: str) -> Any:
            if not self.covers(this.path):
                return get_code(this, name)
            tree = self.parse(this.get_data(this.path), this.path)
            return this.source_to_code(tree, this.path)

        def exec_older_module(this: Any, module: types.ModuleType) -> None:
            if self.covers(this.path):
                module.__dict__["__builtins__"] = self.builtins
            execute(this, module)

        loader.get_code = get_older_code
        loader.exec_module = exec_older_module

    def covers(self, path: str) -> bool:
        """Whether the file is none of the interpreter's and of no installed package (but pip, the image's own)."""
        own = path.startswith((_LIBRARY + os.sep, _OWN + os.sep, _SHELF))
        return not own and ("/site-packages/" not in path or "/site-packages/pip/" in path)

    def parse(self, source: bytes | str, filename: str) -> ast.Module:
        """The source's tree. Raises SyntaxError for what this release does not know."""
        try:
            tree = ast.parse(source, filename, feature_version=(3, self.minor))
        except SyntaxError as error:
            raise error.with_traceback(None) from None
        if self.minor >= 10:
            return tree
        lazy = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
        changed: ast.Module = ast.fix_missing_locations(_Unions(lazy).visit(tree))
        return changed

    def _read_news(self) -> None:
        """Hide what came with a later release than this one."""
        for release, new in _NEWS.items():
            if int(release) > self.minor:
                self._modules.update(new["modules"])
                for module, names in new["names"].items():
                    self._names.setdefault(module, set()).update(names.split())

    def _replacements(self) -> Mapping[str, Mapping[str, Any]]:
        number = (3, self.minor, MICRO.get(self.minor, 0))
        real = ".".join(map(str, sys.version_info[:3]))
        return {
            "sys": {
                "version": sys.version.replace(real, self.version, 1),
                "version_info": _VersionInfo((*number, "final", 0)),
                "hexversion": 0x030000F0 | number[1] << 16 | number[2] << 8,
            },
            "platform": {
                "python_version": lambda: self.version,
                "python_version_tuple": lambda: tuple(map(str, number)),
            },
            "sysconfig": {"get_python_version": lambda: f"3.{self.minor}"},
            "importlib": {"import_module": self._import_module},
        }

    # -- importing ----------------------------------------------------------------------------------------

    def _import(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if level == 0:
            self._check(name)
        return self._view(builtins.__import__(name, globals, locals, fromlist, level))

    def _import_module(self, name: str, package: str | None = None) -> types.ModuleType:
        if not name.startswith("."):
            self._check(name)
        return self._view(importlib.import_module(name, package))

    def _check(self, name: str) -> None:
        parts = name.split(".")
        hidden = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        for each in hidden:
            if each in self._modules and self._is_standard(each):
                raise ModuleNotFoundError(f"No module named {each!r}", name=each)

    def _is_standard(self, name: str) -> bool:
        """Whether the module of this name is the standard library's, not the student's own."""
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return True
        return spec is None or not spec.has_location or not self.covers(spec.origin or "")

    def _view(self, module: types.ModuleType) -> types.ModuleType:
        """The module as this release has it: a view where something came later, or itself."""
        name = getattr(module, "__name__", "")
        changed = {*self._names, *self._replaced, *self._modules}
        if not any(each == name or each.startswith(name + ".") for each in changed):
            return module
        if isinstance(module, _View) or self.covers(getattr(module, "__file__", None) or _LIBRARY + os.sep):
            return module
        if name not in self._views:
            hidden = self._names.get(name, set()) | {
                each.rpartition(".")[2] for each in self._modules if each.rpartition(".")[0] == name
            }
            view = _View(module, hidden, self._replaced.get(name, {}), self._view)
            if file := getattr(module, "__file__", None):
                view.__dict__["__file__"] = file.replace(_LIBRARY, self._shown, 1)
            self._views[name] = view
        return self._views[name]


class _View(types.ModuleType):
    """A module without some of its names; what is set on it is set on the module."""

    def __init__(self, module: Any, hidden: set[str], replaced: Mapping[str, Any], view: Any) -> None:
        super().__init__(module.__name__)
        listed = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
        self.__dict__.update({name: vars(module)[name] for name in _KEPT if name in vars(module)})
        self.__dict__.update(
            _module=module,
            _hidden=hidden,
            _replaced=replaced,
            _view=view,
            __all__=[name for name in listed if name not in hidden],
        )

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if name in own["_hidden"]:
            raise AttributeError(f"module {own['__name__']!r} has no attribute {name!r}")
        if name in own["_replaced"]:
            return own["_replaced"][name]
        value = getattr(own["_module"], name)
        return own["_view"](value) if isinstance(value, types.ModuleType) else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_module"], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__dict__["_module"], name)

    def __dir__(self) -> list[str]:
        return [name for name in dir(self.__dict__["_module"]) if name not in self.__dict__["_hidden"]]


class _VersionInfo(tuple):  # type: ignore[type-arg]
    """As sys.version_info, which can't be made."""

    major, minor, micro, releaselevel, serial = (property(operator.itemgetter(n)) for n in range(5))

    def __repr__(self) -> str:
        fields = zip(("major", "minor", "micro", "releaselevel", "serial"), self, strict=True)
        return f"sys.version_info({', '.join(f'{name}={value!r}' for name, value in fields)})"


class _Zip(zip):  # type: ignore[type-arg]
    """zip as it was before 3.10."""

    def __new__(cls, *iterables: Any, **options: Any) -> Any:
        if options:
            raise TypeError("zip() takes no keyword arguments")
        return super().__new__(cls, *iterables)


def _older_or(left: Any, right: Any) -> Any:
    """`left | right` as it was before 3.10, when types could not be joined."""
    for one, other in ((left, right), (right, left)):
        joins = isinstance(one, type) and type(one).__or__ is type.__or__
        generic = isinstance(one, types.GenericAlias | types.UnionType)
        if (joins or generic) and (other is None or isinstance(other, type | types.GenericAlias)):
            kinds = f"{type(left).__name__!r} and {type(right).__name__!r}"
            raise TypeError(f"unsupported operand type(s) for |: {kinds}")
    return left | right


class _Unions(ast.NodeTransformer):
    """Lets _older_or decide about each `|`; annotations that are never evaluated stay as they are."""

    def __init__(self, lazy: bool) -> None:
        self._lazy = lazy

    def generic_visit(self, node: ast.AST) -> ast.AST:
        kept = {
            name: getattr(node, name)
            for name in ("annotation", "returns")
            if self._lazy and getattr(node, name, None)
        }
        for name in kept:
            setattr(node, name, None)
        super().generic_visit(node)
        for name, value in kept.items():
            setattr(node, name, value)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.BitOr):
            return node
        called = ast.Call(ast.Name("__or__", ast.Load()), [node.left, node.right], [])
        return ast.copy_location(called, node)
