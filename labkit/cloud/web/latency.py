"""Delays that somebody declared: where AWS would take longer than a laptop does, drawn from a seed.

What belongs here: how long each kind of wait is, and waiting. What does not: which waits AWS has (whoever asks
declares them), measuring. No delay is declared unless asked for.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: what can be delayed: the way between you and the region, the host of the images, S3's and DynamoDB's answers
#: to the server, the start of an execution environment
KINDS = ("client", "images", "s3", "dynamodb", "cold")
#: no wait is longer than this, however it is drawn
LONGEST_MS = 10_000.0
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[\w-]+/(s3|dynamodb)/")


@dataclass(frozen=True)
class Delay:
    """A wait: its median and, beside it, the time that 95 of 100 waits do not exceed, in ms (log-normal)."""

    median: float
    p95: float


class Latency:
    """The delays in force. For any thread; the same seed gives each kind the same waits in the same order."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep, self._lock = sleep, threading.Lock()
        self._delays: dict[str, Delay] = {}
        self._until = 0.0
        self._random: dict[str, random.Random] = {}

    def declare(self, delays: Mapping[str, Delay], *, seed: int, seconds: float) -> None:
        """These delays for so many seconds, and no others. Raises ValueError for a kind or a time that can't be."""
        for kind, delay in delays.items():
            if kind not in KINDS:
                raise ValueError(f"there is no delay {kind!r}; there are {', '.join(KINDS)}")
            if not 0 < delay.median <= delay.p95 <= LONGEST_MS:
                raise ValueError(f"{kind}: 0 < median <= p95 <= {LONGEST_MS:g} ms")
        with self._lock:
            self._delays, self._until = dict(delays), time.monotonic() + seconds
            self._random = {kind: random.Random(f"{seed}/{kind}") for kind in delays}

    def wait(self, kind: str) -> None:
        """Wait as long as this kind takes this time; not at all when nothing is declared for it."""
        seconds = self._draw(kind)
        if seconds:
            self._sleep(seconds)

    def _draw(self, kind: str) -> float:
        with self._lock:
            delay = self._delays.get(kind)
            if delay is None or time.monotonic() > self._until:
                return 0.0
            spread: float = (delay.p95 / delay.median) ** (self._random[kind].gauss(0, 1) / 1.645)
        return min(delay.median * spread, LONGEST_MS) / 1000

    # ---- Where requests wait --------------------------------------------------------------------------

    def before(self, kind: str, app: "WSGIApplication") -> "WSGIApplication":
        """`app`, each answer of which comes later by this kind."""

        def later(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            self.wait(kind)
            return app(environ, start)

        return later

    def on_invoke(self, app: "WSGIApplication") -> "WSGIApplication":
        """AWS's API as this machine sees it: invoking a function takes the way to the region and back."""

        def later(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            if str(environ.get("PATH_INFO", "")).endswith("/invocations"):
                self.wait("client")
            return app(environ, start)

        return later

    def on_stores(self, app: "WSGIApplication") -> "WSGIApplication":
        """AWS's API as the server sees it: S3 and DynamoDB take their time."""

        def later(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            found = _SERVICE.search(str(environ.get("HTTP_AUTHORIZATION", "")))
            if found:
                self.wait(found[1])
            return app(environ, start)

        return later

    def answer(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """The control interface's request: {"seed": 7, "seconds": 60, "delays": {kind: [median, p95]}}."""
        delays = {kind: Delay(*map(float, times)) for kind, times in asked["delays"].items()}
        self.declare(delays, seed=int(asked["seed"]), seconds=float(asked["seconds"]))
        return {"delays": sorted(delays)}
