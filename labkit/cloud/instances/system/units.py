"""Reading systemd unit files: from text to one frozen Service, as systemd 252 (Amazon Linux 2023) reads it.

What belongs here: syntax, specifiers, defaults, durations. What does not: processes, and files'
places on the disk (see unitfiles). Runs inside the instance: standard library only.

Promises copy systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.syntax(7).
"""

import re
import shlex
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Sections = Mapping[str, Mapping[str, list[str]]]

_TYPES = ("simple", "exec", "oneshot", "forking", "notify", "idle", "dbus")
_NOTIFY = ("none", "main", "exec", "all")
_UNITS_OF_TIME = {
    "us": 1e-6, "usec": 1e-6, "ms": 1e-3, "msec": 1e-3,
    "": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip
#: the settings of [Service] that are read here
_IMITATED = frozenset(
    [
        "Type",
        "Environment",
        "EnvironmentFile",
        "ExecStartPre",
        "ExecStart",
        "ExecStartPost",
        "ExecReload",
        "ExecStop",
        "WorkingDirectory",
        "User",
        "Group",
        "PIDFile",
        "NotifyAccess",
        "Restart",
        "RestartSec",
        "StartLimitBurst",
        "StartLimitInterval",
        "StartLimitIntervalSec",
        "TimeoutSec",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "KillSignal",
        "SuccessExitStatus",
        "RemainAfterExit",
        "StandardOutput",
        "StandardError",
        "SyslogIdentifier",
        "MemoryMax",
        "MemoryLimit",
    ]
)
_TRUE = ("1", "yes", "y", "true", "t", "on")


class UnitError(Exception):
    """A unit that systemd would refuse to load; the text is systemd's."""


@dataclass(frozen=True)
class Command:
    """One Exec line: its words before variables are put in, and whether its failure counts."""

    words: tuple[str, ...]
    ignore_failure: bool = False


@dataclass(frozen=True)
class Service:
    """A service unit with systemd's defaults filled in. Durations are in seconds (0: no limit)."""

    name: str
    path: str = ""
    description: str = ""
    type: str = "simple"
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[tuple[str, bool], ...] = ()  # (path, may be missing)
    start_pre: tuple[Command, ...] = ()
    start: tuple[Command, ...] = ()
    start_post: tuple[Command, ...] = ()
    reload: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    working_directory: str = "/"
    working_directory_optional: bool = False
    user: str = ""
    group: str = ""
    pid_file: str = ""
    notify_access: str = "none"
    restart: str = "no"
    restart_seconds: float = 0.1
    start_limit_burst: int = 5
    start_limit_seconds: float = 10.0
    stop_timeout: float = 90.0
    start_timeout: float = 90.0
    kill_signal: int = signal.SIGTERM
    success_statuses: frozenset[int] = frozenset()
    remain_after_exit: bool = False
    stdout: str = "journal"
    stderr: str = "inherit"
    syslog_identifier: str = ""
    memory_max: int = 0  # bytes; 0: no limit
    wants: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def parse(text: str) -> Sections:
    """The sections of a unit file: section → key → values in order; an empty value resets a list."""
    sections: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], {})
        elif "=" in line:
            key, _, value = line.partition("=")
            values = current.setdefault(key.strip(), [])
            values.append(value.strip()) if value.strip() else values.clear()
    return sections


def _logical_lines(text: str) -> list[str]:
    """Lines without comments, with those that end in a backslash joined (comments between dropped)."""
    lines, held = [], ""
    for raw in text.split("\n"):
        line = raw.strip()
        if line[:1] in ("#", ";") or (not line and not held):
            continue
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        lines.append(held + line)
        held = ""
    return [*lines, held.strip()] if held.strip() else lines


def seconds(text: str, default: float) -> float:
    """A systemd time span ("5", "500ms", "1min 30s") in seconds; 0 for "infinity"."""
    if text == "infinity":
        return 0.0
    parts = re.findall(r"([0-9.]+)\s*([a-zµ]*)\s*", text)
    if not parts or any(unit not in _UNITS_OF_TIME for _, unit in parts):
        return default
    return sum(float(number) * _UNITS_OF_TIME[unit] for number, unit in parts)


