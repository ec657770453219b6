"""Signals: what instances and others tell a stack that waits for them (cfn-signal, SignalResource, a wait handle's URL).

What belongs here: keeping signals and waiting for enough of them. What does not: who may send one (bootstrap, the API).

AWS: CloudFormation template reference, "CreationPolicy attribute"; AWS::CloudFormation::WaitCondition.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.aws.templates.errors import ResourceFailed, invalid

DEFAULT_TIMEOUT = "PT5M"
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
#: the longest that CloudFormation waits: 12 hours
_LONGEST = 12 * 3600


@dataclass(frozen=True)
class Signal:
    """One signal: SUCCESS or FAILURE, with what else was told."""

    unique_id: str
    success: bool
    reason: str = ""
    data: str = ""


@dataclass(frozen=True)
class Expected:
    """How many signals of success a resource needs, and within how many seconds."""

    count: int
    seconds: float


class Signals:
    """All signals of the cloud, by what they are for. For any thread."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Signal]] = {}
        self._answers: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def put(self, key: str, signal: Signal) -> None:
        """Take one; a second one of the same unique id counts no more."""
        with self._lock:
            self._held.setdefault(key, {}).setdefault(signal.unique_id, signal)

    def expect(self, url: str) -> None:
        """From now on, until it is forgotten, one answer to `url` is taken."""
        with self._lock:
            self._answers[url] = None

    def answer(self, url: str, text: str) -> bool:
        """Take an answer; False where nobody expects one. The first one counts."""
        with self._lock:
            if url not in self._answers:
                return False
            self._answers[url] = self._answers[url] if self._answers[url] is not None else text
            return True

    def answered(self, url: str) -> str | None:
        """What was answered to `url`; None where nothing was."""
        with self._lock:
            return self._answers.get(url)

    def of(self, key: str) -> Mapping[str, Signal]:
        """Those for `key`, by unique id, in the order in which they came."""
        with self._lock:
            return dict(self._held.get(key, {}))

    def forget(self, key: str) -> None:
        """Begin anew: a resource that is made again needs new ones."""
        with self._lock:
            self._held.pop(key, None)
            self._answers.pop(key, None)


def key_of(stack_id: str, logical_id: str) -> str:
    """What signals to a resource are kept by."""
    return f"{stack_id}/{logical_id}"


def expected_by(policy: Mapping[str, Any]) -> Expected | None:
    """What a CreationPolicy waits for; None where it waits for nothing. Raises ApiError."""
    signal = policy.get("ResourceSignal")
    if signal is None:
        return None
    return Expected(int(signal.get("Count", 1)), _seconds(str(signal.get("Timeout", DEFAULT_TIMEOUT))))


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise invalid(f"Template error: {text} is no duration in ISO 8601 (PT5M)")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return min(((days * 24 + hours) * 60 + minutes) * 60 + seconds, _LONGEST)


def await_all(
    signals: Signals,
    key: str,
    expected: Expected,
    until: Callable[..., None],
    *,
    told: Callable[[Signal], None],
    late: str,
    failed: Callable[[Signal], str],
) -> None:
    """Return once enough signals of success have come; `told` hears each.

    Raises ResourceFailed with `failed`'s words for one of failure, and with `late` when the time is over.
    """
    heard: set[str] = set()
    deadline = time.monotonic() + expected.seconds

    def enough() -> bool:
        for name, signal in signals.of(key).items():
            if name not in heard:
                heard.add(name)
                told(signal)
                if not signal.success:
                    raise ResourceFailed(failed(signal))
        if len(heard) < expected.count and time.monotonic() > deadline:
            raise ResourceFailed(
                late.format(received=len(heard), missing=expected.count - len(heard), count=expected.count)
            )
        return len(heard) >= expected.count

    until(enough, "signals", seconds=expected.seconds + 60)
