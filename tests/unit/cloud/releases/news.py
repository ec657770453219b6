"""What each release of Python brought: python tests/unit/cloud/releases/news.py > labkit/cloud/releases/news.json.

From 3.11 on it is read from the stubs that mypy brings (typeshed); what came before stands in "What's New in Python"
of 3.8, 3.9 and 3.10, and here.
"""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mypy

STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"
READ_FROM, LAST = 11, 14
BEFORE: dict[int, dict[str, str]] = {
    8: {
        "functools": "cached_property singledispatchmethod", "math": "prod perm comb isqrt dist",
        "shlex": "join", "statistics": "NormalDist fmean geometric_mean multimode quantiles",
        "sys": "addaudithook audit unraisablehook", "threading": "excepthook get_native_id",
        "typing": "Final Literal Protocol SupportsIndex TypedDict final get_args get_origin runtime_checkable",
        "unittest": "IsolatedAsyncioTestCase addModuleCleanup", "unittest.mock": "AsyncMock",
    },
    9: {
        "ast": "indent unparse", "asyncio": "to_thread", "functools": "cache", "math": "lcm nextafter ulp",
        "os": "pidfd_open waitstatus_to_exitcode", "signal": "pidfd_send_signal", "types": "GenericAlias",
        "typing": "Annotated",
    },
    10: {
        "builtins": "EncodingWarning aiter anext", "contextlib": "AsyncContextDecorator aclosing",
        "dataclasses": "KW_ONLY", "inspect": "get_annotations", "io": "text_encoding", "itertools": "pairwise",
        "os": "eventfd eventfd_read eventfd_write splice", "platform": "freedesktop_os_release",
        "statistics": "correlation covariance linear_regression", "sys": "orig_argv stdlib_module_names",
        "threading": "getprofile gettrace", "types": "EllipsisType NoneType NotImplementedType UnionType",
        "typing": "Concatenate ParamSpec ParamSpecArgs ParamSpecKwargs TypeAlias TypeGuard is_typeddict",
    },
}  # fmt: skip


def news() -> dict[str, dict[str, Any]]:
    """Release → its new modules, and its new names by module (as one text)."""
    found: dict[int, dict[str, set[str]]] = {
        release: {module: set(names.split()) for module, names in modules.items()}
        for release, modules in BEFORE.items()
    }
    modules = _new_modules()
    for path in sorted(STUBS.rglob("*.pyi")):
        name = _module_of(path)
        if not any(part.startswith("_") for part in name.split(".")):
            for each, release in _names(name).items():
                if READ_FROM <= release <= LAST and not each.startswith(("_", "SQLITE_")):
                    found.setdefault(release, {}).setdefault(name, set()).add(each)
    return {
        str(release): {
            "modules": sorted(name for name, since in modules.items() if since == release),
            "names": {
                name: " ".join(sorted(names)) for name, names in sorted(found.get(release, {}).items())
            },
        }
        for release in range(8, LAST + 1)
    }


def _module_of(path: Path) -> str:
    return ".".join(path.relative_to(STUBS).with_suffix("").parts).removesuffix(".__init__")


def _new_modules() -> dict[str, int]:
    rows = re.findall(r"^([\w.]+): 3\.(\d+)-", (STUBS / "VERSIONS").read_text(), re.MULTILINE)
    return {name: int(minor) for name, minor in rows if not re.search(r"(^|\.)_", name)}


def _names(module: str) -> dict[str, int]:
    """The module's names with the minor version that each came with (0: long ago)."""
    path = STUBS / module.replace(".", "/")
    file = path / "__init__.pyi" if path.is_dir() else path.with_suffix(".pyi")
    found: dict[str, int] = {}
    for name, minor in _walk(ast.parse(file.read_text()).body, module, 0) if file.exists() else ():
        found[name] = min(minor, found.get(name, minor))
    return found


def _walk(body: Sequence[ast.stmt], module: str, minor: int) -> Iterator[tuple[str, int]]:
    for node in body:
        match node:
            case ast.If():
                yield from _walk(node.body, module, max(minor, _since(node.test)))
                yield from _walk(node.orelse, module, minor)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, minor
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name, minor
            case ast.ImportFrom():
                yield from _imported(node, module, minor)


def _imported(node: ast.ImportFrom, module: str, minor: int) -> Iterator[tuple[str, int]]:
    source = f"{module}.{node.module}" if node.level else str(node.module)
    for alias in node.names:
        if alias.name == "*":
            yield from ((name, max(minor, own)) for name, own in _names(source).items())
        elif alias.asname == alias.name:
            yield alias.name, minor


def _since(test: ast.expr) -> int:
    """The minor version that a test asks for; 0 where it asks for none."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return max(map(_since, values))
        case ast.Compare(ops=[ast.GtE()], comparators=[ast.Tuple(elts=[_, ast.Constant(value=int(minor))])]):
            return minor if ast.unparse(test).startswith("sys.version_info") else 0
    return 0


if __name__ == "__main__":
    print(json.dumps(news(), indent=1))
