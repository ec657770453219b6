"""The packages of Python: which releases there are, and what installing one makes appear."""
# ruff: noqa: T201

import os
import sys

from .places import PROGRAMS, PYTHON, SYSTEM_PYTHON, link, note

#: Amazon's repository has these beside the image's own; what is newer than this machine's runs as that
MINORS = (11, 12, 13, 14)
NEWEST = sys.version_info[1]
#: of Amazon Linux 2's extras
EXTRA_MINORS = (8,)


def parsed(name: str) -> tuple[int | None, str] | None:
    """(minor version or None, part) of a Python package's name, or None where it is none that is here."""
    stem, _, part = name.partition("-")
    minor = stem.removeprefix("python3")
    if not stem.startswith("python3") or part not in ("", "pip", "devel", "libs", "setuptools", "wheel"):
        return None
    if minor == "":
        return None, part
    number = minor.removeprefix(".")
    return (int(number), part) if number.isdigit() and int(number) in (*MINORS, *EXTRA_MINORS) else None


def install(minor: int | None, part: str) -> None:
    """Make a release's programs appear, and pip where the part is pip."""
    if minor is not None:
        link(f"python3.{minor}", f"{PYTHON}/python3.{minor}")
        note(f"python3.{minor}")
        if minor > NEWEST:
            print(
                f"Local cloud: no Python newer than 3.{NEWEST} is on this machine; python3.{minor} runs as that."
            )
    if part == "pip":
        _install_pip(minor)


def _own_minor() -> int:
    """The minor version of the image's own Python 3."""
    return int(os.readlink(f"{PYTHON}/python3").rpartition(".")[2])


def _install_pip(minor: int | None) -> None:
    """pip3.11 comes with python3.11-pip; pip3 and pip with python3-pip."""
    own = minor or _own_minor()
    for name in (f"pip3.{own}", f"pip-3.{own}", *(() if minor else ("pip3", "pip"))):
        path = f"{PROGRAMS}/{name}"
        os.makedirs(PROGRAMS, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            program = SYSTEM_PYTHON if minor is None else f"{SYSTEM_PYTHON}.{minor}"
            file.write(f"#!{program}\nimport sys\n\nsys.path.insert(0, '/usr/share/lab')\n")
            file.write("from pip.command import main\n\nsys.exit(main(sys.argv[1:]))\n")
        os.chmod(path, 0o755)
    packages = f"/usr/local/lib/python3.{min(own, NEWEST)}/site-packages"
    os.makedirs(packages, exist_ok=True)
    if not os.path.lexists(f"{packages}/pip"):
        os.symlink("/usr/share/lab/pip", f"{packages}/pip")
