"""Makes this Python process see the sandbox's files under the paths that it believes in.

What belongs here: replacing, once, the functions of the standard library that take paths, start
programs, or tell who we are. What does not: the rules (translation.py), the network (sockets.py).
Runs inside: standard library only.
"""

import builtins
import errno
import io
import os
import pwd
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .translation import Translation
from .world import World

_ONE_PATH = (
    "stat", "lstat", "listdir", "scandir", "mkdir", "rmdir", "unlink", "remove", "chmod", "access", "chdir",
    "truncate", "utime", "open", "statvfs", "mkfifo", "getxattr", "listxattr", "setxattr", "pathconf",
)  # fmt: skip
_TWO_PATHS = ("rename", "replace", "link")
_CHANGING = ("mkdir", "rmdir", "unlink", "remove", "chmod", "truncate", "utime", "mkfifo", "setxattr")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_SETS = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
_MOST_SCRIPT = 1 << 20


def install(world: World, translation: Translation) -> None:
    """From here on, for the life of this process."""
    _Files(translation, tuple(translation.real(path) for path in world.fixed)).install()
    _Programs(translation).install()
    _be_whom(world)


def _replace(name: str, wrapper: Callable[..., Any]) -> None:
    """Put `wrapper` in the place of os.`name`, with the abilities that os says it has."""
    original = getattr(os, name, None)
    if original is None:
        return
    for group in (getattr(os, each) for each in _SETS):
        if original in group:
            group.add(wrapper)
    setattr(os, name, wrapper)


