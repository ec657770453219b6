"""Submissions made from the rendered files of a student and the diffs in this folder.

What belongs here: applying a diff by its text, reading what it promises. What does not: grading (the test).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_HUNK = re.compile(r"@@ -(\d+)")
_LOSES = re.compile(r"([a-z0-9-]+) ([\d.]+)")


@dataclass(frozen=True)
class Case:
    """One diff: its name, what it must lose by line, the mark that is left, the diff's own lines, what deploys it."""

    name: str
    loses: Mapping[str, float]
    mark: float
    lines: tuple[str, ...]
    engine: str = "cloudformation"


@dataclass(frozen=True)
class Hunk:
    """One place of a diff: the file, the line at which it stood, the lines before and after."""

    file: str
    line: int
    before: tuple[str, ...]
    after: tuple[str, ...]


def read(path: Path) -> Case:
    """The diff in a file. A right one loses nothing."""
    text = path.read_text(encoding="utf-8")
    head = dict(re.findall(r"^# (loses|mark|engine): (.*)$", text, re.MULTILINE))
    loses = {line: float(points) for line, points in _LOSES.findall(head.get("loses", ""))}
    body = tuple(line for line in text.splitlines(keepends=True) if not line.startswith("# "))
    engine = head.get("engine", Case.engine)
    return Case(path.stem, loses, float(head.get("mark", 100)), body, engine)


def applied(case: Case, files: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """`files` with the diff in them. Raises ValueError when it does not fit."""
    result = dict(files)
    for hunk in _hunks(case.lines, values):
        result[hunk.file] = _with(result[hunk.file], hunk)
    return result


def _hunks(lines: tuple[str, ...], values: Mapping[str, str]) -> Iterator[Hunk]:
    file, place, before, after = "", 0, list[str](), list[str]()
    for line in (*(_filled(line, values) for line in lines), "@@ -0"):
        if line.startswith(("--- ", "@@ -")) and (before or after):
            yield Hunk(file, place, tuple(before), tuple(after))
            before, after = [], []
        if line.startswith("--- "):
            file = line[4:].strip()
        elif match := _HUNK.match(line):
            place = int(match[1])
        elif not line.startswith("+++ "):
            before += [line[1:]] if line[0] in " -" else []
            after += [line[1:]] if line[0] in " +" else []


def _filled(line: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{@ (\w+) @\}", lambda match: values[match[1]], line)


def _with(text: str, hunk: Hunk) -> str:
    """The text with the hunk at the place that fits and is nearest to where it stood."""
    lines, length = text.splitlines(keepends=True), len(hunk.before)
    fits = [n for n in range(len(lines) - length + 1) if tuple(lines[n : n + length]) == hunk.before]
    if not fits or not hunk.before:
        raise ValueError(f"line {hunk.line} of the diff for {hunk.file} does not fit")
    place = min(fits, key=lambda n: abs(n + 1 - hunk.line))
    return "".join([*lines[:place], *hunk.after, *lines[place + length :]])
