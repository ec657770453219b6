"""The distributions that can be installed without an internet: those in the image's shelf."""

import os
import re
from collections.abc import Iterator, Set

SHELF = "/run/lab/site"


def normal(name: str) -> str:
    """A distribution's name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Distribution:
    """One distribution in the shelf."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        stem = os.path.basename(folder).removesuffix(".dist-info")
        self.name, _, self.version = stem.partition("-")

    def _lines(self, file: str) -> list[str]:
        try:
            with open(f"{self.folder}/{file}", encoding="utf-8") as text:
                return text.read().split("\n")
        except FileNotFoundError:
            return []

    def entries(self) -> set[str]:
        """What lies at the top of site-packages because of it."""
        paths = (line.split(",")[0] for line in self._lines("RECORD"))
        return {path.split("/")[0] for path in paths if path} - {"..", "", "__pycache__"}

    def requirements(self, extras: Set[str]) -> Iterator[tuple[str, bool]]:
        """(requirement, whether it holds on some machines only): plain ones and those of `extras`."""
        for line in self._lines("METADATA"):
            if not line:
                return
            if line.startswith("Requires-Dist:"):
                text, _, marker = line[14:].partition(";")
                wanted = re.findall(r"extra\s*==\s*['\"]([^'\"]+)", marker)
                if not wanted or extras & {normal(extra) for extra in wanted}:
                    yield text.strip(), bool(marker)

    def scripts(self) -> Iterator[tuple[str, str, str]]:
        """(command, module, function) of each console script."""
        section = ""
        for line in self._lines("entry_points.txt"):
            if line.startswith("["):
                section = line.strip("[] ")
            match = re.match(r"([^=\s]+)\s*=\s*([\w.]+):([\w.]+)", line)
            if match and section == "console_scripts":
                yield match[1], match[2], match[3]


def shelf() -> dict[str, Distribution]:
    """Distributions by normal name."""
    found = (d for d in os.listdir(SHELF) if d.endswith(".dist-info"))
    return {normal(d.split("-")[0]): Distribution(f"{SHELF}/{d}") for d in found}
