"""The instance's journal: lines kept on its disk, and the questions that journalctl asks of it.

What belongs here: writing, selecting and showing lines. What does not: where the lines come from.
Runs inside the instance: standard library only.
"""

import _strptime  # type: ignore[import-not-found]  # noqa: F401 — time.strptime imports it late, when no file of ours is in sight
import calendar
import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from labkit.cloud.instances.system.units import seconds

#: when the file has grown to this, it is set aside and the one set aside before is dropped
ROTATE_BYTES = 4 << 20
_LINE_BYTES = 16 << 10


@dataclass(frozen=True)
class Entry:
    """One line: seconds since the epoch, which boot, which unit, who said it, and what."""

    when: float
    boot: int
    unit: str
    identifier: str
    pid: int
    text: str


@dataclass(frozen=True)
class Query:
    """What journalctl was asked for. `lines` None is all; `boot` None is every boot."""

    units: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    lines: int | None = None
    boot: int | None = None
    since: float = 0.0
    until: float = float("inf")
    pattern: str = ""
    output: str = "short"
    reverse: bool = False
    follow: bool = False
    quiet: bool = False

    def wants(self, entry: Entry) -> bool:
        """Whether the entry is one of those asked for."""
        return (
            (not self.units or any(fnmatch(entry.unit, unit) for unit in self.units))
            and (not self.identifiers or entry.identifier in self.identifiers)
            and (self.boot is None or entry.boot == self.boot)
            and self.since <= entry.when <= self.until
            and (not self.pattern or re.search(self.pattern, entry.text) is not None)
        )


class Journal:
    """Appends lines to a file in `folder` and reads them back. `boot` numbers this boot."""

    def __init__(self, folder: str, boot: int) -> None:
        os.makedirs(folder, exist_ok=True)
        self.boot = boot
        self._path = os.path.join(folder, "system.journal.txt")
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115 — open as long as we live

    def append(self, entry: Entry) -> None:
        """Keep one line; a full disk drops it, as journald does."""
        fields = (f"{entry.when:.6f}", str(entry.boot), entry.unit, entry.identifier, str(entry.pid))
        text = entry.text.replace("\n", " ")[:_LINE_BYTES]
        line = "\t".join(f.replace("\t", " ") for f in fields) + "\t" + text + "\n"
        try:
            self._file.write(line.encode(errors="replace"))
            if self._file.tell() > ROTATE_BYTES:
                self._rotate()
        except OSError:
            return

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def select(self, query: Query) -> list[Entry]:
        """The entries asked for, oldest first unless reversed."""
        chosen = deque((e for e in self._entries() if query.wants(e)), maxlen=query.lines)
        return list(reversed(chosen)) if query.reverse else list(chosen)

    def _entries(self) -> Iterator[Entry]:
        for path in (self._path + ".1", self._path):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    yield from read_entries(file)
            except FileNotFoundError:
                continue

    def _rotate(self) -> None:
        self._file.close()
        os.replace(self._path, self._path + ".1")
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115


