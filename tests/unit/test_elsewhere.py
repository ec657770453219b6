"""Written for macOS too, though the tests run on Linux: what only Linux has stays in the Linux tier's modules.

Nothing is proved of macOS by this but that no module asks for what is not there.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit

PACKAGE = Path(labkit.__file__).parent
#: what the tiers that need Linux are made of
LINUX_TIER = {
    *(f"labkit.sandbox.{name}" for name in (
        "child", "host", "filesystem.inside", "kernel.limits", "kernel.namespaces", "kernel.netlink", "kernel.nf_tables", "kernel.nftables", "kernel.expressions", "probe", "process", "filesystem.rootfs",
        "kernel.router", "kernel.seccomp", "stages", "kernel.syscalls", "warm", "forkserver.wire", "filesystem.workshop", "diagnosis", "kernel.closing",
    )),
    *(f"labkit.sandbox.portable.{name}" for name in ("landlock", "linux", "spawning")), "labkit.grading.process.warm",
}  # fmt: skip
#: what Python has on Linux alone, by module
LINUX_ONLY = {
    "os": {
        "unshare", "setns", "pidfd_open", "memfd_create", "eventfd", "splice", "copy_file_range", "getrandom",
        "sched_getaffinity", "sched_setaffinity", "setresuid", "setresgid", "getresuid", "getresgid", "pipe2",
        "posix_fallocate", "posix_fadvise", "getxattr", "setxattr", "listxattr", "removexattr", "O_PATH",
        "O_TMPFILE", "O_LARGEFILE", "PRIO_DARWIN", "P_PIDFD", "CLONE_NEWUSER",
    },
    "signal": {"pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX", "SIGPWR"},
    "select": {"epoll", "EPOLLIN", "EPOLLOUT"},
    "socket": {
        "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "SO_PEERCRED", "SO_BINDTODEVICE", "SO_DOMAIN", "SOCK_CLOEXEC",
        "SOCK_NONBLOCK", "SCM_CREDENTIALS", "MSG_CMSG_CLOEXEC", "TCP_USER_TIMEOUT",
    },
    "fcntl": {"F_ADD_SEALS", "F_SETPIPE_SZ", "F_GETPIPE_SZ"},
    "resource": {"RLIMIT_NICE", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "prlimit"},
}  # fmt: skip
#: calls outside the Linux tier, each where the other systems go another way
GUARDED = {
    ("labkit.classroom.platforms.limits", "sched_getaffinity"),  # hasattr
    ("labkit.classroom.platforms.limits", "sched_setaffinity"),
    ("labkit.cloud.client.lifecycle", "pidfd_open"),  # hasattr
    ("labkit.cloud.endpoints.authority", "memfd_create"),  # sys.platform
    ("labkit.cloud.instances.system.notices", "SCM_CREDENTIALS"),  # hasattr
    ("labkit.cloud.server.looking", "pidfd_open"),
    ("labkit.cloud.server.looking", "pidfd_send_signal"),
    ("labkit.grading.process.starting", "pidfd_send_signal"),  # a warm parent is Linux's
}

IMPORT_ALL = """
import asyncio, ctypes, fcntl, http.server, importlib.machinery, importlib.util, json, multiprocessing, os, resource, select, signal, socket, ssl
import subprocess, sys, tempfile, urllib.request
import boto3, botocore.session, flask, jinja2, moto.moto_server.werkzeug_app, pytest, rich.console, werkzeug
modules, hidden = json.loads(sys.argv[1])
for name, attributes in hidden.items():
    for attribute in attributes:
        if hasattr(sys.modules[name], attribute):
            delattr(sys.modules[name], attribute)
finder = importlib.machinery.PathFinder
class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        hidden = name.partition(".")[0] == "awslambdaric"
        return None if hidden else finder.find_spec(name, path, target)
sys.meta_path[:] = [Without if each is finder else each for each in sys.meta_path]
sys.platform = "darwin"
for name in modules:
    importlib.import_module(name)
linux = [name for name in sys.modules if name in json.loads(sys.argv[2])]
print(json.dumps(linux))
"""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the kit but those that run inside an instance by themselves."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if not {"files", "__main__", "sitecustomize"} & set(parts):
            yield ".".join(parts).removesuffix(".__init__"), path


@pytest.mark.processes
def test_every_module_outside_the_linux_tier_imports_without_linux() -> None:
    import json

    names = [name for name, _ in modules() if name not in LINUX_TIER]
    hidden = {name: sorted(attributes) for name, attributes in LINUX_ONLY.items()}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([names, hidden]), json.dumps(sorted(LINUX_TIER))],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    imported = set(json.loads(done.stdout))
    assert not imported & {"labkit.sandbox.portable.linux", "labkit.sandbox.portable.landlock"}


@pytest.mark.slow
def test_nothing_outside_the_linux_tier_calls_what_only_linux_has() -> None:
    found = set()
    for name, path in modules():
        if name in LINUX_TIER:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            if node.attr in LINUX_ONLY.get(node.value.id, ()):
                found.add((name, node.attr))
    assert found <= GUARDED


@pytest.mark.parametrize("name", ["lab", "Makefile"])
def test_shell_that_the_kit_runs_asks_for_nothing_of_gnu(name: str) -> None:
    text = (PACKAGE.parent / name).read_text(encoding="utf-8")
    for word in (
        "readlink -f",
        "sed -i",
        "date +%N",
        "watch ",
        "grep -P",
        "mktemp --",
        "cp --",
        "ls --",
        "timeout ",
        "seq ",
    ):
        assert word not in text, word


def test_what_the_kit_prints_asks_for_nothing_of_gnu() -> None:
    folders = (
        PACKAGE / "lesson",
        PACKAGE.parent / "texts",
        PACKAGE.parent / "STEPS.md",
        PACKAGE.parent / "README.md",
    )
    files = [
        path for each in folders for path in ([each] if each.is_file() else each.rglob("*")) if path.is_file()
    ]
    texts = {
        path: path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".md", ".toml")
    }
    for word in (
        "readlink -f",
        "sed -i ",
        "date +%N",
        "grep -P ",
        "watch -n",
        "xargs -r",
        "stat -c",
        "date -d",
    ):
        assert [str(path) for path, text in texts.items() if word in text] == []


@pytest.mark.slow
def test_nothing_listens_but_on_the_loopback_device() -> None:
    """A macOS that is asked to listen for the world shows a window that asks the user."""
    for name, path in modules():
        if name in LINUX_TIER or ".inside." in name or "student" in name:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "bind"
            ):
                assert "0.0.0.0" not in ast.unparse(node), name
                assert "('', " not in ast.unparse(node), name


def test_unix_sockets_have_short_paths_where_temporary_folders_are_deep() -> None:
    """macOS: 104 bytes with the zero; its TMPDIR alone is 49."""
    deep = "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/"
    assert len((deep + "lab-abcdefgh/fds").encode()) < 104
    text = (PACKAGE / "cloud" / "client" / "control_client.py").read_text(encoding="utf-8")
    assert 'TemporaryDirectory(prefix="lab-")' in text
    assert 'f"{folder}/fds"' in text
