"""What pip's commands do: install, list, show, freeze, uninstall, --version."""
# ruff: noqa: T201

import os
import re
import sys
from collections.abc import Callable, Sequence

sys.path.insert(0, "/usr/share/lab")
import reaching  # type: ignore[import-not-found]  # beside this package, on an instance

sys.path.pop(0)

from . import __version__
from .shelf import SHELF, Distribution, normal, shelf

INDEX = "pypi.org"
IGNORED = ("pip", "setuptools", "wheel")
#: on sale here no more than on PyPI: the kit itself
WITHHELD = ("labkit", "moto", "pytest")
WITH_VALUE = (
    "-c",
    "--constraint",
    "-t",
    "--target",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
)


class Refused(Exception):
    """pip's words for why it can't install something."""


def prefix() -> str:
    """Where this Python's own files lie: the environment, or /usr/local for the system's Python."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    return f"{own}/local" if own.endswith("/usr") else own


def packages() -> str:
    """This Python's site-packages."""
    return f"{prefix()}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def wanted(words: Sequence[str]) -> list[str]:
    """The requirements on a command line, those in -r files included."""
    rest = list(words)
    found: list[str] = []
    while rest:
        word = rest.pop(0)
        if word in ("-r", "--requirement") and rest:
            found += from_file(rest.pop(0))
        elif word.startswith("--requirement="):
            found += from_file(word.partition("=")[2])
        elif word in WITH_VALUE and rest:
            rest.pop(0)
        elif not word.startswith("-"):
            found.append(word)
    return found


