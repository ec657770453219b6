"""Operators on the boot script and the unit in it: each makes changes of one kind, line by line.

What belongs here: the operators. What does not: programs, configuration.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labkit.dev.mutants.model import Change

#: a setting of the unit → what it becomes
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "Restart": ("no", "on-success", "on-abnormal", "on-failure"),
    "RestartSec": ("0", "60"),
    "User": ("root", "nobody", "flask"),
    "WantedBy": ("graphical.target", "rescue.target"),
    "WorkingDirectory": ("/", "/home/ec2-user"),
    "After": ("network.target",),
}
#: settings that a unit may be given besides, behind the line of the first word
_FURTHER = (
    "Type=notify", "Type=forking", "Type=oneshot", "Type=exec", "RuntimeMaxSec=5", "StartLimitBurst=1",
    "MemoryMax=16M", "ExecStartPre=/bin/false", "PrivateNetwork=yes", "Environment=PORT=80",
)  # fmt: skip
#: words that people write in the place of others
_WORDS = (
    ("#!/bin/bash", "#!/bin/sh"), ("#!/bin/bash", "#!/usr/bin/python3"), ("set -euxo pipefail", "set -x"),
    ("<<'FLASK_APP'", "<<FLASK_APP"), ("<<UNIT", "<<'UNIT'"), ("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "*"),
    (":$PORT --threads", ":5000 --threads"), ("enable --now", "enable"), ("enable --now", "start"),
    ("daemon-reload", "daemon-reexec"), ("/usr/bin/python3.11 -m", "/usr/bin/python3 -m"),
    ("/usr/bin/python3.11 -m", "python3.11 -m"), ("python3.11 -m pip", "pip3"), ("dnf", "yum"), ("dnf", "apt-get"),
    ("flask_app:app", "app:app"), ("flask_app:app", "flask_app:application"), ("exit 0", "exit 1"), ("exit 1", "exit 0"),
    ("break", "continue"), ("/health", "/healthz"), ("/opt/flask-app/flask_app.py", "/opt/flask_app.py"),
    ("flask-app.service", "flask-app.unit"), ("/etc/systemd/system", "/etc/systemd"), ("cat >", "cat >>"),
    ("After=network-online.target", "After=multi-user.target"), ("is-failed", "is-active"), ("python3.11 ", "python3.12 "),
)  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """A line of the script: where it begins, what it says, and whether it belongs to the unit's file."""

    start: int
    text: str
    of_unit: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def place(self) -> str:
        return self.text.strip()


def changes(text: str) -> Iterator[Change]:
    """All changes of the boot script, in the order of its lines."""
    lines = list(_lines(text))
    for line in lines:
        yield Change("line-dropped", line.place, line.start, line.end + 1, "", line.place)
        yield from _words(line)
        yield from _numbers(line)
        yield from _settings(line)
        yield from _names(line)
    for first, second in itertools.pairwise(lines):
        if text.startswith(second.text, first.end + 1):
            swapped = f"{second.text}\n{first.text}"
            yield Change("lines-swapped", first.place, first.start, second.end, swapped, first.place)


def _lines(text: str) -> Iterator[_Line]:
    """The lines that mean something: no comment, nothing empty."""
    start, of_unit = 0, False
    for number, line in enumerate(text.split("\n")):
        of_unit = (of_unit or line.endswith("<<UNIT")) and line != "UNIT"
        means = line.strip() and (not line.lstrip().startswith("#") or number == 0 or "#include" in line)
        if means:
            yield _Line(start, line, of_unit)
        start += len(line) + 1


def _at(line: _Line, operator: str, start: int, end: int, new: str, detail: str) -> Change:
    return Change(operator, line.place, line.start + start, line.start + end, new, detail)


def _words(line: _Line) -> Iterator[Change]:
    for match in re.finditer(r" (--?[a-z][\w-]*(=\S+)?|(?<=install -y ).*|(?<=pip install ).*)", line.text):
        yield _at(line, "flag-dropped", *match.span(), "", match[0].strip())
    if " install " in line.text:
        for match in re.finditer(r" (?!install|-)[\w.-]+", line.text[line.text.index(" install ") :]):
            start = line.text.index(" install ") + match.start()
            yield _at(line, "package-dropped", start, start + len(match[0]), "", match[0].strip())
    for word, other in _WORDS:
        if word in line.text:
            start = line.text.index(word)
            yield _at(line, "word-changed", start, start + len(word), other, f"{word}->{other}")


def _numbers(line: _Line) -> Iterator[Change]:
    for match in re.finditer(r"(?<=[= .{])\d+(?=[ };]|$)", line.text):
        for other in sorted({"1", f"{int(match[0]) * 10 or 5}"} - {match[0]}):
            yield _at(line, "number-changed", *match.span(), other, f"{line.place[:24]}->{other}")


def _settings(line: _Line) -> Iterator[Change]:
    name, _, value = line.text.partition("=")
    for other in _SETTINGS.get(name, ()) if line.of_unit else ():
        if other != value:
            yield _at(line, "setting-changed", len(name) + 1, len(line.text), other, f"{name}={other}")
    if line.of_unit and name == "ExecStart":
        for further in _FURTHER:
            yield _at(line, "setting-added", len(line.text), len(line.text), f"\n{further}", further)


def _names(line: _Line) -> Iterator[Change]:
    """A variable by another name, or with another value."""
    match = re.fullmatch(r"(?:export |Environment=)(?P<name>[A-Z0-9_]+)=(?P<value>\S+)", line.text)
    if match is not None:
        yield _at(line, "name-changed", match.end("name"), match.end("name"), "_X", match["name"])
        yield _at(line, "value-changed", *match.span("value"), "x", f"{match['name']}=x")
        yield _at(line, "value-changed", match.end("value"), match.end("value"), ",", f"{match['name']}=…,")