class _Files:
    """The functions that take a path."""

    def __init__(self, translation: Translation, fixed: tuple[str, ...]) -> None:
        self._translation, self._fixed = translation, fixed

    def install(self) -> None:
        """Replace them."""
        for name in _ONE_PATH:
            if hasattr(os, name):
                _replace(name, self._first(getattr(os, name), always=name in _CHANGING))
        for name in _TWO_PATHS:
            _replace(name, self._both(getattr(os, name)))
        _replace("symlink", self._both(os.symlink))
        _replace("readlink", self._answer(self._first(os.readlink)))
        _replace("getcwd", self._answer(os.getcwd))
        builtins.open = io.open = self._first(io.open)
        if "tokenize" in sys.modules:
            sys.modules["tokenize"]._builtin_open = builtins.open  # type: ignore[attr-defined]

    def real(self, path: Any) -> Any:
        """`path` made real, whatever kind of path it is; a descriptor stays one."""
        if isinstance(path, int) or path is None:
            return path
        path = os.fspath(path)
        if isinstance(path, bytes):
            return os.fsencode(self._translation.real(os.fsdecode(path)))
        return self._translation.real(path)

    def _refuse(self, path: Any) -> None:
        """Raise OSError for what is fixed."""
        if isinstance(path, str) and path.startswith(self._fixed):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), self._translation.shown(path))

    def _first(self, original: Callable[..., Any], *, always: bool = False) -> Callable[..., Any]:
        """The function with its first argument made real. It writes `always`, or as its second says."""

        def call(*arguments: Any, **options: Any) -> Any:
            if arguments:
                real = self.real(arguments[0])
                if self._fixed and (always or _writes(arguments[1:2], options)):
                    self._refuse(real)
                return original(real, *arguments[1:], **options)
            for name in ("path", "file"):
                if name in options:
                    options[name] = self.real(options[name])
            return original(**options)

        return call

    def _both(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(source: Any, target: Any, *rest: Any, **options: Any) -> Any:
            return original(self.real(source), self.real(target), *rest, **options)

        return call

    def _answer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            answer = original(*arguments, **options)
            return self._translation.shown(answer) if isinstance(answer, str) else answer

        return call


def _writes(second: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
    """Whether the mode of open, or the flags of os.open, ask for writing."""
    mode = second[0] if second else options.get("mode", options.get("flags"))
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(mode, int) and bool(mode & _WRITING)


class _Programs:
    """The functions that start programs: path, arguments and PATH are made real, scripts translated."""

    def __init__(self, translation: Translation) -> None:
        self._translation = translation

    def install(self) -> None:
        """Replace them."""
        for name in ("posix_spawn", "posix_spawnp", "execve"):
            if hasattr(os, name):
                _replace(name, self._with_environment(getattr(os, name)))
        execv, system = os.execv, os.system
        _replace("execv", lambda path, words: execv(self._program(path), self._words(words)))
        _replace("system", lambda command: system(self._translation.text(command)))
        self._install_subprocess()

    def _install_subprocess(self) -> None:
        import _posixsubprocess

        original = _posixsubprocess.fork_exec

        def fork_exec(
            words: Any, programs: Any, close: Any, passed: Any, folder: Any, env: Any, *rest: Any
        ) -> Any:
            if folder is not None:
                folder = self._translation.real(os.fsdecode(folder))
            env = env and self._assignments(env)
            programs = tuple(os.fsencode(self._program(os.fsdecode(each))) for each in programs)
            return original(self._words(words), programs, close, passed, folder, env, *rest)

        _posixsubprocess.fork_exec = fork_exec
        if "subprocess" in sys.modules:
            sys.modules["subprocess"]._fork_exec = fork_exec  # type: ignore[attr-defined]

    def _with_environment(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, words: Any, env: Any, **options: Any) -> Any:
            return original(self._program(path), self._words(words), self._environment(env), **options)

        return call

    def _environment(self, env: Any) -> Any:
        path = env.get("PATH")
        return {**env, "PATH": self._translation.path_variable(path)} if isinstance(path, str) else env

    def _assignments(self, env: Sequence[bytes]) -> list[bytes]:
        return [
            b"PATH=" + os.fsencode(self._translation.path_variable(os.fsdecode(each[5:])))
            if each.startswith(b"PATH=")
            else each
            for each in env
        ]

    def _words(self, words: Sequence[Any]) -> list[str]:
        """The arguments; the first names the program, by which Python finds its home."""
        return [self._translation.text(os.fsdecode(word)) for word in words]

    def _program(self, path: Any) -> str:
        real = self._translation.real(os.fsdecode(os.fspath(path)))
        if real.startswith(self._translation.root):
            _translate_script(real, self._translation)
        return real


def _translate_script(path: str, translation: Translation) -> None:
    """Make the paths in a script real, in its place; what is no script, or not ours to write, stays."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_SCRIPT) if file.read(2) == b"#!" else b""
        text = "#!" + data.decode("utf-8", "surrogateescape") if data else ""
        translated = translation.script(text)
        if translated != text:
            with open(path, "r+b") as file:
                file.write(translated.encode("utf-8", "surrogateescape"))
                file.truncate()
    except OSError:
        return  # starting it will say why


def _be_whom(world: World) -> None:
    """The user, the host's name, and what root may do though we are not root."""
    for name in ("getuid", "geteuid", "getgid", "getegid"):
        _replace(name, lambda: world.uid)
    for name in ("chown", "lchown", "fchown", "setuid", "setgid", "setgroups", "initgroups"):
        if world.pretend_root:
            _replace(name, lambda *_, **__: None)
    pwd.getpwuid = lambda uid: _account(2, str(uid))
    pwd.getpwnam = lambda name: _account(0, name)
    pwd.getpwall = _accounts
    names = os.uname()
    _replace("uname", lambda: os.uname_result((names[0], world.hostname, *names[2:])))


def _accounts() -> list[pwd.struct_passwd]:
    with open("/etc/passwd", encoding="utf-8", errors="replace") as file:
        rows = [line.rstrip("\n").split(":") for line in file]
    return [
        pwd.struct_passwd((*row[:2], int(row[2]), int(row[3]), *row[4:7])) for row in rows if len(row) >= 7
    ]


def _account(column: int, wanted: str) -> pwd.struct_passwd:
    for account in _accounts():
        if str(account[column]) == wanted:
            return account
    raise KeyError(
        f"getpwnam(): name not found: {wanted!r}" if column == 0 else f"getpwuid(): uid not found: {wanted}"
    )
