"""The program `python3.9` (and other releases) of an instance: its command line, carried out by this interpreter.

Called as: interpreter.py MINOR [-c CODE | -m MODULE | FILE | -] ARGUMENTS; flags of the interpreter itself stand before
this file's name. What belongs here: what `python3 …` runs, and how it fails. What does not: the older release
(older.py). Runs inside sandboxes: standard library only.
"""

import code
import os
import runpy
import site
import sys
import types
from collections.abc import Iterator
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_NOT_SHOWN = (_HERE, "<frozen runpy", "<frozen importlib")
sys.path.insert(0, _HERE)

from older import Older  # type: ignore[import-not-found]  # noqa: E402 - lies beside this file, in no package


def main(minor: int, words: list[str]) -> int:
    """Do what the command line `words` of Python 3.`minor` says; the exit status."""
    sys.path[:] = [path for path in sys.path if path != _HERE]
    older = Older(minor)
    first = words[0] if words else "-"
    if first in ("-V", "-VV", "--version"):
        sys.stdout.write(f"Python {older.version}\n")
        return 0
    _use_own_packages(minor)
    older.install()
    try:
        _run(older, first, words)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        _show_own_frames(error)
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _run(older: Any, first: str, words: list[str]) -> None:
    if first.startswith("-c"):
        text, rest = (first[2:], words[1:]) if first != "-c" else (words[1], words[2:])
        _begin(older, ["-c", *rest], "")
        _execute(older, text, "<string>")
    elif first.startswith("-m"):
        name, rest = (first[2:], words[1:]) if first != "-m" else (words[1], words[2:])
        _begin(older, ["-m", *rest], os.getcwd())
        _execute_module(older, name)
    elif first == "-":
        _begin(older, words or [""], "")
        _execute_input(older)
    else:
        _begin(older, words, os.path.dirname(os.path.realpath(first)))
        _execute_file(older, first)


def _begin(older: Any, words: list[str], folder: str) -> None:
    """A fresh __main__, arguments, and the folder that is searched first."""
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = older.builtins
    sys.modules["__main__"] = main
    sys.argv[:] = words
    if not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, folder)


def _execute(older: Any, source: Any, name: str) -> None:
    exec(compile(older.parse(source, name), name, "exec"), vars(sys.modules["__main__"]))  # noqa: S102 - what an interpreter does


def _execute_file(older: Any, path: str) -> None:
    if os.path.isdir(path):
        runpy.run_path(path, run_name="__main__")
        return
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        where = f"{sys.executable}: can't open file {os.path.abspath(path)!r}"
        sys.stderr.write(f"{where}: [Errno {error.errno}] {error.strerror}\n")
        sys.exit(2)
    vars(sys.modules["__main__"])["__file__"] = path
    _execute(older, source, path)


def _execute_module(older: Any, name: str) -> None:
    """As `python -m`; an installed module (http.server, flask) finds everything that this interpreter has."""
    run: Any = runpy
    try:
        _, spec, _ = run._get_module_details(name)
    except Exception:
        spec = None  # it says what is wrong when it is run
    if spec is None or not older.covers(spec.origin or ""):
        import builtins

        vars(sys.modules["__main__"])["__builtins__"] = builtins
    run._run_module_as_main(name, alter_argv=True)


def _execute_input(older: Any) -> None:
    if sys.stdin.isatty():
        banner = f"Python {older.version} on {sys.platform}"
        code.interact(banner, local=vars(sys.modules["__main__"]), exitmsg="")
    else:
        _execute(older, sys.stdin.buffer.read(), "<stdin>")


def _use_own_packages(minor: int) -> None:
    """Each release has site-packages of its own: the system's below /usr/local, an environment's in it."""
    if sys.flags.no_site:
        return
    sys.path[:] = [path for path in sys.path if not path.endswith("/site-packages")]
    prefix = f"{sys.prefix}/local" if sys.prefix.endswith("/usr") else sys.prefix
    packages = f"{prefix}/lib/python3.{minor}/site-packages"
    if os.path.isdir(packages):
        site.addsitedir(packages)


def _show_own_frames(error: BaseException | None) -> None:
    """Leave the program's own frames only in the tracebacks of an error and of those that led to it."""
    while error is not None:
        trace: types.TracebackType | None = None
        for frame, instruction, line in reversed(list(_frames(error.__traceback__))):
            if not frame.f_code.co_filename.startswith(_NOT_SHOWN):
                trace = types.TracebackType(trace, frame, instruction, line)
        error.__traceback__ = trace
        error = error.__cause__ or error.__context__


def _frames(trace: types.TracebackType | None) -> Iterator[tuple[types.FrameType, int, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lasti, trace.tb_lineno
        trace = trace.tb_next


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