def from_file(path: str) -> list[str]:
    """The requirements in a requirements file."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in file]
    except OSError as error:
        raise Refused(
            f"Could not open requirements file: [Errno {error.errno}] {error.strerror}: '{path}'"
        ) from error
    nested = [line.split(None, 1)[1] for line in lines if line.startswith("-r ")]
    plain = [line for line in lines if line and not line.startswith("-")]
    return plain + [each for path in nested for each in from_file(path)]


def split(requirement: str) -> tuple[str, set[str], str]:
    """(name, extras, version condition) of a requirement."""
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*\(?([^;)]*)", requirement)
    if match is None:
        raise Refused(f"Invalid requirement: '{requirement}'")
    extras = {normal(extra.strip()) for extra in (match[2] or "")[1:-1].split(",") if extra.strip()}
    return match[1], extras, match[3].strip()


def satisfies(version: str, condition: str) -> bool:
    """Whether `version` meets `condition`."""
    if not condition:
        return True
    if condition == f"=={version}":
        return True
    sys.path.append(SHELF)
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    sys.path.remove(SHELF)
    try:
        return SpecifierSet(condition).contains(version, prereleases=True)
    except InvalidSpecifier as error:
        raise Refused(f"Invalid requirement: '{condition}'") from error


def resolve(requirements: Sequence[str]) -> dict[str, Distribution]:
    """The distributions to install, requirements of requirements included."""
    have = shelf()
    chosen: dict[str, Distribution] = {}
    todo = [(text, False, True) for text in requirements]
    while todo:
        text, optional, asked = todo.pop(0)
        name, extras, condition = split(text)
        key = normal(name)
        found = have.get(key)
        if key in IGNORED or (found is None and optional) or (key in chosen and not extras):
            continue
        if found is None or key in WITHHELD:
            raise no_version(text, "none")
        if asked and not satisfies(found.version, condition):
            raise no_version(text, found.version)
        chosen[key] = found
        todo += [(each, marked, False) for each, marked in found.requirements(extras)]
    return chosen


def no_version(requirement: str, versions: str) -> Refused:
    """The two lines about something that is not to be had."""
    return Refused(
        f"Could not find a version that satisfies the requirement {requirement} (from versions: {versions})\n"
        f"ERROR: No matching distribution found for {requirement}"
    )


def install(words: Sequence[str]) -> int:
    """Carry out pip install."""
    names = wanted(words)
    if not names:
        raise Refused('You must give at least one requirement to install (see "pip help install")')
    chosen = resolve(names)
    place = packages()
    fresh = [d for d in chosen.values() if not os.path.lexists(f"{place}/{os.path.basename(d.folder)}")]
    for distribution in chosen.values():
        if distribution not in fresh:
            print(f"Requirement already satisfied: {distribution.name} in {place} ({distribution.version})")
    if fresh:
        check_index(names[0])
    os.makedirs(place, exist_ok=True)
    for distribution in fresh:
        print(f"Collecting {distribution.name}")
        put(distribution, place)
    if fresh:
        print("Installing collected packages: " + ", ".join(d.name for d in fresh))
        print("Successfully installed " + " ".join(f"{d.name}-{d.version}" for d in fresh))
    return 0


def check_index(requirement: str) -> None:
    """The package index is asked, though the files are here: without a way to the internet nothing is installed."""
    problem = reaching.problem(INDEX)
    if problem:
        print(f"WARNING: Retrying after connection broken: {problem}", file=sys.stderr)
        raise no_version(requirement, "none")


def put(distribution: Distribution, place: str) -> None:
    """Make one distribution importable, and its commands callable."""
    for entry in distribution.entries():
        if os.path.exists(f"{SHELF}/{entry}") and not os.path.lexists(f"{place}/{entry}"):
            os.symlink(f"{SHELF}/{entry}", f"{place}/{entry}")
    folder = f"{prefix()}/bin"
    os.makedirs(folder, exist_ok=True)
    for command, module, function in distribution.scripts():
        with open(f"{folder}/{command}", "w", encoding="utf-8") as file:
            file.write(f"#!{sys.executable}\nimport sys\n\nfrom {module} import {function.split('.')[0]}\n\n")
            file.write(f"sys.exit({function}())\n")
        os.chmod(f"{folder}/{command}", 0o755)


def installed() -> dict[str, Distribution]:
    """The distributions that this Python sees."""
    place = packages()
    names = os.listdir(place) if os.path.isdir(place) else ()
    return {
        normal(n.split("-")[0]): Distribution(f"{place}/{n}")
        for n in sorted(names)
        if n.endswith(".dist-info")
    }


def uninstall(words: Sequence[str]) -> int:
    """Carry out pip uninstall."""
    have = installed()
    for name in (word for word in words if not word.startswith("-")):
        found = have.get(normal(name))
        if found is None:
            print(f"WARNING: Skipping {name} as it is not installed.", file=sys.stderr)
            continue
        for entry in found.entries():
            if os.path.islink(f"{packages()}/{entry}"):
                os.unlink(f"{packages()}/{entry}")
        print(f"Successfully uninstalled {found.name}-{found.version}")
    return 0


def show_list(words: Sequence[str]) -> int:
    """Carry out pip list."""
    rows = [("Package", "Version"), ("-------", "-------"), ("pip", __version__)]
    rows += [(d.name, d.version) for d in installed().values()]
    print("\n".join(f"{name:<20} {version}" for name, version in rows))
    return 0


def freeze(words: Sequence[str]) -> int:
    """Carry out pip freeze."""
    print("".join(f"{d.name}=={d.version}\n" for d in installed().values()), end="")
    return 0


def show(words: Sequence[str]) -> int:
    """Carry out pip show."""
    have = installed()
    status = 0
    for name in words:
        found = have.get(normal(name))
        if found is None:
            print(f"WARNING: Package(s) not found: {name}", file=sys.stderr)
            status = 1
        else:
            print(f"Name: {found.name}\nVersion: {found.version}\nLocation: {packages()}")
    return status


def check(words: Sequence[str]) -> int:
    """Carry out pip check."""
    print("No broken requirements found.")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "install": install,
    "uninstall": uninstall,
    "list": show_list,
    "freeze": freeze,
    "show": show,
    "check": check,
}


def main(words: Sequence[str]) -> int:
    """Carry out one command line; returns pip's exit status."""
    if "--version" in words or "-V" in words:
        release = f"{sys.version_info[0]}.{sys.version_info[1]}"
        print(f"pip {__version__} from {packages()}/pip (python {release})")
        return 0
    command = next((word for word in words if not word.startswith("-")), "help")
    if command not in COMMANDS:
        print(
            f'ERROR: unknown command "{command}"' if command != "help" else "Usage: pip <command> [options]"
        )
        return command != "help"
    rest = [word for word in words if word != command]
    try:
        return COMMANDS[command](rest)
    except Refused as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