def specifiers(name: str, hostname: str = "localhost") -> Mapping[str, str]:
    """What %n, %i and their like stand for in the unit `name` (systemd.unit(5), "Specifiers")."""
    stem = name.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    readable = instance.replace("-", "/")
    return {
        "n": name, "N": stem, "p": prefix, "P": prefix.replace("-", "/"), "i": instance, "I": readable,
        "f": "/" + (readable or prefix), "H": hostname, "h": "/root", "u": "root", "U": "0", "g": "root",
        "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc", "T": "/tmp",
        "V": "/var/tmp", "%": "%",
    }  # fmt: skip


def expand(text: str, meanings: Mapping[str, str]) -> str:
    """`text` with each %x replaced; unknown specifiers stay as they are."""
    return re.sub(r"%(.)", lambda match: meanings.get(match[1], match[0]), text)


def command(text: str) -> Command:
    """One Exec value. Raises UnitError where systemd finds no program in it."""
    bare = text.lstrip("@-:+!")
    try:
        words = tuple(shlex.split(bare))
    except ValueError as error:
        raise UnitError(f"Unbalanced quoting, ignoring: {text}") from error
    prefix = text[: len(text) - len(bare)]
    if "@" in prefix:
        words = words[:1] + words[2:]
    if not words:
        raise UnitError("Empty path in command line, ignoring: " + text)
    if "/" in words[0] and not words[0].startswith("/"):
        raise UnitError(f"Neither a valid executable name nor an absolute path: {words[0]}")
    return Command(words, "-" in prefix)


def service(name: str, text: str, *, path: str = "", hostname: str = "localhost") -> Service:
    """The service that the unit file `text` describes.

    Raises UnitError with systemd's words when the unit has no usable ExecStart.
    """
    reader = _Reader(parse(text), specifiers(name, hostname))
    result = _service(name, path, reader)
    if not result.start and not (result.type == "oneshot" and result.stop):
        raise UnitError(f"{name}: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.")
    if result.type != "oneshot" and len(result.start) > 1:
        raise UnitError(
            f"{name}: Service has more than one ExecStart= setting, which is only allowed"
            " for Type=oneshot services. Refusing."
        )
    if result.type == "dbus":
        raise UnitError(
            f"{name}: Type=dbus: the local cloud's imitation of systemd lacks D-Bus. On AWS it is there."
        )
    if result.type == "oneshot" and result.restart in ("always", "on-success"):
        raise UnitError(
            f"{name}: Service has Restart= set to either always or on-success, which isn't allowed"
            " for Type=oneshot services. Refusing."
        )
    return result


def _service(name: str, path: str, reader: "_Reader") -> Service:
    directory = reader.last("Service", "WorkingDirectory", "/")
    kind = reader.choice("Type", _TYPES, "simple")
    return Service(
        name=name,
        path=path,
        description=reader.last("Unit", "Description") or name,
        type=kind,
        environment=reader.assignments(),
        environment_files=tuple((v.lstrip("-"), v.startswith("-")) for v in reader.all("EnvironmentFile")),
        start_pre=reader.commands("ExecStartPre"),
        start=reader.commands("ExecStart"),
        start_post=reader.commands("ExecStartPost"),
        reload=reader.commands("ExecReload"),
        stop=reader.commands("ExecStop"),
        working_directory="/root" if directory.lstrip("-") == "~" else directory.lstrip("-"),
        working_directory_optional=directory.startswith("-"),
        user=reader.last("Service", "User"),
        group=reader.last("Service", "Group"),
        pid_file=reader.last("Service", "PIDFile"),
        notify_access=reader.choice("NotifyAccess", _NOTIFY, "main" if kind == "notify" else "none"),
        restart=reader.choice(
            "Restart",
            ("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog"),
            "no",
        ),
        restart_seconds=reader.duration("RestartSec", 0.1),
        start_limit_burst=int(reader.unit_number("StartLimitBurst", 5)),
        start_limit_seconds=reader.unit_number("StartLimitIntervalSec", 10.0),
        stop_timeout=reader.duration("TimeoutStopSec", reader.duration("TimeoutSec", 90.0)),
        start_timeout=reader.duration(
            "TimeoutStartSec", reader.duration("TimeoutSec", 0.0 if kind == "oneshot" else 90.0)
        ),
        kill_signal=signal_number(reader.last("Service", "KillSignal"), signal.SIGTERM),
        success_statuses=frozenset(
            int(word) for v in reader.all("SuccessExitStatus") for word in v.split() if word.isdigit()
        ),
        remain_after_exit=reader.last("Service", "RemainAfterExit").lower() in _TRUE,
        stdout=reader.last("Service", "StandardOutput") or "journal",
        stderr=reader.last("Service", "StandardError") or "inherit",
        syslog_identifier=reader.last("Service", "SyslogIdentifier"),
        memory_max=reader.size("MemoryMax") or reader.size("MemoryLimit"),
        wants=reader.words("Unit", "Wants") + reader.words("Unit", "Requires"),
        warnings=(*reader.warnings, *reader.without_effect()),
    )


