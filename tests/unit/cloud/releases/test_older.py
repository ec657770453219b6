"""Older releases of Python: what a program finds there, tried with the program `python3.N` itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.cloud import releases
from tests.unit.cloud.releases import news

FOLDER = Path(releases.__file__).parent
OWN = sys.version_info[1]


def python(minor: int, *words: str, given: str = "", cwd: Path | None = None) -> tuple[int, str, str]:
    """Status, output and errors of `python3.minor words`."""
    command = [sys.executable, "-B", str(FOLDER / "interpreter.py"), str(minor), *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=cwd, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.slow
def test_the_list_of_news_is_what_the_stubs_say() -> None:
    assert json.loads((FOLDER / "news.json").read_text()) == news.news()


@pytest.mark.processes
@pytest.mark.parametrize(
    ("minor", "code", "said"),
    [
        (9, "match 1:\n    case _: pass", "SyntaxError: Pattern matching is only supported in Python 3.10 and greater"),
        (9, "import tomllib", "ModuleNotFoundError: No module named 'tomllib'"),
        (9, "import importlib; importlib.import_module('tomllib')", "ModuleNotFoundError: No module named 'tomllib'"),
        (9, "from datetime import UTC", "ImportError: cannot import name 'UTC' from 'datetime' (/usr/lib64/python3.9/datetime.py)"),
        (9, "import datetime; datetime.UTC", "AttributeError: module 'datetime' has no attribute 'UTC'"),
        (9, "def f(x: int | None): pass", "TypeError: unsupported operand type(s) for |: 'type' and 'NoneType'"),
        (9, "x: list[int] | str", "TypeError: unsupported operand type(s) for |: 'types.GenericAlias' and 'type'"),
        (9, "zip([1], strict=True)", "TypeError: zip() takes no keyword arguments"),
        (9, "ExceptionGroup", "NameError: name 'ExceptionGroup' is not defined"),
        (9, "from typing import Self", "ImportError: cannot import name 'Self' from 'typing' (/usr/lib64/python3.9/typing.py)"),
        (7, "(x := 1)", "SyntaxError: Assignment expressions are only supported in Python 3.8 and greater"),
        (7, "import zoneinfo", "ModuleNotFoundError: No module named 'zoneinfo'"),
    ],
)  # fmt: skip
def test_what_came_later_fails(minor: int, code: str, said: str) -> None:
    status, _, errors = python(minor, "-c", code)
    assert status == 1
    assert errors.splitlines()[-1].replace("'GenericAlias'", "'types.GenericAlias'") == said
    assert str(FOLDER) not in errors, "only the program's own frames are shown"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("minor", "code", "shown"),
    [
        (9, "import sys; print(sys.version_info[:2], sys.version_info.minor, sys.version_info >= (3, 10))", "(3, 9) 9 False"),
        (9, "import platform, sys; print(platform.python_version(), sys.version.split()[0])", "3.9.25 3.9.25"),
        (9, "print(5 | 2, {1} | {2}, {'a': 1} | {'b': 2})", "7 {1, 2} {'a': 1, 'b': 2}"),
        (9, "from __future__ import annotations\ndef f(x: int | None): pass\nprint(f.__annotations__)", "{'x': 'int | None'}"),
        (9, "from math import *\nprint(lcm(4, 6), list(zip('ab', 'cd')))", "12 [('a', 'c'), ('b', 'd')]"),
        (9, "import sys; sys.stdout = sys.stderr; sys.stdout.write('there')", ""),
        (10, "match 1:\n    case 1: print('one')", "one"),
        (10, "def f(x: int | None): return zip('a', 'b', strict=True)\nprint(*f(1))", "('a', 'b')"),
    ],
)  # fmt: skip
def test_what_was_there_works(minor: int, code: str, shown: str) -> None:
    assert python(minor, "-c", code)[:2] == (0, shown)


@pytest.mark.processes
def test_files_modules_input_and_arguments(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(
        "import sys\nfrom typing import Optional\nNAME: Optional[str] = sys.version[:3]\n"
    )
    (tmp_path / "later.py").write_text("def f():\n    match 1:\n        case _: pass\n")
    (tmp_path / "main.py").write_text(
        "import sys, helper\nprint(helper.NAME, __name__, sys.argv[1:])\nimport later\n"
    )
    status, said, errors = python(9, str(tmp_path / "main.py"), "a", "-c")
    assert (status, said) == (1, "3.9 __main__ ['a', '-c']")
    assert f'File "{tmp_path}/later.py", line 3' in errors
    assert python(9, "-m", "helper", cwd=tmp_path)[0] == 0
    assert python(9, "-", "x", given="import sys; print(sys.argv)")[1] == "['-', 'x']"
    assert python(9, "-V")[1] == "Python 3.9.25"
    status, _, errors = python(9, str(tmp_path / "none.py"))
    assert status == 2
    assert "can't open file" in errors
    assert python(9, "-c", "raise SystemExit(3)")[0] == 3


@pytest.mark.processes
def test_modules_of_ones_own_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "tomllib.py").write_text("print('mine')")
    (tmp_path / "main.py").write_text("import tomllib")
    assert python(9, str(tmp_path / "main.py"))[1] == "mine"


@pytest.mark.processes
def test_installed_packages_find_everything(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "new.py").write_text(
        "import tomllib, sys\ndef f(x: int | None): return sys.version_info[1]\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(packages)!r}); import new; print(new.f(1), sys.version_info[1])"
    )
    assert python(9, "-c", code)[1] == f"{OWN} 9"