def read_entries(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries in journal lines; lines that are none (a cut one, someone's own) are left out."""
    for line in lines:
        parts = line.rstrip("\n").split("\t", 5)
        try:
            when, boot, unit, identifier, pid, text = parts
            yield Entry(float(when), int(boot), unit, identifier, int(pid), text)
        except ValueError:
            continue


def show(entry: Entry, output: str, hostname: str) -> str:
    """One entry as `journalctl -o OUTPUT` prints it (times in UTC, the instance's zone)."""
    if output == "cat":
        return entry.text
    clock = time.gmtime(entry.when)
    stamp = {
        "short-iso": time.strftime("%Y-%m-%dT%H:%M:%S+0000", clock),
        "short-unix": f"{entry.when:.6f}",
        "short-precise": time.strftime("%b %d %H:%M:%S", clock) + f".{int(entry.when % 1 * 1e6):06d}",
    }.get(output, time.strftime("%b %d %H:%M:%S", clock))
    return f"{stamp} {hostname} {entry.identifier}[{entry.pid}]: {entry.text}"


class JournalctlError(Exception):
    """A journalctl command line that is not understood; the text is journalctl's."""


def parse_arguments(words: Sequence[str], boot: int, now: float) -> Query:
    """The query that a journalctl command line asks. Raises JournalctlError."""
    options: dict[str, object] = {}
    units: list[str] = []
    identifiers: list[str] = []
    rest = deque(_separated(words))
    while rest:
        _take(rest.popleft(), rest, options, units, identifiers, boot, now)
    if options.get("follow"):
        options.setdefault("lines", 10)
    return Query(units=tuple(units), identifiers=tuple(identifiers), **options)  # type: ignore[arg-type]


def _take(
    word: str,
    rest: deque[str],
    options: dict[str, object],
    units: list[str],
    identifiers: list[str],
    boot: int,
    now: float,
) -> None:
    """Read one option, with its value from `rest` where it has one."""
    match word:
        case "-u" | "--unit":
            units.append(unit_name(_value(word, rest)))
        case "-t" | "--identifier":
            identifiers.append(_value(word, rest))
        case "-n" | "--lines":
            number = rest.popleft() if rest and (rest[0].isdigit() or rest[0] == "all") else "10"
            options["lines"] = None if number == "all" else int(number)
        case "-b" | "--boot":
            offset = int(rest.popleft()) if rest and re.fullmatch(r"-?\d+", rest[0]) else 0
            options["boot"] = boot + offset if offset <= 0 else offset
        case "-o" | "--output":
            options["output"] = _value(word, rest)
        case "-S" | "--since":
            options["since"] = moment(_value(word, rest), now)
        case "-U" | "--until":
            options["until"] = moment(_value(word, rest), now)
        case "-g" | "--grep":
            options["pattern"] = _value(word, rest)
        case "-p" | "--priority":
            _value(word, rest)
        case "-f" | "--follow" | "-r" | "--reverse" | "-q" | "--quiet":
            options[{"f": "follow", "r": "reverse", "q": "quiet"}[word.lstrip("-")[0]]] = True
        case "-e" | "--pager-end":
            options.setdefault("lines", 1000)
        case "-x" | "--catalog" | "-a" | "--all" | "-l" | "--full" | "-k" | "--no-pager" | "--utc":
            return
        case "--no-tail" | "--no-hostname" | "--system" | "-m" | "--merge":
            return
        case _:
            raise JournalctlError(f"journalctl: unrecognized option '{word}'")


def _separated(words: Sequence[str]) -> Iterator[str]:
    """Options one by one: -xeu X and --unit=X become -x -e -u X and --unit X."""
    for word in words:
        if word.startswith("--") and "=" in word:
            yield from word.split("=", 1)
        elif re.fullmatch(r"-[a-zA-Z]+.*", word):
            yield from _cluster(word[1:])
        else:
            yield word


def _cluster(letters: str) -> Iterator[str]:
    for index, letter in enumerate(letters):
        yield "-" + letter
        if letter in "unotSUgpb" and letters[index + 1 :]:
            yield letters[index + 1 :]
            return


def _value(option: str, rest: deque[str]) -> str:
    if not rest:
        raise JournalctlError(f"journalctl: option requires an argument -- '{option.lstrip('-')}'")
    return rest.popleft()


def unit_name(name: str) -> str:
    """The name with ".service" where it has no suffix."""
    known = (".service", ".target", ".socket", ".timer", ".path", ".mount", ".slice", ".scope")
    return name if name.endswith(known) or "*" in name else name + ".service"


def moment(text: str, now: float) -> float:
    """The time that --since or --until means: today, -5min, "10 min ago", 2026-01-31 12:00[:00]."""
    midnight = now - now % 86400
    named = {"now": now, "today": midnight, "yesterday": midnight - 86400, "tomorrow": midnight + 86400}
    if text in named:
        return named[text]
    ago = re.fullmatch(r"-(.+)|(.+) ago", text)
    if ago:
        return now - seconds((ago[1] or ago[2]).strip(), 0.0)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"):
        try:
            return float(calendar.timegm(time.strptime(text, form)))
        except ValueError:
            continue
    if re.fullmatch(r"@[\d.]+", text):
        return float(text[1:])
    raise JournalctlError(f"Failed to parse timestamp: {text}")