def signal_number(text: str, default: int) -> int:
    """The number of a signal given as SIGKILL, KILL or 9."""
    if text.isdigit():
        return int(text)
    name = text if text.startswith("SIG") else "SIG" + text
    return int(getattr(signal, name, default)) if text else default


class _Reader:
    """The values of one unit with specifiers put in; collects what systemd would warn about."""

    def __init__(self, sections: Sections, meanings: Mapping[str, str]) -> None:
        self._sections = sections
        self._meanings = meanings
        self.warnings: list[str] = []

    def all(self, key: str, section: str = "Service") -> list[str]:
        return [expand(v, self._meanings) for v in self._raw(section, key)]

    def _raw(self, section: str, key: str) -> list[str]:
        return self._sections.get(section, {}).get(key, [])

    def last(self, section: str, key: str, default: str = "") -> str:
        values = self.all(key, section)
        return values[-1] if values else default

    def words(self, section: str, key: str) -> tuple[str, ...]:
        return tuple(word for value in self.all(key, section) for word in value.split())

    def duration(self, key: str, default: float) -> float:
        return seconds(self.last("Service", key, str(default)), default)

    def size(self, key: str) -> int:
        """Bytes, with K, M, G, T as powers of 1024; 0 for "infinity" and where nothing is said."""
        text = self.last("Service", key)
        found = re.fullmatch(r"(\d+)([KMGT]?)", text)
        if not found and text not in ("", "infinity"):
            self.warnings.append(f"Invalid memory limit '{text}', ignoring.")
        return int(found[1]) << 10 * " KMGT".index(found[2] or " ") if found else 0

    def without_effect(self) -> list[str]:
        """A line for each setting of [Service] that this imitation does not have: none is passed over in silence."""
        return [
            f"{key}= has no effect here: the local cloud's imitation of systemd lacks it"
            for key in self._sections.get("Service", {})
            if key not in _IMITATED
        ]

    def unit_number(self, key: str, default: float) -> float:
        """A limit that may stand in [Unit] or, as in old units, in [Service]."""
        old = key.removesuffix("Sec")
        text = self.last("Unit", key) or self.last("Service", key) or self.last("Service", old)
        return seconds(text, default) if text else default

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.last("Service", key, default)
        if value in allowed:
            return value
        self.warnings.append(f"Failed to parse {key.lower()} specifier, ignoring: {value}")
        return default

    def commands(self, key: str) -> tuple[Command, ...]:
        return tuple(c for c in map(self._lenient(command), self.all(key)) if c is not None)

    def _lenient(self, convert: Callable[[str], Command]) -> Callable[[str], Command | None]:
        """A line that systemd can't read is ignored with a warning, as systemd does."""

        def attempt(text: str) -> Command | None:
            try:
                return convert(text)
            except UnitError as error:
                self.warnings.append(str(error))
                return None

        return attempt

    def assignments(self) -> tuple[tuple[str, str], ...]:
        pairs = []
        for value in self.all("Environment"):
            try:
                words = shlex.split(value)
            except ValueError:
                self.warnings.append(f"Invalid syntax, ignoring: {value}")
                continue
            for word in words:
                name, equals, content = word.partition("=")
                if equals and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                    pairs.append((name, content))
                else:
                    self.warnings.append(f"Invalid environment assignment, ignoring: {word}")
        return tuple(pairs)
