"""Where installed programs and packages are kept on an instance's disk, and what appearing there means."""

import os
import shutil
import sys

PROGRAMS = "/var/lib/lab/bin"  # where links below /usr/bin lead to, once they lead somewhere
PACKAGES = "/var/lib/lab/packages"
PYTHON = "/run/lab/python/bin"
SYSTEM_PYTHON = "/usr/bin/python3"
#: this machine's own programs, out of the image's sight
MACHINE = "/run/lab/machine"
SHARE = "/usr/share/lab"


def link(name: str, target: str) -> None:
    """Let the program `name` appear: it is `target`."""
    os.makedirs(PROGRAMS, exist_ok=True)
    if not os.path.lexists(f"{PROGRAMS}/{name}"):
        os.symlink(target, f"{PROGRAMS}/{name}")


def note(name: str) -> None:
    """Remember that a package is installed."""
    os.makedirs(PACKAGES, exist_ok=True)
    open(f"{PACKAGES}/{name}", "w").close()


def noted(name: str) -> bool:
    """Whether the package has been installed."""
    return os.path.exists(f"{PACKAGES}/{name}")


def on_machine(program: str) -> str:
    """This machine's own program of this name; "" where it has none."""
    shown = f"{MACHINE}/{program}"
    if os.path.isdir(MACHINE):
        return shown if os.path.exists(shown) else ""
    return next((f"{d}/{program}" for d in ("/usr/bin", "/usr/sbin") if os.path.exists(f"{d}/{program}")), "")


def program(name: str, package: str) -> None:
    """Let a program appear that is written in Python: the `main` of `package`.command below /usr/share/lab."""
    path = f"{PROGRAMS}/{name}"
    os.makedirs(PROGRAMS, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"#!{PYTHON}/python3.{sys.version_info[1]} -IS\nimport sys\n\nsys.path.insert(0, '{SHARE}')\n"
        )
        file.write(f"from {package}.command import main\n\nsys.exit(main(sys.argv[1:]))\n")
    os.chmod(path, 0o755)


def put(source: str, target: str) -> None:
    """Put a file of the package in its place, unless there is one already."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.exists(target):
        shutil.copyfile(f"{SHARE}/{source}", target)


def account(name: str, number: int, home: str) -> None:
    """The account that a server's package makes, with a group of its own."""
    for path, row in (
        ("/etc/passwd", f"{name}:x:{number}:{number}:{name}:{home}:/sbin/nologin\n"),
        ("/etc/group", f"{name}:x:{number}:\n"),
    ):
        with open(path, "r+", encoding="utf-8") as file:
            if not any(line.startswith(f"{name}:") for line in file):
                file.write(row)
