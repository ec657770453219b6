"""What pid 1 of an instance and the manager outside say to each other: JSON, one object a line.

What belongs here: the records, writing them, and reading them with suspicion, because whatever comes
out of an instance may have been written by the student's code. What does not: the descriptors.
Runs on both sides: standard library only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

#: a longer line ends the conversation
LINE_BYTES = 256 << 10
_TEXT = 200
_TAIL_LINES = 40
_TAIL_TEXT = 2000
_STATES = ("inactive", "activating", "active", "deactivating", "failed")


@dataclass(frozen=True)
class UnitState:
    """A unit as `systemctl show` would tell it."""

    name: str
    state: str
    sub: str
    result: str = "success"
    main_pid: int = 0
    restarts: int = 0


@dataclass(frozen=True)
class UserDataEnded:
    """User data ended: its exit status (None: there was none to run), and the log's last lines."""

    code: int | None
    seconds: float
    tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Booted:
    """cloud-init has finished, and the units enabled at boot have been asked to start."""


@dataclass(frozen=True)
class Halt:
    """Something inside asked for a power off or a reboot."""

    reboot: bool


@dataclass(frozen=True)
class JournalLines:
    """The answer to a question about the journal."""

    question: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ShellEnded:
    """A shell or command that the outside asked for has ended with this status."""

    question: int
    status: int


Report = UnitState | UserDataEnded | Booted | Halt | JournalLines | ShellEnded


def encode(report: Report) -> bytes:
    """One line for the channel."""
    fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(report).items()}
    return json.dumps({"report": type(report).__name__, **fields}).encode() + b"\n"


def decode(line: bytes) -> Report | None:
    """The report in `line`, cut to its limits, or None when it is none: never an exception."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    try:
        return _report(value)
    except (KeyError, TypeError):
        return None


def _report(value: Mapping[str, object]) -> Report | None:
    match value["report"]:
        case "UnitState":
            return _unit(value)
        case "UserDataEnded":
            code = None if value["code"] is None else _integer(value["code"])
            return UserDataEnded(code, _number(value["seconds"]), _lines(value["tail"], _TAIL_LINES))
        case "Booted":
            return Booted()
        case "Halt":
            return Halt(value["reboot"] is True)
        case "JournalLines":
            return JournalLines(_integer(value["question"]), _lines(value["lines"], 10_000))
        case "ShellEnded":
            return ShellEnded(_integer(value["question"]), _integer(value["status"]))
    return None


def _unit(value: Mapping[str, object]) -> UnitState | None:
    state = _text(value["state"])
    if state not in _STATES:
        return None
    numbers = _integer(value["main_pid"]), _integer(value["restarts"])
    return UnitState(_text(value["name"]), state, _text(value["sub"]), _text(value["result"]), *numbers)


def _text(value: object, limit: int = _TEXT) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value[:limit]


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 1 << 31:
        raise TypeError(value)
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise TypeError(value)
    return float(value)


def _lines(value: object, limit: int) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(_text(line, _TAIL_TEXT) for line in value[-limit:])


class Lines:
    """Cuts a stream into lines; a line over the limit raises ValueError."""

    def __init__(self, limit: int = LINE_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends."""
        self._held += data
        *lines, rest = self._held.split(b"\n")
        if len(rest) > self._limit or any(len(line) > self._limit for line in lines):
            raise ValueError("line too long")
        self._held = bytearray(rest)
        return [bytes(line) for line in lines]
